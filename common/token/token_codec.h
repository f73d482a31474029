#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/ids/uuid.h"
#include "common/token/key_ring.h"
#include "verdict/types/v1/entity.pb.h"
#include "verdict/types/v1/person.pb.h"

// Feedback tokens, `fbt1.KID.PAYLOAD.TAG`: at most 2,048 characters of [A-Za-z0-9._-].
//   fbt1     version and algorithm at once: HMAC-SHA-256, never truncated
//   KID      which key of the ring signed it
//   PAYLOAD  base64url of: type u8 | flags u8, zero | iat u64 | exp u64 | org 16 | project 16 | jti 16 |
//            resource | subject id | subject e-mail | subject name
//            (numbers big endian, times in milliseconds of the Unix epoch, each text after its length u8)
//   TAG      base64url of the MAC over the three parts before it
namespace verdict::token {

// What a token says.
struct TokenClaims {
  types::v1::EntityType type = {};  // what the resource is
  Time iat = {};                    // when it was minted
  Time exp = {};                    // from when it cannot be redeemed: at most 24 h after iat
  Uuid org = {};
  Uuid project = {};
  Uuid jti = {};                                  // the token's own id, by which it is used or revoked
  std::string resource = {};                      // 1 to 200 bytes
  std::optional<types::v1::Person> subject = {};  // whose feedback it will be; id, e-mail, name of at most
                                                  // 200, 254 and 100 bytes
};

// A token of these claims, signed with the ring's primary key. VALIDATION_ERROR, naming resource_id or
// subject's fields, when a text is absent, too long, not UTF-8 or has control characters.
absl::StatusOr<std::string> MintToken(const KeyRing& ring, const TokenClaims& claims);

// The claims of an authentic token, which may have expired: exp is the caller's to judge. Everything that
// is not authentic, whatever is wrong with it, is TokenInvalid().
absl::StatusOr<TokenClaims> VerifyToken(const KeyRing& ring, std::string_view text, Time now);

// The one answer to a token that is not authentic, or another project's.
absl::Status TokenInvalid();

}  // namespace verdict::token
