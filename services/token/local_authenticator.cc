#include "services/token/local_authenticator.h"

#include <chrono>
#include <memory>
#include <utility>

#include "common/status/error.h"
#include "common/status/macros.h"

namespace verdict::token {
namespace {

absl::StatusOr<std::shared_ptr<const auth::Principal>> Resolve(const IdentityService& identity,
                                                               const auth::Credential& credential) {
  v1::AuthenticateRequest request;
  request.set_credential(credential.secret);
  if (!credential.project.empty()) request.set_project_id(credential.project);
  ASSIGN_OR_RETURN(const v1::AuthenticateResponse response, identity.Authenticate(request));
  ASSIGN_OR_RETURN(auth::Principal principal, auth::FromProto(response.principal()));
  return std::make_shared<const auth::Principal>(std::move(principal));
}

}  // namespace

void LocalAuthenticator::Authenticate(const auth::Credential& credential, auth::Deadline deadline,
                                      auth::AuthenticateDone done) {
  // Shared, because a task that is not taken is gone.
  const auto answer = std::make_shared<auth::AuthenticateDone>(std::move(done));
  const bool taken = executor_.Submit([this, credential, deadline, answer] {
    if (std::chrono::steady_clock::now() >= deadline) {
      (*answer)(
          MakeError(errors::v1::REASON_DEADLINE_EXCEEDED, "The API key could not be looked up in time."));
    } else {
      (*answer)(Resolve(identity_, credential));
    }
  });
  if (!taken) {
    (*answer)(MakeError(errors::v1::REASON_OVERLOADED, "Too many API keys are being looked up.",
                        {.retry_after = std::chrono::seconds(1)}));
  }
}

}  // namespace verdict::token
