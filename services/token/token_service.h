#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/auth/principal.h"
#include "common/clock.h"
#include "common/token/key_ring.h"
#include "services/token/token_store.h"
#include "verdict/token/v1/token_service.pb.h"

namespace verdict::token {

// The use cases of verdict.token.v1.TokenService: what the tokens of the principal's project are. Requests
// keep the rules of their fields already. Thread-safe.
class TokenService {
 public:
  TokenService(const KeyRing& ring, TokenStore& store, const Clock& clock)
      : ring_(ring), store_(store), clock_(clock) {}

  // Signs a token; asks nobody and stores nothing. Equal requests of one API key with one Idempotency-Key get
  // tokens of one id. VALIDATION_ERROR for texts that a token cannot carry.
  absl::StatusOr<v1::MintTokenResponse> Mint(const auth::Principal& principal,
                                             const v1::MintTokenRequest& request,
                                             const std::optional<std::string>& idempotency_key) const;

  // TOKEN_INVALID, TOKEN_EXPIRED, TOKEN_USED, TOKEN_REVOKED; the first two without asking the database.
  absl::StatusOr<v1::VerifyTokenResponse> Verify(const auth::Principal& principal,
                                                 const v1::VerifyTokenRequest& request) const;

  // Succeeds for every id: used, revoked before, never minted or malformed.
  absl::StatusOr<v1::RevokeTokenResponse> Revoke(const auth::Principal& principal,
                                                 const v1::RevokeTokenRequest& request) const;

  // PROJECT_NOT_FOUND.
  absl::StatusOr<v1::RevokeAllTokensResponse> RevokeAll(const v1::RevokeAllTokensRequest& request) const;

 private:
  const KeyRing& ring_;
  TokenStore& store_;
  const Clock& clock_;
};

}  // namespace verdict::token
