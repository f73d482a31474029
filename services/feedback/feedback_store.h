#pragma once

#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/pg/pool.h"
#include "common/pg/statement.h"
#include "common/token/token_codec.h"
#include "services/feedback/feedback_write.h"
#include "services/feedback/prompt_cache.h"
#include "verdict/feedback/v1/feedback_service.pb.h"

namespace verdict::feedback {

// What an erasure has removed.
struct Erased {
  int records = 0;
  int revisions = 0;
  int claims = 0;
  bool more = false;  // there is something left
};

// What of this service's SQL does not go through the group commit. Beyond what a call names it fails as
// pg::Execute and pg::WithTransaction do. Thread-safe.
class FeedbackStore {
 public:
  // `pool` has Statements(); it and `prompts` outlive the store.
  FeedbackStore(pg::Pool& pool, PromptCache& prompts) : pool_(pool), prompts_(prompts) {}

  static std::span<const pg::Statement> Statements();

  // One record, all but its completion_id, whose spelling is the caller's; FEEDBACK_NOT_FOUND.
  absl::StatusOr<v1::CompletionFeedback> FindFeedback(const FeedbackKey& key) const;

  // Deletes a record and keeps its last revision in the history. No record is no error.
  absl::Status WithdrawFeedback(const FeedbackKey& key, Time now) const;

  // Deletes feedback or an evaluation, with its history, and empties the claims of tokens as EraseSome does.
  // No record is no error.
  absl::Status DeleteRecord(const Uuid& project_id, const Uuid& id) const;

  // Erases some of a rater's records with their history, also of withdrawn ones, and empties the claims of
  // the tokens that they came by: such a token then counts as revoked.
  absl::StatusOr<Erased> EraseSome(const Uuid& project_id, std::string_view rater_id) const;

  // OK when the token can be redeemed; TOKEN_EXPIRED, TOKEN_USED or TOKEN_REVOKED.
  absl::Status CheckToken(const token::TokenClaims& claims) const;

  // The id of a prompt, mostly from the cache; PROMPT_NOT_FOUND.
  absl::StatusOr<Uuid> FindPromptId(const Uuid& project_id, std::string_view slug) const;

 private:
  pg::Pool& pool_;
  PromptCache& prompts_;
};

}  // namespace verdict::feedback
