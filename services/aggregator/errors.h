#pragma once

#include <chrono>
#include <string>

#include "absl/status/status.h"
#include "common/status/error.h"

// Every error that the aggregator service itself makes.
namespace verdict::aggregator::error {

// The caller went away, or its time is over: the rest of the stream is not read.
inline absl::Status StreamAbandoned() {
  return MakeError(errors::v1::REASON_CANCELLED, "The caller stopped reading.");
}

// No cursor, or that of another list or of other filters.
inline absl::Status BadCursor() {
  return ValidationError(
      {{"cursor", "cursor must be next_cursor of the page before, with the same filters."}});
}

inline absl::Status CursorWithoutLimit() {
  return ValidationError({{"cursor", "cursor needs limit: without it everything is one answer."}});
}

// A filter, which nothing can pass for another reason than that there is nothing.
inline absl::Status BadJudgeFilter() { return ValidationError({{"judge_id", "judge_id must be a UUID."}}); }

inline absl::Status BadTime(const std::string& field) {
  return ValidationError({{field, field + " must lie in the years 1 to 9999."}});
}

inline absl::Status FeedbackNotFound() {
  return MakeError(errors::v1::REASON_FEEDBACK_NOT_FOUND,
                   "No feedback of this id in this project, or it was withdrawn or deleted.");
}

inline absl::Status JudgeNotFound() {
  return MakeError(errors::v1::REASON_JUDGE_NOT_FOUND, "No judge of this id in this project.");
}

// More reads wait than will be done in time.
inline absl::Status TooManyReads() {
  return MakeError(errors::v1::REASON_OVERLOADED, "Too many reads are waiting.",
                   {.retry_after = std::chrono::seconds(1)});
}

// The same of the caller's project alone.
inline absl::Status TooManyReadsOfProject() {
  return MakeError(errors::v1::REASON_OVERLOADED,
                   "Too many reads of this project are waiting. Let fewer wait at a time.",
                   {.retry_after = std::chrono::seconds(1)});
}

// Its time was over before it was begun.
inline absl::Status ReadTooLate() {
  return MakeError(errors::v1::REASON_DEADLINE_EXCEEDED, "The answer did not come in time.");
}

// The token service, which knows the API keys, has not been reached yet.
inline absl::Status TokenServiceAway() {
  return MakeError(errors::v1::REASON_UNAVAILABLE, "The token service cannot be reached.");
}

}  // namespace verdict::aggregator::error
