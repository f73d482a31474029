#include "gateway/openapi_example.h"

#include <string>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

namespace verdict::gateway {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;
using Kind = FieldPlan::Kind;

// The contract writes values as JSON; a test sees to it that they are.
value Parsed(const std::string& json) {
  boost::json::error_code ec;
  return boost::json::parse(json, ec);
}

bool Shows(const FieldPlan& field, SchemaUse use) {
  if (field.rule->required() || !field.rule->example().empty()) return true;
  if (use != SchemaUse::kAnswer) return false;
  return IsAlwaysShown(field) || field.kind == Kind::kTimestamp ||
         (field.kind == Kind::kMessage && !field.is_map());
}

}  // namespace

ExampleSet::ExampleSet(const RouteTable& routes) {
  for (const Route* route : routes.routes()) {
    Collect(*route->request_plan);
    Collect(*route->response_plan);
  }
}

void ExampleSet::Collect(const MessagePlan& message) {
  if (!collected_.insert(&message).second) return;
  for (const FieldPlan& field : message.fields) {
    if (!field.rule->example().empty())
      by_name_.emplace(std::pair(field.name, field.kind), Parsed(field.rule->example()));
    const MessagePlan* inner = field.is_map() ? field.map_value->message : field.message;
    if (inner != nullptr) Collect(*inner);
  }
}

value ExampleSet::OfValue(const FieldPlan& field, SchemaUse use) const {
  if (field.rule->uuid()) return "0190a0f1-c5d8-7c3e-8d0f-4b6a7e9c2d11";
  if (field.kind == Kind::kMessage) return OfMessage(*field.message, use);
  if (field.kind == Kind::kEnum) {
    return value(field.enumeration->names.substr(0, field.enumeration->names.find(',')));
  }
  if (const auto named = by_name_.find({field.name, field.kind}); named != by_name_.end()) {
    return named->second;
  }
  switch (field.kind) {
    case Kind::kBool:
      return true;
    case Kind::kTimestamp:
      return "2026-05-29T20:54:19.746Z";
    default:
      return nullptr;
  }
}

value ExampleSet::OfField(const FieldPlan& field, SchemaUse use) const {
  for (const std::string* json : {&field.rule->example(), &field.rule->default_()}) {
    if (!json->empty()) return Parsed(*json);
  }
  return field.is_list() ? value(array{OfValue(field, use)}) : OfValue(field, use);
}

value ExampleSet::OfMessage(const MessagePlan& message, SchemaUse use, const Route* body_of) const {
  object example;
  for (const FieldPlan& field : message.fields) {
    if (body_of != nullptr && IsSetByPath(*body_of, field)) continue;
    if (Shows(field, use)) example[field.name] = OfField(field, use);
  }
  return example;
}

value ExampleSet::OfBody(const Route& route) const {
  const SchemaUse use = UseOfBody(route);
  if (route.body_field == nullptr) return OfMessage(*route.request_plan, use, &route);
  return OfField(*route.body_field, use);
}

}  // namespace verdict::gateway
