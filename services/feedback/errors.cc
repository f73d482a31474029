#include "services/feedback/errors.h"

#include <chrono>
#include <string>

namespace verdict::feedback::error {
namespace {

using namespace std::chrono_literals;

absl::Status Overloaded(std::string_view message) {
  return MakeError(errors::v1::REASON_OVERLOADED, message, {.retry_after = 1s});
}

std::string Quoted(std::string_view text) { return '`' + std::string(text) + '`'; }

}  // namespace

absl::Status QueueFull() { return Overloaded("Too many writes are waiting. Nothing was stored."); }

absl::Status KeyQueueFull() {
  return Overloaded("Too many writes of this rater to this target are waiting. Nothing was stored.");
}

absl::Status ShuttingDown() {
  return MakeError(errors::v1::REASON_UNAVAILABLE, "The server is shutting down. Nothing was stored.",
                   {.retry_after = 1s});
}

absl::Status DeadlineTooNear() {
  return MakeError(errors::v1::REASON_DEADLINE_EXCEEDED,
                   "Too little time is left to store the feedback. Nothing was stored.", {.retry_after = 1s});
}

absl::Status DeadlineExceeded() {
  return MakeError(errors::v1::REASON_DEADLINE_EXCEEDED,
                   "The write waited until its time was over. Nothing was stored.", {.retry_after = 1s});
}

absl::Status PromptNotFound(std::string_view slug) {
  return MakeError(errors::v1::REASON_PROMPT_NOT_FOUND,
                   "No prompt " + Quoted(slug) +
                       " in this project. Create it with: verdictctl prompt create --project ID " +
                       std::string(slug));
}

absl::Status PromptExists(std::string_view slug) {
  return MakeError(errors::v1::REASON_ALREADY_EXISTS,
                   "The project has a prompt " + Quoted(slug) + " already.");
}

absl::Status JudgeNotFound() {
  return MakeError(errors::v1::REASON_JUDGE_NOT_FOUND, "No judge of this id in this project.");
}

absl::Status FeedbackNotFound() {
  return MakeError(errors::v1::REASON_FEEDBACK_NOT_FOUND,
                   "This rater has given no feedback on this completion.");
}

absl::Status JudgeRequired(std::string_view field) {
  return ValidationError({{"judge_id", "judge_id is required with " + std::string(field) + "."}});
}

absl::Status RaterRequired() {
  return ValidationError({{"created_by", "created_by is required with the admin key, which has no user."}});
}

absl::Status BadMetadata(std::string_view expected) {
  return ValidationError({{"metadata", "metadata must be " + std::string(expected) + "."}});
}

absl::Status DuplicateKeyInMetadata(std::string_view key) {
  const std::string field = "metadata." + std::string(key);
  const std::string message = field + " stands twice.";
  return MakeError(errors::v1::REASON_DUPLICATE_KEY, message, {.violations = {{field, message}}});
}

absl::Status NulInMetadata() {
  return MakeError(errors::v1::REASON_INVALID_TEXT, "metadata contains U+0000.",
                   {.violations = {{"metadata", "metadata contains U+0000."}}});
}

absl::Status BadPageToken() {
  return ValidationError({{"page_token", "page_token must be the next_page_token of an earlier answer."}});
}

absl::Status IdempotencyInProgress() {
  return MakeError(errors::v1::REASON_IDEMPOTENCY_IN_PROGRESS,
                   "A request with this Idempotency-Key is still running.", {.retry_after = 1s});
}

absl::Status IdempotencyMismatch() {
  return MakeError(errors::v1::REASON_IDEMPOTENCY_MISMATCH,
                   "This Idempotency-Key was used with another body.");
}

absl::Status TokenMissing() {
  return MakeError(errors::v1::REASON_TOKEN_INVALID, "The feedback token is missing.");
}

absl::Status TokensDiffer() {
  return ValidationError({{"token", "token must be the token that the call bears, or be left out."}});
}

absl::Status TokenServiceAway() {
  return MakeError(errors::v1::REASON_UNAVAILABLE, "The token service cannot be reached.",
                   {.retry_after = 1s});
}

}  // namespace verdict::feedback::error
