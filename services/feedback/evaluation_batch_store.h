#pragma once

#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/pg/statement.h"
#include "services/feedback/evaluation_write.h"
#include "services/feedback/judge_cache.h"

namespace pqxx {
class transaction_base;  // NOLINT(readability-identifier-naming): libpqxx has it so.
}
namespace verdict::pg {
class Session;
}

namespace verdict::feedback {

// An evaluation that its judge can have given.
struct CheckedEvaluation {
  const EvaluationWrite* write;
  const JudgeRules* judge;
};

// What StoreEvaluations runs; prepared on the connection of its transaction.
extern const pg::Statement kStoreNewEvaluations;

// Stores evaluations of distinct keys within a transaction that has locked their spans. One whose result,
// score and reason are those stored already is left as it is, since exporters repeat themselves. Throws as
// pg::Execute does.
void StoreEvaluations(pqxx::transaction_base& transaction, std::span<const CheckedEvaluation> evaluations);

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
