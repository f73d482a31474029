#include "gateway/json_plan.h"

#include <algorithm>

#include <google/protobuf/timestamp.pb.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "common/status/macros.h"

namespace verdict::gateway {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;

// Of a field or an enum's value: they are looked up in arrays.
constexpr size_t kNumberMax = 1000;

absl::Status HasNoJson(const FieldDescriptor& field) {
  return InternalError(absl::StrCat(field.full_name(), ": ", field.type_name(), " has no JSON form here"));
}

// "ScoreDirection" -> "SCORE_DIRECTION_"
std::string PrefixOf(const EnumDescriptor& descriptor) {
  std::string prefix;
  for (const char letter : descriptor.name()) {
    if (absl::ascii_isupper(static_cast<unsigned char>(letter)) && !prefix.empty()) prefix += '_';
    prefix += absl::ascii_toupper(static_cast<unsigned char>(letter));
  }
  return prefix + '_';
}

// Of what can be absent nothing shows then, and empty is no JSON text.
bool IsShownWhenAbsent(const FieldPlan& plan) {
  if (plan.style == JsonStyle::kOtlp || plan.is_map()) return false;
  return plan.is_list() || (!plan.field->has_presence() && plan.kind != FieldPlan::Kind::kJson);
}

}  // namespace

std::optional<FieldPath> ResolvePath(const MessagePlan& plan, std::string_view dotted) {
  FieldPath path;
  const MessagePlan* outer = &plan;
  for (;;) {
    const size_t end = dotted.find('.');
    const FieldPlan* field = outer != nullptr ? outer->Find(dotted.substr(0, end)) : nullptr;
    if (field == nullptr || field->field->is_repeated()) return std::nullopt;
    path.push_back(field);
    if (end == std::string_view::npos) break;
    outer = field->message;
    dotted.remove_prefix(end + 1);
  }
  const auto kind = path.back()->kind;
  if (kind == FieldPlan::Kind::kMessage || kind == FieldPlan::Kind::kJson) return std::nullopt;
  return path;
}

std::string ToString(const FieldPath& path) {
  std::string text;
  for (const FieldPlan* field : path) {
    if (!text.empty()) text += '.';
    text += field->name;
  }
  return text;
}

absl::StatusOr<const MessagePlan*> JsonPlans::Make(const Descriptor& descriptor, JsonStyle style) {
  std::unique_ptr<MessagePlan>& slot = messages_[{&descriptor, style}];
  if (slot) return slot.get();  // also when it is still being made: a message may contain itself
  slot = std::make_unique<MessagePlan>();
  MessagePlan& plan = *slot;
  plan.descriptor = &descriptor;
  plan.style = style;
  if (descriptor.field_count() > kFieldsMax) {
    return InternalError(absl::StrCat(descriptor.full_name(), " has more than ", kFieldsMax, " fields"));
  }
  const auto& prototype = *google::protobuf::MessageFactory::generated_factory()->GetPrototype(&descriptor);
  plan.fields.resize(static_cast<size_t>(descriptor.field_count()));
  for (int i = 0; i < descriptor.field_count(); ++i) {
    FieldPlan& field = plan.fields[static_cast<size_t>(i)];
    field.index = i;
    field.style = style;
    field.reflection = prototype.GetReflection();
    RETURN_IF_ERROR(MakeField(*descriptor.field(i), field));
    plan.by_name.emplace(field.name, &field);
    const auto number = static_cast<size_t>(descriptor.field(i)->number());
    if (number > kNumberMax) return HasNoJson(*descriptor.field(i));
    plan.by_number.resize(std::max(plan.by_number.size(), number + 1));
    plan.by_number[number] = &field;
    if (IsShownWhenAbsent(field)) plan.shown_when_absent |= uint64_t{1} << i;
  }
  return &plan;
}

absl::Status JsonPlans::MakeField(const FieldDescriptor& field, FieldPlan& plan) {
  plan.field = &field;
  plan.is_repeated = field.is_repeated();
  const std::string& name = plan.style == JsonStyle::kOtlp ? field.json_name() : field.name();
  plan.name = name;
  plan.key = absl::StrCat("\"", name, "\":");
  plan.rule = &field.options().GetExtension(options::v1::field);
  plan.wire_type = WireFormatLite::WireTypeForFieldType(static_cast<WireFormatLite::FieldType>(field.type()));
  plan.tag = WireFormatLite::MakeTag(
      field.number(), field.is_packed() ? WireFormatLite::WIRETYPE_LENGTH_DELIMITED : plan.wire_type);
  if (field.is_map()) {
    const Descriptor& entry = *field.message_type();
    if (entry.map_key()->type() != FieldDescriptor::TYPE_STRING) return HasNoJson(field);
    ASSIGN_OR_RETURN(const MessagePlan* entry_plan, Make(entry, plan.style));
    plan.map_entry = entry_plan;
    plan.map_key = entry_plan->Find("key");
    plan.map_value = entry_plan->Find("value");
    return absl::OkStatus();
  }
  switch (field.type()) {
    case FieldDescriptor::TYPE_BOOL:
      plan.kind = FieldPlan::Kind::kBool;
      return absl::OkStatus();
    case FieldDescriptor::TYPE_INT32:
      plan.kind = FieldPlan::Kind::kInt32;
      return absl::OkStatus();
    case FieldDescriptor::TYPE_INT64:
      plan.kind = FieldPlan::Kind::kInt64;
      return absl::OkStatus();
    case FieldDescriptor::TYPE_UINT32:
      plan.kind = FieldPlan::Kind::kUint32;
      return absl::OkStatus();
    case FieldDescriptor::TYPE_UINT64:
    case FieldDescriptor::TYPE_FIXED64:
      plan.kind = FieldPlan::Kind::kUint64;
      return absl::OkStatus();
    case FieldDescriptor::TYPE_DOUBLE:
      plan.kind = FieldPlan::Kind::kDouble;
      return absl::OkStatus();
    case FieldDescriptor::TYPE_STRING:
      plan.kind = plan.rule->json() ? FieldPlan::Kind::kJson : FieldPlan::Kind::kString;
      return absl::OkStatus();
    case FieldDescriptor::TYPE_BYTES:
      if (!plan.rule->hex()) return HasNoJson(field);
      plan.kind = FieldPlan::Kind::kHex;
      return absl::OkStatus();
    case FieldDescriptor::TYPE_ENUM: {
      if (plan.style == JsonStyle::kOtlp)
        return HasNoJson(field);  // there they are numbers; none is read yet
      plan.kind = FieldPlan::Kind::kEnum;
      ASSIGN_OR_RETURN(plan.enumeration, MakeEnum(*field.enum_type()));
      return absl::OkStatus();
    }
    case FieldDescriptor::TYPE_MESSAGE: {
      if (field.message_type() == google::protobuf::Timestamp::descriptor()) {
        plan.kind = FieldPlan::Kind::kTimestamp;
        return absl::OkStatus();
      }
      if (field.message_type()->file()->package() == "google.protobuf") return HasNoJson(field);
      plan.kind = FieldPlan::Kind::kMessage;
      ASSIGN_OR_RETURN(plan.message, Make(*field.message_type(), plan.style));
      return absl::OkStatus();
    }
    default:
      return HasNoJson(field);
  }
}

absl::StatusOr<const EnumPlan*> JsonPlans::MakeEnum(const EnumDescriptor& descriptor) {
  std::unique_ptr<EnumPlan>& slot = enums_[&descriptor];
  if (slot) return slot.get();
  slot = std::make_unique<EnumPlan>();
  EnumPlan& plan = *slot;
  const std::string prefix = PrefixOf(descriptor);
  for (int i = 0; i < descriptor.value_count(); ++i) {
    const auto& value = *descriptor.value(i);
    if (value.number() == 0) continue;
    if (!value.name().starts_with(prefix)) {
      return InternalError(absl::StrCat(value.full_name(), " does not begin with ", prefix));
    }
    const auto number = static_cast<size_t>(value.number());  // huge, when it is negative
    if (number > kNumberMax) return InternalError(absl::StrCat(value.full_name(), " has too high a number"));
    plan.name_of.resize(std::max(plan.name_of.size(), number + 1));
    std::string& name = plan.name_of[number];
    if (!name.empty()) return InternalError(absl::StrCat(value.full_name(), " is an alias"));
    name = absl::AsciiStrToLower(value.name().substr(prefix.size()));
    absl::StrAppend(&plan.names, plan.names.empty() ? "" : ", ", name);
  }
  for (size_t number = 0; number < plan.name_of.size(); ++number) {
    if (!plan.name_of[number].empty()) plan.number_of.emplace(plan.name_of[number], static_cast<int>(number));
  }
  return &plan;
}

}  // namespace verdict::gateway
