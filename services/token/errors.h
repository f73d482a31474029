#pragma once

#include <string_view>

#include "absl/status/status.h"

// Every error that the token service makes itself. (TOKEN_INVALID is common/token's; what the database can
// answer is common/pg's.)
namespace verdict::token::error {

// No such API key, or one that is malformed, expired or revoked: callers are not told which.
absl::Status Unauthenticated();
// An admin key for a project that does not exist.
absl::Status NoSuchProjectForAdmin();

absl::Status OrganizationNotFound();
absl::Status ProjectNotFound();
absl::Status UserNotFound();
absl::Status KeyNotFound();

absl::Status ProjectNameTaken(std::string_view name);
absl::Status EmailTaken(std::string_view email);

// `message` says what was expected, as a sentence.
absl::Status InvalidField(std::string_view field, std::string_view message);

}  // namespace verdict::token::error
