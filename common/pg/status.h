#pragma once

#include <exception>

#include "absl/status/status.h"

namespace verdict::pg {

// The metadata key under which an ALREADY_EXISTS of StatusOf names the unique constraint that was violated.
inline constexpr char kConstraint[] = "constraint";

// What an exception out of libpqxx means, for a statement that was certainly not stored:
//   ALREADY_EXISTS     unique violation; metadata["constraint"] names the constraint, for the store to
//   translate INVALID_TEXT       a text with U+0000, or one that is not UTF-8 DEADLINE_EXCEEDED
//   statement_timeout, or cancelled UNAVAILABLE        connection lost or refused, server shutting down,
//   read-only or out of resources, a lock that
//                      could not be had, a conflict with other transactions; retry_after is set
//   INTERNAL           everything else: a mistake in our SQL, or a rule of the schema that the service let
//   pass
// Only an INTERNAL message, which goes to the log, quotes PostgreSQL: its first line, without the row's
// values.
absl::Status StatusOf(const std::exception& error);

// The database cannot be reached, and nothing was stored.
absl::Status Unavailable();

// All connections are in use, and nothing was stored.
absl::Status Overloaded();

// The connection was lost while a write was being stored.
absl::Status OutcomeUnknown();

// A serialization failure or a deadlock: the same transaction may succeed when it is run again.
bool IsConflict(const std::exception& error);

// The connection broke, or the server ended it.
bool IsConnectionLost(const std::exception& error);

// The server does not take writes.
bool IsReadOnly(const std::exception& error);

}  // namespace verdict::pg
