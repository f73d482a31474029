#pragma once

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/auth/principal.h"
#include "services/aggregator/aggregator_store.h"
#include "services/aggregator/entity_reader.h"
#include "services/aggregator/evaluation_store.h"
#include "services/aggregator/message_packer.h"
#include "services/aggregator/metrics.h"
#include "verdict/aggregator/v1/aggregator_service.pb.h"

namespace verdict::aggregator {

// The use cases of the aggregator service, as aggregator_service.proto describes them, for the principal's
// project. Thread-safe; blocks. A caller who is gone (`Write`) ends the call as CANCELLED. What fits goes out
// as one message; else the first is everything but items, and the others are items, at most 500 and about 1
// MiB each.
class AggregatorService {
 public:
  // Is told the state's tag before the first message; true when the caller has that state already: nothing is
  // sent.
  using HasState = absl::FunctionRef<bool(const std::string& etag)>;

  // All outlive the service.
  AggregatorService(const AggregatorStore& store, EntityReader& entities, const EvaluationStore& evaluations,
                    Metrics& metrics)
      : store_(store), entities_(entities), evaluations_(evaluations), metrics_(metrics) {}

  absl::Status GetEntityFeedback(const auth::Principal& principal,
                                 const v1::GetEntityFeedbackRequest& request, HasState has_state,
                                 Write<v1::GetEntityFeedbackResponse> write) const;
  // The same of what is read beside others (EntityReader), without blocking; `done` is called once, from any
  // thread. Only without filters and pages, and where there is little: else nothing is answered, and
  // GetEntityFeedback has to be called.
  struct AtOnce {
    bool whole = false;
    std::unique_ptr<v1::GetEntityFeedbackResponse> response = nullptr;  // null: the caller has the state
  };
  using AtOnceDone = absl::AnyInvocable<void(absl::StatusOr<AtOnce>)>;
  void GetEntityFeedbackAtOnce(const auth::Principal& principal, const v1::GetEntityFeedbackRequest& request,
                               EntityReader::Deadline deadline,
                               absl::AnyInvocable<bool(const std::string& etag)> has_state,
                               AtOnceDone done) const;
  absl::StatusOr<v1::ListFeedbackResponse> ListFeedback(const auth::Principal& principal,
                                                        const v1::ListFeedbackRequest& request) const;
  absl::Status ExportFeedback(const auth::Principal& principal, const v1::ExportFeedbackRequest& request,
                              Write<v1::ExportFeedbackResponse> write) const;
  absl::StatusOr<v1::GetFeedbackResponse> GetFeedback(const auth::Principal& principal,
                                                      const v1::GetFeedbackRequest& request) const;
  absl::Status ListJudgeEvaluations(const auth::Principal& principal,
                                    const v1::ListJudgeEvaluationsRequest& request,
                                    Write<v1::ListJudgeEvaluationsResponse> write) const;
  absl::Status ListSpanEvaluations(const auth::Principal& principal,
                                   const v1::ListSpanEvaluationsRequest& request,
                                   Write<v1::ListSpanEvaluationsResponse> write) const;

 private:
  const AggregatorStore& store_;
  EntityReader& entities_;
  const EvaluationStore& evaluations_;
  Metrics& metrics_;
};

}  // namespace verdict::aggregator
