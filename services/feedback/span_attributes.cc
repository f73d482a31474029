#include "services/feedback/span_attributes.h"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "services/feedback/span_write.h"

namespace verdict::feedback {
namespace {

namespace json = boost::json;

// What is read takes some ten times as much memory, for as long as it is looked at.
constexpr size_t kBytesMax = 1 << 20;

std::optional<std::string_view> TextOf(const json::object& object, json::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string_view(value->get_string().data(), value->get_string().size());
}

}  // namespace

SpanAttributes ReadAttributes(std::string_view text) {
  if (text.size() > kBytesMax) return {};
  json::error_code error;
  const json::value value = json::parse({text.data(), text.size()}, error);
  if (error || !value.is_object()) return {};
  const json::object& object = value.get_object();

  SpanAttributes attributes;
  if (const json::value* ours = object.if_contains("zeroeval"); ours != nullptr && ours->is_object()) {
    if (const auto id = TextOf(ours->get_object(), "prompt_version_id")) {
      attributes.prompt_version_id = Uuid::Parse(*id);
    }
  }
  for (const char* name : {"model", "llm.model", "gen_ai.request.model"}) {
    const auto model = TextOf(object, name);
    if (!model || !CanBeKept(*model, kSpanModelBytesMax)) continue;
    attributes.model = std::string(*model);
    break;
  }
  return attributes;
}

}  // namespace verdict::feedback
