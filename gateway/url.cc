#include "gateway/url.h"

#include <cstddef>
#include <cstdint>

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

}  // namespace

bool IsUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto byte = [&](size_t offset) { return static_cast<uint8_t>(text[i + offset]); };
    const uint8_t lead = byte(0);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const size_t length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    if (length == 0 || text.size() - i < length) return false;
    // The second byte's range leaves out overlong forms (E0, F0), surrogates (ED) and what lies above
    // U+10FFFF (F4).
    const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
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
