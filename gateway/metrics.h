#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <tuple>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/metrics/metrics.h"

namespace verdict::gateway {

// The gateway's metrics, by name. Thread-safe.
class Metrics {
 public:
  explicit Metrics(metrics::Registry& registry) : registry_(registry) {}

  // Counts one answered request. `route` is a route's template, never a path; methods that no route has are
  // counted together.
  void CountRequest(std::string_view route, std::string_view method, int status,
                    std::chrono::duration<double> latency);

 private:
  struct RequestMetrics {
    metrics::Counter* count = nullptr;
    metrics::Histogram* latency = nullptr;
  };

  metrics::Registry& registry_;
  // Keeps the registry's look-ups, which build strings, off the path of a request.
  absl::Mutex mutex_;
  absl::flat_hash_map<std::tuple<std::string, std::string, int>, RequestMetrics> requests_
      ABSL_GUARDED_BY(mutex_);

 public:
  metrics::Gauge& connections =
      registry_.Gauge("verdict_gateway_connections", "Open connections of clients.");
  metrics::Counter& connections_refused =
      registry_.Counter("verdict_gateway_connections_refused_total",
                        "Connections closed at once, because there were too many.");
  metrics::Gauge& body_bytes =
      registry_.Gauge("verdict_gateway_body_bytes", "Bytes of bodies that requests hold in memory.");
  metrics::Counter& bytes_received =
      registry_.Counter("verdict_gateway_received_bytes_total", "Bytes read from clients.");
  metrics::Counter& bytes_sent =
      registry_.Counter("verdict_gateway_sent_bytes_total", "Bytes written to clients.");
};

}  // namespace verdict::gateway
