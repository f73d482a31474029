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

  metrics::Gauge& connections() { return connections_; }
  metrics::Counter& connections_refused() { return connections_refused_; }
  metrics::Counter& bytes_received() { return bytes_received_; }
  metrics::Counter& bytes_sent() { return bytes_sent_; }

  // Counts one answered request. `route` is a route's template, never a path; methods that no route has count
  // as one.
  void CountRequest(std::string_view route, std::string_view method, int status,
                    std::chrono::duration<double> latency);

 private:
  struct RequestMetrics {
    metrics::Counter* requests = nullptr;
    metrics::Histogram* latency = nullptr;
  };
  using Key = std::tuple<std::string, std::string, int>;

  metrics::Registry& registry_;
  metrics::Gauge& connections_ =
      registry_.Gauge("verdict_gateway_connections", "Open connections of clients.");
  metrics::Counter& connections_refused_ = registry_.Counter(
      "verdict_gateway_connections_refused_total", "Connections closed at once, because there were too many.");
  metrics::Counter& bytes_received_ =
      registry_.Counter("verdict_gateway_received_bytes_total", "Bytes read from clients.");
  metrics::Counter& bytes_sent_ =
      registry_.Counter("verdict_gateway_sent_bytes_total", "Bytes written to clients.");
  // Keeps the registry's look-ups, which build strings, off the path of a request.
  absl::Mutex mutex_;
  absl::flat_hash_map<Key, RequestMetrics> requests_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace verdict::gateway
