#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

// `metadata`: a JSON object that travels and is hashed as text, and is stored as jsonb.
namespace verdict::feedback {

// Refuses what the database could not store, also for callers that do not come through the gateway:
// VALIDATION_ERROR for anything but one JSON object (RFC 8259, nesting at most 32) whose numbers are in the
// range of a double and at most 32 characters long; INVALID_TEXT for U+0000 in a text. Takes time linear
// in the text.
absl::Status CheckMetadata(std::string_view text);

// The same object with its members in order and without white space, so that equal metadata have equal texts.
// `text` has passed CheckMetadata.
std::string CanonicalMetadata(std::string_view text);

}  // namespace verdict::feedback
