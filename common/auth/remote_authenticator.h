#pragma once

#include <memory>
#include <thread>

#include <grpcpp/channel.h>
#include <grpcpp/completion_queue.h>

#include "common/auth/authenticator.h"
#include "verdict/token/v1/identity_service.grpc.pb.h"

namespace verdict::auth {

// Asks the token service.
class RemoteAuthenticator final : public Authenticator {
 public:
  explicit RemoteAuthenticator(const std::shared_ptr<grpc::Channel>& channel);
  // Answers the calls under way first.
  ~RemoteAuthenticator() override;

  void Authenticate(const Credential& credential, Deadline deadline, AuthenticateDone done) override;

 private:
  struct Call;

  std::unique_ptr<token::v1::IdentityService::Stub> stub_;
  grpc::CompletionQueue queue_;
  std::jthread completions_;
};

}  // namespace verdict::auth
