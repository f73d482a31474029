#pragma once

#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "common/auth/principal.h"
#include "common/clock.h"
#include "services/feedback/judge_store.h"
#include "services/feedback/write_call.h"
#include "verdict/feedback/v1/judge_service.pb.h"

namespace verdict::feedback {

// The use cases of verdict.feedback.v1.JudgeService. Requests keep the rules that their fields state. Blocks
// on the database. Thread-safe.
class JudgeService {
 public:
  // Both outlive the service.
  JudgeService(const JudgeStore& store, const Clock& clock) : store_(store), clock_(clock) {}

  // Under an Idempotency-Key a request makes the same judge each time it runs.
  absl::StatusOr<v1::CreateJudgeResponse> Create(const WriteCall& call,
                                                 const v1::CreateJudgeRequest& request) const;
  absl::StatusOr<v1::GetJudgeResponse> Get(const auth::Principal& principal,
                                           const v1::GetJudgeRequest& request) const;
  absl::StatusOr<v1::ListJudgesResponse> List(const auth::Principal& principal,
                                              const v1::ListJudgesRequest& request) const;
  absl::StatusOr<v1::UpdateJudgeResponse> Update(const auth::Principal& principal,
                                                 const v1::UpdateJudgeRequest& request) const;
  absl::StatusOr<v1::LinkJudgeResponse> Link(const auth::Principal& principal,
                                             const v1::LinkJudgeRequest& request) const;
  absl::StatusOr<v1::GetJudgeCriteriaResponse> GetCriteria(const auth::Principal& principal,
                                                           const v1::GetJudgeCriteriaRequest& request) const;

 private:
  absl::StatusOr<v1::Judge> Find(const auth::Principal& principal, std::string_view judge_id,
                                 JudgeStore::Evaluations evaluations) const;
  absl::StatusOr<v1::Judge> Change(const auth::Principal& principal, std::string_view judge_id,
                                   absl::FunctionRef<absl::Status(v1::Judge&)> change) const;
  // Makes the prompt the one that the judge evaluates.
  absl::Status SetTarget(const auth::Principal& principal, std::string_view prompt_id,
                         v1::Judge& judge) const;

  const JudgeStore& store_;
  const Clock& clock_;
};

}  // namespace verdict::feedback
