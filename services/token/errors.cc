#include "services/token/errors.h"

#include <string>

#include "common/status/error.h"

namespace verdict::token::error {

absl::Status NoSuchProjectForAdmin() {
  return MakeError(errors::v1::REASON_PERMISSION_DENIED,
                   "The admin key names a project that does not exist.");
}

absl::Status OrganizationNotFound() {
  return MakeError(errors::v1::REASON_ORGANIZATION_NOT_FOUND, "No organization of this id.");
}

absl::Status ProjectNotFound() {
  return MakeError(errors::v1::REASON_PROJECT_NOT_FOUND, "No project of this id.");
}

absl::Status UserNotFound() {
  return MakeError(errors::v1::REASON_USER_NOT_FOUND, "No user of this id in the project's organization.");
}

absl::Status KeyNotFound() { return MakeError(errors::v1::REASON_KEY_NOT_FOUND, "No API key of this id."); }

absl::Status ProjectNameTaken() {
  return MakeError(errors::v1::REASON_ALREADY_EXISTS, "The organization has a project of this name already.");
}

absl::Status EmailTaken() {
  return MakeError(errors::v1::REASON_ALREADY_EXISTS,
                   "The organization has a user with this e-mail address already.");
}

absl::Status InvalidField(std::string_view field, std::string_view message) {
  return ValidationError({{std::string(field), std::string(message)}});
}

}  // namespace verdict::token::error
