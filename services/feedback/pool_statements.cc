#include "services/feedback/pool_statements.h"

#include <vector>

#include "services/feedback/feedback_store.h"
#include "services/feedback/garbage_store.h"
#include "services/feedback/idempotency_store.h"
#include "services/feedback/judge_store.h"
#include "services/feedback/prompt_store.h"

namespace verdict::feedback {

std::span<const pg::Statement> PoolStatements() {
  static const std::vector<pg::Statement> statements = [] {
    std::vector<pg::Statement> all;
    for (const auto& some :
         {FeedbackStore::Statements(), GarbageStore::Statements(), IdempotencyStore::Statements(),
          JudgeStore::Statements(), PromptStore::Statements()}) {
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  }();
  return statements;
}

}  // namespace verdict::feedback
