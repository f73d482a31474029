#include "common/ids/uuid.h"

#include <algorithm>
#include <cstdlib>

#include <openssl/rand.h>
#include <openssl/sha.h>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace verdict {
namespace {

// The value of a hex digit, or -1.
int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsHyphenAt(size_t position) {
  return position == 8 || position == 13 || position == 18 || position == 23;
}

void SetVersion(Uuid& uuid, uint8_t version) {
  uuid.bytes[6] = static_cast<uint8_t>((uuid.bytes[6] & 0x0f) | version << 4);
  uuid.bytes[8] = static_cast<uint8_t>((uuid.bytes[8] & 0x3f) | 0x80);
}

// Adds one to the random part of a version 7 UUID and carries into its time when that is used up.
void Increment(Uuid& uuid) {
  for (size_t i = uuid.bytes.size(); i-- > 0;) {
    // The bits of version and variant stay as they are: full bytes carry past them.
    const uint8_t mask = i == 6 ? 0x0f : i == 8 ? 0x3f : 0xff;
    const uint8_t next = (uuid.bytes[i] + 1) & mask;
    uuid.bytes[i] = static_cast<uint8_t>((uuid.bytes[i] & ~mask) | next);
    if (next != 0) return;
  }
}

ABSL_CONST_INIT absl::Mutex last_mutex(absl::kConstInit);
Uuid last ABSL_GUARDED_BY(last_mutex);

}  // namespace

std::optional<Uuid> Uuid::Parse(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  Uuid uuid;
  size_t digits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsHyphenAt(i)) {
      if (text[i] != '-') return std::nullopt;
      continue;
    }
    const int value = HexValue(text[i]);
    if (value < 0) return std::nullopt;
    uint8_t& byte = uuid.bytes[digits++ / 2];
    byte = static_cast<uint8_t>(byte << 4 | value);
  }
  return uuid;
}

std::string Uuid::ToString() const {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text(36, '-');
  size_t position = 0;
  for (const uint8_t byte : bytes) {
    if (IsHyphenAt(position)) ++position;
    text[position++] = kDigits[byte >> 4];
    text[position++] = kDigits[byte & 0xf];
  }
  return text;
}

Uuid NewUuidV7(Time now) {
  const auto milliseconds = static_cast<uint64_t>(now.time_since_epoch().count());
  Uuid uuid;
  for (size_t i = 0; i < 6; ++i) uuid.bytes[i] = static_cast<uint8_t>(milliseconds >> (40 - 8 * i));
  // Without randomness ids would collide: there is no going on.
  if (RAND_bytes(uuid.bytes.data() + 6, 10) != 1) std::abort();
  SetVersion(uuid, 7);

  absl::MutexLock lock(&last_mutex);
  if (uuid <= last) {
    uuid = last;
    Increment(uuid);
  }
  last = uuid;
  return uuid;
}

Uuid UuidV5Dns(std::string_view name) {
  // NAMESPACE_DNS of RFC 9562.
  std::string input("\x6b\xa7\xb8\x10\x9d\xad\x11\xd1\x80\xb4\x00\xc0\x4f\xd4\x30\xc8", 16);
  input += name;
  std::array<uint8_t, SHA_DIGEST_LENGTH> digest;
  SHA1(reinterpret_cast<const unsigned char*>(input.data()), input.size(), digest.data());
  Uuid uuid;
  std::copy_n(digest.begin(), uuid.bytes.size(), uuid.bytes.begin());
  SetVersion(uuid, 5);
  return uuid;
}

Uuid UuidV8(std::span<const uint8_t> bytes) {
  Uuid uuid;
  std::copy_n(bytes.begin(), uuid.bytes.size(), uuid.bytes.begin());
  SetVersion(uuid, 8);
  return uuid;
}

}  // namespace verdict
