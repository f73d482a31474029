#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "common/clock.h"
#include "common/ids/uuid.h"
#include "services/feedback/write_queue.h"

namespace verdict::feedback {

// A session, as a span names it.
struct SpanSessionRow {
  Uuid id = {};
  std::string_view text = {};
  std::optional<std::string_view> name = {};
};

// A span of a request. The views are into the message that is its answer.
struct SpanRow {
  Uuid span_id = {};
  Uuid trace_id = {};
  std::optional<Uuid> parent_id = {};
  std::optional<SpanSessionRow> session = {};
  std::string_view name = {};
  std::optional<std::string_view> kind = {};
  Time started_at = {};
  std::optional<Time> ended_at = {};
};

// One request's spans, as they go through the group commit: stored all or none.
struct SpanWrite {
  uint64_t key = 0;  // its own: no request waits for another
  Uuid project_id = {};
  std::vector<SpanRow> spans = {};  // one or more, in the order of the request

  size_t rows() const { return spans.size(); }
};

using SpanQueue = WriteQueue<SpanWrite, std::monostate>;

}  // namespace verdict::feedback
