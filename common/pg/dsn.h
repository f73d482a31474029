#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/pg/statement.h"

namespace verdict::pg {

// Whether libpq understands the text as a connection string or URI; says nothing about the server.
bool IsDsn(const std::string& dsn);

// The connection string of `options`: its DSN, with timeouts and settings added where the DSN has none.
// INTERNAL when the DSN is none; the message does not quote it, since it may hold a password.
absl::StatusOr<std::string> ConnectionString(const ConnectionOptions& options);

}  // namespace verdict::pg
