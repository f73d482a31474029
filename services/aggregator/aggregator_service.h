#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "common/auth/principal.h"
#include "services/aggregator/aggregator_store.h"
#include "services/aggregator/metrics.h"
#include "verdict/aggregator/v1/aggregator_service.pb.h"

namespace verdict::aggregator {

// The use cases of the aggregator service. Thread-safe; blocks.
class AggregatorService {
 public:
  // Both outlive the service.
  AggregatorService(const AggregatorStore& store, Metrics& metrics) : store_(store), metrics_(metrics) {}

  // Reads all feedback on an entity of the principal's project. `write` sends a message and returns false
  // when the caller is gone. What fits goes out as one message; else the first is everything but items, and
  // the others are items, at most 500 and about 1 MiB each.
  absl::Status GetEntityFeedback(const auth::Principal& principal,
                                 const v1::GetEntityFeedbackRequest& request,
                                 absl::FunctionRef<bool(const v1::GetEntityFeedbackResponse&)> write) const;

 private:
  const AggregatorStore& store_;
  Metrics& metrics_;
};

}  // namespace verdict::aggregator
