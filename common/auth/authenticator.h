#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "common/auth/principal.h"

namespace verdict::auth {

// What a caller shows. Never logged.
struct Credential {
  std::string secret = {};   // the API key or the admin key
  std::string project = {};  // with the admin key: the project that it acts for, as sent; "" for none
};

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
