#pragma once

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "common/auth/principal.h"
#include "common/clock.h"
#include "common/rpc/field_rules.h"
#include "services/feedback/evaluation_write.h"
#include "services/feedback/write_call.h"
#include "verdict/feedback/v1/evaluation_service.pb.h"

namespace verdict::feedback {

// The use cases of verdict.feedback.v1.EvaluationService. Requests keep the rules that their fields state.
// Does not block; principal and request live until `done` is called. Thread-safe.
class EvaluationService {
 public:
  // Answers, once, from any thread.
  template <typename Response>
  using Done = absl::AnyInvocable<void(absl::StatusOr<Response>)>;

  // The options of its queue: those given, but for one call that has all its evaluations of one key.
  static WriteQueueOptions QueueOptions(WriteQueueOptions options);

  // Both outlive the service, and the queue is drained before the service ends.
  EvaluationService(EvaluationQueue& queue, const Clock& clock) : queue_(queue), clock_(clock) {}

  void Record(const WriteCall& call, const v1::RecordEvaluationRequest& request,
              Done<v1::RecordEvaluationResponse> done);
  void RecordAll(const WriteCall& call, const v1::RecordEvaluationsRequest& request,
                 Done<v1::RecordEvaluationsResponse> done);

  // Whether the same call again could not do better: nothing failed but what is wrong with the evaluations.
  static bool IsFinal(const v1::RecordEvaluationsResponse& response);

 private:
  class Results;

  absl::StatusOr<EvaluationWrite> Write(const auth::Principal& principal, const Uuid& judge_id,
                                        const v1::EvaluationInput& input) const;

  EvaluationQueue& queue_;
  const Clock& clock_;
  const rpc::FieldRules input_rules_{v1::EvaluationInput::descriptor()};
};

}  // namespace verdict::feedback
