#include "common/ids/entity_id.h"

#include <array>
#include <optional>

namespace verdict {
namespace {

// The UUID of 32 hex digits.
std::optional<Uuid> FromDigits(std::string_view digits) {
  std::array<char, 36> text;
  size_t position = 0;
  for (const char digit : digits) {
    if (position == 8 || position == 13 || position == 18 || position == 23) text[position++] = '-';
    text[position++] = digit;
  }
  return Uuid::Parse(std::string_view(text.data(), text.size()));
}

}  // namespace

Uuid EntityKey(std::string_view text) {
  std::optional<Uuid> uuid;
  if (text.size() == 36) {
    uuid = Uuid::Parse(text);
  } else if (text.size() == 32) {
    uuid = FromDigits(text);
  } else if (text.size() == 16) {
    std::array<char, 32> padded;
    padded.fill('0');
    text.copy(padded.data(), text.size());
    uuid = FromDigits(std::string_view(padded.data(), padded.size()));
  }
  return uuid ? *uuid : UuidV5Dns(text);
}

}  // namespace verdict
