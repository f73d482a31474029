#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "common/crypto/secret_bytes.h"

// The few primitives that Verdict uses, from OpenSSL. They are thread-safe and cannot fail: a fault
// inside OpenSSL (no memory, no entropy) ends the process, since going on could only weaken a key.
namespace verdict::crypto {

// 32 bytes of SHA-256 or HMAC-SHA-256.
using Digest = std::array<uint8_t, 32>;

// The same bytes as text, which lives as long as they do.
std::string_view AsText(std::span<const uint8_t> bytes);

Digest Sha256(std::string_view message);

Digest HmacSha256(const SecretBytes& key, std::string_view message);

// A 32-byte key for one purpose, which `info` names (RFC 5869, no salt): keys of different purposes
// tell nothing about each other or the root.
SecretBytes HkdfSha256(const SecretBytes& root, std::string_view info);

// Takes the same time wherever the texts differ. Their lengths are not secret.
bool ConstantTimeEquals(std::string_view a, std::string_view b);

// Fills `bytes` from the system's generator.
void RandomBytes(std::span<uint8_t> bytes);

// One unambiguous text of several: their number and each one's length stand before them (8 bytes,
// little endian), so that no two lists have the same encoding. What a MAC or a hash of several
// fields is computed over.
std::string EncodeParts(std::initializer_list<std::string_view> parts);

}  // namespace verdict::crypto
