#include "gateway/openapi_schema.h"

#include <algorithm>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include "absl/strings/str_cat.h"

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

object RefTo(const std::string& name) { return {{"$ref", absl::StrCat("#/components/schemas/", name)}}; }

// Numbers of the contract that are whole are written so.
value Number(double number) {
  const auto whole = static_cast<int64_t>(number);
  return static_cast<double>(whole) == number ? value(whole) : value(number);
}

bool IsSetByPath(const Route& route, const FieldPlan& field) {
  return std::ranges::any_of(
      route.variables, [&](const FieldPath& path) { return path.size() == 1 && path.front() == &field; });
}

// Fields without presence stand in every answer, but for enums and maps, which are left out when they have no
// value.
bool IsAlwaysShown(const FieldPlan& field) {
  return field.is_list() || (!field.is_map() && !field.field->has_presence() && field.kind != Kind::kEnum &&
                             field.kind != Kind::kJson);
}

}  // namespace

void SchemaSet::AddRequest(const Route& route) {
  if (!route.has_body) return;
  AddRequestMessage(route.body_field != nullptr ? *route.body_field->message : *route.request_plan,
                    !route.rest->ignore_unknown_fields());
}

void SchemaSet::AddRequestMessage(const MessagePlan& message, bool is_strict) {
  const auto [entry, is_new] = requests_.emplace(&message, is_strict);
  if (!is_new && (is_strict || !entry->second)) return;
  entry->second = is_strict;
  for (const FieldPlan& field : message.fields) {
    const MessagePlan* inner = field.is_map() ? field.map_value->message : field.message;
    if (inner != nullptr) AddRequestMessage(*inner, is_strict);
  }
}

object SchemaSet::Ref(const MessagePlan& message) {
  const std::string& name = message.descriptor->name();
  if (!components_.contains(name)) {
    components_[name] = nullptr;  // a message may contain itself
    components_[name] = OfMessage(message, nullptr);
  }
  return RefTo(name);
}

object SchemaSet::EnumRef(const FieldPlan& field) {
  const auto& descriptor = *field.field->enum_type();
  if (!components_.contains(descriptor.name())) {
    array names;
    std::string description = comments_.Of(descriptor);
    for (int i = 0; i < descriptor.value_count(); ++i) {
      const auto name = field.enumeration->name_of.find(descriptor.value(i)->number());
      if (name == field.enumeration->name_of.end()) continue;
      names.emplace_back(name->second);
      absl::StrAppend(&description, "\n- `", name->second, "`: ", comments_.Of(*descriptor.value(i)));
    }
    components_[descriptor.name()] = {
        {"type", "string"}, {"enum", std::move(names)}, {"description", description}};
  }
  return RefTo(descriptor.name());
}

object SchemaSet::OfValue(const FieldPlan& field) {
  const auto& rule = *field.rule;
  object schema;
  switch (field.kind) {
    case Kind::kBool:
      return {{"type", "boolean"}};
    case Kind::kInt32:
      schema = {{"type", "integer"}, {"format", "int32"}};
      break;
    case Kind::kInt64:
      schema = {{"type", "integer"}, {"format", "int64"}};
      break;
    case Kind::kUint32:
    case Kind::kUint64:
      schema = {{"type", "integer"}, {"minimum", 0}};
      break;
    case Kind::kDouble:
      schema = {{"type", "number"}, {"format", "double"}};
      break;
    case Kind::kString:
      schema = {{"type", "string"}};
      if (rule.uuid()) schema["format"] = "uuid";
      if (rule.required()) schema["minLength"] = 1;
      if (rule.max_bytes() > 0) schema["maxLength"] = rule.max_bytes();  // at least; x-max-bytes is the limit
      break;
    case Kind::kJson:
      schema = {{"type", "object"}};
      break;
    case Kind::kEnum:
      return EnumRef(field);
    case Kind::kTimestamp:
      schema = {{"type", "string"}, {"format", "date-time"}};
      if (rule.epoch_seconds()) {
        schema = {{"oneOf", {schema, {{"type", "number"}, {"description", "Seconds since 1970."}}}}};
      }
      return schema;
    case Kind::kMessage:
      return Ref(*field.message);
  }
  if (rule.max_bytes() > 0) schema["x-max-bytes"] = rule.max_bytes();
  if (rule.has_min()) schema["minimum"] = Number(rule.min());
  if (rule.has_max()) schema["maximum"] = Number(rule.max());
  return schema;
}

object SchemaSet::OfField(const FieldPlan& field) {
  object schema;
  if (field.is_map()) {
    schema = {{"type", "object"}, {"additionalProperties", OfValue(*field.map_value)}};
  } else if (field.is_list()) {
    schema = {{"type", "array"}, {"items", OfValue(field)}};
  } else {
    schema = OfValue(field);
  }
  schema["description"] = comments_.Of(*field.field);
  const auto& rule = *field.rule;
  if (!rule.default_().empty()) schema["default"] = Parsed(rule.default_());
  if (!rule.example().empty()) schema["examples"] = array{Parsed(rule.example())};
  if (rule.output_only()) schema["readOnly"] = true;
  return schema;
}

object SchemaSet::OfMessage(const MessagePlan& message, const Route* body_of) {
  const auto request = requests_.find(&message);
  object properties;
  array required;
  for (const FieldPlan& field : message.fields) {
    if (body_of != nullptr && IsSetByPath(*body_of, field)) continue;
    properties[field.name] = OfField(field);
    if (field.rule->required() || (request == requests_.end() && IsAlwaysShown(field))) {
      required.emplace_back(field.name);
    }
  }
  object schema{{"type", "object"},
                {"description", comments_.Of(*message.descriptor)},
                {"properties", std::move(properties)}};
  if (!required.empty()) schema["required"] = std::move(required);
  if (request != requests_.end() && request->second) schema["additionalProperties"] = false;
  return schema;
}

object SchemaSet::OfBody(const Route& route) {
  if (route.body_field == nullptr) return OfMessage(*route.request_plan, &route);
  return route.takes_array() ? OfField(*route.body_field) : Ref(*route.body_field->message);
}

}  // namespace verdict::gateway
