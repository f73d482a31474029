#include "gateway/openapi_schema.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gateway/json_reader.h"

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

// The years 1 to 9999.
constexpr int64_t kFirstSecond = -62'135'596'800;
constexpr int64_t kLastSecond = 253'402'300'799;

bool IsBody(SchemaUse use) { return use == SchemaUse::kStrictBody || use == SchemaUse::kTolerantBody; }

// The same, or null.
object OrNull(object schema) {
  const object null{{"type", "null"}};
  if (auto* type = schema.if_contains("type")) {
    *type = array{*type, "null"};
  } else if (auto* choices = schema.if_contains("oneOf")) {
    choices->as_array().push_back(null);
  } else {
    schema = {{"oneOf", {std::move(schema), null}}};
  }
  return schema;
}

object TimeSchema(const options::v1::FieldRule& rule, SchemaUse use) {
  object text{{"type", "string"}, {"format", "date-time"}};
  if (use == SchemaUse::kParameter) {
    return {{"anyOf",
             {std::move(text),
              {{"type", "string"}, {"format", "date"}, {"description", "The start of the day, UTC."}}}}};
  }
  if (!rule.epoch_seconds() || !IsBody(use)) return text;
  return {{"oneOf",
           {std::move(text),
            {{"type", "number"},
             {"minimum", kFirstSecond},
             {"maximum", kLastSecond},
             {"description", "Seconds since 1970."}}}}};
}

// In OTLP's bodies numbers may be texts. Of those of the most digits some would be too large; no pattern says
// which.
object OtlpNumberSchema(object number, std::string_view pattern) {
  return {{"oneOf", {std::move(number), {{"type", "string"}, {"pattern", pattern}}}}};
}

object OtlpInt64Schema(SchemaUse use) {
  if (!IsBody(use)) return {{"type", "string"}, {"pattern", "^-?[0-9]{1,19}$"}};
  return OtlpNumberSchema({{"type", "number"}}, "^-?(0|[1-9][0-9]{0,17})$");
}

object OtlpUint64Schema(SchemaUse use) {
  if (!IsBody(use)) return {{"type", "string"}, {"pattern", "^[0-9]{1,20}$"}};
  return OtlpNumberSchema({{"type", "number"}}, "^(0|[1-9][0-9]{0,18})$");
}

object TextSchema(const options::v1::FieldRule& rule) {
  object schema{{"type", "string"}};
  if (rule.uuid()) schema["format"] = "uuid";
  // Bytes: characters are at most as many, and one or none are alike.
  if (rule.required() || rule.min_bytes() > 0) schema["minLength"] = 1;
  if (rule.max_bytes() > 0) schema["maxLength"] = rule.max_bytes();  // at least; x-max-bytes is the limit
  return schema;
}

}  // namespace

SchemaUse UseOfBody(const Route& route) {
  return route.rest->ignore_unknown_fields() ? SchemaUse::kTolerantBody : SchemaUse::kStrictBody;
}

bool IsSetByPath(const Route& route, const FieldPlan& field) {
  return std::ranges::any_of(
      route.variables, [&](const FieldPath& path) { return path.size() == 1 && path.front() == &field; });
}

bool IsAlwaysShown(const FieldPlan& field) {
  if (field.style == JsonStyle::kOtlp) return false;
  return field.is_list() || (!field.is_map() && !field.field->has_presence() && field.kind != Kind::kEnum &&
                             field.kind != Kind::kJson);
}

std::string SchemaSet::NameOf(const google::protobuf::Descriptor& descriptor) {
  if (names_.emplace(descriptor.name(), &descriptor).first->second == &descriptor) return descriptor.name();
  const std::vector<std::string> package = absl::StrSplit(descriptor.file()->package(), '.');
  std::string name = package[package.size() - 2] + descriptor.name();
  name.front() = absl::ascii_toupper(static_cast<unsigned char>(name.front()));
  return name;
}

object SchemaSet::Ref(const MessagePlan& message, SchemaUse use) {
  std::string name = NameOf(*message.descriptor);
  if (IsBody(use) && !absl::EndsWith(name, "Input")) name += "Input";
  if (!components_.contains(name)) {
    components_[name] = nullptr;  // a message may contain itself
    components_[name] = OfMessage(message, use, nullptr);
  }
  return RefTo(name);
}

object SchemaSet::EnumRef(const FieldPlan& field) {
  const auto& descriptor = *field.field->enum_type();
  if (!components_.contains(descriptor.name())) {
    array names;
    std::string description = comments_.Of(descriptor);
    for (int i = 0; i < descriptor.value_count(); ++i) {
      const std::string name(field.enumeration->NameOf(static_cast<uint64_t>(descriptor.value(i)->number())));
      if (name.empty()) continue;
      names.emplace_back(name);
      absl::StrAppend(&description, "\n- `", name, "`: ", comments_.Of(*descriptor.value(i)));
    }
    components_[descriptor.name()] = {
        {"type", "string"}, {"enum", std::move(names)}, {"description", description}};
  }
  return RefTo(descriptor.name());
}

object SchemaSet::OfValue(const FieldPlan& field, SchemaUse use) {
  const auto& rule = *field.rule;
  const bool is_otlp = field.style == JsonStyle::kOtlp;
  object schema;
  switch (field.kind) {
    case Kind::kBool:
      return {{"type", "boolean"}};
    case Kind::kInt32:
      schema = {{"type", "integer"},
                {"format", "int32"},
                {"minimum", std::numeric_limits<int32_t>::min()},
                {"maximum", std::numeric_limits<int32_t>::max()}};
      break;
    case Kind::kInt64:
      if (is_otlp) return OtlpInt64Schema(use);
      schema = {{"type", "integer"}, {"format", "int64"}};
      break;
    case Kind::kUint64:
      if (is_otlp) return OtlpUint64Schema(use);
      [[fallthrough]];
    case Kind::kUint32:
      schema = {{"type", "integer"}, {"minimum", 0}};
      break;
    case Kind::kDouble:
      schema = {{"type", "number"}, {"format", "double"}};
      if (is_otlp) {
        return OtlpNumberSchema(std::move(schema),
                                "^(NaN|-?Infinity|-?(0|[1-9][0-9]{0,15})(\\.[0-9]{1,15})?)$");
      }
      break;
    case Kind::kHex:
      return {{"type", "string"}};
    case Kind::kString:
      schema = TextSchema(rule);
      break;
    case Kind::kJson:
      if (!rule.lenient()) schema = {{"type", "object"}, {"additionalProperties", true}};
      break;
    case Kind::kEnum:
      return EnumRef(field);
    case Kind::kTimestamp:
      return TimeSchema(rule, use);
    case Kind::kMessage:
      return Ref(*field.message, use);
  }
  if (rule.max_bytes() > 0) schema["x-max-bytes"] = rule.max_bytes();
  if (rule.has_min()) schema["minimum"] = Number(rule.min());
  if (rule.has_max()) schema["maximum"] = Number(rule.max());
  return schema;
}

object SchemaSet::OfField(const FieldPlan& field, SchemaUse use) {
  const auto& rule = *field.rule;
  const size_t elements_max = field.style == JsonStyle::kOtlp ? kOtlpElementsMax : kJsonElementsMax;
  const size_t items_max = rule.max_items() > 0 ? rule.max_items() : elements_max;
  object schema;
  if (field.is_map()) {
    object values = OfValue(*field.map_value, use);
    if (IsBody(use)) values = OrNull(std::move(values));
    schema = {{"type", "object"}, {"additionalProperties", std::move(values)}};
    if (IsBody(use)) schema["maxProperties"] = items_max;
  } else if (field.is_list()) {
    schema = {{"type", "array"}, {"items", OfValue(field, use)}};
    if (IsBody(use)) schema["maxItems"] = items_max;
  } else {
    schema = OfValue(field, use);
  }
  if (IsBody(use) && !rule.required()) schema = OrNull(std::move(schema));
  schema["description"] = comments_.Of(*field.field);
  if (!rule.default_().empty()) schema["default"] = Parsed(rule.default_());
  if (!rule.example().empty()) schema["examples"] = array{Parsed(rule.example())};
  if (rule.output_only()) schema["readOnly"] = true;
  return schema;
}

object SchemaSet::OfMessage(const MessagePlan& message, SchemaUse use, const Route* body_of) {
  object properties;
  array required;
  for (const FieldPlan& field : message.fields) {
    if (body_of != nullptr && IsSetByPath(*body_of, field)) continue;
    properties[field.name] = OfField(field, use);
    if (field.rule->required() || (use == SchemaUse::kAnswer && IsAlwaysShown(field))) {
      required.emplace_back(field.name);
    }
  }
  object schema{{"type", "object"},
                {"description", comments_.Of(*message.descriptor)},
                {"properties", std::move(properties)}};
  if (!required.empty()) schema["required"] = std::move(required);
  if (IsBody(use)) schema["additionalProperties"] = use == SchemaUse::kTolerantBody;
  return schema;
}

object SchemaSet::OfBody(const Route& route) {
  const SchemaUse use = UseOfBody(route);
  if (route.body_field == nullptr) return OfMessage(*route.request_plan, use, &route);
  if (!route.takes_array()) return Ref(*route.body_field->message, use);
  object schema = OfField(*route.body_field, use);
  schema["type"] = "array";  // the body itself cannot be null
  return schema;
}

}  // namespace verdict::gateway
