#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/clock.h"

namespace verdict {

// The 16 bytes of a UUID, in the order in which its text shows them.
struct Uuid {
  std::array<uint8_t, 16> bytes = {};

  // The five groups of 8-4-4-4-12 hex digits in any case, and nothing else: neither braces nor urn:uuid:.
  static std::optional<Uuid> Parse(std::string_view text);

  // 36 characters, lower case.
  std::string ToString() const;

  bool IsNil() const { return *this == Uuid{}; }

  friend auto operator<=>(const Uuid&, const Uuid&) = default;

  template <typename H>
  friend H AbslHashValue(H hash, const Uuid& uuid) {
    return H::combine(std::move(hash), uuid.bytes);
  }
};

// A version 7 UUID of RFC 9562: `now` and 74 random bits. Within a process each is greater than the one
// before it, also when the clock stands still or steps back. Thread-safe.
Uuid NewUuidV7(Time now);

// The version 5 UUID of `name` in the DNS namespace: SHA-1 over the exact bytes.
Uuid UuidV5Dns(std::string_view name);

// A version 8 UUID of RFC 9562, whose bits have a meaning of their maker's own: the first 16 of `bytes`, less
// those of version and variant.
Uuid UuidV8(std::span<const uint8_t> bytes);

}  // namespace verdict
