#pragma once

#include "absl/status/status.h"

// Why a token that is authentic cannot be redeemed.
namespace verdict::token::error {

absl::Status TokenExpired();
absl::Status TokenUsed();
absl::Status TokenRevoked();

}  // namespace verdict::token::error
