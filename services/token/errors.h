#pragma once

#include <string_view>

#include "absl/status/status.h"

// Every error that the token service makes itself. (UNAUTHENTICATED is common/auth's, TOKEN_INVALID
// common/token's; what the database can answer is common/pg's.)
namespace verdict::token::error {

// An admin key for a project that does not exist.
absl::Status NoSuchProjectForAdmin();

absl::Status OrganizationNotFound();
absl::Status ProjectNotFound();
absl::Status UserNotFound();
absl::Status KeyNotFound();

absl::Status ProjectNameTaken();
absl::Status EmailTaken();

// `message` says what was expected, as a sentence.
absl::Status InvalidField(std::string_view field, std::string_view message);

}  // namespace verdict::token::error
