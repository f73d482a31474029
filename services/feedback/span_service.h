#pragma once

#include <atomic>
#include <cstdint>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "services/feedback/span_write.h"
#include "services/feedback/write_call.h"
#include "verdict/feedback/v1/span_service.pb.h"

namespace verdict::feedback {

// The use cases of verdict.feedback.v1.SpanService. Requests keep the rules that their fields state.
// Thread-safe.
class SpanService {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<v1::CreateSpansResponse>)>;

  // Both outlive the service, and the queue is drained before the service ends.
  SpanService(SpanQueue& queue, const Clock& clock) : queue_(queue), clock_(clock) {}

  // Does not block; `done` is called once, from any thread. Under an Idempotency-Key a request makes the same
  // ids each time. VALIDATION_ERROR for more than 10,000 spans; else fails as the queue does.
  void Create(const WriteCall& call, const v1::CreateSpansRequest& request, Done done);

 private:
  SpanQueue& queue_;
  const Clock& clock_;
  std::atomic<uint64_t> requests_ = 0;
};

}  // namespace verdict::feedback
