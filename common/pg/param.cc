#include "common/pg/param.h"

#include <array>
#include <charconv>
#include <cmath>

namespace verdict::pg {

std::string Text(const Uuid& value) { return value.ToString(); }

std::string Text(Time value) { return FormatTime(value); }

std::string Text(Bytes value) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "\\x";
  text.reserve(2 + 2 * value.value.size());
  for (const char c : value.value) {
    const auto byte = static_cast<uint8_t>(c);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 0xf];
  }
  return text;
}

std::string Text(double value) {
  if (!std::isfinite(value)) return std::string(1, '\0');
  std::array<char, 32> buffer;  // the longest is 24 characters
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return std::string(buffer.data(), result.ptr);
}

std::string Text(int64_t value) { return std::to_string(value); }

void Array::Add(std::string_view text) {
  literal_ += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') literal_ += '\\';
    literal_ += c;
  }
  literal_ += "\",";
}

void Array::Add(Bytes bytes) { Add(Text(bytes)); }

void Array::AddPlain(std::string_view text) {
  literal_ += text;
  literal_ += ',';
}

std::string&& Array::Take() {
  if (literal_.ends_with(',')) literal_.pop_back();
  literal_ += '}';
  return std::move(literal_);
}

std::string_view Param::text() const {
  if (const auto* view = std::get_if<std::string_view>(&value_)) return *view;
  if (const auto* owned = std::get_if<std::string>(&value_)) return *owned;
  return {};
}

}  // namespace verdict::pg
