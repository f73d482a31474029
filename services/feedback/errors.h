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
absl::Status JudgeNotFound();
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

// A value does not fit its judge.
absl::Status OutsideRange(std::string_view field, double min, double max);
absl::Status NotOfBinaryJudge(std::string_view field);
absl::Status RequiredOfJudge(std::string_view field, std::string_view type);
// `field` ends with the criterion's key.
absl::Status UnknownCriterion(std::string_view field, const std::vector<std::string>& criteria);
// A field that is kept as JSON is too long as such.
absl::Status TooLong(std::string_view field, size_t bytes, size_t bytes_max);
absl::Status BadEvaluationId();

absl::Status IdempotencyInProgress();
absl::Status IdempotencyMismatch();

absl::Status TokenMissing();
// The call has two tokens, and they differ.
absl::Status TokensDiffer();

// Why the process is not ready yet.
absl::Status TokenServiceAway();

}  // namespace verdict::feedback::error
