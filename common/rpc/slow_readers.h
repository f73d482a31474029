#pragma once

#include <cstddef>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/ids/uuid.h"
#include "common/metrics/metrics.h"

namespace verdict::rpc {

// The streamed calls whose callers read more slowly than we write, each of which keeps a thread of the
// executor waiting, and whatever else its handler holds. One caller may have an eighth of the threads, and
// all together three quarters, so that there are always threads for calls that take no time. Thread-safe.
class SlowReaders {
 public:
  SlowReaders(std::size_t threads, metrics::Registry& registry);

  // False when there are too many already: this one has to end.
  bool Enter(const Uuid& caller);
  // The call of one that entered has ended.
  void Leave(const Uuid& caller);

 private:
  const std::size_t per_caller_max_;
  const std::size_t all_max_;
  metrics::Counter& cut_;
  absl::Mutex mutex_;
  std::size_t all_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<Uuid, std::size_t> callers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace verdict::rpc
