#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "verdict/errors/v1/reason.pb.h"

// Errors are absl::Status values that carry a stable reason (verdict.errors.v1.Reason) as a
// google.rpc.ErrorInfo payload. Each service builds its own in its errors.h, from MakeError.
namespace verdict {

using errors::v1::Reason;

// A field that the caller should correct.
struct FieldViolation {
  std::string field;    // path in the request, as JSON spells it: metadata.tags[3]
  std::string message;  // what was expected, as a sentence
};

// What an error carries beyond its reason and message.
struct ErrorDetails {
  std::vector<FieldViolation> violations = {};
  std::optional<std::chrono::milliseconds> retry_after = std::nullopt;
  std::map<std::string, std::string> metadata = {};
};

// Builds the Status of `reason`. Its code is the one that the reason's rule in reason.proto names.
// `message` is a sentence for people and goes to the caller; for REASON_INTERNAL it goes to the log alone.
// An error travels in the trailers of a call, which are small: texts are cut short at 4 KiB, fields and
// messages of violations at 400 bytes, and of violations the first kViolationsMax are kept.
inline constexpr std::size_t kViolationsMax = 20;
absl::Status MakeError(Reason reason, std::string_view message, const ErrorDetails& details = {});

// The text, or as many of its characters as fit into the bytes and "...". It is UTF-8.
std::string Shortened(std::string_view text, std::size_t bytes_max);

// A VALIDATION_ERROR, whose message lists the violations.
absl::Status ValidationError(std::vector<FieldViolation> violations);

// A fault of ours. `cause` goes to the log only: StripInternal replaces it before the answer leaves.
absl::Status InternalError(std::string_view cause);

// The reason of a Status; for one without ErrorInfo, the reason that its code stands for.
Reason ReasonOf(const absl::Status& status);

// What the Status carries beyond reason and message.
ErrorDetails DetailsOf(const absl::Status& status);

// The reason's name as callers see it, without the prefix: "TOKEN_USED".
std::string_view ReasonName(Reason reason);

// The rule of a reason: HTTP status, title, remedy, example.
const errors::v1::ReasonRule& RuleOf(Reason reason);

// Replaces the message of an INTERNAL error by a fixed sentence.
absl::Status StripInternal(const absl::Status& status);

}  // namespace verdict
