#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "common/status/error.h"

// Every error that this service makes itself.
namespace verdict::feedback::error {

// The group commit refuses a write; nothing was stored.
absl::Status QueueFull();
absl::Status KeyQueueFull();
absl::Status ShuttingDown();
absl::Status DeadlineTooNear();

// A queued write's time ran out before its turn came; nothing was stored.
absl::Status DeadlineExceeded();

// An erasure's time ran out; what was erased stays erased.
absl::Status ErasureUnfinished();

// `slug` is echoed in the message, with the command that creates the prompt.
absl::Status PromptNotFound(std::string_view slug);
absl::Status PromptExists(std::string_view slug);
absl::Status PromptIdNotFound();
// The prompt has no version at all, none of this number, tag or hash; or the project none of an id.
absl::Status NoPromptVersion(std::string_view slug);
absl::Status PromptVersionNotFound(std::string_view slug, int version);
absl::Status PromptTagNotFound(std::string_view slug);
absl::Status PromptHashNotFound(std::string_view slug);
absl::Status PromptVersionIdNotFound();
absl::Status JudgeNotFound();
// Of a judge that is known by its name alone, which is echoed.
absl::Status JudgeNameNotFound(std::string_view name);
absl::Status JudgeNameMissing();
absl::Status JudgeExists();
absl::Status FeedbackNotFound();
// The id that a client gave its evaluation is another's.
absl::Status EvaluationExists();

// One of the judge's fields came without judge_id.
absl::Status JudgeRequired(std::string_view field);
// The operators' admin key has no user whom the feedback could belong to.
absl::Status RaterRequired();
// Of `metadata` or another field that is a JSON object.
absl::Status BadMetadata(std::string_view field, std::string_view expected);
absl::Status DuplicateKeyInMetadata(std::string_view field, std::string_view key);
absl::Status NulInMetadata(std::string_view field);
absl::Status BadPageToken();

// A judge cannot be like that.
absl::Status EvaluationTypeFixed();
absl::Status EmptyRange(double score_min);
absl::Status CriterionTwice(size_t at);

// A version or a tag of a prompt cannot be like that, or not one more.
absl::Status EmptyContent();
absl::Status ContentHashDiffers(std::string_view content_hash, std::string_view text_hash);
absl::Status TooManyPromptVersions(int versions_max);
absl::Status BadTag();
absl::Status TooManyPromptTags(int tags_max);

// A value does not fit its judge.
absl::Status OutsideRange(std::string_view field, double min, double max);
absl::Status NotOfBinaryJudge(std::string_view field);
absl::Status RequiredOfJudge(std::string_view field, std::string_view type);
// `field` ends with the criterion's key.
absl::Status UnknownCriterion(std::string_view field, const std::vector<std::string>& criteria);
// A field that is kept as JSON is too long as such.
absl::Status TooLong(std::string_view field, size_t bytes, size_t bytes_max);
absl::Status BadEvaluationId();
// An OpenTelemetry event says neither in words nor in numbers what a binary judge must say.
absl::Status NoResultOfBinaryJudge();

// An export has more `what` than one may have.
absl::Status TooManyInExport(std::string_view what, size_t count, size_t count_max);

absl::Status IdempotencyInProgress();
absl::Status IdempotencyMismatch();

absl::Status TokenMissing();
// The call has two tokens, and they differ.
absl::Status TokensDiffer();

// Why the process is not ready yet.
absl::Status TokenServiceAway();

}  // namespace verdict::feedback::error
