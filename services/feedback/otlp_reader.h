#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb.h"
#include "services/feedback/span_write.h"

namespace verdict::feedback {

// Counts what of an export is not stored, and tells why of the first few: at most about 1 KiB.
class OtlpRefusals {
 public:
  // `span_id` is in hex.
  void RejectSpan(std::string_view span_id, std::string_view why);
  void RefuseEvaluation(std::string_view span_id, std::string_view why);

  size_t spans() const { return spans_; }
  size_t evaluations() const { return evaluations_; }

  // The answer to the export.
  opentelemetry::proto::collector::trace::v1::ExportTraceServiceResponse Response() const;

 private:
  void Explain(std::string_view what, std::string_view span_id, std::string_view why);

  size_t spans_ = 0;
  size_t evaluations_ = 0;
  std::string message_;
};

// What of an export can be stored, and what of it cannot.
struct OtlpExport {
  SpanWrite write = {};  // spans and evaluations; the latter without ids
  OtlpRefusals refusals = {};
};

// Reads an export, each span by itself, as the contract of TraceService says. VALIDATION_ERROR for more than
// 10,000 spans or evaluations.
absl::StatusOr<OtlpExport> ReadExport(
    const opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest& request);

}  // namespace verdict::feedback
