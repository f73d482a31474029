#include "common/pg/connection.h"

#include <algorithm>
#include <string>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <pqxx/nontransaction>
#include <pqxx/transaction>
#include <unistd.h>

#include "absl/random/random.h"
#include "common/pg/dsn.h"
#include "common/pg/status.h"
#include "common/status/error.h"
#include "common/status/macros.h"

namespace verdict::pg {
namespace {

using std::chrono::milliseconds;

constexpr int kAttemptsMax = 3;

// libpqxx reconnects by itself when it finds the connection lost before a statement. Then the watchdog would
// watch the old socket; and whoever holds a lost connection should get another one from the pool.
void StayDisconnected(pqxx::connection& connection) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"  // in favour of version 7, which never reconnects
  connection.inhibit_reactivation(true);
#pragma GCC diagnostic pop
}

}  // namespace

milliseconds RetryPause(int failures) {
  const int64_t most = std::min<int64_t>(1000, int64_t{50} << std::min(failures - 1, 10));
  return milliseconds(absl::Uniform<int64_t>(absl::BitGen(), most / 2, most));
}

milliseconds StatementLimit(milliseconds statement_timeout) { return statement_timeout + milliseconds(500); }

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const ConnectionOptions& options,
                                                             Watchdog& watchdog) {
  ASSIGN_OR_RETURN(const std::string connection_string, ConnectionString(options));
  try {
    return std::unique_ptr<Connection>(new Connection(connection_string, options, watchdog));
  } catch (const std::exception& error) {
    return InternalError(error.what());
  }
}

Connection::Connection(const std::string& connection_string, const ConnectionOptions& options,
                       Watchdog& watchdog)
    : watchdog_(watchdog),
      connection_(connection_string),
      socket_(fcntl(connection_.sock(), F_DUPFD_CLOEXEC, 0)) {
  const Watchdog::Guard guard = watchdog_.Watch(socket_);
  StayDisconnected(connection_);
  // Makes libpq name the violated constraint in a line of its own, in English whatever the server speaks.
  connection_.set_verbosity(pqxx::connection_base::verbose);
  for (const Statement& statement : options.statements) {
    connection_.prepare(statement.name, statement.sql);
    connection_.prepare_now(statement.name);
  }
}

Connection::~Connection() { close(socket_); }

bool Connection::HasParted() const {
  pollfd socket = {.fd = socket_, .events = POLLIN, .revents = 0};
  return poll(&socket, 1, 0) != 0;
}

absl::StatusOr<pqxx::result> Connection::Execute(Access access, const Statement& statement,
                                                 std::span<const Param> params) {
  for (int attempt = 1;; ++attempt) {
    try {
      const Watchdog::Guard guard = watchdog_.Watch(socket_);
      pqxx::nontransaction transaction(connection_);
      return ExecuteParams(transaction, statement, params);
    } catch (const std::exception& error) {
      if (!IsConflict(error) || attempt == kAttemptsMax) return Failed(error, access);
    }
    std::this_thread::sleep_for(RetryPause(attempt));
  }
}

absl::Status Connection::Transact(Isolation isolation,
                                  absl::FunctionRef<absl::Status(pqxx::transaction_base&)> body) {
  for (int attempt = 1;; ++attempt) {
    bool committing = false;
    try {
      const Watchdog::Guard guard = watchdog_.Watch(socket_);
      return TransactOnce(isolation, body, committing);
    } catch (const std::exception& error) {
      if (!IsConflict(error) || attempt == kAttemptsMax) {
        // Before COMMIT a lost connection means that nothing was stored.
        return Failed(error, committing ? Access::kWrite : Access::kRead);
      }
    }
    std::this_thread::sleep_for(RetryPause(attempt));
  }
}

template <typename Transaction>
absl::Status Connection::TransactOnce(absl::FunctionRef<absl::Status(pqxx::transaction_base&)> body,
                                      bool& committing) {
  Transaction transaction(connection_);
  RETURN_IF_ERROR(body(transaction));
  committing = true;
  transaction.commit();
  return absl::OkStatus();
}

absl::Status Connection::TransactOnce(Isolation isolation,
                                      absl::FunctionRef<absl::Status(pqxx::transaction_base&)> body,
                                      bool& committing) {
  switch (isolation) {
    case Isolation::kReadCommitted:
      return TransactOnce<pqxx::transaction<pqxx::read_committed>>(body, committing);
    case Isolation::kRepeatableRead:
      return TransactOnce<pqxx::transaction<pqxx::repeatable_read>>(body, committing);
    case Isolation::kSerializable:
      return TransactOnce<pqxx::transaction<pqxx::serializable>>(body, committing);
  }
  return InternalError("No such isolation level.");
}

absl::Status Connection::Failed(const std::exception& error, Access access) {
  const bool lost = IsConnectionLost(error) || !connection_.is_open();
  // A server that has become read-only is alive, but another one has taken its place.
  usable_ = usable_ && !lost && !IsReadOnly(error);
  if (!lost) return StatusOf(error);
  return access == Access::kWrite ? OutcomeUnknown() : Unavailable();
}

}  // namespace verdict::pg
