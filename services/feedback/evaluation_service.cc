#include "services/feedback/evaluation_service.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <string>
#include <utility>

#include "common/ids/entity_id.h"
#include "common/log/log.h"
#include "common/status/error.h"
#include "common/status/macros.h"
#include "services/feedback/errors.h"

namespace verdict::feedback {
namespace {

constexpr int kEvaluationsMax = 1'000;  // of one call, as the contract says

types::v1::Evaluation EvaluationOf(const v1::EvaluationInput& input, const Uuid& judge_id,
                                   const StoredEvaluation& stored) {
  const JudgeRules& judge = *stored.judge;
  types::v1::Evaluation evaluation;
  evaluation.set_id(stored.id.ToString());
  evaluation.set_span_id(input.span_id());
  evaluation.set_judge_id(judge_id.ToString());
  evaluation.set_judge_name(judge.name);
  evaluation.set_evaluation_type(judge.type);
  evaluation.set_evaluation_result(ResultOf(judge, input));
  if (input.has_evaluation_reason()) evaluation.set_evaluation_reason(input.evaluation_reason());
  if (input.has_confidence_score()) evaluation.set_confidence_score(input.confidence_score());
  if (judge.type == types::v1::EVALUATION_TYPE_SCORED) {
    evaluation.set_score(input.score());
    evaluation.set_score_min(judge.score_min);
    evaluation.set_score_max(judge.score_max);
    evaluation.set_pass_threshold(judge.pass_threshold);
  }
  *evaluation.mutable_criteria_scores() = input.criteria_scores();
  if (input.has_model_used()) evaluation.set_model_used(input.model_used());
  if (input.has_evaluation_duration_ms()) {
    evaluation.set_evaluation_duration_ms(input.evaluation_duration_ms());
  }
  if (stored.trace_id) evaluation.set_trace_id(stored.trace_id->ToString());
  *evaluation.mutable_created_at() = ToProto(stored.created_at);
  *evaluation.mutable_updated_at() = ToProto(stored.updated_at);
  return evaluation;
}

void SetError(const absl::Status& status, v1::EvaluationResult& result) {
  // A call's own error is logged by its server; this one goes no further than here.
  if (ReasonOf(status) == errors::v1::REASON_INTERNAL) {
    log::Error("cannot store an evaluation", {{"error", std::string(status.message())}});
  }
  result.mutable_error()->set_code(std::string(ReasonName(ReasonOf(status))));
  result.mutable_error()->set_message(std::string(StripInternal(status).message()));
}

}  // namespace

// Gathers the results of one call, and answers it with the last of them.
class EvaluationService::Results {
 public:
  Results(int count, Done<v1::RecordEvaluationsResponse> done) : missing_(count), done_(std::move(done)) {
    for (int i = 0; i < count; ++i) response_.add_results();
  }

  // Once for each index, from any thread.
  void Set(int index, const absl::StatusOr<StoredEvaluation>& stored) {
    v1::EvaluationResult& result = *response_.mutable_results(index);
    if (stored.ok()) {
      result.set_id(stored->id.ToString());
      *result.mutable_created_at() = ToProto(stored->created_at);
      *result.mutable_updated_at() = ToProto(stored->updated_at);
      stored_any_ = true;
    } else {
      if (ReasonOf(stored.status()) == errors::v1::REASON_JUDGE_NOT_FOUND) judge_is_unknown_ = true;
      SetError(stored.status(), result);
    }
    if (--missing_ > 0) return;
    if (judge_is_unknown_ && !stored_any_) return done_(error::JudgeNotFound());
    done_(std::move(response_));
  }

 private:
  std::atomic<int> missing_;
  std::atomic<bool> judge_is_unknown_ = false;
  std::atomic<bool> stored_any_ = false;
  v1::RecordEvaluationsResponse response_;
  Done<v1::RecordEvaluationsResponse> done_;
};

absl::StatusOr<EvaluationWrite> EvaluationService::Write(const auth::Principal& principal,
                                                         const Uuid& judge_id,
                                                         const v1::EvaluationInput& input) const {
  const Time now = clock_.Now();
  EvaluationWrite write = {.key = {.project_id = principal.project_id,
                                   .judge_id = judge_id,
                                   .span_id = EntityKey(input.span_id())},
                           .id = NewUuidV7(now),
                           .input = &input,
                           .submitted_by = principal.key_id,
                           .at = now};
  if (input.has_id()) {
    write.key.client_id = Uuid::Parse(input.id());
    if (!write.key.client_id) return error::BadEvaluationId();
    write.id = *write.key.client_id;
  }
  if (!input.criteria_scores().empty()) {
    RETURN_IF_ERROR(CheckLength("criteria_scores", criteria::ToJson(input.criteria_scores())));
  }
  return write;
}

WriteQueueOptions EvaluationService::QueueOptions(WriteQueueOptions options) {
  options.waiting_rows_per_key_max = std::max<size_t>(options.waiting_rows_per_key_max, kEvaluationsMax);
  return options;
}

bool EvaluationService::IsFinal(const v1::RecordEvaluationsResponse& response) {
  return std::ranges::all_of(response.results(), [](const v1::EvaluationResult& result) {
    Reason reason = errors::v1::REASON_UNSPECIFIED;
    return !result.has_error() || (errors::v1::Reason_Parse("REASON_" + result.error().code(), &reason) &&
                                   RuleOf(reason).http_status() < 500);
  });
}

void EvaluationService::Record(const WriteCall& call, const v1::RecordEvaluationRequest& request,
                               Done<v1::RecordEvaluationResponse> done) {
  const std::optional<Uuid> judge_id = Uuid::Parse(request.judge_id());
  if (!judge_id) return done(error::JudgeNotFound());
  absl::StatusOr<EvaluationWrite> write = Write(call.principal, *judge_id, request.evaluation());
  if (!write.ok()) return done(write.status());
  queue_.Submit(*std::move(write), call.deadline,
                [&request, judge_id = *judge_id,
                 done = std::move(done)](const absl::StatusOr<StoredEvaluation>& stored) mutable {
                  if (!stored.ok()) return done(stored.status());
                  v1::RecordEvaluationResponse response;
                  *response.mutable_evaluation() = EvaluationOf(request.evaluation(), judge_id, *stored);
                  done(std::move(response));
                });
}

void EvaluationService::RecordAll(const WriteCall& call, const v1::RecordEvaluationsRequest& request,
                                  Done<v1::RecordEvaluationsResponse> done) {
  const std::optional<Uuid> judge_id = Uuid::Parse(request.judge_id());
  if (!judge_id) return done(error::JudgeNotFound());
  const int count = request.evaluations_size();
  if (count == 0) return done(v1::RecordEvaluationsResponse());

  // The rows that wait own it together. The last of them answers the call, after which the request is gone:
  // so nothing of it may be used once all have been submitted.
  const auto results = std::make_shared<Results>(count, std::move(done));
  const auto write_of = [&](const v1::EvaluationInput& input) -> absl::StatusOr<EvaluationWrite> {
    RETURN_IF_ERROR(input_rules_.Check(input));
    return Write(call.principal, *judge_id, input);
  };
  for (int i = 0; i < count; ++i) {
    absl::StatusOr<EvaluationWrite> write = write_of(request.evaluations(i));
    if (!write.ok()) {
      results->Set(i, write.status());
      continue;
    }
    queue_.Submit(*std::move(write), call.deadline,
                  [results, i](const absl::StatusOr<StoredEvaluation>& stored) { results->Set(i, stored); });
  }
}

}  // namespace verdict::feedback
