#include "common/token/errors.h"

#include "common/status/error.h"

namespace verdict::token::error {

absl::Status TokenExpired() {
  return MakeError(errors::v1::REASON_TOKEN_EXPIRED, "The feedback token has expired.");
}

absl::Status TokenUsed() {
  return MakeError(errors::v1::REASON_TOKEN_USED, "The feedback token has been used.");
}

absl::Status TokenRevoked() {
  return MakeError(errors::v1::REASON_TOKEN_REVOKED, "The feedback token has been revoked.");
}

}  // namespace verdict::token::error
