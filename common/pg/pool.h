#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/metrics/metrics.h"
#include "common/pg/statement.h"
#include "common/pg/watchdog.h"

namespace verdict::pg {

class Connection;

struct PoolOptions {
  std::string dsn = {};
  size_t size = 8;                             // connections at most
  std::span<const Statement> statements = {};  // prepared on every connection; must outlive the pool
  std::string application_name = {};
  std::chrono::milliseconds acquire_timeout{250};
  std::chrono::milliseconds statement_timeout{4000};
  // More than the second after which PostgreSQL looks for a deadlock, so that one is told from a long wait.
  std::chrono::milliseconds lock_timeout{2000};
  std::string name = "main";              // the label `pool` of the metrics
  metrics::Registry* registry = nullptr;  // none: not measured
};

// A bounded set of connections, used through Execute and WithTransaction (execute.h). Thread-safe.
//
// Connections are opened when they are wanted, by a thread of the pool's own, so that nobody waits longer
// than acquire_timeout even when the database hangs. One that has been lost is thrown away. While the
// database is away callers are refused at once, and the pool tries again with growing, jittered pauses of at
// most a second. A statement that outlives statement_timeout by half a second, because the server hangs,
// loses its connection.
class Pool {
 public:
  explicit Pool(PoolOptions options);
  ~Pool();  // when no lease is out
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // A connection on loan, returned by the destructor.
  class Lease {
   public:
    Lease(Pool& pool, std::unique_ptr<Connection> connection);
    ~Lease();
    Lease(Lease&&) noexcept;
    Lease& operator=(Lease&&) noexcept;

    Connection& operator*() { return *connection_; }
    Connection* operator->() { return connection_.get(); }

   private:
    Pool* pool_;
    std::unique_ptr<Connection> connection_;
  };

  // Waits at most acquire_timeout for a connection. UNAVAILABLE while the database is away, OVERLOADED when
  // all connections stayed in use; nothing was stored, and both carry retry_after.
  absl::StatusOr<Lease> Acquire();

 private:
  void Release(std::unique_ptr<Connection> connection);
  void OpenConnections();  // body of opener_
  void UpdateGauges() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const PoolOptions options_;
  const ConnectionOptions connection_options_;
  metrics::Gauge* open_gauge_ = nullptr;  // the three are null when nothing is measured
  metrics::Gauge* in_use_gauge_ = nullptr;
  metrics::Histogram* wait_seconds_ = nullptr;
  Watchdog watchdog_;

  absl::Mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_ ABSL_GUARDED_BY(mutex_);  // most recently used last
  size_t open_ ABSL_GUARDED_BY(mutex_) = 0;                                // idle and on loan
  size_t waiting_ ABSL_GUARDED_BY(mutex_) = 0;                             // callers of Acquire
  absl::Status away_ ABSL_GUARDED_BY(mutex_);  // not OK from a failed attempt to connect until one succeeds
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::jthread opener_;
};

}  // namespace verdict::pg
