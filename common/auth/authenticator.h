#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/auth/principal.h"

namespace verdict::auth {

// What a caller shows. Never logged.
struct Credential {
  std::string secret = {};   // the API key or the admin key
  std::string project = {};  // with the admin key: the project that it acts for, as sent; "" for none
};

// No credential has more bytes: what is longer need not be looked up.
inline constexpr std::size_t kCredentialBytesMax = 256;

// UNAUTHENTICATED: the credential is missing, or malformed, unknown, expired or revoked. Callers are not told
// which, and whoever says it says the same.
absl::Status Unauthenticated();

using Deadline = std::chrono::steady_clock::time_point;
using AuthenticateDone = absl::AnyInvocable<void(absl::StatusOr<std::shared_ptr<const Principal>>)>;

// Resolves credentials to principals. Thread-safe; never blocks.
class Authenticator {
 public:
  virtual ~Authenticator() = default;

  // Calls `done` once, from any thread, also before it returns: with the principal, or UNAUTHENTICATED
  // (unknown, revoked, expired), PERMISSION_DENIED (admin key, no such project), or UNAVAILABLE and
  // DEADLINE_EXCEEDED (nobody could say).
  virtual void Authenticate(const Credential& credential, Deadline deadline, AuthenticateDone done) = 0;
};

}  // namespace verdict::auth
