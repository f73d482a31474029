#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "common/auth/principal.h"
#include "common/crypto/crypto.h"
#include "common/ids/uuid.h"

namespace verdict::feedback {

// A write's caller. What it refers to lives until the write is answered.
struct WriteCall {
  const auth::Principal& principal;
  const std::optional<std::string>& idempotency_key;
  std::chrono::steady_clock::time_point deadline;
};

// Answers a write, once, from any thread. `replayed` says that an earlier, equal request was answered alike.
template <typename Response>
using WriteDone = absl::AnyInvocable<void(absl::StatusOr<Response>, bool replayed)>;

// The use of an Idempotency-Key, on which a write depends.
struct IdempotencyClaim {
  Uuid owner = {};  // the API key
  std::string key = {};
  crypto::Digest body_hash = {};
};

}  // namespace verdict::feedback
