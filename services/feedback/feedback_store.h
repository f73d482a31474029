#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/pg/pool.h"
#include "common/pg/statement.h"
#include "common/token/token_codec.h"
#include "services/feedback/feedback_write.h"
#include "services/feedback/prompt_cache.h"
#include "verdict/feedback/v1/feedback_service.pb.h"
#include "verdict/feedback/v1/prompt_service.pb.h"

namespace verdict::feedback {

// What of this service's SQL does not go through the group commit. Each call is one statement; beyond what it
// names it fails as pg::Execute does. Thread-safe.
class FeedbackStore {
 public:
  // `pool` has Statements(); it and `prompts` outlive the store.
  FeedbackStore(pg::Pool& pool, PromptCache& prompts) : pool_(pool), prompts_(prompts) {}

  static std::span<const pg::Statement> Statements();

  // One record, all but its completion_id, whose spelling is the caller's; FEEDBACK_NOT_FOUND.
  absl::StatusOr<v1::CompletionFeedback> FindFeedback(const FeedbackKey& key) const;

  // Deletes a record and keeps its last revision in the history. No record is no error.
  absl::Status WithdrawFeedback(const FeedbackKey& key, Time now) const;

  // OK when the token can be redeemed; TOKEN_EXPIRED, TOKEN_USED or TOKEN_REVOKED.
  absl::Status CheckToken(const token::TokenClaims& claims) const;

  // ALREADY_EXISTS when the project has the slug.
  absl::StatusOr<v1::Prompt> InsertPrompt(const Uuid& project_id, const Uuid& id, std::string_view slug,
                                          Time now) const;

  // PROMPT_NOT_FOUND.
  absl::StatusOr<v1::Prompt> FindPrompt(const Uuid& project_id, std::string_view slug) const;

  // The id alone, mostly from the cache; PROMPT_NOT_FOUND.
  absl::StatusOr<Uuid> FindPromptId(const Uuid& project_id, std::string_view slug) const;

  // At most `limit` prompts by id, from the first after `after`.
  absl::StatusOr<std::vector<v1::Prompt>> ListPrompts(const Uuid& project_id, const Uuid& after,
                                                      int limit) const;

 private:
  pg::Pool& pool_;
  PromptCache& prompts_;
};

}  // namespace verdict::feedback
