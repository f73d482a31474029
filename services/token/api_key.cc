#include "services/token/api_key.h"

#include <array>
#include <cstddef>
#include <cstdint>

#include <zlib.h>

#include "common/crypto/base64url.h"

namespace verdict::token {
namespace {

constexpr std::string_view kPrefix = "vdt_";
constexpr size_t kBodyCharacters = 4 + 43;  // the prefix, and 32 bytes as base64url
constexpr size_t kCharacters = kBodyCharacters + 6;

std::string Checksum(std::string_view body) {
  const auto crc = static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size())));
  const std::array<uint8_t, 4> bytes = {static_cast<uint8_t>(crc >> 24), static_cast<uint8_t>(crc >> 16),
                                        static_cast<uint8_t>(crc >> 8), static_cast<uint8_t>(crc)};
  return crypto::EncodeBase64Url(crypto::AsText(bytes));
}

}  // namespace

std::string NewApiKey() {
  std::array<uint8_t, 32> random;
  crypto::RandomBytes(random);
  const std::string body = std::string(kPrefix) + crypto::EncodeBase64Url(crypto::AsText(random));
  return body + Checksum(body);
}

bool IsApiKey(std::string_view text) {
  if (text.size() != kCharacters || !text.starts_with(kPrefix)) return false;
  return text.substr(kBodyCharacters) == Checksum(text.substr(0, kBodyCharacters));
}

}  // namespace verdict::token
