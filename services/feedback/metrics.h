#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "common/metrics/metrics.h"
#include "common/status/error.h"
#include "services/feedback/garbage_store.h"

namespace verdict::feedback {

// Of one group commit queue; `queue` labels them.
struct WriteQueueMetrics {
  WriteQueueMetrics(metrics::Registry& registry, const std::string& queue)
      : waiting_rows(registry.Gauge("verdict_write_queue_waiting_rows",
                                    "Writes that wait for the next batch.", {{"queue", queue}})),
        refused_rows(registry.Counter("verdict_write_queue_refused_rows_total",
                                      "Writes refused before they were queued.", {{"queue", queue}})),
        batch_rows(registry.Histogram("verdict_write_queue_batch_rows", "Writes in one batch.",
                                      {1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096}, {{"queue", queue}})),
        commit_seconds(registry.Histogram("verdict_write_queue_commit_seconds",
                                          "Time to store one batch, commit included.",
                                          metrics::LatencyBuckets(), {{"queue", queue}})) {}

  metrics::Gauge& waiting_rows;
  metrics::Counter& refused_rows;
  metrics::Histogram& batch_rows;
  metrics::Histogram& commit_seconds;
};

// Of the collection of garbage; `table` labels the rows.
class GarbageMetrics {
 public:
  explicit GarbageMetrics(metrics::Registry& registry)
      : failures(registry.Counter("verdict_garbage_failures_total",
                                  "Collections of one kind of garbage that failed.")),
        last_success(registry.Gauge("verdict_garbage_last_success_timestamp_seconds",
                                    "When a collection last ended without a failure; 0 before the first.")) {
    for (const Garbage kind : kGarbage) {
      collected_.push_back(&registry.Counter("verdict_garbage_collected_rows_total",
                                             "Rows deleted because they had had their time.",
                                             {{"table", TableOf(kind)}}));
    }
  }

  static std::string TableOf(Garbage kind) {
    switch (kind) {
      case Garbage::kRedemptions:
        return "redemption";
      case Garbage::kIdempotency:
        return "idempotency";
      case Garbage::kSpanStubs:
      case Garbage::kSpans:
        return "span";
      case Garbage::kTraceStubs:
      case Garbage::kTraces:
        return "trace";
      case Garbage::kSessions:
        return "session";
    }
    return "";
  }

  metrics::Counter& Collected(Garbage kind) { return *collected_[static_cast<size_t>(kind)]; }

  metrics::Counter& failures;
  metrics::Gauge& last_success;

 private:
  std::vector<metrics::Counter*> collected_;  // by Garbage
};

// Of exports of OpenTelemetry, which are answered with success though some of it was not stored.
struct OtlpMetrics {
  explicit OtlpMetrics(metrics::Registry& registry)
      : rejected_spans(registry.Counter("verdict_otlp_rejected_spans_total",
                                        "Exported spans that could not be stored.")),
        refused_evaluations(registry.Counter("verdict_otlp_refused_evaluations_total",
                                             "Exported evaluations that could not be stored.")) {}

  metrics::Counter& rejected_spans;
  metrics::Counter& refused_evaluations;
};

// Of token redemptions, by result: "stored", "replayed", a reason that refuses a token, or "failed"; and how
// old the tokens are.
class RedemptionMetrics {
 public:
  explicit RedemptionMetrics(metrics::Registry& registry)
      : stored_(Result(registry, "stored")),
        replayed_(Result(registry, "replayed")),
        invalid_(Result(registry, "invalid")),
        expired_(Result(registry, "expired")),
        used_(Result(registry, "used")),
        revoked_(Result(registry, "revoked")),
        failed_(Result(registry, "failed")),
        age_fraction_(registry.Histogram("verdict_token_age_fraction",
                                         "How much of its life a token had behind it when it was redeemed.",
                                         {0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1})) {}

  // `age_fraction` is 0 for a new token, 1 for one at its end.
  void CountStored(double age_fraction) {
    stored_.Increment();
    age_fraction_.Observe(age_fraction);
  }
  void CountReplayed() { replayed_.Increment(); }
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
  metrics::Histogram& age_fraction_;
};

}  // namespace verdict::feedback
