#pragma once

#include <string_view>

#include "common/crypto/crypto.h"
#include "common/crypto/secret_bytes.h"

namespace verdict::token {

// The version of the tokens that we mint, which stands for their algorithm as well.
inline constexpr std::string_view kTokenVersion = "fbt1";

// The MAC of a token with this key id and these payload bytes.
crypto::Digest TokenMac(const crypto::SecretBytes& key, std::string_view kid, std::string_view payload);

// Whether `tag` is that MAC. Never without a key, which costs the same: the time tells neither which ids are
// known nor where a tag differs (constant_time_probe.cc shows the latter).
bool IsTokenMac(const crypto::SecretBytes* key, std::string_view kid, std::string_view payload,
                std::string_view tag);

}  // namespace verdict::token
