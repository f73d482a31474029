#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <span>
#include <utility>

#include <pqxx/result>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "common/pg/execute.h"
#include "common/pg/param.h"
#include "common/pg/statement.h"
#include "common/pg/watchdog.h"

namespace verdict::pg {

class Connection;

// One connection of its owner's own, for a thread that writes without pause. Connects when first used and
// again after it was lost; while the database is away it tries again with growing, jittered pauses of at most
// a second and refuses in between. Not thread-safe.
class Session {
 public:
  explicit Session(ConnectionOptions options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // As pg::Execute on a pool; blocks while connecting (2 seconds for each host at most).
  template <typename... Args>
  absl::StatusOr<pqxx::result> Execute(Access access, const Statement& statement, Args&&... args) {
    const std::array<Param, sizeof...(Args)> params = {Param(std::forward<Args>(args))...};
    return ExecuteParams(access, statement, params);
  }

  // As pg::WithTransaction on a pool.
  absl::Status WithTransaction(Isolation isolation,
                               absl::FunctionRef<absl::Status(pqxx::transaction_base&)> body);

 private:
  absl::StatusOr<pqxx::result> ExecuteParams(Access access, const Statement& statement,
                                             std::span<const Param> params);
  absl::Status Connect();

  const ConnectionOptions options_;
  Watchdog watchdog_;
  std::unique_ptr<Connection> connection_;
  int failures_ = 0;  // attempts to connect since the last that succeeded
  std::chrono::steady_clock::time_point next_attempt_ = {};
};

}  // namespace verdict::pg
