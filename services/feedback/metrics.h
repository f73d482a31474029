#pragma once

#include <string>

#include "common/metrics/metrics.h"
#include "common/status/error.h"

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

// Of token redemptions, by result: "stored", "replayed", a reason that refuses a token, or "failed".
class RedemptionMetrics {
 public:
  explicit RedemptionMetrics(metrics::Registry& registry)
      : stored_(Result(registry, "stored")),
        replayed_(Result(registry, "replayed")),
        invalid_(Result(registry, "invalid")),
        expired_(Result(registry, "expired")),
        used_(Result(registry, "used")),
        revoked_(Result(registry, "revoked")),
        failed_(Result(registry, "failed")) {}

  void CountStored(bool replayed) { (replayed ? replayed_ : stored_).Increment(); }
  void CountRefused(Reason reason) { Refused(reason).Increment(); }

 private:
  static metrics::Counter& Result(metrics::Registry& registry, const std::string& result) {
    return registry.Counter("verdict_token_redemptions_total", "Attempts to redeem a feedback token.",
                            {{"result", result}});
  }

  metrics::Counter& Refused(Reason reason) {
    switch (reason) {
      case errors::v1::REASON_TOKEN_INVALID:
        return invalid_;
      case errors::v1::REASON_TOKEN_EXPIRED:
        return expired_;
      case errors::v1::REASON_TOKEN_USED:
        return used_;
      case errors::v1::REASON_TOKEN_REVOKED:
        return revoked_;
      default:
        return failed_;
    }
  }

  metrics::Counter& stored_;
  metrics::Counter& replayed_;
  metrics::Counter& invalid_;
  metrics::Counter& expired_;
  metrics::Counter& used_;
  metrics::Counter& revoked_;
  metrics::Counter& failed_;
};

}  // namespace verdict::feedback
