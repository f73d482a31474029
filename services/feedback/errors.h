#pragma once

#include <string_view>

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

// `slug` is echoed in the message, with the command that creates the prompt.
absl::Status PromptNotFound(std::string_view slug);
absl::Status PromptExists(std::string_view slug);
absl::Status JudgeNotFound();
absl::Status FeedbackNotFound();

// One of the judge's fields came without judge_id.
absl::Status JudgeRequired(std::string_view field);
// The operators' admin key has no user whom the feedback could belong to.
absl::Status RaterRequired();
absl::Status BadMetadata(std::string_view expected);
absl::Status DuplicateKeyInMetadata(std::string_view key);
absl::Status NulInMetadata();
absl::Status BadPageToken();

absl::Status IdempotencyInProgress();
absl::Status IdempotencyMismatch();

absl::Status TokenMissing();
// The call has two tokens, and they differ.
absl::Status TokensDiffer();

// Why the process is not ready yet.
absl::Status TokenServiceAway();

}  // namespace verdict::feedback::error
