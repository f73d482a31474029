#pragma once

#include <vector>

#include "common/pg/statement.h"

namespace verdict::aggregator {

// A read of more than one statement is a REPEATABLE READ transaction, which begins with one of these: both
// tell the project to row-level security. The connections for streams have the statement_timeout of a whole
// stream, in which the caller takes its time to read: no statement of it takes long, but its transaction may
// be idle for as long as the stream may take.
#define TENANT \
  "set_config('transaction_read_only', 'on', true), set_config('app.project_id', $1::uuid::text, true)"
inline constexpr pg::Statement kBeginRead = {.name = "begin_read", .sql = "select " TENANT};
inline constexpr pg::Statement kBeginStream = {
    .name = "begin_stream",
    .sql =
        "select set_config('statement_timeout', '10s', true),"
        " set_config('idle_in_transaction_session_timeout', '60s', true), " TENANT};
#undef TENANT

// The rows of its cursor, which is always called `found`.
inline constexpr pg::Statement kFetch = {.name = "fetch", .sql = "fetch 64 from found"};

// The same of rows that are known to be short, which are less work the more come at a time.
inline constexpr pg::Statement kFetchShort = {.name = "fetch_short", .sql = "fetch 1000 from found"};

// Makes way for another one in the same transaction.
inline constexpr pg::Statement kClose = {.name = "close", .sql = "close found"};

// All statements of the service; its pools must have them prepared.
std::vector<pg::Statement> Statements();

}  // namespace verdict::aggregator
