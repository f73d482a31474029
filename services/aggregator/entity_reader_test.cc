#include "services/aggregator/entity_reader.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "absl/synchronization/notification.h"
#include "common/ids/entity_id.h"
#include "common/status/error.h"
#include "services/aggregator/test_feedback.h"
#include "tests/support/sanitized.h"
#include "tests/support/seed.h"
#include "tests/support/usage.h"

namespace verdict::aggregator {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using types::v1::ENTITY_TYPE_SPAN;
using types::v1::ENTITY_TYPE_TRACE;
using types::v1::EntityType;
using Answer = EntityReader::Answer;
using Answers = absl::StatusOr<std::vector<Answer>>;

// Each statement's entities.
using Batch = std::vector<Entity>;

Entity Span(int number, const Uuid& project_id = kProject) {
  return {.project_id = project_id, .type = ENTITY_TYPE_SPAN, .key = EntityKey(std::to_string(number))};
}
Entity Trace(int number) {
  return {.project_id = kProject, .type = ENTITY_TYPE_TRACE, .key = EntityKey(std::to_string(number))};
}

// What is read of an entity says which one it is.
std::string TagOf(const Entity& entity) {
  return entity.project_id.ToString() + std::to_string(entity.type) + entity.key.ToString();
}
Answers Echo(const Batch& batch) {
  std::vector<Answer> answers;
  for (const Entity& entity : batch) answers.emplace_back(EntityFeedback())->state.etag = TagOf(entity);
  return answers;
}

// Readers whose first statements are held until they are let go, so that a test decides what gathers
// meanwhile.
class HeldReaders {
 public:
  // How many statements; before the first.
  void Hold(std::size_t count) { held_ = count; }
  std::vector<EntityReader::ReadSeveral> Make(std::size_t count) {
    return std::vector<EntityReader::ReadSeveral>(
        count, [this](const Uuid& project_id, EntityType type, absl::Span<const Uuid> keys) {
          Batch batch;
          for (const Uuid& key : keys) batch.push_back({.project_id = project_id, .type = type, .key = key});
          if (Begin(batch)) released_.WaitForNotification();
          return answer_(batch);
        });
  }
  void AnswerWith(std::function<Answers(const Batch&)> answer) { answer_ = std::move(answer); }
  void Release() {
    if (!released_.HasBeenNotified()) released_.Notify();
  }
  // Waits until so many statements have begun; false if they do not.
  bool Begun(std::size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto begun = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return batches_.size() >= count; };
    return mutex_.AwaitWithTimeout(absl::Condition(&begun), absl::Seconds(20));
  }
  std::vector<Batch> batches() {
    absl::MutexLock lock(&mutex_);
    return batches_;
  }

 private:
  // Whether it is to wait.
  bool Begin(const Batch& batch) {
    absl::MutexLock lock(&mutex_);
    batches_.push_back(batch);
    return batches_.size() <= held_;
  }

  std::size_t held_ = 1;
  absl::Notification released_;
  std::function<Answers(const Batch&)> answer_ = Echo;
  absl::Mutex mutex_;
  std::vector<Batch> batches_ ABSL_GUARDED_BY(mutex_);
};

// Where the answers of one test go.
class Inbox {
 public:
  EntityReader::Done Expect() {
    absl::MutexLock lock(&mutex_);
    return [this, i = size_++](absl::StatusOr<Answer> answer) {
      absl::MutexLock answer_lock(&mutex_);
      answers_.emplace(i, std::move(answer));
    };
  }
  absl::StatusOr<Answer> operator[](std::size_t i) {
    absl::MutexLock lock(&mutex_);
    REQUIRE(answers_.count(i) == 1);
    return answers_.find(i)->second;
  }
  std::string TagAt(std::size_t i) {
    const absl::StatusOr<Answer> answer = (*this)[i];
    return answer.ok() && answer->has_value() ? (*answer)->state.etag : "";
  }

 private:
  absl::Mutex mutex_;
  std::size_t size_ ABSL_GUARDED_BY(mutex_) = 0;
  std::multimap<std::size_t, absl::StatusOr<Answer>> answers_ ABSL_GUARDED_BY(mutex_);
};

// An EntityReader that helps itself for no other reason than that a whole batch waits.
struct Fixture {
  metrics::Registry registry;
  Metrics metrics{registry};
  HeldReaders readers;
  Inbox inbox;
  EntityReaderOptions options = {.company_wait = 1h};
  std::optional<EntityReader> entities = {};

  ~Fixture() { readers.Release(); }

  void Start(std::size_t count = 1) { entities.emplace(options, readers.Make(count), metrics); }
  // Reads an entity and returns when its statement has begun.
  void Occupy() {
    Read(Span(-1));
    REQUIRE(readers.Begun(1));
  }
  void Read(const Entity& entity, steady_clock::duration time_left = 1h) {
    entities->Read(entity, steady_clock::now() + time_left, inbox.Expect());
  }
  // Answers everything.
  void End() {
    readers.Release();
    entities.reset();
  }
};

TEST_CASE("a lone read goes at once, alone") {
  Fixture test;
  test.readers.Release();
  test.Start(2);
  absl::Notification answered;
  test.entities->Read(Span(7), steady_clock::now() + 1h, [&](absl::StatusOr<Answer> answer) {
    test.inbox.Expect()(std::move(answer));
    answered.Notify();
  });
  answered.WaitForNotification();
  CHECK(test.inbox.TagAt(0) == TagOf(Span(7)));
  CHECK(test.readers.batches().size() == 1);
}

TEST_CASE("what comes while one is read goes together") {
  Fixture test;
  test.Start();
  test.Occupy();
  for (int i = 0; i < 10; ++i) test.Read(Span(i % 7));  // some of them twice
  test.End();

  const auto batches = test.readers.batches();
  REQUIRE(batches.size() == 2);
  CHECK(batches[1].size() == 10);
  for (int i = 0; i < 10; ++i) CHECK(test.inbox.TagAt(static_cast<std::size_t>(i) + 1) == TagOf(Span(i % 7)));
  const std::string text = test.registry.Text();
  CHECK(text.find("verdict_aggregator_read_batch_entities_count 2") != std::string::npos);
  CHECK(text.find("verdict_aggregator_read_batch_entities_sum 11") != std::string::npos);
}

TEST_CASE("a batch is of one project and one type, first that of whoever came first") {
  Fixture test;
  test.Start();
  test.Occupy();
  std::vector<Entity> reads;
  for (int i = 0; i < 12; ++i) {
    Entity entity = Span(i);
    if (i % 3 == 1) entity.project_id = kOtherProject;
    if (i % 3 == 2) entity.type = ENTITY_TYPE_TRACE;
    test.Read(reads.emplace_back(entity));
  }
  test.End();

  const auto batches = test.readers.batches();
  REQUIRE(batches.size() == 4);
  for (std::size_t kind = 0; kind < 3; ++kind) {
    std::vector<std::string> expected, tags;
    for (std::size_t i = kind; i < reads.size(); i += 3) expected.push_back(TagOf(reads[i]));
    for (const Entity& entity : batches[kind + 1]) tags.push_back(TagOf(entity));
    CHECK(tags == expected);
  }
  for (std::size_t i = 0; i < reads.size(); ++i) CHECK(test.inbox.TagAt(i + 1) == TagOf(reads[i]));
}

TEST_CASE("a statement reads no more entities than its bound") {
  Fixture test;
  test.options.batch_max = 4;
  test.Start();
  test.Occupy();
  for (int i = 0; i < 10; ++i) test.Read(Span(i));
  test.End();

  std::vector<std::size_t> sizes;
  for (const Batch& batch : test.readers.batches()) sizes.push_back(batch.size());
  CHECK(sizes == std::vector<std::size_t>{1, 4, 4, 2});
}

TEST_CASE("each project and type has its turn, however many reads of another wait") {
  constexpr std::size_t kMany = 1'000;
  Fixture test;
  test.options.batch_max = 4;
  test.Start();
  test.Occupy();
  for (std::size_t i = 0; i < kMany; ++i) test.Read(Span(static_cast<int>(i)));
  for (int i = 0; i < 6; ++i) test.Read(Span(i, kOtherProject));
  test.Read(Trace(1));
  test.End();

  const auto batches = test.readers.batches();
  REQUIRE(batches.size() == 1 + kMany / 4 + 2 + 1);
  std::vector<std::string> firsts;  // of the first statements, each with how many
  for (std::size_t i = 1; i <= 6; ++i) {
    firsts.push_back(std::to_string(batches[i].size()) + " from " + TagOf(batches[i].front()));
  }
  CHECK(firsts ==
        std::vector<std::string>{"4 from " + TagOf(Span(0)), "4 from " + TagOf(Span(0, kOtherProject)),
                                 "1 from " + TagOf(Trace(1)), "4 from " + TagOf(Span(4)),
                                 "2 from " + TagOf(Span(4, kOtherProject)), "4 from " + TagOf(Span(8))});
  for (std::size_t i = 0; i < kMany; ++i) CHECK(test.inbox.TagAt(i + 1) == TagOf(Span(static_cast<int>(i))));
}

TEST_CASE("what waits costs those that are taken nothing") {
  constexpr std::size_t kMany = 50'000;
  Fixture test;
  test.options = {.batch_max = 1, .waiting_max = kMany, .waiting_per_project_max = kMany, .company_wait = 1h};
  test.Start();
  test.Occupy();
  for (std::size_t i = 0; i < kMany; ++i) test.Read(Span(0));
  const double start = test::ProcessCpuSeconds();
  test.End();
  // 0.1 s; where each batch moved all that waited, 2.3 s for 20,000.
  CHECK(test::ProcessCpuSeconds() - start < (test::kSanitized ? 10 : 1));
  CHECK(test.readers.batches().size() == 1 + kMany);
}

TEST_CASE("a second reader helps when a whole batch waits, and no sooner") {
  Fixture test;
  test.options.batch_max = 4;
  test.Start(2);
  test.Occupy();
  for (int i = 0; i < 4; ++i) test.Read(Span(i));
  CHECK(test.readers.Begun(2));  // while the first is held
  test.End();
  CHECK(test.readers.batches().at(1).size() == 4);
}

TEST_CASE("a second reader helps when the first takes long, and a third with what is of another kind") {
  Fixture test;
  test.options.company_wait = 50ms;
  test.readers.Hold(3);
  test.Start(3);
  test.Occupy();
  test.Read(Span(1));
  test.Read(Trace(2));
  CHECK(test.readers.Begun(3));
  test.End();
  CHECK(test.inbox.TagAt(2) == TagOf(Trace(2)));
}

TEST_CASE("when too many wait one more is refused at once, and told when to come back") {
  Fixture test;
  test.options.waiting_max = 3;
  test.Start();
  test.Occupy();
  for (int i = 0; i < 4; ++i) test.Read(Span(i));

  CHECK(ReasonOf(test.inbox[4].status()) == errors::v1::REASON_OVERLOADED);
  CHECK(DetailsOf(test.inbox[4].status()).retry_after == 1s);
  CHECK(test.metrics.waiting_reads.Value() == 3);
  CHECK(test.metrics.refused_reads.Value() == 1);
  test.End();
  CHECK(test.metrics.waiting_reads.Value() == 0);
  for (int i = 0; i < 3; ++i) CHECK(test.inbox.TagAt(static_cast<std::size_t>(i) + 1) == TagOf(Span(i)));
}

TEST_CASE("one project cannot fill the queue, whatever it reads") {
  Fixture test;
  test.options.waiting_per_project_max = 3;
  test.Start();
  test.Occupy();
  test.Read(Span(1));
  test.Read(Trace(2));
  test.Read(Span(3));
  test.Read(Trace(4));
  test.Read(Span(5, kOtherProject));

  const absl::Status refused = test.inbox[4].status();
  CHECK(ReasonOf(refused) == errors::v1::REASON_OVERLOADED);
  CHECK(std::string(refused.message()) ==
        "Too many reads of this project are waiting. Let fewer wait at a time.");
  CHECK(DetailsOf(refused).retry_after == 1s);
  test.readers.Release();
  REQUIRE(test.readers.Begun(4));  // so none waits any more
  test.Read(Trace(6));
  test.End();
  CHECK(test.inbox.TagAt(3) == TagOf(Span(3)));
  CHECK(test.inbox.TagAt(5) == TagOf(Span(5, kOtherProject)));
  CHECK(test.inbox.TagAt(6) == TagOf(Trace(6)));
}

TEST_CASE("what is late is not read") {
  Fixture test;
  test.Start();
  test.Occupy();
  test.Read(Span(1), 0s);
  test.Read(Span(2));
  test.Read(Span(3), 0s);
  test.Read(Trace(4), 0s);  // the only one of its batch
  test.End();

  for (const std::size_t late : {1, 3, 4}) {
    CHECK(ReasonOf(test.inbox[late].status()) == errors::v1::REASON_DEADLINE_EXCEEDED);
  }
  CHECK(test.inbox.TagAt(2) == TagOf(Span(2)));
  const auto batches = test.readers.batches();
  REQUIRE(batches.size() == 2);
  CHECK(batches[1].size() == 1);
}

TEST_CASE("a database that is away, or has too much to do, is everyone's") {
  const auto reason = GENERATE(errors::v1::REASON_UNAVAILABLE, errors::v1::REASON_OVERLOADED,
                               errors::v1::REASON_DEADLINE_EXCEEDED);
  Fixture test;
  test.readers.AnswerWith([&](const Batch&) -> Answers { return MakeError(reason, "gone"); });
  test.Start();
  test.Occupy();
  for (int i = 0; i < 5; ++i) test.Read(Span(i));
  test.End();
  for (std::size_t i = 0; i < 6; ++i) CHECK(ReasonOf(test.inbox[i].status()) == reason);
  CHECK(test.readers.batches().size() == 2);
}

TEST_CASE("where one may be at fault for all, each is to be read by itself") {
  Fixture test;
  test.readers.AnswerWith([](const Batch& batch) -> Answers {
    const auto poison = [](const Entity& entity) { return entity.key == Span(3).key; };
    if (std::ranges::any_of(batch, poison)) return InternalError("poison");
    return Echo(batch);
  });
  test.Start();
  test.Occupy();
  for (int i = 0; i < 5; ++i) test.Read(Span(i));
  test.End();
  CHECK(test.inbox.TagAt(0) == TagOf(Span(-1)));  // which was not beside it
  for (std::size_t i = 1; i <= 5; ++i) {
    REQUIRE(test.inbox[i].ok());
    CHECK_FALSE(test.inbox[i]->has_value());
  }
}

TEST_CASE("the end answers what waits") {
  Fixture test;
  test.Start(2);
  test.Occupy();
  for (int i = 0; i < 3; ++i) test.Read(Span(i));
  std::jthread ending([&] { test.entities.reset(); });
  CHECK(test.readers.Begun(2));  // for no other reason than that the end has come
  test.readers.Release();
  ending.join();
  for (int i = 0; i < 3; ++i) CHECK(test.inbox.TagAt(static_cast<std::size_t>(i) + 1) == TagOf(Span(i)));
}

// Many callers, few entities of several projects and types, several readers, faults: each read is answered
// once, with its own entity, and no statement is larger than allowed.
TEST_CASE("property: random schedules keep the promises of reads") {
  const std::uint64_t seed = NewSeed("entity reader");
  CAPTURE(seed);
  constexpr std::size_t kCallers = 8;
  constexpr std::size_t kReadsEach = 3'000;
  constexpr std::size_t kReaders = 3;
  const EntityReaderOptions options = {
      .batch_max = 8, .waiting_max = 300, .waiting_per_project_max = 150, .company_wait = 1ms};

  metrics::Registry registry;
  Metrics metrics(registry);
  std::atomic<std::size_t> largest = 0;
  std::vector<EntityReader::ReadSeveral> readers;
  for (std::size_t r = 0; r < kReaders; ++r) {
    readers.emplace_back(
        [&, random = std::mt19937_64(seed + r)](const Uuid& project_id, EntityType type,
                                                absl::Span<const Uuid> keys) mutable -> Answers {
          std::size_t before = largest;
          while (before < keys.size() && !largest.compare_exchange_weak(before, keys.size())) {
          }
          switch (random() % 20) {
            case 0:
              return MakeError(errors::v1::REASON_UNAVAILABLE, "away");
            case 1:
              return InternalError("one of them");
            default:
              break;
          }
          Batch batch;
          for (const Uuid& key : keys) batch.push_back({.project_id = project_id, .type = type, .key = key});
          Answers answers = Echo(batch);
          if (random() % 4 == 0) (*answers)[random() % answers->size()] = std::nullopt;
          return answers;
        });
  }

  struct Call {
    Entity entity = {};
    bool late = false;
    std::atomic<int> answers = 0;
    absl::StatusOr<Answer> answer = Answer();
  };
  std::vector<Call> calls(kCallers * kReadsEach);
  {
    EntityReader entities(options, std::move(readers), metrics);
    std::vector<std::jthread> callers;
    for (std::size_t c = 0; c < kCallers; ++c) {
      callers.emplace_back([&, c] {
        std::mt19937_64 random(seed * 31 + c);
        for (std::size_t i = 0; i < kReadsEach; ++i) {
          Call& call = calls[c * kReadsEach + i];
          call.entity = Span(static_cast<int>(random() % 20));
          if (random() % 4 == 0) call.entity.project_id = kOtherProject;
          if (random() % 4 == 0) call.entity.type = ENTITY_TYPE_TRACE;
          call.late = random() % 50 == 0;
          entities.Read(call.entity, steady_clock::now() + (call.late ? 0h : 1h),
                        [&call](absl::StatusOr<Answer> answer) {
                          call.answer = std::move(answer);
                          call.answers.fetch_add(1);
                        });
          if (random() % 20 == 0) std::this_thread::yield();
        }
      });
    }
  }

  CHECK(largest > 1);
  CHECK(largest <= options.batch_max);
  std::map<Reason, int> reasons;
  for (const Call& call : calls) {
    REQUIRE(call.answers == 1);
    const Reason reason = ReasonOf(call.answer.status());
    ++reasons[reason];
    CAPTURE(ReasonName(reason));
    if (call.answer.ok() && call.answer->has_value()) {
      REQUIRE((*call.answer)->state.etag == TagOf(call.entity));
      REQUIRE_FALSE(call.late);
    }
    if (reason == errors::v1::REASON_DEADLINE_EXCEEDED) REQUIRE(call.late);
    REQUIRE(reason != errors::v1::REASON_INTERNAL);
  }
  CHECK(reasons[errors::v1::REASON_UNSPECIFIED] > 0);
  CHECK(reasons[errors::v1::REASON_UNAVAILABLE] > 0);
}

}  // namespace
}  // namespace verdict::aggregator
