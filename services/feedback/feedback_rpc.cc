#include "services/feedback/feedback_rpc.h"

#include <memory>
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

// The same feedback, on a completion: a span's names no prompt.
v1::SubmitCompletionFeedbackRequest OnCompletion(const v1::SubmitSpanFeedbackRequest& request) {
  v1::SubmitCompletionFeedbackRequest on_completion;
  on_completion.set_completion_id(request.span_id());
  if (request.has_thumbs_up()) on_completion.set_thumbs_up(request.thumbs_up());
  if (request.has_reason()) on_completion.set_reason(request.reason());
  if (request.has_expected_output()) on_completion.set_expected_output(request.expected_output());
  if (request.has_metadata()) on_completion.set_metadata(request.metadata());
  if (request.has_judge_id()) on_completion.set_judge_id(request.judge_id());
  if (request.has_expected_score()) on_completion.set_expected_score(request.expected_score());
  on_completion.set_score_direction(request.score_direction());
  *on_completion.mutable_criteria_feedback() = request.criteria_feedback();
  if (request.has_created_by()) *on_completion.mutable_created_by() = request.created_by();
  return on_completion;
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
  server.Async<v1::SubmitSpanFeedbackRequest, v1::SubmitSpanFeedbackResponse>(
      "verdict.feedback.v1.FeedbackService/SubmitSpanFeedback",
      [&feedback](rpc::Context& context, const v1::SubmitSpanFeedbackRequest& request,
                  rpc::Done<v1::SubmitSpanFeedbackResponse> done) {
        const auto on_completion =
            std::make_shared<const v1::SubmitCompletionFeedbackRequest>(OnCompletion(request));
        auto answer = Answer(context, std::move(done));
        feedback.Submit(
            {context.principal(), context.idempotency_key(), context.deadline()}, *on_completion,
            [on_completion, answer = std::move(answer)](
                absl::StatusOr<v1::SubmitCompletionFeedbackResponse> stored, bool replayed) mutable {
              if (!stored.ok()) return answer(stored.status(), replayed);
              v1::SubmitSpanFeedbackResponse response;
              response.mutable_feedback()->Swap(stored->mutable_feedback());
              answer(std::move(response), replayed);
            });
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

}  // namespace verdict::feedback
