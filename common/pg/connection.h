#pragma once

#include <chrono>
#include <exception>
#include <memory>
#include <span>

#include <pqxx/connection>
#include <pqxx/result>
#include <pqxx/transaction_base>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/pg/execute.h"
#include "common/pg/param.h"
#include "common/pg/statement.h"
#include "common/pg/watchdog.h"

namespace verdict::pg {

// One connection with its prepared statements: what Pool and Session are made of. Not thread-safe.
class Connection {
 public:
  // Connects and prepares the statements. An error names the cause, for the log.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const ConnectionOptions& options,
                                                          Watchdog& watchdog);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // As the functions on a Pool (execute.h).
  absl::StatusOr<pqxx::result> Execute(Access access, const Statement& statement,
                                       std::span<const Param> params);
  absl::Status Transact(Isolation isolation, absl::FunctionRef<absl::Status(pqxx::transaction_base&)> body);

  // Whether the connection is worth keeping after what was done with it.
  bool usable() const { return usable_; }

  // Whether the server has written something unasked, which it does in parting. To be asked of an idle
  // connection.
  bool HasParted() const;

 private:
  Connection(const std::string& connection_string, const ConnectionOptions& options, Watchdog& watchdog);

  // Runs `body` in one transaction and commits when it returns OK. Sets `committing` before COMMIT is sent.
  template <typename Transaction>
  absl::Status TransactOnce(absl::FunctionRef<absl::Status(pqxx::transaction_base&)> body, bool& committing);
  absl::Status TransactOnce(Isolation isolation,
                            absl::FunctionRef<absl::Status(pqxx::transaction_base&)> body, bool& committing);

  // The Status of an exception out of a statement that does `access`; marks the connection when it is lost.
  absl::Status Failed(const std::exception& error, Access access);

  Watchdog& watchdog_;
  pqxx::connection connection_;
  // The watchdog's own descriptor of the socket: libpq may close its descriptor at any time, and a stranger
  // may get the number.
  const int socket_;
  bool usable_ = true;
};

// The pause before something is tried again, after `failures` in a row: 50 ms, doubled each time up to 1 s,
// less a random part of up to a half, so that those who failed together do not meet again.
std::chrono::milliseconds RetryPause(int failures);

// How long a statement may take before its connection is cut: a server that runs has cancelled it by then.
std::chrono::milliseconds StatementLimit(std::chrono::milliseconds statement_timeout);

}  // namespace verdict::pg
