#include "gateway/json_writer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <vector>

#include <google/protobuf/timestamp.pb.h>

#include "gateway/timestamp.h"

namespace verdict::gateway {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::Timestamp;
using Kind = FieldPlan::Kind;

constexpr int kSingular = -1;
constexpr std::string_view kHexDigits = "0123456789abcdef";

template <typename Number>
void AppendNumber(Number number, std::string& out) {
  char text[32];  // the longest double has 24 characters
  out.append(text, std::to_chars(text, text + sizeof text, number).ptr);
}

// JSON's numbers are doubles to many a reader.
template <typename Number>
void AppendInteger64(const FieldPlan& plan, Number number, std::string& out) {
  const std::string_view quote = plan.style == JsonStyle::kOtlp ? "\"" : "";
  out += quote;
  AppendNumber(number, out);
  out += quote;
}

void AppendDouble(double number, std::string& out) {
  if (std::isfinite(number)) return AppendNumber(number, out);
  out += std::isnan(number) ? "\"NaN\"" : number > 0 ? "\"Infinity\"" : "\"-Infinity\"";
}

void AppendHex(std::string_view bytes, std::string& out) {
  out += '"';
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += kHexDigits[byte >> 4];
    out += kHexDigits[byte & 15];
  }
  out += '"';
}

// The value of a field, or one element of a list.
template <typename Value>
Value Get(const FieldPlan& plan, const Message& message, int index,
          Value (Reflection::*get)(const Message&, const FieldDescriptor*) const,
          Value (Reflection::*get_repeated)(const Message&, const FieldDescriptor*, int) const) {
  return index == kSingular ? (plan.reflection->*get)(message, plan.field)
                            : (plan.reflection->*get_repeated)(message, plan.field, index);
}

const Message& GetMessage(const FieldPlan& plan, const Message& message, int index) {
  return index == kSingular ? plan.reflection->GetMessage(message, plan.field)
                            : plan.reflection->GetRepeatedMessage(message, plan.field, index);
}

const std::string& GetString(const FieldPlan& plan, const Message& message, int index, std::string& scratch) {
  return index == kSingular
             ? plan.reflection->GetStringReference(message, plan.field, &scratch)
             : plan.reflection->GetRepeatedStringReference(message, plan.field, index, &scratch);
}

void AppendValue(const FieldPlan& plan, const Message& message, int index, std::string& out) {
  std::string scratch;
  switch (plan.kind) {
    case Kind::kBool:
      out += Get(plan, message, index, &Reflection::GetBool, &Reflection::GetRepeatedBool) ? "true" : "false";
      return;
    case Kind::kInt32:
      return AppendNumber(Get(plan, message, index, &Reflection::GetInt32, &Reflection::GetRepeatedInt32),
                          out);
    case Kind::kInt64:
      return AppendInteger64(
          plan, Get(plan, message, index, &Reflection::GetInt64, &Reflection::GetRepeatedInt64), out);
    case Kind::kUint32:
      return AppendNumber(Get(plan, message, index, &Reflection::GetUInt32, &Reflection::GetRepeatedUInt32),
                          out);
    case Kind::kUint64:
      return AppendInteger64(
          plan, Get(plan, message, index, &Reflection::GetUInt64, &Reflection::GetRepeatedUInt64), out);
    case Kind::kDouble:
      return AppendDouble(Get(plan, message, index, &Reflection::GetDouble, &Reflection::GetRepeatedDouble),
                          out);
    case Kind::kString:
      return AppendJsonString(GetString(plan, message, index, scratch), out);
    case Kind::kHex:
      return AppendHex(GetString(plan, message, index, scratch), out);
    case Kind::kJson:
      out += GetString(plan, message, index, scratch);
      return;
    case Kind::kEnum: {
      const int number =
          Get(plan, message, index, &Reflection::GetEnumValue, &Reflection::GetRepeatedEnumValue);
      const auto name = plan.enumeration->name_of.find(number);
      return AppendJsonString(name == plan.enumeration->name_of.end() ? "" : name->second, out);
    }
    case Kind::kTimestamp: {
      const Message& time = GetMessage(plan, message, index);
      out += '"';
      AppendTimestamp(static_cast<const Timestamp&>(time), out);
      out += '"';
      return;
    }
    case Kind::kMessage:
      return AppendJson(*plan.message, GetMessage(plan, message, index), out);
  }
}

// By key: the message has no order of its own that would be the same the next time.
void AppendMap(const FieldPlan& plan, const Message& message, std::string& out) {
  std::vector<const Message*> entries;
  for (int i = 0; i < plan.reflection->FieldSize(message, plan.field); ++i) {
    entries.push_back(&plan.reflection->GetRepeatedMessage(message, plan.field, i));
  }
  std::string scratch;
  std::ranges::sort(entries, {}, [&](const Message* entry) -> std::string_view {
    return GetString(*plan.map_key, *entry, kSingular, scratch);
  });
  out += '{';
  for (const Message* entry : entries) {
    if (entry != entries.front()) out += ',';
    AppendValue(*plan.map_key, *entry, kSingular, out);
    out += ':';
    AppendValue(*plan.map_value, *entry, kSingular, out);
  }
  out += '}';
}

// Appends the elements of a list, with commas between them.
void AppendElements(const FieldPlan& plan, const Message& message, std::string& out) {
  const int size = plan.reflection->FieldSize(message, plan.field);
  for (int i = 0; i < size; ++i) {
    if (i > 0) out += ',';
    AppendValue(plan, message, i, out);
  }
}

// Whether the message sets the field.
bool IsSet(const FieldPlan& plan, const Message& message) {
  return plan.field->is_repeated() ? plan.reflection->FieldSize(message, plan.field) > 0
                                   : plan.reflection->HasField(message, plan.field);
}

// Whether the field shows.
bool Shows(const FieldPlan& plan, const Message& message) {
  if (plan.style == JsonStyle::kOtlp) return IsSet(plan, message);
  if (plan.field->is_repeated()) return plan.is_list() || IsSet(plan, message);
  const Reflection& reflection = *plan.reflection;
  switch (plan.kind) {
    case Kind::kEnum:
      return plan.enumeration->name_of.contains(reflection.GetEnumValue(message, plan.field));
    case Kind::kJson:  // empty is no JSON text
      return reflection.HasField(message, plan.field);
    case Kind::kDouble:  // JSON has no word for the others
      if (!std::isfinite(reflection.GetDouble(message, plan.field))) return false;
      [[fallthrough]];
    default:
      return !plan.field->has_presence() || reflection.HasField(message, plan.field);
  }
}

void AppendField(const FieldPlan& plan, const Message& message, std::string& out) {
  if (plan.is_map()) return AppendMap(plan, message, out);
  if (!plan.is_list()) return AppendValue(plan, message, kSingular, out);
  out += '[';
  AppendElements(plan, message, out);
  out += ']';
}

// Appends `"name":value,` for every field that shows, but for `left_out`.
void AppendMembers(const MessagePlan& plan, const Message& message, const FieldPlan* left_out,
                   std::string& out) {
  for (const FieldPlan& field : plan.fields) {
    if (&field == left_out || !Shows(field, message)) continue;
    out += field.key;
    AppendField(field, message, out);
    out += ',';
  }
}

}  // namespace

void AppendJsonString(std::string_view text, std::string& out) {
  out += '"';
  size_t start = 0;  // of what is not yet appended
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    out += text.substr(start, i - start);
    start = i + 1;
    out += '\\';
    switch (byte) {
      case '"':
      case '\\':
        out += text[i];
        break;
      case '\n':
        out += 'n';
        break;
      case '\r':
        out += 'r';
        break;
      case '\t':
        out += 't';
        break;
      default:
        out += "u00";
        out += kHexDigits[byte >> 4];
        out += kHexDigits[byte & 15];
    }
  }
  out += text.substr(start);
  out += '"';
}

void AppendJson(const MessagePlan& plan, const Message& message, std::string& out) {
  out += '{';
  AppendMembers(plan, message, nullptr, out);
  if (out.back() == ',') {
    out.back() = '}';
  } else {
    out += '}';
  }
}

void AppendResponse(const Route& route, const Message& response, std::string& out) {
  if (route.response_body != nullptr) return AppendField(*route.response_body, response, out);
  AppendJson(*route.response_plan, response, out);
}

void ResponseStream::Append(const Message& response, std::string& out) {
  const FieldPlan& items = *route_.items;
  const bool is_bare = route_.response_body != nullptr;
  if (route_.answers_lines()) {
    for (int i = 0; i < items.reflection->FieldSize(response, items.field); ++i) {
      AppendValue(items, response, i, out);
      out += '\n';
    }
    return;
  }
  if (!has_begun_) {
    has_begun_ = true;
    if (!is_bare) {
      out += '{';
      AppendMembers(*route_.response_plan, response, &items, out);
      out += items.key;
    }
    out += '[';
  } else if (!is_bare) {
    for (const FieldPlan& field : route_.response_plan->fields) {
      if (&field == &items || !IsSet(field, response)) continue;
      trailer_ += ',';
      trailer_ += field.key;
      AppendField(field, response, trailer_);
    }
  }
  if (!IsSet(items, response)) return;
  if (has_items_) out += ',';
  has_items_ = true;
  AppendElements(items, response, out);
}

void ResponseStream::Finish(std::string& out) {
  if (route_.answers_lines()) return;
  out += ']';
  if (route_.response_body != nullptr) return;
  out += trailer_;
  out += '}';
}

}  // namespace verdict::gateway
