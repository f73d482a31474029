#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// `metadata`, and a judge's `filter`: a JSON object that travels and is hashed as text, and is stored as
// jsonb.
namespace verdict::feedback {

// Refuses what the database could not store, also for callers that do not come through the gateway:
// VALIDATION_ERROR for anything but one JSON object (RFC 8259, nesting at most 31) whose numbers are in the
// range of a double and at most 32 characters long, and which has at most 16,384 bytes when they are written
// out; DUPLICATE_KEY; INVALID_TEXT for U+0000 in a text. Errors name `field`.
absl::Status CheckMetadata(std::string_view text, std::string_view field = "metadata");

// The same object with its members in order and without white space, so that equal metadata have equal texts;
// numbers are equal when they are written alike. Fails as CheckMetadata does.
absl::StatusOr<std::string> CanonicalMetadata(std::string_view text, std::string_view field = "metadata");

}  // namespace verdict::feedback
