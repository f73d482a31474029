#pragma once

#include <string>
#include <string_view>

#include "common/crypto/crypto.h"

// The text of API keys: `vdt_`, 32 random bytes as base64url, and the CRC-32 of all that, as base64url; 53
// characters. The prefix lets scanners find leaked keys, the checksum tells them, and us, a key from a typo
// without asking the database.
namespace verdict::token {

std::string NewApiKey();

// Whether the text is of that form with the right checksum: no proof that there is such a key.
bool IsApiKey(std::string_view text);

// What is stored of a key. A plain hash will do: there is no guessing 256 random bits.
inline crypto::Digest HashOfKey(std::string_view text) { return crypto::Sha256(text); }

}  // namespace verdict::token
