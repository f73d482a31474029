#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/ids/uuid.h"

namespace verdict::rpc {

// How much one caller may send to one process.
struct RateLimit {
  std::uint32_t per_second = 0;  // requests a second in the long run; 0 means no limit
  std::uint32_t burst = 0;       // requests at once after a pause, at least 1; 0 means per_second
};

// What the limiter says of one request.
struct Admission {
  bool admitted = true;
  std::uint32_t remaining = 0;                // requests that would be admitted right now
  std::chrono::nanoseconds retry_after = {};  // until the next is admitted, when refused
};

// The generic cell rate algorithm (ITU-T I.371), one theoretical arrival time a caller. Thread-safe. A
// clock that stands still or goes back never locks a caller out for longer than the burst takes to refill.
class RateLimiter {
 public:
  explicit RateLimiter(RateLimit limit);

  // As given, with the burst that is in force.
  const RateLimit& limit() const { return limit_; }

  Admission Admit(const Uuid& caller, std::chrono::steady_clock::time_point now);

  // Takes back one admission of a request that does not count.
  void Return(const Uuid& caller);

 private:
  static constexpr std::size_t kCallersMax = 100'000;

  const RateLimit limit_;
  const std::chrono::nanoseconds period_;     // between two requests at the long-run rate
  const std::chrono::nanoseconds tolerance_;  // the burst, as time
  absl::Mutex mutex_;
  absl::flat_hash_map<Uuid, std::chrono::steady_clock::time_point> arrival_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace verdict::rpc
