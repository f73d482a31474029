#include "gateway/json_values.h"

#include <array>
#include <charconv>
#include <concepts>
#include <limits>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/timestamp.h"

namespace verdict::gateway {
namespace {

using google::protobuf::Message;
using google::protobuf::Reflection;
using Kind = FieldPlan::Kind;

// Sets a singular field, or adds to a list.
template <typename Value>
bool Put(Slot slot, void (Reflection::*set)(Message*, const google::protobuf::FieldDescriptor*, Value) const,
         void (Reflection::*add)(Message*, const google::protobuf::FieldDescriptor*, Value) const,
         std::type_identity_t<Value> value) {
  const auto member = slot.field->field->is_repeated() ? add : set;
  (slot.field->reflection->*member)(slot.message, slot.field->field, std::move(value));
  return true;
}

template <std::integral T>
std::optional<T> Narrow(const Integer& integer) {
  const auto max = static_cast<uint64_t>(std::numeric_limits<T>::max());
  if (!integer.is_negative || integer.magnitude == 0) {
    return integer.magnitude <= max ? std::optional(static_cast<T>(integer.magnitude)) : std::nullopt;
  }
  if (std::is_unsigned_v<T> || integer.magnitude > max + 1) return std::nullopt;
  return static_cast<T>(-static_cast<int64_t>(integer.magnitude - 1) - 1);
}

template <std::integral T>
bool PutInteger(Slot slot, std::string_view number,
                void (Reflection::*set)(Message*, const google::protobuf::FieldDescriptor*, T) const,
                void (Reflection::*add)(Message*, const google::protobuf::FieldDescriptor*, T) const) {
  const auto integer = ParseInteger(number);
  const auto value = integer ? Narrow<T>(*integer) : std::nullopt;
  if (!value) return slot.field->style == JsonStyle::kOtlp;
  return Put(slot, set, add, *value);
}

bool PutTime(Slot slot, const std::optional<google::protobuf::Timestamp>& time) {
  if (!time) return false;
  MessageOf(slot).CopyFrom(*time);
  return true;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Whether the text is a number as JSON spells it.
bool IsNumber(std::string_view text) {
  size_t at = 0;
  const auto digits = [&] {
    const size_t start = at;
    while (at < text.size() && IsDigit(text[at])) ++at;
    return at - start;
  };
  const auto take = [&](char a, char b) {
    const bool found = at < text.size() && (text[at] == a || text[at] == b);
    if (found) ++at;
    return found;
  };
  take('-', '-');
  const bool begins_with_zero = at < text.size() && text[at] == '0';
  const size_t whole_digits = digits();
  if (whole_digits == 0 || (begins_with_zero && whole_digits > 1)) return false;
  if (take('.', '.') && digits() == 0) return false;
  if (take('e', 'E')) {
    take('+', '-');
    if (digits() == 0) return false;
  }
  return at == text.size();
}

// Sets a number that OTLP has as a text.
bool PutNumberText(Slot slot, std::string_view text) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  static constexpr std::array kWords = {std::pair("NaN", std::numeric_limits<double>::quiet_NaN()),
                                        std::pair("Infinity", kInfinity), std::pair("-Infinity", -kInfinity)};
  if (slot.field->kind == Kind::kDouble) {
    for (const auto& [word, value] : kWords) {
      if (text == word) return Put(slot, &Reflection::SetDouble, &Reflection::AddDouble, value);
    }
  }
  return IsNumber(text) && SetNumber(slot, text);
}

// The bytes that hex digits stand for.
std::optional<std::string> ParseHex(std::string_view digits) {
  if (digits.size() % 2 != 0) return std::nullopt;
  std::string bytes(digits.size() / 2, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) {
    const std::string_view pair = digits.substr(2 * i, 2);
    uint8_t byte = 0;
    const auto result = std::from_chars(pair.data(), pair.data() + pair.size(), byte, 16);
    if (result.ec != std::errc() || result.ptr != pair.data() + pair.size()) return std::nullopt;
    bytes[i] = static_cast<char>(byte);
  }
  return bytes;
}

void AppendFixed(double number, std::string& out) {
  char text[64];  // rules name no numbers of more digits
  out.append(text, std::to_chars(text, text + sizeof text, number, std::chars_format::fixed).ptr);
}

std::string Range(const FieldPlan& field, double lowest, double highest) {
  const double min = field.rule->has_min() ? field.rule->min() : lowest;
  const double max = field.rule->has_max() ? field.rule->max() : highest;
  std::string range;
  AppendFixed(min, range);
  range += " to ";
  AppendFixed(max, range);
  return range;
}

}  // namespace

std::optional<Integer> ParseInteger(std::string_view number) {
  Integer integer;
  if (number.front() == '-') {
    integer.is_negative = true;
    number.remove_prefix(1);
  }
  // The number is `digits`, without the point, times ten to the power of `exponent`.
  int64_t exponent = 0;
  std::string_view digits = number;
  if (const size_t e = number.find_first_of("eE"); e != std::string_view::npos) {
    digits = number.substr(0, e);
    std::string_view power = number.substr(e + 1);
    if (power.front() == '+') power.remove_prefix(1);
    const auto result = std::from_chars(power.data(), power.data() + power.size(), exponent);
    // So large that only zero is whole and in range.
    constexpr int64_t kFar = 1'000'000'000;
    if (result.ec != std::errc() || exponent > kFar || exponent < -kFar) {
      exponent = power.front() == '-' ? -kFar : kFar;
    }
  }
  const size_t point = digits.find('.');
  if (point != std::string_view::npos) exponent -= static_cast<int64_t>(digits.size() - point - 1);
  const size_t last = digits.find_last_not_of("0.");
  if (last == std::string_view::npos) return integer;
  for (size_t i = digits.size() - 1; i > last; --i) exponent += digits[i] == '0' ? 1 : 0;
  if (exponent < 0) return std::nullopt;

  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  const auto append = [&](uint64_t digit) {
    if (integer.magnitude > (kMax - digit) / 10) return false;
    integer.magnitude = integer.magnitude * 10 + digit;
    return true;
  };
  for (const char c : digits.substr(0, last + 1)) {
    if (c != '.' && !append(static_cast<uint64_t>(c - '0'))) return std::nullopt;
  }
  for (; exponent > 0; --exponent) {
    if (!append(0)) return std::nullopt;
  }
  return integer;
}

std::optional<double> ParseDouble(std::string_view number) {
  double value = 0;
  const auto result = std::from_chars(number.data(), number.data() + number.size(), value);
  if (result.ec != std::errc()) return std::nullopt;
  return value;
}

Message& MessageOf(Slot slot) {
  const auto& [message, field] = slot;
  return field->field->is_repeated() ? *field->reflection->AddMessage(message, field->field)
                                     : *field->reflection->MutableMessage(message, field->field);
}

bool SetBool(Slot slot, bool value) {
  return slot.field->kind == Kind::kBool && Put(slot, &Reflection::SetBool, &Reflection::AddBool, value);
}

bool SetNumber(Slot slot, std::string_view number) {
  switch (slot.field->kind) {
    case Kind::kInt32:
      return PutInteger<int32_t>(slot, number, &Reflection::SetInt32, &Reflection::AddInt32);
    case Kind::kInt64:
      return PutInteger<int64_t>(slot, number, &Reflection::SetInt64, &Reflection::AddInt64);
    case Kind::kUint32:
      return PutInteger<uint32_t>(slot, number, &Reflection::SetUInt32, &Reflection::AddUInt32);
    case Kind::kUint64:
      return PutInteger<uint64_t>(slot, number, &Reflection::SetUInt64, &Reflection::AddUInt64);
    case Kind::kDouble: {
      const auto value = ParseDouble(number);
      return value && Put(slot, &Reflection::SetDouble, &Reflection::AddDouble, *value);
    }
    case Kind::kTimestamp: {
      if (!slot.field->rule->epoch_seconds()) return false;
      const auto seconds = ParseDouble(number);
      return seconds && PutTime(slot, TimestampOf(*seconds));
    }
    default:
      return false;
  }
}

void SetJson(Slot slot, std::string&& json) {
  Put(slot, &Reflection::SetString, &Reflection::AddString, std::move(json));
}

bool SetString(Slot slot, std::string_view text) {
  switch (slot.field->kind) {
    case Kind::kString:
      return Put(slot, &Reflection::SetString, &Reflection::AddString, std::string(text));
    case Kind::kHex: {
      auto bytes = ParseHex(text);
      if (!bytes && slot.field->style == JsonStyle::kOtlp) bytes.emplace(1, '\0');  // no id is so short
      return bytes && Put(slot, &Reflection::SetString, &Reflection::AddString, *std::move(bytes));
    }
    case Kind::kEnum: {
      const auto number = slot.field->enumeration->number_of.find(text);
      return number != slot.field->enumeration->number_of.end() &&
             Put(slot, &Reflection::SetEnumValue, &Reflection::AddEnumValue, number->second);
    }
    case Kind::kTimestamp:
      return PutTime(slot, ParseTimestamp(text));
    default:
      return slot.field->style == JsonStyle::kOtlp && PutNumberText(slot, text);
  }
}

bool SetFromText(Slot slot, std::string_view text) {
  switch (slot.field->kind) {
    case Kind::kString:
    case Kind::kHex:
    case Kind::kEnum:
      return SetString(slot, text);
    case Kind::kTimestamp:
      return SetString(slot, text) || PutTime(slot, ParseDate(text));
    case Kind::kBool: {
      const bool is_true = text == "true" || text == "True";  // as Python spells it
      return (is_true || text == "false" || text == "False") && SetBool(slot, is_true);
    }
    default:
      return IsNumber(text) && SetNumber(slot, text);
  }
}

std::string Expectation(const FieldPlan& field) {
  constexpr double kTwo32 = 4294967296.0;
  switch (field.kind) {
    case Kind::kBool:
      return "must be true or false";
    case Kind::kInt32:
      return "must be an integer from " + Range(field, -kTwo32 / 2, kTwo32 / 2 - 1);
    case Kind::kUint32:
      return "must be an integer from " + Range(field, 0, kTwo32 - 1);
    case Kind::kInt64:
      return "must be an integer of 64 bits";
    case Kind::kUint64:
      return "must be an integer of 64 bits, not negative";
    case Kind::kDouble:
      return "must be a number that a double can hold";
    case Kind::kString:
      return "must be a string";
    case Kind::kHex:
      return "must be a string of hexadecimal digits, two a byte";
    case Kind::kEnum:
      return absl::StrCat("must be one of: ", field.enumeration->names);
    case Kind::kTimestamp:
      return absl::StrCat("must be a time such as 2026-05-29T20:54:19.746Z",
                          field.rule->epoch_seconds() ? ", or seconds since 1970" : "");
    case Kind::kJson:
    case Kind::kMessage:
      return "must be an object";
  }
  return "";
}

}  // namespace verdict::gateway
