#include "common/pg/pool.h"

#include <utility>

#include "absl/time/time.h"
#include "common/log/log.h"
#include "common/pg/connection.h"
#include "common/pg/status.h"

namespace verdict::pg {

using std::chrono::steady_clock;

Pool::Pool(PoolOptions options)
    : options_(std::move(options)),
      connection_options_{.dsn = options_.dsn,
                          .application_name = options_.application_name,
                          .statements = options_.statements,
                          .statement_timeout = options_.statement_timeout,
                          .lock_timeout = options_.lock_timeout},
      watchdog_(StatementLimit(options_.statement_timeout)) {
  if (options_.registry != nullptr) {
    const metrics::Labels labels = {{"pool", options_.name}};
    metrics::Registry& registry = *options_.registry;
    open_gauge_ = &registry.Gauge("verdict_pg_connections", "Connections that are open.", labels);
    in_use_gauge_ = &registry.Gauge("verdict_pg_connections_in_use", "Connections that are on loan.", labels);
    wait_seconds_ = &registry.Histogram("verdict_pg_acquire_seconds", "Time spent waiting for a connection.",
                                        metrics::LatencyBuckets(), labels);
  }
  opener_ = std::jthread([this] { OpenConnections(); });
}

Pool::~Pool() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  opener_.join();
}

absl::StatusOr<Pool::Lease> Pool::Acquire() {
  const auto start = steady_clock::now();
  std::vector<std::unique_ptr<Connection>> parted;  // closed when the mutex is free again
  absl::MutexLock lock(&mutex_);
  const auto answered = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !idle_.empty() || (open_ == 0 && !away_.ok());
  };
  absl::StatusOr<Lease> lease = Overloaded();
  while (true) {
    ++waiting_;
    mutex_.AwaitWithTimeout(absl::Condition(&answered),
                            absl::FromChrono(start + options_.acquire_timeout - steady_clock::now()));
    --waiting_;
    if (idle_.empty()) {
      if (!away_.ok()) lease = away_;
      break;
    }
    std::unique_ptr<Connection> connection = std::move(idle_.back());
    idle_.pop_back();
    if (!connection->HasParted()) {
      lease = Lease(*this, std::move(connection));
      break;
    }
    parted.push_back(std::move(connection));
    --open_;
  }
  UpdateGauges();
  if (wait_seconds_ != nullptr) {
    wait_seconds_->Observe(std::chrono::duration<double>(steady_clock::now() - start).count());
  }
  return lease;
}

void Pool::Release(std::unique_ptr<Connection> connection) {
  absl::MutexLock lock(&mutex_);
  if (connection->usable()) {
    idle_.push_back(std::move(connection));
  } else {
    --open_;
  }
  UpdateGauges();
}

void Pool::OpenConnections() {
  int failures = 0;
  const auto wanted = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || !away_.ok() || (waiting_ > idle_.size() && open_ < options_.size);
  };
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(&wanted));
      if (stopping_) return;
    }
    absl::StatusOr<std::unique_ptr<Connection>> connection = Connection::Open(connection_options_, watchdog_);

    absl::MutexLock lock(&mutex_);
    if (connection.ok()) {
      if (!away_.ok()) log::Info("database available", {{"pool", options_.name}});
      away_ = absl::OkStatus();
      failures = 0;
      idle_.push_back(*std::move(connection));
      ++open_;
      UpdateGauges();
    } else {
      if (away_.ok()) {
        log::Warn("database unavailable",
                  {{"pool", options_.name}, {"error", connection.status().message()}});
      }
      away_ = Unavailable();
      mutex_.AwaitWithTimeout(absl::Condition(&stopping_), absl::FromChrono(RetryPause(++failures)));
    }
  }
}

void Pool::UpdateGauges() {
  if (open_gauge_ == nullptr) return;
  open_gauge_->Set(static_cast<double>(open_));
  in_use_gauge_->Set(static_cast<double>(open_ - idle_.size()));
}

Pool::Lease::Lease(Pool& pool, std::unique_ptr<Connection> connection)
    : pool_(&pool), connection_(std::move(connection)) {}

Pool::Lease::~Lease() {
  if (connection_ != nullptr) pool_->Release(std::move(connection_));
}

Pool::Lease::Lease(Lease&&) noexcept = default;

Pool::Lease& Pool::Lease::operator=(Lease&& other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(connection_, other.connection_);
  return *this;
}

}  // namespace verdict::pg
