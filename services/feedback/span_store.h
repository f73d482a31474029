#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/pg/statement.h"
#include "services/feedback/span_write.h"

namespace verdict::pg {
class Session;
}

namespace verdict::feedback {

// Stores batches of spans and what judges say of them, and places the feedback and the evaluations that
// waited: the group commit's half that knows SQL. Each writer thread has one of its own.
class SpanStore {
 public:
  // `connection.statements` and `connection.generic_plans` are set here.
  explicit SpanStore(pg::ConnectionOptions connection);
  ~SpanStore();

  // Stores a batch as SpanQueue::StoreBatch says. An evaluation is refused by itself: JUDGE_NOT_FOUND, or
  // VALIDATION_ERROR when the judge cannot have said that.
  absl::StatusOr<std::vector<absl::StatusOr<StoredSpans>>> Store(absl::Span<const SpanWrite* const> writes);

 private:
  std::unique_ptr<pg::Session> session_;
};

}  // namespace verdict::feedback
