#pragma once

#include <atomic>
#include <cstdint>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb.h"
#include "services/feedback/metrics.h"
#include "services/feedback/span_write.h"
#include "services/feedback/write_call.h"
#include "verdict/feedback/v1/span_service.pb.h"

namespace verdict::feedback {

// The use cases of verdict.feedback.v1.SpanService, and of OpenTelemetry's TraceService. Requests keep the
// rules that their fields state. Thread-safe.
class SpanService {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<v1::CreateSpansResponse>)>;

  using ExportRequest = opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
  using ExportResponse = opentelemetry::proto::collector::trace::v1::ExportTraceServiceResponse;
  using ExportDone = absl::AnyInvocable<void(absl::StatusOr<ExportResponse>)>;

  // All outlive the service, and the queue is drained before the service ends.
  SpanService(SpanQueue& queue, const Clock& clock, OtlpMetrics& otlp)
      : queue_(queue), clock_(clock), otlp_(otlp) {}

  // Does not block; `done` is called once, from any thread. Under an Idempotency-Key a request makes the same
  // ids each time. VALIDATION_ERROR for more than 10,000 spans; else fails as the queue does.
  void Create(const WriteCall& call, const v1::CreateSpansRequest& request, Done done);

  // Does not block; `done` is called once, from any thread. Answers what of the export could not be stored.
  // VALIDATION_ERROR for more than 10,000 spans or evaluations; else fails as the queue does.
  void Export(const WriteCall& call, const ExportRequest& request, ExportDone done);

 private:
  SpanQueue& queue_;
  const Clock& clock_;
  OtlpMetrics& otlp_;
  std::atomic<uint64_t> requests_ = 0;
};

}  // namespace verdict::feedback
