#include "common/pg/session.h"

#include <utility>

#include "common/log/log.h"
#include "common/pg/connection.h"
#include "common/pg/status.h"
#include "common/status/macros.h"

namespace verdict::pg {

Session::Session(ConnectionOptions options)
    : options_(std::move(options)), watchdog_(StatementLimit(options_.statement_timeout)) {}

Session::~Session() = default;

absl::StatusOr<pqxx::result> Session::ExecuteParams(Access access, const Statement& statement,
                                                    std::span<const Param> params) {
  RETURN_IF_ERROR(Connect());
  absl::StatusOr<pqxx::result> result = connection_->Execute(access, statement, params);
  if (!connection_->usable()) connection_.reset();
  return result;
}

absl::Status Session::WithTransaction(Isolation isolation,
                                      absl::FunctionRef<absl::Status(pqxx::transaction_base&)> body) {
  RETURN_IF_ERROR(Connect());
  const absl::Status status = connection_->Transact(isolation, body);
  if (!connection_->usable()) connection_.reset();
  return status;
}

absl::Status Session::Connect() {
  if (connection_ != nullptr && connection_->HasParted()) connection_.reset();
  if (connection_ != nullptr) return absl::OkStatus();
  if (std::chrono::steady_clock::now() < next_attempt_) return Unavailable();

  absl::StatusOr<std::unique_ptr<Connection>> connection = Connection::Open(options_, watchdog_);
  if (!connection.ok()) {
    if (failures_ == 0) {
      log::Warn("database unavailable",
                {{"session", options_.application_name}, {"error", connection.status().message()}});
    }
    next_attempt_ = std::chrono::steady_clock::now() + RetryPause(++failures_);
    return Unavailable();
  }
  if (failures_ > 0) log::Info("database available", {{"session", options_.application_name}});
  failures_ = 0;
  connection_ = *std::move(connection);
  return absl::OkStatus();
}

}  // namespace verdict::pg
