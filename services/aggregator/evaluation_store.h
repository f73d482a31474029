#pragma once

#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "common/clock.h"
#include "common/ids/uuid.h"
#include "common/pg/pool.h"
#include "verdict/types/v1/judge.pb.h"

namespace verdict::aggregator {

// Which of a judge's evaluations are wanted: those that pass all that is given.
struct JudgeSelection {
  std::optional<Time> start_date = {};  // of created_at, inclusive
  std::optional<Time> end_date = {};    // exclusive
  std::optional<bool> evaluation_result = {};
  std::optional<bool> with_user_feedback = {};  // somebody's feedback on the span is about the judge
  int limit = 0;
  int offset = 0;
};

// The reads of evaluations alone. Thread-safe; blocks. Each method reads one snapshot, and fails as
// pg::WithTransaction does: also in the midst of it, when evaluations were taken already.
class EvaluationStore {
 public:
  using TakeTotal = absl::FunctionRef<void(int)>;
  // Returns false when no more are wanted.
  using TakeEvaluation = absl::FunctionRef<bool(types::v1::Evaluation)>;

  // Part of Statements() (statements.h), which the pools must have prepared.
  static std::vector<pg::Statement> EvaluationStatements();

  // Both outlive the store.
  EvaluationStore(pg::Pool& reads, pg::Pool& streams) : reads_(reads), streams_(streams) {}

  // How many evaluations of the judge pass (where it is told twice, the last counts), and then those between
  // offset and limit, descending by created_at, then ascending by id. JUDGE_NOT_FOUND.
  absl::Status ListOfJudge(const Uuid& project_id, const Uuid& judge_id, const JudgeSelection& selection,
                           TakeTotal take_total, TakeEvaluation take) const;

  // All evaluations of the span, ascending by created_at, then id.
  absl::Status ListOfSpan(const Uuid& project_id, const Uuid& span_key, TakeEvaluation take) const;

 private:
  pg::Pool& reads_;
  pg::Pool& streams_;
};

}  // namespace verdict::aggregator
