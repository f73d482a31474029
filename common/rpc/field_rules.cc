#include "common/rpc/field_rules.h"

#include <cmath>
#include <string>
#include <utility>

#include <google/protobuf/timestamp.pb.h>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/status/error.h"

namespace verdict::rpc {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

struct FieldRules::Rule {
  const FieldDescriptor* field;
  options::v1::FieldRule options;
  const Plan* nested;  // of a message field
};

struct FieldRules::Plan {
  const Descriptor* descriptor;
  std::vector<Rule> rules;
};

struct FieldRules::Findings {
  std::vector<FieldViolation> violations;
  std::vector<FieldViolation> invalid_texts;

  // More would not be told.
  bool full() const { return violations.size() + invalid_texts.size() >= kViolationsMax; }
};

FieldRules::FieldRules(const Descriptor* message) {
  // Plans are made breadth first; a type that occurs twice (or in itself) gets one.
  const auto plan_of = [this](const Descriptor* descriptor) -> const Plan* {
    for (const auto& plan : plans_) {
      if (plan->descriptor == descriptor) return plan.get();
    }
    return plans_.emplace_back(std::make_unique<Plan>(Plan{descriptor, {}})).get();
  };
  plan_of(message);
  for (std::size_t i = 0; i < plans_.size(); ++i) {
    for (int n = 0; n < plans_[i]->descriptor->field_count(); ++n) {
      const FieldDescriptor* field = plans_[i]->descriptor->field(n);
      const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
      const Plan* nested = is_message ? plan_of(field->message_type()) : nullptr;
      plans_[i]->rules.push_back({field, field->options().GetExtension(options::v1::field), nested});
    }
  }
}

FieldRules::~FieldRules() = default;
FieldRules::FieldRules(FieldRules&&) noexcept = default;
FieldRules& FieldRules::operator=(FieldRules&&) noexcept = default;

absl::Status FieldRules::Check(const Message& message) const {
  Findings findings;
  CheckMessage(*plans_.front(), message, "", findings);
  if (!findings.invalid_texts.empty()) {
    return MakeError(errors::v1::REASON_INVALID_TEXT, findings.invalid_texts.front().message,
                     {.violations = std::move(findings.invalid_texts)});
  }
  if (!findings.violations.empty()) return ValidationError(std::move(findings.violations));
  return absl::OkStatus();
}

void FieldRules::CheckMessage(const Plan& plan, const Message& message, const std::string& path,
                              Findings& findings) {
  const Reflection& reflection = *message.GetReflection();
  for (const Rule& rule : plan.rules) {
    const FieldDescriptor* field = rule.field;
    if (rule.options.output_only()) continue;
    const auto here = [&] { return path.empty() ? field->name() : absl::StrCat(path, ".", field->name()); };
    if (field->is_repeated()) {
      const int size = reflection.FieldSize(message, field);
      if (size == 0 && rule.options.required()) {
        findings.violations.push_back({here(), absl::StrCat(here(), " is required.")});
      }
      if (const auto most = rule.options.max_items(); most != 0 && static_cast<unsigned>(size) > most) {
        findings.violations.push_back(
            {here(), absl::StrCat(here(), " has ", size, " elements; at most ", most, " are allowed.")});
        continue;
      }
      if (rule.options.each_by_itself()) continue;
      for (int i = 0; i < size && !findings.full(); ++i) {
        if (!field->is_map()) {
          CheckValue(rule, message, i, absl::StrCat(here(), "[", i, "]"), findings);
          continue;
        }
        // A map's entries are named by their keys.
        const Message& entry = reflection.GetRepeatedMessage(message, field, i);
        const Rule& key = rule.nested->rules[0];
        const std::string name = key.field->cpp_type() == FieldDescriptor::CPPTYPE_STRING
                                     ? entry.GetReflection()->GetString(entry, key.field)
                                     : absl::StrCat(i);
        CheckValue(key, entry, -1, absl::StrCat(here(), "[", i, "]"), findings);
        CheckValue(rule.nested->rules[1], entry, -1, absl::StrCat(here(), ".", name), findings);
      }
    } else if (field->has_presence() ? reflection.HasField(message, field) : true) {
      CheckValue(rule, message, -1, here(), findings);
    } else if (rule.options.required()) {
      findings.violations.push_back({here(), absl::StrCat(here(), " is required.")});
    }
  }
}

void FieldRules::CheckValue(const Rule& rule, const Message& message, int index, const std::string& path,
                            Findings& findings) {
  const Reflection& reflection = *message.GetReflection();
  const FieldDescriptor* field = rule.field;
  const auto violation = [&](auto&&... text) {
    findings.violations.push_back({path, absl::StrCat(path, text...)});
  };
  const auto check_number = [&](double value) {
    if (!std::isfinite(value)) return violation(" must be a finite number.");
    const bool low = rule.options.has_min() && value < rule.options.min();
    const bool high = rule.options.has_max() && value > rule.options.max();
    if (!low && !high) return;
    if (rule.options.has_min() && rule.options.has_max()) {
      return violation(" must lie between ", rule.options.min(), " and ", rule.options.max(), ".");
    }
    if (low) return violation(" must be at least ", rule.options.min(), ".");
    violation(" must be at most ", rule.options.max(), ".");
  };
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      const Message& nested = index < 0 ? reflection.GetMessage(message, field)
                                        : reflection.GetRepeatedMessage(message, field, index);
      const auto* time = google::protobuf::DynamicCastToGenerated<google::protobuf::Timestamp>(&nested);
      if (time != nullptr && !IsTime(*time)) return violation(" must be a time of the years 1 to 9999.");
      CheckMessage(*rule.nested, nested, path, findings);
      break;
    }
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string scratch;
      const std::string& text = index < 0
                                    ? reflection.GetStringReference(message, field, &scratch)
                                    : reflection.GetRepeatedStringReference(message, field, index, &scratch);
      if (field->type() == FieldDescriptor::TYPE_STRING && text.find('\0') != std::string::npos) {
        findings.invalid_texts.push_back({path, absl::StrCat(path, " contains U+0000.")});
      } else if (text.empty() && rule.options.required()) {
        violation(" is required.");
      } else if (text.size() < rule.options.min_bytes()) {
        violation(" is ", text.size(), " bytes long; at least ", rule.options.min_bytes(), " are needed.");
      } else if (rule.options.max_bytes() != 0 && text.size() > rule.options.max_bytes()) {
        violation(" is ", text.size(), " bytes long; at most ", rule.options.max_bytes(), " are allowed.");
      }
      break;
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int value = index < 0 ? reflection.GetEnumValue(message, field)
                                  : reflection.GetRepeatedEnumValue(message, field, index);
      if (field->enum_type()->FindValueByNumber(value) == nullptr) {
        violation(" is not a known value.");
      } else if (value == 0 && rule.options.required()) {
        violation(" is required.");
      }
      break;
    }
    case FieldDescriptor::CPPTYPE_DOUBLE:
      check_number(index < 0 ? reflection.GetDouble(message, field)
                             : reflection.GetRepeatedDouble(message, field, index));
      break;
    case FieldDescriptor::CPPTYPE_INT32:
      check_number(index < 0 ? reflection.GetInt32(message, field)
                             : reflection.GetRepeatedInt32(message, field, index));
      break;
    default:
      break;
  }
}

const FieldDescriptor* TenantField(const Descriptor* message) {
  for (int i = 0; i < message->field_count(); ++i) {
    if (message->field(i)->options().GetExtension(options::v1::field).tenant()) return message->field(i);
  }
  return nullptr;
}

}  // namespace verdict::rpc
