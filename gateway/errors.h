#pragma once

#include <cstddef>
#include <string_view>

#include "absl/status/status.h"

// Every error that reading a request can end in. `field` is the path of what is wrong, as JSON spells it
// (metadata.tags[3]), and what a violation names.
namespace verdict::gateway {

// INVALID_JSON: the body's first `offset` bytes are fine. `what` says more, if anything is known.
absl::Status SyntaxError(size_t offset, std::string_view what);

// INVALID_JSON: the body must be an object and there is none.
absl::Status BodyMissing();

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

}  // namespace verdict::gateway
