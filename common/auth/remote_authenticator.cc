#include "common/auth/remote_authenticator.h"

#include <utility>

#include "common/status/error.h"
#include "common/status/grpc_status.h"

namespace verdict::auth {

struct RemoteAuthenticator::Call {
  grpc::ClientContext context;
  token::v1::AuthenticateResponse response;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<token::v1::AuthenticateResponse>> reader;
  AuthenticateDone done;

  void Complete() {
    if (!status.ok()) {
      // A refusal is the caller's; anything else says that nobody could tell.
      const absl::Status refusal = FromGrpc(status);
      const bool told = refusal.code() == absl::StatusCode::kUnauthenticated ||
                        refusal.code() == absl::StatusCode::kPermissionDenied;
      return done(told ? refusal
                       : MakeError(errors::v1::REASON_UNAVAILABLE,
                                   "The API key could not be checked. Nothing was stored.",
                                   {.retry_after = std::chrono::seconds(1)}));
    }
    absl::StatusOr<Principal> principal = FromProto(response.principal());
    if (!principal.ok()) return done(principal.status());
    done(std::make_shared<const Principal>(*std::move(principal)));
  }
};

RemoteAuthenticator::RemoteAuthenticator(const std::shared_ptr<grpc::Channel>& channel)
    : stub_(token::v1::IdentityService::NewStub(channel)), completions_([this] {
        void* tag = nullptr;
        bool ok = false;
        while (queue_.Next(&tag, &ok)) {
          const std::unique_ptr<Call> call(static_cast<Call*>(tag));
          call->Complete();
        }
      }) {}

RemoteAuthenticator::~RemoteAuthenticator() { queue_.Shutdown(); }

void RemoteAuthenticator::Authenticate(const Credential& credential, Deadline deadline,
                                       AuthenticateDone done) {
  token::v1::AuthenticateRequest request;
  request.set_credential(credential.secret);
  if (!credential.project.empty()) request.set_project_id(credential.project);
  auto call = std::make_unique<Call>();
  call->done = std::move(done);
  call->context.set_deadline(std::chrono::system_clock::now() +
                             (deadline - std::chrono::steady_clock::now()));
  call->reader = stub_->AsyncAuthenticate(&call->context, request, &queue_);
  Call* const tag = call.release();
  tag->reader->Finish(&tag->response, &tag->status, tag);
}

}  // namespace verdict::auth
