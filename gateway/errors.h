#pragma once

#include <cstddef>
#include <string_view>

#include "absl/status/status.h"

// Every error that reading a request can end in. `field` is the path of what is wrong, as JSON spells it
// (metadata.tags[3]), and what a violation names.
namespace verdict::gateway {

// INVALID_JSON: the body's first `offset` bytes are fine. `what` says more, if anything is known.
absl::Status SyntaxError(size_t offset, std::string_view what);

// INVALID_JSON: the body must be an object, or an array, and there is none.
absl::Status BodyMissing(bool takes_array);

// BODY_TOO_LARGE.
absl::Status BodyTooLarge(size_t bytes_max);
absl::Status TooManyElements(size_t elements_max);

// BAD_REQUEST: the body's framing or encoding is malformed. `what` is the sentence.
absl::Status BadBody(std::string_view what);

// BAD_REQUEST: the route takes no body.
absl::Status BodyUnexpected();

// DUPLICATE_KEY.
absl::Status DuplicateKey(std::string_view field);

// UNKNOWN_FIELD: of the request, or where the path sets the field already, of the body.
absl::Status UnknownField(std::string_view field);
absl::Status StandsInPath(std::string_view field);

// INVALID_TEXT.
absl::Status ContainsNul(std::string_view field);

// VALIDATION_ERROR. `expectation` goes on after the field's name: "must be true or false".
absl::Status WrongValue(std::string_view field, std::string_view expectation);

// BAD_REQUEST: a part of the request target is malformed. `what` goes on after the field's name.
absl::Status BadEncoding(std::string_view field, std::string_view what);

// OVERLOADED: what all requests hold, bodies or answers, takes more memory than it may.
absl::Status TooManyBodies();

// The error of a service about a request whose `field` is the body: its violations name what is in the body
// without the field's own name (`span_id`, not `evaluation.span_id`), and so does its message.
absl::Status AboutBody(const absl::Status& error, std::string_view field);

}  // namespace verdict::gateway
