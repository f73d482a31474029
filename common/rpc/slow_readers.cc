#include "common/rpc/slow_readers.h"

#include <algorithm>

namespace verdict::rpc {

SlowReaders::SlowReaders(std::size_t threads, metrics::Registry& registry)
    : per_caller_max_(std::max<std::size_t>(1, threads / 8)),
      all_max_(std::max<std::size_t>(1, threads * 3 / 4)),
      cut_(registry.Counter("verdict_rpc_slow_readers_cut_total",
                            "Streamed calls ended because too many callers read slowly.")) {}

bool SlowReaders::Enter(const Uuid& caller) {
  absl::MutexLock lock(&mutex_);
  std::size_t& of_caller = callers_[caller];
  if (all_ == all_max_ || of_caller == per_caller_max_) {
    if (of_caller == 0) callers_.erase(caller);
    cut_.Increment();
    return false;
  }
  ++all_;
  ++of_caller;
  return true;
}

void SlowReaders::Leave(const Uuid& caller) {
  absl::MutexLock lock(&mutex_);
  --all_;
  if (const auto entry = callers_.find(caller); --entry->second == 0) callers_.erase(entry);
}

}  // namespace verdict::rpc
