#include "common/token/text.h"

#include <cstddef>
#include <cstdint>

namespace verdict::token {

bool IsPlainText(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i]);
    const size_t size = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    // A byte that only continues a character, or one that never stands in UTF-8.
    if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || size > text.size() - i) return false;
    uint32_t code_point = size == 1 ? lead : lead & (0x7fu >> size);
    for (size_t next = 1; next < size; ++next) {
      const auto byte = static_cast<uint8_t>(text[i + next]);
      if ((byte & 0xc0) != 0x80) return false;
      code_point = code_point << 6 | (byte & 0x3fu);
    }
    const bool overlong = (size == 3 && code_point < 0x800) || (size == 4 && code_point < 0x10000);
    const bool surrogate = code_point >= 0xd800 && code_point < 0xe000;
    const bool control = code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
    if (overlong || surrogate || control || code_point > 0x10ffff) return false;
    i += size;
  }
  return true;
}

}  // namespace verdict::token
