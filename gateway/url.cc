#include "gateway/url.h"

#include <cstddef>
#include <cstdint>
#include <utility>

#include "gateway/errors.h"

namespace verdict::gateway {
namespace {

// The value of a hexadecimal digit, or -1.
int HexValue(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

// How many bytes a character has that begins with this one, from 2 to 4; 0 if none does.
size_t LengthOf(uint8_t lead) {
  if (lead < 0xC2) return 0;
  if (lead < 0xE0) return 2;
  if (lead < 0xF0) return 3;
  return lead < 0xF5 ? 4 : 0;
}

// What the second byte may be: overlong forms, surrogates and what lies above U+10FFFF are left out.
std::pair<uint8_t, uint8_t> SecondByteOf(uint8_t lead) {
  switch (lead) {
    case 0xE0:
      return {0xA0, 0xBF};
    case 0xED:
      return {0x80, 0x9F};
    case 0xF0:
      return {0x90, 0xBF};
    case 0xF4:
      return {0x80, 0x8F};
    default:
      return {0x80, 0xBF};
  }
}

// How many bytes at the front of the text are ASCII, at least: in whole blocks, which the compiler looks at
// at once.
size_t AsciiLength(std::string_view text) {
  constexpr size_t kBlock = 16;
  size_t length = 0;
  for (; text.size() - length >= kBlock; length += kBlock) {
    uint8_t bits = 0;
    for (size_t i = 0; i < kBlock; ++i) bits |= static_cast<uint8_t>(text[length + i]);
    if (bits >= 0x80) break;
  }
  return length;
}

}  // namespace

bool IsUtf8(std::string_view text) {
  for (size_t i = AsciiLength(text); i < text.size();) {
    const auto byte = [&](size_t offset) { return static_cast<uint8_t>(text[i + offset]); };
    const uint8_t lead = byte(0);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const size_t length = LengthOf(lead);
    if (length == 0 || text.size() - i < length) return false;
    const auto [low, high] = SecondByteOf(lead);
    if (byte(1) < low || byte(1) > high) return false;
    for (size_t offset = 2; offset < length; ++offset) {
      if ((byte(offset) & 0xC0) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

absl::Status AppendPercentDecoded(std::string_view text, PlusSign plus, std::string_view name,
                                  std::string& out) {
  const size_t start = out.size();
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const int high = text.size() - i > 2 ? HexValue(text[i + 1]) : -1;
      const int low = high < 0 ? -1 : HexValue(text[i + 2]);
      if (low < 0) return BadEncoding(name, "has a '%' that two hexadecimal digits do not follow.");
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i] == '+' && plus == PlusSign::kIsSpace ? ' ' : text[i];
    }
  }
  const std::string_view decoded = std::string_view(out).substr(start);
  if (!IsUtf8(decoded)) return BadEncoding(name, "is not UTF-8.");
  if (decoded.find('\0') != std::string_view::npos) return ContainsNul(name);
  return absl::OkStatus();
}

}  // namespace verdict::gateway
