#pragma once

#include <chrono>

#include "common/metrics/metrics.h"

namespace verdict::feedback {

// Of one group commit queue; `queue` labels them.
struct WriteQueueMetrics {
  WriteQueueMetrics(metrics::Registry& registry, const std::string& queue)
      : waiting_rows(registry.Gauge("verdict_write_queue_waiting_rows",
                                    "Writes that wait for the next batch.", {{"queue", queue}})),
        refused_rows(registry.Counter("verdict_write_queue_refused_rows_total",
                                      "Writes refused before they were queued.", {{"queue", queue}})),
        batch_rows(registry.Histogram("verdict_write_queue_batch_rows", "Writes in one batch.",
                                      {1, 2, 4, 8, 16, 32, 64, 128, 256}, {{"queue", queue}})),
        commit_seconds(registry.Histogram("verdict_write_queue_commit_seconds",
                                          "Time to store one batch, commit included.",
                                          metrics::LatencyBuckets(), {{"queue", queue}})) {}

  metrics::Gauge& waiting_rows;
  metrics::Counter& refused_rows;
  metrics::Histogram& batch_rows;
  metrics::Histogram& commit_seconds;
};

}  // namespace verdict::feedback
