#include "common/rpc/rate_limiter.h"

#include <algorithm>

namespace verdict::rpc {
namespace {

constexpr std::chrono::nanoseconds kSecond = std::chrono::seconds(1);

RateLimit WithBurst(RateLimit limit) {
  if (limit.burst == 0) limit.burst = limit.per_second;
  return limit;
}

}  // namespace

RateLimiter::RateLimiter(RateLimit limit)
    : limit_(WithBurst(limit)),
      period_(limit.per_second == 0 ? std::chrono::nanoseconds(0) : kSecond / limit.per_second),
      tolerance_(period_ * limit_.burst) {}

Admission RateLimiter::Admit(const Uuid& caller, std::chrono::steady_clock::time_point now) {
  if (limit_.per_second == 0) return {};
  absl::MutexLock lock(&mutex_);
  if (arrival_.size() >= kCallersMax) {
    // A caller whose time is past has its whole burst again: forgetting it changes nothing.
    absl::erase_if(arrival_, [now](const auto& entry) { return entry.second <= now; });
  }
  auto& arrival = arrival_.try_emplace(caller, now).first->second;
  arrival = std::clamp(arrival, now, now + tolerance_);
  const auto next = arrival + period_;
  const auto wait = next - now - tolerance_;
  if (wait > std::chrono::nanoseconds(0)) return {.admitted = false, .remaining = 0, .retry_after = wait};
  arrival = next;
  return {.admitted = true,
          .remaining = static_cast<std::uint32_t>((now + tolerance_ - next) / period_),
          .retry_after = {}};
}

void RateLimiter::Return(const Uuid& caller) {
  absl::MutexLock lock(&mutex_);
  if (const auto entry = arrival_.find(caller); entry != arrival_.end()) entry->second -= period_;
}

}  // namespace verdict::rpc
