#include "gateway/metrics.h"

#include <algorithm>
#include <array>

namespace verdict::gateway {

void Metrics::CountRequest(std::string_view route, std::string_view method, int status,
                           std::chrono::duration<double> latency) {
  static constexpr std::array<std::string_view, 7> kMethods = {"GET",   "HEAD",   "POST",   "PUT",
                                                               "PATCH", "DELETE", "OPTIONS"};
  if (std::ranges::find(kMethods, method) == kMethods.end()) method = "other";
  RequestMetrics request;
  {
    const absl::MutexLock lock(&mutex_);
    RequestMetrics& known = requests_[{std::string(route), std::string(method), status}];
    if (known.count == nullptr) {
      const metrics::Labels labels = {{"route", std::string(route)}, {"method", std::string(method)}};
      metrics::Labels with_status = labels;
      with_status["status"] = std::to_string(status);
      known.count = &registry_.Counter("verdict_gateway_requests_total", "Requests answered.", with_status);
      known.latency = &registry_.Histogram("verdict_gateway_request_seconds",
                                           "Time from a request's head to the end of its answer.",
                                           metrics::LatencyBuckets(), labels);
    }
    request = known;
  }
  request.count->Increment();
  request.latency->Observe(latency.count());
}

}  // namespace verdict::gateway
