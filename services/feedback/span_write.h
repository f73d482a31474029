#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "common/clock.h"
#include "common/ids/uuid.h"
#include "services/feedback/write_queue.h"
#include "verdict/feedback/v1/evaluation_service.pb.h"

namespace verdict::feedback {

// A session, as a span names it.
struct SpanSessionRow {
  Uuid id = {};
  std::string text = {};
  std::optional<std::string> name = {};
};

// A span of a request.
struct SpanRow {
  Uuid span_id = {};
  Uuid trace_id = {};
  std::optional<Uuid> parent_id = {};
  std::optional<SpanSessionRow> session = {};
  std::string name = {};
  std::optional<std::string> kind = {};
  Time started_at = {};
  std::optional<Time> ended_at = {};
  std::optional<Uuid> prompt_version_id = {};
  std::optional<std::string> model = {};
};

// What a judge says of a span of the same request, and knows itself by name alone: what it means is told once
// the judge is found.
struct SpanEvaluation {
  Uuid id = {};  // the record's, if this write makes it
  Uuid span_id = {};
  std::string judge_name = {};
  v1::EvaluationInput input = {};  // without result and score
  std::optional<std::string> label = {};
  std::optional<double> score = {};
};

// One request's spans and what judges say of them, as they go through the group commit: stored all or none,
// but for evaluations that their judge cannot have given.
struct SpanWrite {
  uint64_t key = 0;  // its own: no request waits for another
  Uuid project_id = {};
  std::vector<SpanRow> spans = {};  // one or more, in the order of the request
  std::vector<SpanEvaluation> evaluations = {};
  Uuid submitted_by = {};  // the API key
  Time at = {};            // when the evaluations came

  size_t rows() const { return spans.size() + evaluations.size(); }
};

// An evaluation that was not stored.
struct RefusedEvaluation {
  std::string span_id = {};  // as the request spells it
  absl::Status why = {};
};

// What became of a request whose spans were stored.
struct StoredSpans {
  std::vector<RefusedEvaluation> refused = {};
};

using SpanQueue = WriteQueue<SpanWrite, StoredSpans>;

// What a span says of itself beyond what it must is kept where it can be.
inline constexpr size_t kSpanKindBytesMax = 100;
inline constexpr size_t kSpanModelBytesMax = 200;
inline bool CanBeKept(std::string_view text, size_t bytes_max) {
  return !text.empty() && text.size() <= bytes_max && text.find('\0') == std::string_view::npos;
}

}  // namespace verdict::feedback
