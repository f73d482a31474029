#include "services/feedback/feedback_rpc.h"

#include <map>
#include <memory>
#include <string>

#include <catch2/catch.hpp>
#include <grpcpp/client_context.h>

#include "common/rpc/channel.h"
#include "common/status/grpc_status.h"
#include "services/feedback/test_service.h"
#include "verdict/feedback/v1/feedback_service.grpc.pb.h"
#include "verdict/feedback/v1/prompt_service.grpc.pb.h"

namespace verdict::feedback {
namespace {

// Knows one key.
class OneKey final : public auth::Authenticator {
 public:
  explicit OneKey(const auth::Principal& principal)
      : principal_(std::make_shared<const auth::Principal>(principal)) {}

  void Authenticate(const auth::Credential& credential, auth::Deadline,
                    auth::AuthenticateDone done) override {
    if (credential.secret != "key") return done(MakeError(errors::v1::REASON_UNAUTHENTICATED, "No."));
    done(principal_);
  }

 private:
  std::shared_ptr<const auth::Principal> principal_;
};

using Metadata = std::map<std::string, std::string>;

// The service behind gRPC, and its caller.
class Fixture {
 public:
  Fixture() {
    RegisterFeedbackService(server_, test.replica.feedback);
    RegisterPromptService(server_, test.replica.prompts);
    REQUIRE(server_.Start().ok());
    const auto channel = rpc::NewChannel(server_.address());
    feedback_ = v1::FeedbackService::NewStub(channel);
    prompts_ = v1::PromptService::NewStub(channel);
  }

  // Calls with the metadata and returns the answer; `trailers` are those of the last call.
  template <typename Response, typename Stub, typename Request>
  absl::StatusOr<Response> Call(Stub& stub,
                                grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                const Request& request,
                                const Metadata& metadata = {{"authorization", "Bearer key"}}) {
    grpc::ClientContext context;
    for (const auto& [name, value] : metadata) context.AddMetadata(name, value);
    Response response;
    absl::Status status = FromGrpc((stub.*method)(&context, request, &response));
    replayed = false;
    for (const auto& [name, value] : context.GetServerInitialMetadata()) {
      replayed = replayed || (name == "idempotent-replayed" && value == "true");
    }
    for (const auto& [name, value] : context.GetServerTrailingMetadata()) {
      replayed = replayed || (name == "idempotent-replayed" && value == "true");
    }
    if (!status.ok()) return status;
    return response;
  }
  absl::StatusOr<v1::SubmitCompletionFeedbackResponse> Submit(
      const v1::SubmitCompletionFeedbackRequest& request,
      const Metadata& metadata = {{"authorization", "Bearer key"}}) {
    return Call(*feedback_, &v1::FeedbackService::Stub::SubmitCompletionFeedback, request, metadata);
  }

  TestService test;
  auth::Principal principal = [this] {
    auth::Principal added = test.AddProject();
    added.AddScope(options::v1::SCOPE_WRITE);
    added.AddScope(options::v1::SCOPE_READ);
    return added;
  }();
  bool replayed = false;
  std::unique_ptr<v1::FeedbackService::Stub> feedback_;
  std::unique_ptr<v1::PromptService::Stub> prompts_;

 private:
  OneKey keys_{principal};
  metrics::Registry registry_;
  rpc::Server server_{{}, keys_, registry_};
};

TEST_CASE("every RPC of the two services works over gRPC") {
  Fixture test;
  v1::CreatePromptRequest create;
  create.set_slug("other");
  CHECK(test.Call(*test.prompts_, &v1::PromptService::Stub::CreatePrompt, create)->prompt().slug() ==
        "other");
  v1::GetPromptRequest get_prompt;
  get_prompt.set_slug("other");
  CHECK(test.Call(*test.prompts_, &v1::PromptService::Stub::GetPrompt, get_prompt)->prompt().slug() ==
        "other");
  CHECK(test.Call(*test.prompts_, &v1::PromptService::Stub::ListPrompts, v1::ListPromptsRequest())
            ->prompts_size() == 2);

  const auto stored = test.Submit(Vote(true, "good"));
  REQUIRE(stored.ok());
  CHECK(stored->feedback().reason() == "good");
  v1::GetCompletionFeedbackRequest get;
  get.set_prompt_slug("other");
  get.set_completion_id("c1");
  CHECK(test.Call(*test.feedback_, &v1::FeedbackService::Stub::GetCompletionFeedback, get)->feedback().id() ==
        stored->feedback().id());
  v1::WithdrawCompletionFeedbackRequest withdraw;
  withdraw.set_prompt_slug("other");
  withdraw.set_completion_id("c1");
  CHECK(test.Call(*test.feedback_, &v1::FeedbackService::Stub::WithdrawCompletionFeedback, withdraw).ok());

  const Metadata token = {{"authorization", "Bearer " + test.test.Mint(test.principal)}};
  CHECK(test.Call(*test.feedback_, &v1::FeedbackService::Stub::PeekToken, v1::PeekTokenRequest(), token)
            ->resource_id() == "run-42");
  CHECK(test.Call(*test.feedback_, &v1::FeedbackService::Stub::RedeemToken, Redemption(true), token).ok());
  CHECK_FALSE(test.replayed);
  CHECK(test.Call(*test.feedback_, &v1::FeedbackService::Stub::RedeemToken, Redemption(true), token).ok());
  CHECK(test.replayed);
}

TEST_CASE("a repeat under an Idempotency-Key says so over gRPC") {
  Fixture test;
  const Metadata metadata = {{"authorization", "Bearer key"}, {"idempotency-key", "k1"}};
  REQUIRE(test.Submit(Vote(true), metadata).ok());
  CHECK_FALSE(test.replayed);
  REQUIRE(test.Submit(Vote(true), metadata).ok());
  CHECK(test.replayed);
  CHECK(ReasonOf(test.Submit(Vote(false), metadata).status()) == errors::v1::REASON_IDEMPOTENCY_MISMATCH);
}

TEST_CASE("what cannot be stored whole is refused, and nothing is stored") {
  Fixture test;
  const auto refusal = [&](auto change) {
    v1::SubmitCompletionFeedbackRequest request = Vote(true);
    change(request);
    return ReasonOf(test.Submit(request).status());
  };
  using Request = v1::SubmitCompletionFeedbackRequest;
  const std::string nul("a\0b", 3);
  CHECK(refusal([&](Request& request) { request.set_reason(nul); }) == errors::v1::REASON_INVALID_TEXT);
  CHECK(refusal([&](Request& request) { request.set_completion_id(nul); }) ==
        errors::v1::REASON_INVALID_TEXT);
  CHECK(refusal([&](Request& request) { request.mutable_created_by()->set_id(nul); }) ==
        errors::v1::REASON_INVALID_TEXT);
  CHECK(refusal([&](Request& request) { request.set_metadata(R"({"a":"\u0000"})"); }) ==
        errors::v1::REASON_INVALID_TEXT);
  CHECK(refusal([](Request& request) { request.clear_thumbs_up(); }) == errors::v1::REASON_VALIDATION_ERROR);
  CHECK(refusal([](Request& request) { request.clear_completion_id(); }) ==
        errors::v1::REASON_VALIDATION_ERROR);
  CHECK(refusal([](Request& request) { request.set_completion_id(std::string(201, 'c')); }) ==
        errors::v1::REASON_VALIDATION_ERROR);
  CHECK(refusal([](Request& request) { request.set_reason(std::string(65537, 'r')); }) ==
        errors::v1::REASON_VALIDATION_ERROR);
  CHECK(refusal([](Request& request) {
          request.set_metadata("{\"a\":\"" + std::string(16384, 'm') + "\"}");
        }) == errors::v1::REASON_VALIDATION_ERROR);
  CHECK(refusal([](Request& request) { request.mutable_created_by()->set_name("Ada"); }) ==
        errors::v1::REASON_VALIDATION_ERROR);
  CHECK(test.test.database.Query("select count(*) from feedback") == "0");

  v1::SubmitCompletionFeedbackRequest largest = Vote(true, std::string(65536, 'r'));
  largest.set_expected_output(std::string(65536, 'e'));
  largest.set_metadata("{\"a\":\"" + std::string(16376, 'm') + "\"}");
  CHECK(test.Submit(largest).ok());
  CHECK(test.test.database.Query(
            "select octet_length(reason), octet_length(expected_output) from feedback") == "65536|65536");
}

}  // namespace
}  // namespace verdict::feedback
