#include "services/feedback/errors.h"

#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace verdict::feedback::error {
namespace {

using namespace std::chrono_literals;

constexpr size_t kEchoBytesMax = 60;

absl::Status Overloaded(std::string_view message) {
  return MakeError(errors::v1::REASON_OVERLOADED, message, {.retry_after = 1s});
}

absl::Status Invalid(std::string_view field, std::string_view rule) {
  return ValidationError({{std::string(field), std::string(field) + std::string(rule)}});
}

std::string Quoted(std::string_view text) { return '`' + std::string(text) + '`'; }

}  // namespace

absl::Status QueueFull() { return Overloaded("Too many writes are waiting. Nothing was stored."); }

absl::Status KeyQueueFull() {
  return Overloaded("Too many writes to this record are waiting. Nothing was stored.");
}

absl::Status ShuttingDown() {
  return MakeError(errors::v1::REASON_UNAVAILABLE, "The server is shutting down. Nothing was stored.",
                   {.retry_after = 1s});
}

absl::Status DeadlineTooNear() {
  return MakeError(errors::v1::REASON_DEADLINE_EXCEEDED,
                   "Too little time is left to store the write. Nothing was stored.", {.retry_after = 1s});
}

absl::Status DeadlineExceeded() {
  return MakeError(errors::v1::REASON_DEADLINE_EXCEEDED,
                   "The write waited until its time was over. Nothing was stored.", {.retry_after = 1s});
}

absl::Status ErasureUnfinished() {
  return MakeError(errors::v1::REASON_DEADLINE_EXCEEDED,
                   "There is more to erase than the time allowed. Repeat the request to erase the rest.",
                   {.retry_after = 1s});
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

absl::Status PromptIdNotFound() {
  return MakeError(errors::v1::REASON_PROMPT_NOT_FOUND, "No prompt of this id in this project.");
}

absl::Status NoPromptVersion(std::string_view slug) {
  return MakeError(errors::v1::REASON_PROMPT_VERSION_NOT_FOUND,
                   "The prompt " + Quoted(slug) +
                       " has no version yet. Make the first with: verdictctl prompt ensure --project ID " +
                       std::string(slug) + " --content FILE");
}

absl::Status PromptVersionNotFound(std::string_view slug, int version) {
  return MakeError(errors::v1::REASON_PROMPT_VERSION_NOT_FOUND,
                   "The prompt " + Quoted(slug) + " has no version " + std::to_string(version) +
                       ". List them with: verdictctl prompt versions --project ID " + std::string(slug));
}

absl::Status PromptTagNotFound(std::string_view slug) {
  return MakeError(errors::v1::REASON_PROMPT_VERSION_NOT_FOUND,
                   "The prompt " + Quoted(slug) +
                       " has no version with this tag. Tag one with: verdictctl prompt tag --project ID " +
                       std::string(slug) + " TAG --version N");
}

absl::Status PromptHashNotFound(std::string_view slug) {
  return MakeError(errors::v1::REASON_PROMPT_VERSION_NOT_FOUND,
                   "The prompt " + Quoted(slug) +
                       " has no version of this content hash. List them with: verdictctl prompt versions "
                       "--project ID " +
                       std::string(slug));
}

absl::Status PromptVersionIdNotFound() {
  return MakeError(errors::v1::REASON_PROMPT_VERSION_NOT_FOUND,
                   "No prompt version of this id in this project.");
}

absl::Status EmptyContent() { return Invalid("content", " must have more than white space."); }

absl::Status ContentHashDiffers(std::string_view content_hash, std::string_view text_hash) {
  return Invalid("content_hash", " must be " + std::string(content_hash) + " or " + std::string(text_hash) +
                                     ", which are those of content and model_id; or leave it out.");
}

absl::Status TooManyPromptVersions(int versions_max) {
  return Invalid("slug", absl::StrCat(" is that of a prompt with ", versions_max,
                                      " versions, which is the most; use another slug."));
}

absl::Status BadTag() {
  return Invalid("tag", " must be 1 to 100 of a-z, 0-9 and -; `latest` is always the latest version's.");
}

absl::Status TooManyPromptTags(int tags_max) {
  return Invalid("tag", absl::StrCat(" is a new one, and the prompt has ", tags_max,
                                     ", which is the most; move one of those."));
}

absl::Status JudgeNotFound() {
  return MakeError(errors::v1::REASON_JUDGE_NOT_FOUND, "No judge of this id in this project.");
}

absl::Status JudgeNameNotFound(std::string_view name) {
  return MakeError(errors::v1::REASON_JUDGE_NOT_FOUND,
                   "No judge " + Quoted(Shortened(name, kEchoBytesMax)) +
                       " in this project; create it with POST /signals/projects/{project_id}/automations.");
}

absl::Status JudgeNameMissing() { return Invalid("gen_ai.evaluation.name", " is required."); }

absl::Status JudgeExists() {
  return MakeError(errors::v1::REASON_ALREADY_EXISTS, "The project has a judge of this name already.");
}

absl::Status FeedbackNotFound() {
  return MakeError(errors::v1::REASON_FEEDBACK_NOT_FOUND,
                   "This rater has given no feedback on this completion.");
}

absl::Status EvaluationExists() {
  return MakeError(
      errors::v1::REASON_ALREADY_EXISTS,
      "The id is that of another judge's or span's evaluation, or of one recorded without an id.");
}

absl::Status JudgeRequired(std::string_view field) {
  return ValidationError({{"judge_id", "judge_id is required with " + std::string(field) + "."}});
}

absl::Status RaterRequired() {
  return ValidationError({{"created_by", "created_by is required with the admin key, which has no user."}});
}

absl::Status BadMetadata(std::string_view field, std::string_view expected) {
  return Invalid(field, " must be " + std::string(expected) + ".");
}

absl::Status DuplicateKeyInMetadata(std::string_view field, std::string_view key) {
  const std::string member = std::string(field) + "." + std::string(key);
  const std::string message = member + " stands twice.";
  return MakeError(errors::v1::REASON_DUPLICATE_KEY, message, {.violations = {{member, message}}});
}

absl::Status NulInMetadata(std::string_view field) {
  const std::string message = std::string(field) + " contains U+0000.";
  return MakeError(errors::v1::REASON_INVALID_TEXT, message, {.violations = {{std::string(field), message}}});
}

absl::Status BadPageToken() {
  return ValidationError({{"page_token", "page_token must be the next_page_token of an earlier answer."}});
}

absl::Status EvaluationTypeFixed() {
  return Invalid("evaluation_type", " of a judge cannot be changed; create another judge.");
}

absl::Status EmptyRange(double score_min) {
  return Invalid("score_max", absl::StrCat(" must be greater than score_min, which is ", score_min, "."));
}

absl::Status CriterionTwice(size_t at) {
  return Invalid(absl::StrCat("criteria[", at, "].key"), " is that of an earlier criterion.");
}

absl::Status OutsideRange(std::string_view field, double min, double max) {
  return Invalid(field, absl::StrCat(" must lie between ", min, " and ", max, ", the judge's range."));
}

absl::Status NotOfBinaryJudge(std::string_view field) {
  return Invalid(field, " is for scored judges only, and this one is binary.");
}

absl::Status RequiredOfJudge(std::string_view field, std::string_view type) {
  return Invalid(field, " is required of a " + std::string(type) + " judge.");
}

absl::Status UnknownCriterion(std::string_view field, const std::vector<std::string>& criteria) {
  return Invalid(field, criteria.empty()
                            ? " is none of the judge's criteria, of which there are none."
                            : " is none of the judge's criteria: " + absl::StrJoin(criteria, ", ") + ".");
}

absl::Status TooLong(std::string_view field, size_t bytes, size_t bytes_max) {
  return Invalid(field,
                 absl::StrCat(" takes ", bytes, " bytes as JSON; at most ", bytes_max, " are allowed."));
}

absl::Status BadEvaluationId() { return Invalid("id", " must be a UUID."); }

absl::Status NoResultOfBinaryJudge() {
  return Invalid("gen_ai.evaluation.score.label",
                 " must be pass or fail, or gen_ai.evaluation.score.value 1 or 0: the judge is binary.");
}

absl::Status TooManyInExport(std::string_view what, size_t count, size_t count_max) {
  const std::string counted = absl::StrCat("resource_spans have ", count, " ") + std::string(what);
  return ValidationError(
      {{"resource_spans", absl::StrCat(counted, "; at most ", count_max, " are allowed.")}});
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
