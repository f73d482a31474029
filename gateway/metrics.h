#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/metrics/metrics.h"

namespace verdict::gateway {

// What requests hold in memory. Each kind has a limit of its own, so that none takes another's room.
enum class Held : std::uint8_t {
  kStrangersBody,  // of those whose key was not checked
  kBody,
  kAnswer,
};
inline constexpr std::size_t kHeldKinds = 3;

// The gateway's metrics, by name. Thread-safe.
class Metrics {
 public:
  explicit Metrics(metrics::Registry& registry) : registry_(registry) {}

  // Counts one answered request. `route` is a route's template, never a path; methods that no route has are
  // counted together.
  void CountRequest(std::string_view route, std::string_view method, int status,
                    std::chrono::duration<double> latency);

 private:
  metrics::Gauge& HeldGauge(const std::string& kind) {
    return registry_.Gauge("verdict_gateway_body_bytes",
                           "Bytes of bodies, and of answers to reads, that requests hold in memory.",
                           {{"kind", kind}});
  }

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
  metrics::Counter& connections_refused = registry_.Counter(
      "verdict_gateway_connections_refused_total",
      "Connections closed at once, because there were too many, in all or from one address.");
  metrics::Counter& bytes_received =
      registry_.Counter("verdict_gateway_received_bytes_total", "Bytes read from clients.");
  metrics::Counter& bytes_sent =
      registry_.Counter("verdict_gateway_sent_bytes_total", "Bytes written to clients.");
  metrics::Gauge& held_bytes(Held kind) const { return *held_bytes_[static_cast<std::size_t>(kind)]; }

 private:
  std::array<metrics::Gauge*, kHeldKinds> held_bytes_ = {  // by Held
      &HeldGauge("strangers_body"), &HeldGauge("body"), &HeldGauge("answer")};
};

}  // namespace verdict::gateway
