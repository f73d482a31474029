#include "common/gathering.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/support/await.h"

namespace verdict {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

// A batch has three. Each worker takes one batch, of at most so many, and keeps it under way.
class Workers {
 public:
  // Returns when every worker waits.
  Workers(std::size_t count, std::chrono::milliseconds company_wait, std::size_t take_max = 3)
      : gathering_(3, company_wait) {
    for (std::size_t i = 0; i < count; ++i) {
      threads_.emplace_back([this, take_max] {
        absl::MutexLock lock(&mutex_);
        ++waiting_;
        if (!gathering_.Await(mutex_)) return;
        taken_.push_back(std::min(gathering_.ready(), take_max));
        gathering_.Take(taken_.back());
      });
    }
    absl::MutexLock lock(&mutex_);
    const auto all_wait = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return waiting_ == count; };
    mutex_.Await(absl::Condition(&all_wait));
  }
  ~Workers() { End(); }

  void Add(std::size_t count) {
    absl::MutexLock lock(&mutex_);
    gathering_.Add(count);
  }
  void End() {
    absl::MutexLock lock(&mutex_);
    gathering_.End();
  }
  // Returns how many each took, when so many have; or fewer, when no more do.
  std::vector<std::size_t> Taken(std::size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto taken = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return taken_.size() >= count; };
    mutex_.AwaitWithTimeout(absl::Condition(&taken), absl::Seconds(20));
    return taken_;
  }

 private:
  absl::Mutex mutex_;
  Gathering gathering_ ABSL_GUARDED_BY(mutex_);
  std::size_t waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::size_t> taken_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::jthread> threads_;
};

using Sizes = std::vector<std::size_t>;

TEST_CASE("one is taken at once, and then no others until a whole batch is ready") {
  Workers workers(3, 1h);
  workers.Add(1);
  CHECK(workers.Taken(1) == Sizes{1});
  for (int i = 0; i < 3; ++i) workers.Add(1);
  CHECK(workers.Taken(2) == Sizes{1, 3});
}

TEST_CASE("while one takes long another takes less than a batch") {
  Workers workers(2, 1ms);
  workers.Add(1);
  CHECK(workers.Taken(1) == Sizes{1});
  workers.Add(2);
  CHECK(workers.Taken(2) == Sizes{1, 2});
}

TEST_CASE(
    "a batch keeps others waiting for as long as is said from when it was taken, not from when they come") {
  Workers workers(2, 1s);
  const auto begin = steady_clock::now();
  workers.Add(1);
  CHECK(workers.Taken(1) == Sizes{1});
  test::Await("most of that time to pass", [&] { return steady_clock::now() - begin > 900ms; });
  workers.Add(2);
  CHECK(workers.Taken(2) == Sizes{1, 2});
  CHECK(steady_clock::now() - begin < 1'800ms);
}

TEST_CASE("what a worker leaves is watched over by the next one") {
  Workers workers(3, 1ms, /*take_max=*/1);
  workers.Add(3);
  CHECK(workers.Taken(3) == Sizes{1, 1, 1});
}

TEST_CASE("the end waits for no company, and lets go who finds nothing") {
  Workers workers(3, 1h);
  workers.Add(1);
  CHECK(workers.Taken(1) == Sizes{1});
  workers.Add(1);
  workers.End();
  CHECK(workers.Taken(2) == Sizes{1, 1});
}

}  // namespace
}  // namespace verdict
