#pragma once

#include "common/auth/authenticator.h"
#include "common/rpc/executor.h"
#include "services/token/identity_service.h"

namespace verdict::token {

// Authenticates the calls to this service itself, which knows the keys: on threads of its own, since it asks
// the database. OVERLOADED when too much waits. Thread-safe; `identity` must outlive it.
class LocalAuthenticator final : public auth::Authenticator {
 public:
  explicit LocalAuthenticator(const IdentityService& identity) : identity_(identity) {}

  void Authenticate(const auth::Credential& credential, auth::Deadline deadline,
                    auth::AuthenticateDone done) override;

 private:
  const IdentityService& identity_;
  rpc::Executor executor_{2, 1024};
};

}  // namespace verdict::token
