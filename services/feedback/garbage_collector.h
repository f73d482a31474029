#pragma once

#include <chrono>
#include <stop_token>

#include "absl/status/status.h"
#include "services/feedback/garbage_store.h"
#include "services/feedback/metrics.h"

namespace verdict::feedback {

struct GarbageOptions {
  std::chrono::milliseconds interval = std::chrono::minutes(10);
  std::chrono::milliseconds stub_retention = std::chrono::days(30);
  std::chrono::milliseconds span_retention{0};  // 0: for ever
};

// Deletes what has had its time, every so often. Any number of processes may have one: they take turns.
class GarbageCollector {
 public:
  // Both outlive the collector.
  GarbageCollector(GarbageOptions options, const GarbageStore& store, GarbageMetrics& metrics)
      : options_(options), store_(store), metrics_(metrics) {}

  // Collects after each interval until it is asked to stop; ends within a statement's time. For a thread of
  // its own.
  void Run(std::stop_token stop);

  // Collects once, kind after kind; returns the last error, after which the other kinds were collected all
  // the same.
  absl::Status Collect(const std::stop_token& stop);

 private:
  // How old rows of the kind are when they have had their time; 0: that never comes.
  std::chrono::milliseconds AgeOf(Garbage kind) const;
  absl::Status Collect(Garbage kind, const std::stop_token& stop);

  const GarbageOptions options_;
  const GarbageStore& store_;
  GarbageMetrics& metrics_;
};

}  // namespace verdict::feedback
