#include "services/feedback/feedback_rpc.h"

#include <utility>

namespace verdict::feedback {
namespace {

template <typename Response>
FeedbackService::Done<Response> Answer(rpc::Context& context, rpc::Done<Response> done) {
  return [&context, done = std::move(done)](absl::StatusOr<Response> response, bool replayed) mutable {
    if (replayed) context.SetReplayed();
    done(std::move(response));
  };
}

}  // namespace

void RegisterFeedbackService(rpc::Server& server, FeedbackService& feedback) {
  server.Async<v1::SubmitCompletionFeedbackRequest, v1::SubmitCompletionFeedbackResponse>(
      "verdict.feedback.v1.FeedbackService/SubmitCompletionFeedback",
      [&feedback](rpc::Context& context, const v1::SubmitCompletionFeedbackRequest& request,
                  rpc::Done<v1::SubmitCompletionFeedbackResponse> done) {
        feedback.Submit({context.principal(), context.idempotency_key(), context.deadline()}, request,
                        Answer(context, std::move(done)));
      });
  server.Blocking<v1::GetCompletionFeedbackRequest, v1::GetCompletionFeedbackResponse>(
      "verdict.feedback.v1.FeedbackService/GetCompletionFeedback",
      [&feedback](rpc::Context& context, const v1::GetCompletionFeedbackRequest& request) {
        return feedback.Get(context.principal(), request);
      });
  server.Blocking<v1::WithdrawCompletionFeedbackRequest, v1::WithdrawCompletionFeedbackResponse>(
      "verdict.feedback.v1.FeedbackService/WithdrawCompletionFeedback",
      [&feedback](rpc::Context& context, const v1::WithdrawCompletionFeedbackRequest& request) {
        return feedback.Withdraw(context.principal(), request);
      });
  server.Blocking<v1::DeleteFeedbackRequest, v1::DeleteFeedbackResponse>(
      "verdict.feedback.v1.FeedbackService/DeleteFeedback",
      [&feedback](rpc::Context& context, const v1::DeleteFeedbackRequest& request) {
        return feedback.Delete(context.principal(), request);
      });
  server.Blocking<v1::EraseUserRequest, v1::EraseUserResponse>(
      "verdict.feedback.v1.FeedbackService/EraseUser",
      [&feedback](rpc::Context& context, const v1::EraseUserRequest& request) {
        return feedback.EraseUser(context.principal(), request, context.deadline());
      });
  server.Async<v1::RedeemTokenRequest, v1::RedeemTokenResponse>(
      "verdict.feedback.v1.FeedbackService/RedeemToken",
      [&feedback](rpc::Context& context, const v1::RedeemTokenRequest& request,
                  rpc::Done<v1::RedeemTokenResponse> done) {
        feedback.Redeem(context.bearer(), context.deadline(), request, Answer(context, std::move(done)));
      });
  server.Blocking<v1::PeekTokenRequest, v1::PeekTokenResponse>(
      "verdict.feedback.v1.FeedbackService/PeekToken",
      [&feedback](rpc::Context& context, const v1::PeekTokenRequest&) {
        return feedback.Peek(context.bearer());
      });
}

void RegisterPromptService(rpc::Server& server, const PromptService& prompts) {
  server.Blocking<v1::CreatePromptRequest, v1::CreatePromptResponse>(
      "verdict.feedback.v1.PromptService/CreatePrompt",
      [&prompts](rpc::Context& context, const v1::CreatePromptRequest& request) {
        return prompts.Create(context.principal(), request);
      });
  server.Blocking<v1::GetPromptRequest, v1::GetPromptResponse>(
      "verdict.feedback.v1.PromptService/GetPrompt",
      [&prompts](rpc::Context& context, const v1::GetPromptRequest& request) {
        return prompts.Get(context.principal(), request);
      });
  server.Blocking<v1::ListPromptsRequest, v1::ListPromptsResponse>(
      "verdict.feedback.v1.PromptService/ListPrompts",
      [&prompts](rpc::Context& context, const v1::ListPromptsRequest& request) {
        return prompts.List(context.principal(), request);
      });
}

}  // namespace verdict::feedback
