#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/metrics/metrics.h"

namespace verdict {

// Operators' HTTP server, on a port and a thread of its own:
//   GET /metrics   Prometheus's text format
//   GET /healthz   200 while the process runs
//   GET /readyz    200 when `ready` says so, else 503; the body is `ready_body`'s JSON either way
// and nothing else. Connections, header sizes and times are limited. It has no authentication: keep the port
// inside. Serves from Start until it is destroyed.
class AdminServer {
 public:
  // Listens on `address`, HOST:PORT with a numeric host; port 0 takes any free one. The functions are called
  // on the server's thread, must be quick, and like `registry` must outlive the server. UNAVAILABLE when the
  // address cannot be bound.
  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(std::string_view address,
                                                            const metrics::Registry& registry,
                                                            std::function<bool()> ready,
                                                            std::function<std::string()> ready_body);
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  // HOST:PORT as bound.
  const std::string& address() const;

 private:
  class Impl;
  explicit AdminServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace verdict
