#include "gateway/errors.h"

#include <string>

#include "common/status/error.h"

namespace verdict::gateway {
namespace {

// Strangers choose the names of members: what is longer than any of ours is cut short in messages.
constexpr size_t kShownMax = 200;

absl::Status FieldError(Reason reason, std::string_view field, std::string_view what) {
  const std::string shown = Shortened(field, kShownMax);
  const std::string message = shown + ' ' + std::string(what);
  return MakeError(reason, message, {.violations = {{shown, message}}});
}

}  // namespace

absl::Status SyntaxError(size_t offset, std::string_view what) {
  std::string message = "Syntax error at byte " + std::to_string(offset) + " of the body";
  if (!what.empty()) message += ": " + std::string(what);
  return MakeError(errors::v1::REASON_INVALID_JSON, message + '.');
}

absl::Status BodyMissing(bool takes_array) {
  return MakeError(errors::v1::REASON_INVALID_JSON, takes_array
                                                        ? "The body is empty; it must be a JSON array."
                                                        : "The body is empty; it must be a JSON object.");
}

absl::Status BodyTooLarge(size_t bytes_max) {
  return MakeError(errors::v1::REASON_BODY_TOO_LARGE,
                   "The body is larger than " + std::to_string(bytes_max) + " bytes.");
}

absl::Status TooManyElements(size_t elements_max) {
  return MakeError(errors::v1::REASON_BODY_TOO_LARGE, "The body's lists and maps have more than " +
                                                          std::to_string(elements_max) + " elements in all.");
}

absl::Status BadBody(std::string_view what) { return MakeError(errors::v1::REASON_BAD_REQUEST, what); }

absl::Status BodyUnexpected() {
  return MakeError(errors::v1::REASON_BAD_REQUEST, "This route takes no body.");
}

absl::Status DuplicateKey(std::string_view field) {
  return FieldError(errors::v1::REASON_DUPLICATE_KEY, field, "stands twice.");
}

absl::Status UnknownField(std::string_view field) {
  return FieldError(errors::v1::REASON_UNKNOWN_FIELD, field, "is not a field of this request.");
}

absl::Status StandsInPath(std::string_view field) {
  return FieldError(errors::v1::REASON_UNKNOWN_FIELD, field, "stands in the path, and nowhere else.");
}

absl::Status ContainsNul(std::string_view field) {
  return FieldError(errors::v1::REASON_INVALID_TEXT, field, "contains U+0000.");
}

absl::Status WrongValue(std::string_view field, std::string_view expectation) {
  return FieldError(errors::v1::REASON_VALIDATION_ERROR, field, std::string(expectation) + '.');
}

absl::Status BadEncoding(std::string_view field, std::string_view what) {
  return FieldError(errors::v1::REASON_BAD_REQUEST, field, what);
}

absl::Status TooManyBodies() {
  return MakeError(errors::v1::REASON_OVERLOADED, "Too many large requests are under way.");
}

absl::Status AboutBody(const absl::Status& error, std::string_view field) {
  ErrorDetails details = DetailsOf(error);
  const std::string prefix = std::string(field) + '.';
  std::string message(error.message());
  for (FieldViolation& violation : details.violations) {
    if (!violation.field.starts_with(prefix)) continue;
    const auto name_of_body = [&, full = violation.field](std::string& text) {
      for (size_t at = text.find(full); at != std::string::npos; at = text.find(full, at)) {
        text.erase(at, prefix.size());
      }
    };
    name_of_body(message);
    name_of_body(violation.message);
    name_of_body(violation.field);
  }
  return MakeError(ReasonOf(error), message, details);
}

}  // namespace verdict::gateway
