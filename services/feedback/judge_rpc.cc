#include "services/feedback/judge_rpc.h"

#include <utility>

#include "services/feedback/idempotent_rpc.h"

namespace verdict::feedback {

void RegisterJudgeService(rpc::Server& server, IdempotentCalls& calls, const JudgeService& judges) {
  IdempotentBlocking<v1::CreateJudgeRequest, v1::CreateJudgeResponse>(
      server, calls, "verdict.feedback.v1.JudgeService/CreateJudge",
      [&judges](rpc::Context& context, const v1::CreateJudgeRequest& request) {
        return judges.Create(WriteCallOf(context), request);
      });
  server.Blocking<v1::GetJudgeRequest, v1::GetJudgeResponse>(
      "verdict.feedback.v1.JudgeService/GetJudge",
      [&judges](rpc::Context& context, const v1::GetJudgeRequest& request) {
        return judges.Get(context.principal(), request);
      });
  server.Blocking<v1::ListJudgesRequest, v1::ListJudgesResponse>(
      "verdict.feedback.v1.JudgeService/ListJudges",
      [&judges](rpc::Context& context, const v1::ListJudgesRequest& request) {
        return judges.List(context.principal(), request);
      });
  server.Blocking<v1::UpdateJudgeRequest, v1::UpdateJudgeResponse>(
      "verdict.feedback.v1.JudgeService/UpdateJudge",
      [&judges](rpc::Context& context, const v1::UpdateJudgeRequest& request) {
        return judges.Update(context.principal(), request);
      });
  IdempotentBlocking<v1::LinkJudgeRequest, v1::LinkJudgeResponse>(
      server, calls, "verdict.feedback.v1.JudgeService/LinkJudge",
      [&judges](rpc::Context& context, const v1::LinkJudgeRequest& request) {
        return judges.Link(context.principal(), request);
      });
  server.Blocking<v1::GetJudgeCriteriaRequest, v1::GetJudgeCriteriaResponse>(
      "verdict.feedback.v1.JudgeService/GetJudgeCriteria",
      [&judges](rpc::Context& context, const v1::GetJudgeCriteriaRequest& request) {
        return judges.GetCriteria(context.principal(), request);
      });
}

void RegisterEvaluationService(rpc::Server& server, IdempotentCalls& calls, EvaluationService& evaluations) {
  IdempotentAsync<v1::RecordEvaluationRequest, v1::RecordEvaluationResponse>(
      server, calls, "verdict.feedback.v1.EvaluationService/RecordEvaluation",
      [&evaluations](rpc::Context& context, const v1::RecordEvaluationRequest& request,
                     rpc::Done<v1::RecordEvaluationResponse> done) {
        evaluations.Record(WriteCallOf(context), request, std::move(done));
      });
  IdempotentAsync<v1::RecordEvaluationsRequest, v1::RecordEvaluationsResponse>(
      server, calls, "verdict.feedback.v1.EvaluationService/RecordEvaluations",
      [&evaluations](rpc::Context& context, const v1::RecordEvaluationsRequest& request,
                     rpc::Done<v1::RecordEvaluationsResponse> done) {
        evaluations.RecordAll(WriteCallOf(context), request, std::move(done));
      },
      EvaluationService::IsFinal);
}

}  // namespace verdict::feedback
