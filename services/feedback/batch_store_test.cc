#include "services/feedback/batch_store.h"

#include <algorithm>
#include <atomic>
#include <set>
#include <string>
#include <thread>

#include <catch2/catch.hpp>
#include <pqxx/pqxx>

#include "services/feedback/test_service.h"

namespace verdict::feedback {
namespace {

// A write of its own key.
FeedbackWrite Write(const auth::Principal& principal, int rater) {
  const Time now = SystemClock().Now();
  return {.key = {.project_id = principal.project_id,
                  .target_type = types::v1::ENTITY_TYPE_SPAN,
                  .rater_kind = RaterKind::kEndUser,
                  .rater_id = std::to_string(rater)},
          .id = NewUuidV7(now),
          .target_text = "c1",
          .thumbs_up = true,
          .at = now};
}

absl::StatusOr<std::vector<absl::StatusOr<StoredFeedback>>> Store(BatchStore& writer,
                                                                  const std::vector<FeedbackWrite>& writes) {
  std::vector<const FeedbackWrite*> batch;
  for (const FeedbackWrite& write : writes) batch.push_back(&write);
  return writer.Store(batch);
}

// Holds whoever writes to the one row of feedback that there is.
class RowLock {
 public:
  explicit RowLock(const test::TestDatabase& database)
      : connection_(database.Dsn("owner")), transaction_(connection_) {
    transaction_.exec1("select from feedback for update");
  }
  void Release() { transaction_.abort(); }

 private:
  pqxx::connection connection_;
  pqxx::work transaction_;
};

// Waits until the writer's connection waits for a lock, and returns its process.
std::string AwaitBlockedWriter(const test::TestDatabase& database) {
  std::string pid;
  while (pid.empty()) {
    pid = database.Query(
        "select pid from pg_stat_activity where datname = current_database() and application_name = 'writer' "
        "and wait_event_type = 'Lock'");
  }
  return pid;
}

struct Fixture {
  TestService service;
  auth::Principal principal = service.AddProject();
  PromptCache prompts{service.clock};
  JudgeCache judges{service.clock};
  BatchStore writer{{.dsn = service.database.Dsn("feedback"), .application_name = "writer"}, prompts, judges};
};

TEST_CASE("the row at fault fails alone in its batch") {
  const char* poison = GENERATE(static_cast<const char*>(nullptr), "{", R"({"a":1e200000})");
  CAPTURE(poison == nullptr ? "control" : poison);
  Fixture test;
  std::vector<FeedbackWrite> held = {Write(test.principal, -1)};
  REQUIRE(Store(test.writer, held)->front().ok());
  RowLock lock(test.service.database);
  WriteQueueMetrics metrics(test.service.replica.registry, "poison");
  FeedbackQueue queue({}, {[&](auto batch) { return test.writer.Store(batch); }}, metrics);
  std::vector<std::optional<absl::StatusOr<StoredFeedback>>> answers(64);

  // The batch gathers while the writer waits for the lock.
  queue.Submit(held[0], TestService::Deadline(), [](const absl::StatusOr<StoredFeedback>&) {});
  AwaitBlockedWriter(test.service.database);
  for (size_t i = 0; i < answers.size(); ++i) {
    FeedbackWrite write = Write(test.principal, static_cast<int>(i));
    if (i == 17 && poison != nullptr) write.metadata = poison;
    queue.Submit(
        std::move(write), TestService::Deadline(),
        [&answer = answers[i]](absl::StatusOr<StoredFeedback> stored) { answer = std::move(stored); });
  }
  lock.Release();
  queue.Drain();

  for (size_t i = 0; i < answers.size(); ++i) {
    REQUIRE(answers[i].has_value());
    CHECK(answers[i]->ok() == (i != 17 || poison == nullptr));
  }
  if (poison != nullptr) CHECK(ReasonOf(answers[17]->status()) == errors::v1::REASON_INTERNAL);
  const auto statements = metrics.batch_rows.Collect().histogram.sample_count;
  CHECK(statements == (poison == nullptr ? 2 : 2 + 2 * 6));
  CHECK(test.service.database.Query("select count(*), max(revision) from feedback where rater_id <> '-1'") ==
        (poison == nullptr ? "64|1" : "63|1"));
}

TEST_CASE("U+0000 that came past all checks is never cut off") {
  Fixture test;
  std::vector<FeedbackWrite> writes = {Write(test.principal, 1)};
  writes[0].reason = std::string_view("ab\0cd", 5);
  const auto stored = Store(test.writer, writes);
  CHECK(ReasonOf(stored.status()) == errors::v1::REASON_INVALID_TEXT);
  CHECK(test.service.database.Query("select count(*) from feedback") == "0");
}

TEST_CASE("texts of any content come back as they were") {
  Fixture test;
  const std::string text = "\"quotes\", {braces}, \\backslash\\, NULL, é\u2028\U0001F600\n\t'";
  std::vector<FeedbackWrite> writes = {Write(test.principal, 1), Write(test.principal, 2)};
  writes[0].reason = text;
  writes[0].expected_output = "";
  writes[1].reason = "NULL";
  REQUIRE(Store(test.writer, writes).ok());
  CHECK(test.service.database.Query(
            "select reason, expected_output = '' from feedback where rater_id = '1'") == text + "|t");
  CHECK(test.service.database.Query("select reason = 'NULL', expected_output is null from feedback "
                                    "where rater_id = '2'") == "t|t");
}

TEST_CASE("a connection lost during the statement leaves the outcome unknown, and the writer recovers") {
  Fixture test;
  std::vector<FeedbackWrite> writes = {Write(test.principal, 1)};
  REQUIRE(Store(test.writer, writes).ok());
  writes.push_back(Write(test.principal, 2));
  {
    RowLock lock(test.service.database);
    absl::Status lost;
    std::jthread store([&] { lost = Store(test.writer, writes).status(); });
    test.service.database.Query("select pg_terminate_backend(" + AwaitBlockedWriter(test.service.database) +
                                ")");
    store.join();
    CHECK(ReasonOf(lost) == errors::v1::REASON_OUTCOME_UNKNOWN);
  }
  const auto stored = Store(test.writer, writes);
  REQUIRE(stored.ok());
  CHECK(stored->at(0).ok());
  CHECK(stored->at(1).ok());
  CHECK(test.service.database.Query("select rater_id, revision from feedback order by 1") == "1|2\n2|1");
}

TEST_CASE("without a database nothing is stored, and it says so") {
  TestService service;
  PromptCache prompts(service.clock);
  JudgeCache judges(service.clock);
  BatchStore writer({.dsn = "host=127.0.0.1 port=1 dbname=none user=none"}, prompts, judges);
  CHECK(ReasonOf(Store(writer, {Write({}, 1)}).status()) == errors::v1::REASON_UNAVAILABLE);
}

TEST_CASE("while backends are killed nothing acknowledged is lost and no token counts twice") {
  TestService service;
  const auth::Principal principal = service.AddProject();
  constexpr int kCallers = 4;
  constexpr int kTokensEach = 250;
  std::atomic<bool> done = false;
  std::jthread killer([&] {
    while (!done) {
      service.database.Query(
          "select pg_terminate_backend(pid) from pg_stat_activity "
          "where datname = current_database() and application_name = 'writer' order by random() limit 1");
    }
  });

  absl::Mutex mutex;
  std::set<std::string> acknowledged;
  int refused = 0;
  {
    std::vector<std::jthread> callers;
    for (int c = 0; c < kCallers; ++c) {
      callers.emplace_back([&, c] {
        for (int i = 0; i < kTokensEach; ++i) {
          const std::string name = std::to_string(c) + "." + std::to_string(i);
          const std::string token = service.Mint(principal, [&](auto& claims) { claims.resource = name; });
          Replica& replica = i % 2 == 0 ? service.replica : service.other_replica;
          const auto answer = replica.Redeem(token, Redemption(true));
          absl::MutexLock lock(&mutex);
          if (answer.response.ok()) {
            acknowledged.insert(answer.response->feedback().id());
          } else {
            CHECK(answer.response.status().code() == absl::StatusCode::kUnavailable);
            ++refused;
          }
        }
      });
    }
  }
  done = true;
  killer.join();

  CHECK(acknowledged.size() + static_cast<size_t>(refused) == kCallers * kTokensEach);
  CHECK_FALSE(acknowledged.empty());
  std::set<std::string> stored;
  const std::string ids = service.database.Query("select string_agg(id::text, ',') from feedback");
  for (size_t at = 0; at < ids.size(); at += 37) stored.insert(ids.substr(at, 36));
  CHECK(std::ranges::includes(stored, acknowledged));
  CHECK(service.database.Query("select count(*), max(revision) from feedback") ==
        service.database.Query("select count(*), 1 from redemption"));
}

}  // namespace
}  // namespace verdict::feedback
