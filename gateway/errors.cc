#include "gateway/errors.h"

#include <string>

#include "common/status/error.h"

namespace verdict::gateway {
namespace {

// Strangers choose the names of members: what is longer than any of ours is cut short in messages.
constexpr size_t kShownMax = 200;

std::string Shown(std::string_view field) {
  if (field.size() <= kShownMax) return std::string(field);
  size_t end = kShownMax;
  while ((static_cast<unsigned char>(field[end]) & 0xC0) == 0x80) --end;  // keeps characters whole
  return std::string(field.substr(0, end)) + "...";
}

absl::Status FieldError(Reason reason, std::string_view field, std::string_view what) {
  const std::string shown = Shown(field);
  const std::string message = shown + ' ' + std::string(what);
  return MakeError(reason, message, {.violations = {{shown, message}}});
}

}  // namespace

absl::Status SyntaxError(size_t offset, std::string_view what) {
  std::string message = "Syntax error at byte " + std::to_string(offset) + " of the body";
  if (!what.empty()) message += ": " + std::string(what);
  return MakeError(errors::v1::REASON_INVALID_JSON, message + '.');
}

absl::Status BodyMissing() {
  return MakeError(errors::v1::REASON_INVALID_JSON, "The body is empty; it must be a JSON object.");
}

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

}  // namespace verdict::gateway
