#include "services/feedback/garbage_collector.h"

#include <condition_variable>
#include <mutex>
#include <string>

#include "common/log/log.h"
#include "common/status/macros.h"

namespace verdict::feedback {

void GarbageCollector::Run(std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  while (true) {
    {
      std::unique_lock lock(mutex);
      stopped.wait_for(lock, stop, options_.interval, [] { return false; });
    }
    if (stop.stop_requested()) return;
    Collect(stop).IgnoreError();  // counted and logged
  }
}

absl::Status GarbageCollector::Collect(const std::stop_token& stop) {
  absl::Status result;
  for (const Garbage kind : kGarbage) {
    if (const absl::Status status = Collect(kind, stop); !status.ok()) {
      metrics_.failures.Increment();
      log::Warn("garbage collection failed",
                {{"table", GarbageMetrics::TableOf(kind)}, {"why", std::string(status.message())}});
      result = status;
    }
  }
  if (result.ok() && !stop.stop_requested()) metrics_.last_success.SetToCurrentTime();
  return result;
}

absl::Status GarbageCollector::Collect(Garbage kind, const std::stop_token& stop) {
  const std::chrono::milliseconds age = AgeOf(kind);
  if (age.count() == 0) return absl::OkStatus();
  size_t collected = GarbageStore::kRowsMax;
  while (collected == GarbageStore::kRowsMax && !stop.stop_requested()) {
    ASSIGN_OR_RETURN(collected, store_.Collect(kind, age));
    metrics_.Collected(kind).Increment(static_cast<double>(collected));
  }
  return absl::OkStatus();
}

std::chrono::milliseconds GarbageCollector::AgeOf(Garbage kind) const {
  using std::chrono_literals::operator""h;
  switch (kind) {
    case Garbage::kRedemptions:
      // A mint that is repeated under its Idempotency-Key within a day makes a token of the same id, which
      // lives for up to another day. Its claim must still be there then, or it would be good for a second
      // use.
      return 49h;
    case Garbage::kIdempotency:
      return 25h;  // used for 24, and no answer is taken away while it is being given
    case Garbage::kSpanStubs:
    case Garbage::kTraceStubs:
      return options_.stub_retention;
    case Garbage::kSpans:
    case Garbage::kTraces:
    case Garbage::kSessions:
      return options_.span_retention;
  }
  return {};
}

}  // namespace verdict::feedback
