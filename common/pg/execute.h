#pragma once

#include <array>
#include <span>
#include <utility>

#include <pqxx/result>
#include <pqxx/transaction_base>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/pg/param.h"
#include "common/pg/pool.h"
#include "common/pg/row.h"
#include "common/pg/statement.h"

namespace verdict::pg {

// What the templates below call.
absl::StatusOr<pqxx::result> ExecuteParams(Pool& pool, Access access, const Statement& statement,
                                           std::span<const Param> params);
pqxx::result ExecuteParams(pqxx::transaction_base& transaction, const Statement& statement,
                           std::span<const Param> params);

// Runs one of the pool's statements by itself: one round trip, committed when it returns OK. A parameter is
// anything that a Param is made of. Fails as StatusOf says (status.h), as Pool::Acquire says, and with
// OUTCOME_UNKNOWN when a write lost its connection. A statement that PostgreSQL undid because of a deadlock
// runs again, three times in all; nothing else is repeated.
template <typename... Args>
absl::StatusOr<pqxx::result> Execute(Pool& pool, Access access, const Statement& statement, Args&&... args) {
  const std::array<Param, sizeof...(Args)> params = {Param(std::forward<Args>(args))...};
  return ExecuteParams(pool, access, statement, params);
}

// The same inside WithTransaction. Throws what libpqxx throws; WithTransaction catches it.
template <typename... Args>
pqxx::result Execute(pqxx::transaction_base& transaction, const Statement& statement, Args&&... args) {
  const std::array<Param, sizeof...(Args)> params = {Param(std::forward<Args>(args))...};
  return ExecuteParams(transaction, statement, params);
}

// Calls `take` with each row that `fetch` ("fetch 64 from rows") takes from an open cursor, until it returns
// false or the cursor is at its end. Only the rows of one fetch are in memory. Throws as Execute does.
void ForEachRow(pqxx::transaction_base& transaction, const Statement& fetch,
                absl::FunctionRef<bool(const Row&)> take);

enum class Isolation { kReadCommitted, kRepeatableRead, kSerializable };

// Runs `body` in a transaction: commits when it returns OK, else rolls back and returns its error. After a
// serialization failure or a deadlock it runs `body` again, three times in all, so `body` must have no
// effects but the transaction's. Each run as a whole may take the pool's statement_timeout and half a second.
// A connection lost before COMMIT is UNAVAILABLE, one lost during COMMIT is OUTCOME_UNKNOWN; neither is
// repeated. Else fails as Execute does.
absl::Status WithTransaction(Pool& pool, Isolation isolation,
                             absl::FunctionRef<absl::Status(pqxx::transaction_base&)> body);

// The same with kRepeatableRead for a `body` that only reads and passes on what it reads: that cannot be
// taken back, so it is never run again. Reads alone do not fail to serialize.
absl::Status WithSnapshot(Pool& pool, absl::FunctionRef<absl::Status(pqxx::transaction_base&)> body);

}  // namespace verdict::pg
