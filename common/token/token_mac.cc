#include "common/token/token_mac.h"

namespace verdict::token {

crypto::Digest TokenMac(const crypto::SecretBytes& key, std::string_view kid, std::string_view payload) {
  return crypto::HmacSha256(key, crypto::EncodeParts({kTokenVersion, kid, payload}));
}

bool IsTokenMac(const crypto::SecretBytes* key, std::string_view kid, std::string_view payload,
                std::string_view tag) {
  const crypto::SecretBytes dummy(crypto::Digest().size());
  const crypto::Digest mac = TokenMac(key != nullptr ? *key : dummy, kid, payload);
  const bool matches = crypto::ConstantTimeEquals(crypto::AsText(mac), tag);
  return key != nullptr && matches;
}

}  // namespace verdict::token
