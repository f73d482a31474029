#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/pg/statement.h"
#include "services/feedback/feedback_write.h"
#include "services/feedback/judge_cache.h"
#include "services/feedback/prompt_cache.h"

namespace verdict::pg {
class Session;
}

namespace verdict::feedback {

// Stores batches of feedback: the group commit's half that knows SQL. Each writer thread has one of its own.
class BatchStore {
 public:
  // `connection.statements` is set here. The caches are shared, and outlive the writer.
  BatchStore(pg::ConnectionOptions connection, PromptCache& prompts, JudgeCache& judges);
  ~BatchStore();

  // Stores a batch, whose keys are distinct and whose Idempotency-Keys too, as FeedbackQueue::StoreBatch
  // says. A write's own errors: PROMPT_NOT_FOUND; JUDGE_NOT_FOUND, VALIDATION_ERROR when that cannot be said
  // of the judge's score; TOKEN_USED, TOKEN_EXPIRED, TOKEN_REVOKED; IDEMPOTENCY_MISMATCH.
  absl::StatusOr<std::vector<absl::StatusOr<StoredFeedback>>> Store(
      absl::Span<const FeedbackWrite* const> batch);

 private:
  std::unique_ptr<pg::Session> session_;
  PromptCache& prompts_;
  JudgeCache& judges_;
};

}  // namespace verdict::feedback
