#pragma once

#include <optional>
#include <stdexcept>

#include <boost/json/value.hpp>

namespace verdict::test {

// The first example that the served document gives of an operation's JSON body; none where there is no body.
// Throws when there is a body without an example: a test that sent something else would test nothing.
inline std::optional<boost::json::value> ExampleBody(const boost::json::value& operation) {
  const auto* body = operation.as_object().if_contains("requestBody");
  if (body == nullptr) return std::nullopt;
  const auto& examples = body->at("content").at("application/json").at("examples").as_object();
  if (examples.empty()) throw std::runtime_error("a body without an example");
  return examples.begin()->value().at("value");
}

}  // namespace verdict::test
