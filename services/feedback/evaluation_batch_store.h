#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/pg/statement.h"
#include "services/feedback/evaluation_write.h"
#include "services/feedback/judge_cache.h"

namespace verdict::pg {
class Session;
}

namespace verdict::feedback {

// Stores batches of evaluations: the group commit's half that knows SQL. Each writer thread has one of its
// own.
class EvaluationBatchStore {
 public:
  // `connection.statements` is set here. `judges` is shared, and outlives the writer.
  EvaluationBatchStore(pg::ConnectionOptions connection, JudgeCache& judges);
  ~EvaluationBatchStore();

  // Stores a batch, whose keys are distinct, as EvaluationQueue::StoreBatch says. A write's own errors:
  // JUDGE_NOT_FOUND; VALIDATION_ERROR when the judge cannot have said that. A batch's: ALREADY_EXISTS when
  // the client's id of one is another record's.
  absl::StatusOr<std::vector<absl::StatusOr<StoredEvaluation>>> Store(
      absl::Span<const EvaluationWrite* const> batch);

 private:
  std::unique_ptr<pg::Session> session_;
  JudgeCache& judges_;
};

}  // namespace verdict::feedback
