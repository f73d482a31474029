#include "common/rpc/executor.h"

#include <atomic>
#include <latch>

#include <catch2/catch.hpp>

namespace verdict::rpc {
namespace {

TEST_CASE("an executor refuses what exceeds its bound, and runs what it took before it ends") {
  std::atomic<int> ran = 0;
  std::latch started(1);
  std::latch release(1);
  {
    Executor executor(1, 2);
    REQUIRE(executor.Submit([&] {
      started.count_down();
      release.wait();
      ++ran;
    }));
    started.wait();  // the thread is busy: what comes now waits
    CHECK(executor.Submit([&] { ++ran; }));
    CHECK(executor.Submit([&] { ++ran; }));
    CHECK_FALSE(executor.Submit([&] { ++ran; }));
    release.count_down();
  }
  CHECK(ran == 3);
}

}  // namespace
}  // namespace verdict::rpc
