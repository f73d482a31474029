#include "cli/message.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include <boost/json.hpp>

#include "cli/text.h"
#include "google/protobuf/timestamp.pb.h"
#include "verdict/options/v1/options.pb.h"

namespace verdict::cli {
namespace {

namespace json = boost::json;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Timestamp;

const FieldDescriptor* FieldOf(const Message& message, std::string_view name) {
  return message.GetDescriptor()->FindFieldByName(std::string(name));
}

void Set(Message& message, const FieldDescriptor& field, const Option& option, std::string_view value,
         Time now) {
  const auto& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      reflection.SetString(&message, &field, std::string(value));
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      reflection.SetBool(&message, &field, true);
      break;
    case FieldDescriptor::CPPTYPE_INT32:
      reflection.SetInt32(&message, &field,
                          option.kind == Kind::kCount ? *ParseCount(value)
                                                      : static_cast<int32_t>(ParseDuration(value)->count()));
      break;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      reflection.SetDouble(&message, &field, *ParseNumber(value));
      break;
    case FieldDescriptor::CPPTYPE_ENUM:
      if (option.kind == Kind::kChoice) {
        reflection.SetEnum(&message, &field, FindEnumValue(*field.enum_type(), value));
        break;
      }
      for (const std::string& part : SplitAtCommas(value)) {
        reflection.AddEnum(&message, &field, FindEnumValue(*field.enum_type(), part));
      }
      break;
    default:
      assert(field.message_type() == Timestamp::descriptor());
      reflection.MutableMessage(&message, &field)->CopyFrom(ToProto(now + *ParseDuration(value)));
  }
}

json::value ValueOf(const Message& message, const FieldDescriptor& field, int index) {
  const auto& reflection = *message.GetReflection();
  const bool repeated = index >= 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string text = repeated ? reflection.GetRepeatedString(message, &field, index)
                                        : reflection.GetString(message, &field);
      if (!field.options().GetExtension(options::v1::field).json()) return json::value(text);
      json::error_code error;
      json::value parsed = json::parse(text, error);
      return error ? json::value(text) : parsed;
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetBool(message, &field);
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.GetInt32(message, &field);
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection.GetInt64(message, &field);
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      // Boost writes a double with an exponent: a whole number is nicer to read without.
      constexpr double kWholeMax = 9'007'199'254'740'992;  // 2^53, up to which doubles are exact
      const double number = reflection.GetDouble(message, &field);
      if (number != std::trunc(number) || std::abs(number) > kWholeMax) return number;
      return static_cast<int64_t>(number);
    }
    case FieldDescriptor::CPPTYPE_ENUM:
      return json::value(EnumName(repeated ? *reflection.GetRepeatedEnum(message, &field, index)
                                           : *reflection.GetEnum(message, &field)));
    default: {
      assert(field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE);
      const Message& value = repeated ? reflection.GetRepeatedMessage(message, &field, index)
                                      : reflection.GetMessage(message, &field);
      if (field.message_type() != Timestamp::descriptor()) return ToJson(value);
      return json::value(FormatTime(FromProto(static_cast<const Timestamp&>(value))));
    }
  }
}

std::string Cell(const json::value& value) {
  if (value.is_string()) {
    const json::string& text = value.get_string();
    return Printable({text.data(), text.size()});
  }
  if (value.is_double()) {
    std::array<char, 32> text;  // the longest double has 24 characters
    return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value.get_double()).ptr};
  }
  if (!value.is_array()) return json::serialize(value);
  std::string cell;
  for (const json::value& element : value.get_array()) cell += (cell.empty() ? "" : ",") + Cell(element);
  return cell;
}

bool IsTable(const json::value& value) {
  return value.is_array() && (value.get_array().empty() || value.get_array()[0].is_object());
}

// Columns two spaces apart; the last is not padded.
std::string Aligned(const std::vector<std::vector<std::string>>& rows) {
  // Continuation bytes of UTF-8 take no place on the screen.
  const auto width_of = [](const std::string& cell) {
    return static_cast<size_t>(std::ranges::count_if(cell, [](char c) { return (c & 0xc0) != 0x80; }));
  };
  std::vector<size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text += std::string(widths[i] - width_of(row[i]) + 2, ' ');
    }
    text += '\n';
  }
  return text;
}

std::string Table(const json::array& objects) {
  if (objects.empty()) return "(none)\n";
  std::vector<std::string> header;
  for (const json::value& object : objects) {
    for (const auto& [name, value] : object.get_object()) {
      if (std::ranges::find(header, name) == header.end()) header.emplace_back(name);
    }
  }
  std::vector<std::vector<std::string>> rows = {header};
  for (const json::value& object : objects) {
    auto& row = rows.emplace_back();
    for (const std::string& name : header) {
      const json::value* value = object.get_object().if_contains(name);
      row.push_back(value == nullptr ? "-" : Cell(*value));
    }
  }
  return Aligned(rows);
}

}  // namespace

void Fill(Message& request, const Invocation& invocation, Time now) {
  for (const Option& option : invocation.command->options) {
    if (option.field.empty() || !invocation.Has(option.name)) continue;
    Message* message = &request;
    std::string_view path = option.field;
    for (size_t dot = path.find('.'); dot != path.npos; dot = path.find('.')) {
      message = message->GetReflection()->MutableMessage(message, FieldOf(*message, path.substr(0, dot)));
      path.remove_prefix(dot + 1);
    }
    const FieldDescriptor* field = FieldOf(*message, path);
    if (field != nullptr) {
      Set(*message, *field, option, invocation.Get(option.name), now);
    } else {
      assert(option.name == "project");  // goes into the metadata
    }
  }
}

std::string_view ProjectOf(const Message& request, const Invocation& invocation) {
  const FieldDescriptor* field = FieldOf(request, "project_id");
  const bool subject = field != nullptr && !field->options().GetExtension(options::v1::field).tenant();
  return subject ? std::string_view() : invocation.Get("project");
}

json::object ToJson(const Message& message) {
  const auto& reflection = *message.GetReflection();
  json::object object;
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    if (field.is_map()) {
      json::object entries;
      for (int j = 0; j < reflection.FieldSize(message, &field); ++j) {
        json::object entry = ToJson(reflection.GetRepeatedMessage(message, &field, j));
        entries.emplace(entry.at("key").get_string(), std::move(entry.at("value")));
      }
      if (!entries.empty()) object[field.name()] = std::move(entries);
    } else if (field.is_repeated()) {
      json::array& array = object[field.name()].emplace_array();
      for (int j = 0; j < reflection.FieldSize(message, &field); ++j)
        array.push_back(ValueOf(message, field, j));
    } else if (reflection.HasField(message, &field) ||
               (!field.has_presence() && field.cpp_type() != FieldDescriptor::CPPTYPE_ENUM)) {
      object[field.name()] = ValueOf(message, field, -1);
    }
  }
  if (object.size() == 1 && object.begin()->value().is_object()) {
    return json::object(object.begin()->value().get_object());
  }
  return object;
}

std::string ToText(const json::object& answer) {
  std::vector<std::vector<std::string>> lines;
  std::string tables;
  for (const auto& [name, value] : answer) {
    if (IsTable(value)) {
      tables += Table(value.get_array());
    } else {
      lines.push_back({std::string(name), Cell(value)});
    }
  }
  if (lines.empty()) return tables;
  return Aligned(lines) + (tables.empty() ? "" : "\n" + tables);
}

}  // namespace verdict::cli
