#include "services/feedback/write_queue.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "absl/synchronization/notification.h"

namespace verdict::feedback {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

struct Vote {
  std::string key;
  int value = 0;
};

using Queue = WriteQueue<Vote, int>;
using Answers = std::vector<absl::StatusOr<int>>;
using Votes = absl::Span<const Vote* const>;

constexpr int kPoison = -1;

Answers Echo(Votes votes) {
  Answers answers;
  for (const Vote* vote : votes) answers.emplace_back(vote->value);
  return answers;
}

// A writer that holds its first batch until it is let go, so that a test decides what gathers meanwhile.
class HeldWriter {
 public:
  Queue::StoreBatch Store() {
    return [this](Votes votes) -> absl::StatusOr<Answers> {
      std::vector<Vote> batch;
      for (const Vote* vote : votes) batch.push_back(*vote);
      batches_.push_back(std::move(batch));
      if (batches_.size() == 1) {
        started_.Notify();
        released_.WaitForNotification();
      }
      return store_(votes);
    };
  }
  void AnswerWith(Queue::StoreBatch store) { store_ = std::move(store); }
  // Submits a write and returns when the writer has it.
  void Occupy(Queue& queue, Queue::Done done = [](const absl::StatusOr<int>&) {}) {
    queue.Submit({"occupied", 0}, steady_clock::now() + 1h, std::move(done));
    started_.WaitForNotification();
  }
  void Release() { released_.Notify(); }
  // Read it after Drain.
  const std::vector<std::vector<Vote>>& batches() const { return batches_; }

 private:
  absl::Notification started_, released_;
  std::vector<std::vector<Vote>> batches_;
  Queue::StoreBatch store_ = [](Votes votes) -> absl::StatusOr<Answers> { return Echo(votes); };
};

// Where the answers of one test go.
class Inbox {
 public:
  Queue::Done Expect() {
    absl::MutexLock lock(&mutex_);
    return [this, i = size_++](absl::StatusOr<int> answer) {
      absl::MutexLock answer_lock(&mutex_);
      answers_.emplace(i, std::move(answer));
    };
  }
  absl::StatusOr<int> operator[](size_t i) {
    absl::MutexLock lock(&mutex_);
    REQUIRE(answers_.count(i) == 1);
    return answers_.find(i)->second;
  }
  size_t size() {
    absl::MutexLock lock(&mutex_);
    return size_;
  }

 private:
  absl::Mutex mutex_;
  size_t size_ = 0;
  std::multimap<size_t, absl::StatusOr<int>> answers_;
};

struct Fixture {
  metrics::Registry registry;
  WriteQueueMetrics metrics{registry, "test"};
  HeldWriter writer;
  Inbox inbox;
  WriteQueueOptions options = {};

  Queue Make() { return Queue(options, {writer.Store()}, metrics); }
  void Submit(Queue& queue, Vote vote, steady_clock::duration time_left = 1h) {
    queue.Submit(std::move(vote), steady_clock::now() + time_left, inbox.Expect());
  }
};

TEST_CASE("a lone write is stored at once, alone") {
  Fixture test;
  test.writer.Release();
  Queue queue = test.Make();
  absl::Notification answered;
  queue.Submit({"a", 7}, steady_clock::now() + 1h, [&](absl::StatusOr<int> answer) {
    CHECK(answer.value() == 7);
    answered.Notify();
  });
  answered.WaitForNotification();
}

TEST_CASE("while a batch is stored the next one gathers") {
  Fixture test;
  Queue queue = test.Make();
  test.writer.Occupy(queue);
  for (int i = 0; i < 10; ++i) test.Submit(queue, {"key" + std::to_string(i), i});
  test.writer.Release();
  queue.Drain();

  REQUIRE(test.writer.batches().size() == 2);
  CHECK(test.writer.batches()[1].size() == 10);
  for (int i = 0; i < 10; ++i) CHECK(test.inbox[static_cast<size_t>(i)].value() == i);
}

TEST_CASE("a batch has one write of a key, and the key's others follow in order") {
  Fixture test;
  Queue queue = test.Make();
  test.writer.Occupy(queue);
  for (int i = 0; i < 3; ++i) {
    test.Submit(queue, {"hot", i});
    test.Submit(queue, {"cold" + std::to_string(i), 10 + i});
  }
  test.writer.Release();
  queue.Drain();

  const auto& batches = test.writer.batches();
  REQUIRE(batches.size() == 4);
  CHECK(batches[1].size() == 4);  // hot 0 and every cold one
  for (size_t i = 0; i < 3; ++i) {
    CHECK(std::count_if(batches[i + 1].begin(), batches[i + 1].end(), [&](const Vote& vote) {
            return vote.key == "hot" && vote.value == static_cast<int>(i);
          }) == 1);
  }
}

TEST_CASE("a batch is no larger than its bound") {
  Fixture test;
  test.options.batch_rows_max = 4;
  Queue queue = test.Make();
  test.writer.Occupy(queue);
  for (int i = 0; i < 10; ++i) test.Submit(queue, {"key" + std::to_string(i), i});
  test.writer.Release();
  queue.Drain();

  std::vector<size_t> sizes;
  for (const auto& batch : test.writer.batches()) sizes.push_back(batch.size());
  CHECK(sizes == std::vector<size_t>{1, 4, 4, 2});
}

// Two writers, of which the first holds its batch.
struct TwoWriters {
  explicit TwoWriters(WriteQueueOptions options) : queue(std::move(options), Writers(), metrics) {
    queue.Submit({"occupied", 0}, steady_clock::now() + 1h, [](const absl::StatusOr<int>&) {});
    held.WaitForNotification();
  }
  ~TwoWriters() {
    if (!released.HasBeenNotified()) released.Notify();
  }

  // Submits a write, and tells of its answer.
  void Submit(const std::string& key, absl::Notification& answered) {
    queue.Submit({key, 1}, steady_clock::now() + 1h,
                 [&answered](const absl::StatusOr<int>&) { answered.Notify(); });
  }

  std::vector<Queue::StoreBatch> Writers() {
    const Queue::StoreBatch store = [this](Votes votes) -> absl::StatusOr<Answers> {
      if (votes.front()->key == "occupied" && !held.HasBeenNotified()) {
        held.Notify();
        released.WaitForNotification();
      }
      return Echo(votes);
    };
    return {store, store};
  }

  metrics::Registry registry;
  WriteQueueMetrics metrics{registry, "test"};
  absl::Notification held, released;
  Queue queue;
};

TEST_CASE("another writer helps when a whole batch waits, and not before") {
  TwoWriters test({.batch_rows_max = 2, .company_wait = 1h});
  absl::Notification first, second;
  test.Submit("a", first);
  CHECK_FALSE(first.WaitForNotificationWithTimeout(absl::Milliseconds(50)));
  test.Submit("b", second);
  first.WaitForNotification();
  second.WaitForNotification();
}

TEST_CASE("another writer helps when the one before takes long, but for its keys") {
  TwoWriters test({.company_wait = 20ms});
  absl::Notification other, same;
  test.Submit("occupied", same);
  test.Submit("a", other);
  other.WaitForNotification();
  CHECK_FALSE(same.HasBeenNotified());
  test.released.Notify();
  same.WaitForNotification();
}

TEST_CASE("a full queue refuses at once, and says when to come back") {
  Fixture test;
  test.options.waiting_rows_max = 3;
  Queue queue = test.Make();
  test.writer.Occupy(queue);
  for (int i = 0; i < 4; ++i) test.Submit(queue, {"key" + std::to_string(i), i});

  CHECK(ReasonOf(test.inbox[3].status()) == errors::v1::REASON_OVERLOADED);
  CHECK(DetailsOf(test.inbox[3].status()).retry_after == 1s);
  test.writer.Release();
  queue.Drain();
  CHECK(test.inbox[2].value() == 2);
}

TEST_CASE("one hot key cannot fill the queue") {
  Fixture test;
  test.options.waiting_rows_per_key_max = 2;
  Queue queue = test.Make();
  test.writer.Occupy(queue);
  for (int i = 0; i < 3; ++i) test.Submit(queue, {"hot", i});
  test.Submit(queue, {"cold", 3});

  CHECK(ReasonOf(test.inbox[2].status()) == errors::v1::REASON_OVERLOADED);
  test.writer.Release();
  queue.Drain();
  CHECK(test.inbox[1].value() == 1);
  CHECK(test.inbox[3].value() == 3);
}

TEST_CASE("a write with too little time left is refused at once") {
  Fixture test;
  Queue queue = test.Make();
  test.Submit(queue, {"a", 1}, 50ms);
  CHECK(ReasonOf(test.inbox[0].status()) == errors::v1::REASON_DEADLINE_EXCEEDED);
  queue.Drain();
  CHECK(test.writer.batches().empty());
}

TEST_CASE("a write whose time runs out while it waits is not stored") {
  Fixture test;
  std::atomic<steady_clock::duration> ahead{0s};
  test.options.now = [&] { return steady_clock::now() + ahead.load(); };
  Queue queue = test.Make();
  test.writer.Occupy(queue);
  test.Submit(queue, {"late", 1}, 10s);
  test.Submit(queue, {"patient", 2}, 10min);
  ahead = 60s;
  test.writer.Release();
  queue.Drain();

  CHECK(ReasonOf(test.inbox[0].status()) == errors::v1::REASON_DEADLINE_EXCEEDED);
  CHECK(test.inbox[1].value() == 2);
  REQUIRE(test.writer.batches().size() == 2);
  CHECK(test.writer.batches()[1].size() == 1);
}

TEST_CASE("the write at fault fails alone") {
  Fixture test;
  std::set<int> stored;
  test.writer.AnswerWith([&](Votes votes) -> absl::StatusOr<Answers> {
    for (const Vote* vote : votes) {
      if (vote->value == kPoison) return InternalError("poison");
    }
    for (const Vote* vote : votes) stored.insert(vote->value);
    return Echo(votes);
  });
  const int poison_at = GENERATE(0, 5, 31, 63);
  CAPTURE(poison_at);
  Queue queue = test.Make();
  test.writer.Occupy(queue);
  for (int i = 0; i < 64; ++i) {
    test.Submit(queue, {"key" + std::to_string(i), i == poison_at ? kPoison : i});
  }
  test.writer.Release();
  queue.Drain();

  for (int i = 0; i < 64; ++i) {
    const auto answer = test.inbox[static_cast<size_t>(i)];
    if (i == poison_at) {
      CHECK(ReasonOf(answer.status()) == errors::v1::REASON_INTERNAL);
    } else {
      CHECK(answer.value() == i);
      CHECK(stored.count(i) == 1);
    }
  }
  CHECK(test.writer.batches().size() == 1 + 1 + 2 * 6);  // halving 64 rows takes six steps
}

TEST_CASE("control: a batch without poison is stored whole, by one call") {
  Fixture test;
  Queue queue = test.Make();
  test.writer.Occupy(queue);
  for (int i = 0; i < 64; ++i) test.Submit(queue, {"key" + std::to_string(i), i});
  test.writer.Release();
  queue.Drain();
  CHECK(test.writer.batches().size() == 2);
}

TEST_CASE("an outcome that is unknown or a database that is away is everyone's, and nothing is repeated") {
  const auto reason = GENERATE(errors::v1::REASON_OUTCOME_UNKNOWN, errors::v1::REASON_UNAVAILABLE);
  Fixture test;
  test.writer.AnswerWith([&](Votes) -> absl::StatusOr<Answers> { return MakeError(reason, "gone"); });
  Queue queue = test.Make();
  test.writer.Occupy(queue);
  for (int i = 0; i < 5; ++i) test.Submit(queue, {"key" + std::to_string(i), i});
  test.writer.Release();
  queue.Drain();

  for (size_t i = 0; i < test.inbox.size(); ++i) CHECK(ReasonOf(test.inbox[i].status()) == reason);
  CHECK(test.writer.batches().size() == 2);
}

TEST_CASE("draining answers what waits and refuses what comes after") {
  Fixture test;
  Queue queue = test.Make();
  test.writer.Occupy(queue);
  for (int i = 0; i < 200; ++i) test.Submit(queue, {"key" + std::to_string(i % 3), i});
  test.writer.Release();
  queue.Drain();
  test.Submit(queue, {"after", 1});

  for (size_t i = 0; i < 200; ++i) CHECK(test.inbox[i].ok());
  CHECK(ReasonOf(test.inbox[200].status()) == errors::v1::REASON_UNAVAILABLE);
}

// Many callers, few keys, several writers, faults of every kind: each call gets one answer, no key is in two
// batches at once, a caller's writes keep their order, and what was acknowledged was stored.
TEST_CASE("property: random schedules keep the promises") {
  const auto seed = GENERATE(take(5, random(0U, ~0U)));
  CAPTURE(seed);
  constexpr int kCallers = 8;
  constexpr int kWritesEach = 2000;
  constexpr int kKeys = 40;

  metrics::Registry registry;
  WriteQueueMetrics metrics{registry, "test"};
  struct Column {  // what the fake database has of a key
    std::atomic<int> writers = 0;
    std::vector<int> values;  // the key's own writer alone touches it
  };
  std::map<std::string, Column> table;
  for (int k = 0; k < kKeys; ++k) table[std::to_string(k)];
  std::atomic<bool> shared_key = false;

  std::vector<Queue::StoreBatch> writers;
  for (unsigned w = 0; w < 3; ++w) {
    auto random = std::make_shared<std::mt19937>(seed + w);
    writers.emplace_back([&, random](Votes votes) -> absl::StatusOr<Answers> {
      for (const Vote* vote : votes) {
        if (table[vote->key].writers.fetch_add(1) != 0) shared_key = true;
      }
      const auto fault = (*random)() % 20;
      const bool poisoned =
          std::ranges::any_of(votes, [](const Vote* vote) { return vote->value % 101 == 100; });
      if (!poisoned && fault != 1) {  // 0 stores and says "unknown", 1 stores nothing and says so
        for (const Vote* vote : votes) table[vote->key].values.push_back(vote->value);
      }
      for (const Vote* vote : votes) table[vote->key].writers.fetch_sub(1);
      if (poisoned) return InternalError("poison");
      if (fault <= 1) return MakeError(errors::v1::REASON_OUTCOME_UNKNOWN, "unknown");
      return Echo(votes);
    });
  }

  struct Call {
    std::string key;
    std::atomic<int> answers = 0;
    Reason reason = errors::v1::REASON_UNSPECIFIED;
  };
  std::vector<Call> calls(kCallers * kWritesEach);
  {
    Queue queue({.batch_rows_max = 8, .waiting_rows_max = 300, .waiting_rows_per_key_max = 20},
                std::move(writers), metrics);
    std::vector<std::jthread> callers;
    for (unsigned c = 0; c < kCallers; ++c) {
      callers.emplace_back([&, c] {
        std::mt19937 random(seed * 31 + c);
        for (unsigned i = 0; i < kWritesEach; ++i) {
          const unsigned n = c * kWritesEach + i;
          calls[n].key = std::to_string(random() % kKeys);
          queue.Submit({calls[n].key, static_cast<int>(n)}, steady_clock::now() + 1h,
                       [&call = calls[n]](const absl::StatusOr<int>& answer) {
                         call.reason = ReasonOf(answer.status());
                         call.answers.fetch_add(1);
                       });
          if (random() % 50 == 0) std::this_thread::yield();
        }
      });
    }
    callers.clear();
    queue.Drain();
  }

  CHECK_FALSE(shared_key);
  std::set<int> stored;
  for (const auto& [key, column] : table) {
    std::vector<int> last_of_caller(kCallers, -1);
    for (const int value : column.values) {
      CHECK(stored.insert(value).second);
      int& last = last_of_caller[static_cast<size_t>(value / kWritesEach)];
      CHECK(last < value);
      last = value;
    }
  }
  for (size_t n = 0; n < calls.size(); ++n) {
    const bool is_stored = stored.count(static_cast<int>(n)) == 1;
    CAPTURE(n, ReasonName(calls[n].reason));
    REQUIRE(calls[n].answers == 1);
    if (calls[n].reason == errors::v1::REASON_UNSPECIFIED) REQUIRE(is_stored);
    if (calls[n].reason == errors::v1::REASON_OVERLOADED) REQUIRE_FALSE(is_stored);
    if (n % 101 == 100 && calls[n].reason != errors::v1::REASON_OVERLOADED) {
      REQUIRE(calls[n].reason == errors::v1::REASON_INTERNAL);
    }
  }
}

// A write that counts for several rows.
struct Parcel {
  int key = 0;
  size_t size = 0;

  size_t rows() const { return size; }
};

TEST_CASE("a write of many rows counts for them, and one larger than every bound goes alone") {
  using ParcelQueue = WriteQueue<Parcel, int>;
  std::vector<std::vector<size_t>> batches;
  absl::Notification started, released;
  metrics::Registry registry;
  WriteQueueMetrics metrics(registry, "test");
  ParcelQueue queue(
      {.batch_rows_max = 10, .waiting_rows_max = 20},
      {[&](absl::Span<const Parcel* const> batch) -> absl::StatusOr<std::vector<absl::StatusOr<int>>> {
        std::vector<size_t>& sizes = batches.emplace_back();
        for (const Parcel* parcel : batch) sizes.push_back(parcel->size);
        if (batches.size() == 1) {
          started.Notify();
          released.WaitForNotification();
        }
        return std::vector<absl::StatusOr<int>>(batch.size(), 1);
      }},
      metrics);
  int key = 0;
  const auto submit = [&](size_t size) {
    queue.Submit({key++, size}, steady_clock::now() + 1h, [](const absl::StatusOr<int>&) {});
  };
  submit(100);  // more than may wait, but nothing does
  started.WaitForNotification();
  for (const size_t size : {4, 6, 3}) submit(size);
  CHECK(metrics.refused_rows.Value() == 0);
  submit(8);
  CHECK(metrics.refused_rows.Value() == 1);
  submit(7);
  CHECK(metrics.waiting_rows.Value() == 20);
  released.Notify();
  queue.Drain();
  CHECK(batches == std::vector<std::vector<size_t>>{{100}, {4, 6}, {3, 7}});
  CHECK(metrics.waiting_rows.Value() == 0);
}

TEST_CASE("a write of no rows is answered, too") {
  metrics::Registry registry;
  WriteQueueMetrics metrics(registry, "test");
  absl::Notification answered;
  WriteQueue<Parcel, int> queue(
      {}, {[](absl::Span<const Parcel* const> batch) -> absl::StatusOr<std::vector<absl::StatusOr<int>>> {
        return std::vector<absl::StatusOr<int>>(batch.size(), 1);
      }},
      metrics);
  queue.Submit({.key = 1, .size = 0}, steady_clock::now() + 1h,
               [&](const absl::StatusOr<int>&) { answered.Notify(); });
  CHECK(answered.WaitForNotificationWithTimeout(absl::Seconds(20)));
  queue.Drain();
  CHECK(metrics.waiting_rows.Value() == 0);
}

}  // namespace
}  // namespace verdict::feedback
