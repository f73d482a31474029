#include "common/rpc/rate_limiter.h"

#include <random>

#include <catch2/catch.hpp>

namespace verdict::rpc {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

Uuid Caller(std::uint8_t n) {
  Uuid id;
  id.bytes[0] = n;
  return id;
}

TEST_CASE("a burst is admitted exactly, and the next request is told when to come back") {
  RateLimiter limiter({.per_second = 10, .burst = 3});
  const auto now = Clock::now();
  for (std::uint32_t left : {2U, 1U, 0U}) {
    const Admission admission = limiter.Admit(Caller(1), now);
    CHECK(admission.admitted);
    CHECK(admission.remaining == left);
  }
  const Admission refused = limiter.Admit(Caller(1), now);
  CHECK_FALSE(refused.admitted);
  CHECK(refused.retry_after == 100ms);
  CHECK_FALSE(limiter.Admit(Caller(1), now + 99ms).admitted);
  CHECK(limiter.Admit(Caller(1), now + 100ms).admitted);
  CHECK_FALSE(limiter.Admit(Caller(1), now + 100ms).admitted);
}

TEST_CASE("an admission that is taken back is another's, and no more than the burst comes of it") {
  RateLimiter limiter({.per_second = 10, .burst = 2});
  const auto now = Clock::now();
  limiter.Return(Caller(1));  // nobody knows the caller
  CHECK(limiter.Admit(Caller(1), now).remaining == 1);
  CHECK(limiter.Admit(Caller(1), now).remaining == 0);
  limiter.Return(Caller(1));
  CHECK(limiter.Admit(Caller(1), now).admitted);
  CHECK_FALSE(limiter.Admit(Caller(1), now).admitted);
  for (int i = 0; i < 5; ++i) limiter.Return(Caller(1));
  CHECK(limiter.Admit(Caller(1), now).remaining == 1);
}

TEST_CASE("callers do not share a limit") {
  RateLimiter limiter({.per_second = 1, .burst = 1});
  const auto now = Clock::now();
  CHECK(limiter.Admit(Caller(1), now).admitted);
  CHECK(limiter.Admit(Caller(2), now).admitted);
  CHECK_FALSE(limiter.Admit(Caller(1), now).admitted);
}

TEST_CASE("no limit admits everything") {
  RateLimiter limiter({});
  const auto now = Clock::now();
  for (int i = 0; i < 1000; ++i) CHECK(limiter.Admit(Caller(1), now).admitted);
}

TEST_CASE("a clock that goes back an hour locks nobody out") {
  RateLimiter limiter({.per_second = 10, .burst = 2});
  const auto now = Clock::now();
  limiter.Admit(Caller(1), now);
  limiter.Admit(Caller(1), now);
  const Admission refused = limiter.Admit(Caller(1), now - 1h);
  CHECK(refused.retry_after <= 200ms);
  CHECK(limiter.Admit(Caller(1), now - 1h + 200ms).admitted);
}

TEST_CASE("whatever the schedule, no window admits more than burst + rate * time") {
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  constexpr std::uint32_t kRate = 50;
  constexpr std::uint32_t kBurst = 7;
  RateLimiter limiter({.per_second = kRate, .burst = kBurst});
  const auto start = Clock::now();
  std::vector<Clock::time_point> admitted;
  auto now = start;
  for (int i = 0; i < 5000; ++i) {
    now += std::chrono::microseconds(random() % 30'000);
    if (limiter.Admit(Caller(1), now).admitted) admitted.push_back(now);
  }
  for (std::size_t first = 0; first < admitted.size(); first += 17) {
    for (std::size_t last = first; last < admitted.size(); last += 13) {
      const auto seconds = std::chrono::duration<double>(admitted[last] - admitted[first]).count();
      REQUIRE(static_cast<double>(last - first + 1) <= kBurst + kRate * seconds + 1e-6);
    }
  }
  CHECK(static_cast<double>(admitted.size()) >=
        0.99 * kRate * std::chrono::duration<double>(now - start).count());
}

}  // namespace
}  // namespace verdict::rpc
