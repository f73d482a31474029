#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <catch2/catch.hpp>
#include <pqxx/pqxx>

#include "absl/synchronization/mutex.h"
#include "tests/support/database.h"

namespace verdict::test {
namespace {

constexpr char kInsert[] = R"(
  insert into feedback (project_id, id, target_type, target_id, target_text, rater_kind, rater_id, thumbs_up, reason,
                        metadata, via, submitted_by, created_at, updated_at)
  values ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000002', 1,
          '00000000-0000-7000-8000-000000000003', 'completion-1', 1, 'user-1', false, 'too vague', '{"channel": "web"}',
          1, '00000000-0000-7000-8000-000000000004', '2026-01-01', '2026-01-01'))";

TEST_CASE("a replaced revision is kept as it was") {
  const TestDatabase database;
  database.Query(kInsert);
  CHECK(database.Query("select count(*) from feedback_history") == "0");

  database.Query(
      R"(update feedback set thumbs_up = true, reason = null, metadata = null, revision = revision + 1,
      submitted_by = '00000000-0000-7000-8000-000000000005', updated_at = '2026-01-02')");
  database.Query(
      "update feedback set reason = 'good now', revision = revision + 1, updated_at = '2026-01-03'");

  CHECK(database.Query("select id, revision, thumbs_up, reason, expected_output, metadata, submitted_by,"
                       "       written_at at time zone 'UTC', withdrawn_at"
                       "  from feedback_history order by revision") ==
        "00000000-0000-7000-8000-000000000002|1|f|too vague||{\"channel\": \"web\"}|"
        "00000000-0000-7000-8000-000000000004|2026-01-01 00:00:00|\n"
        "00000000-0000-7000-8000-000000000002|2|t||||"
        "00000000-0000-7000-8000-000000000005|2026-01-02 00:00:00|");
  CHECK(database.Query("select revision, reason from feedback") == "3|good now");
}

TEST_CASE("learning the trace of a span is no revision") {
  const TestDatabase database;
  database.Query(kInsert);
  database.Query("update feedback set trace_id = gen_random_uuid(), session_id = gen_random_uuid()");
  CHECK(database.Query("select count(*) from feedback_history") == "0");
}

TEST_CASE("erasing keeps nothing") {
  const TestDatabase database;
  database.Query(kInsert);
  database.Query("delete from feedback");
  CHECK(database.Query("select count(*) from feedback_history") == "0");
}

// A table with a history, and its upsert of one record: key and text are $1 and $2, it returns id and
// revision.
struct Kept {
  std::string table;
  std::string text;
  std::string upsert;
  // The same without the trigger: a part of the statement reads what is there and keeps it.
  std::string upsert_and_keep;
};

const Kept kFeedback = {.table = "feedback",
                        .text = "reason",
                        .upsert = R"(
insert into feedback as f (project_id, id, target_type, target_id, target_text, rater_kind, rater_id, thumbs_up, reason,
                           via, submitted_by, created_at, updated_at)
values ('00000000-0000-7000-8000-000000000001', gen_random_uuid(), 1, $1::uuid, 'c', 1, 'u', true, $2, 1,
        '00000000-0000-7000-8000-000000000004', '2026-01-01', '2026-01-01')
on conflict on constraint feedback_key do update set reason = excluded.reason, revision = f.revision + 1
returning id, revision)",
                        .upsert_and_keep = R"(
with kept as (
  insert into feedback_history (project_id, id, revision, thumbs_up, reason, submitted_by, written_at)
  select project_id, id, revision, thumbs_up, reason, submitted_by, updated_at from feedback
   where project_id = '00000000-0000-7000-8000-000000000001' and target_id = $1::uuid
  on conflict do nothing) )"};

const Kept kEvaluation = {.table = "evaluation",
                          .text = "evaluation_reason",
                          .upsert = R"(
insert into evaluation as e (project_id, id, judge_id, span_id, span_text, evaluation_type, evaluation_result,
                             evaluation_reason, submitted_by, created_at, updated_at)
values ('00000000-0000-7000-8000-000000000001', gen_random_uuid(), '00000000-0000-7000-8000-000000000005', $1::uuid,
        's', 1, true, $2, '00000000-0000-7000-8000-000000000004', '2026-01-01', '2026-01-01')
on conflict on constraint evaluation_key do update
   set evaluation_reason = excluded.evaluation_reason, revision = e.revision + 1
returning id, revision)",
                          .upsert_and_keep = R"(
with kept as (
  insert into evaluation_history (project_id, id, revision, evaluation_result, evaluation_reason, submitted_by, written_at)
  select project_id, id, revision, evaluation_result, evaluation_reason, submitted_by, updated_at from evaluation
   where project_id = '00000000-0000-7000-8000-000000000001' and span_id = $1::uuid
  on conflict do nothing) )"};

// Of a record: its id, a revision and that revision's text.
using Revisions = std::set<std::tuple<std::string, int, std::string>>;

// Writes to a few records from many connections at once; returns what was acknowledged.
Revisions WriteAtOnce(const TestDatabase& database, const std::string& statement) {
  constexpr int kWriters = 16;
  constexpr int kWritesEach = 50;
  constexpr int kRecords = 3;
  absl::Mutex mutex;
  Revisions acknowledged;  // under the mutex
  {
    std::vector<std::jthread> writers;
    for (int writer = 0; writer < kWriters; ++writer) {
      writers.emplace_back([&, writer] {
        pqxx::connection connection(database.Dsn("feedback"));
        connection.prepare("write", statement);
        for (int i = 0; i < kWritesEach; ++i) {
          const std::string key = "00000000-0000-7000-8000-00000000001" + std::to_string(i % kRecords);
          const std::string text = std::to_string(writer) + "." + std::to_string(i);
          pqxx::work transaction(connection);
          const pqxx::row row = transaction.exec_prepared1("write", key, text);
          transaction.commit();
          absl::MutexLock lock(&mutex);
          acknowledged.emplace(row[0].as<std::string>(), row[1].as<int>(), text);
        }
      });
    }
  }
  CHECK(acknowledged.size() == kWriters * kWritesEach);
  return acknowledged;
}

// Every revision that there is.
Revisions ReadAll(const TestDatabase& database, const Kept& kept) {
  pqxx::connection connection(database.Dsn("postgres"));
  pqxx::work transaction(connection);
  const std::string columns = "select id, revision, " + kept.text + " from " + kept.table;
  Revisions revisions;
  for (const pqxx::row& row : transaction.exec(columns + " union all " + columns + "_history")) {
    revisions.emplace(row[0].as<std::string>(), row[1].as<int>(), row[2].as<std::string>());
  }
  return revisions;
}

TEST_CASE("of writers that meet in a few records no revision is lost") {
  const Kept kept = GENERATE(kFeedback, kEvaluation);
  INFO(kept.table);
  const TestDatabase database;
  // So it is also exact: nothing is kept twice, and nothing that was not acknowledged.
  const Revisions acknowledged = WriteAtOnce(database, kept.upsert);
  CHECK(ReadAll(database, kept) == acknowledged);
  CHECK(database.Query("select count(*) from " + kept.table +
                       " r where revision - 1 <> (select count(*) from " + kept.table +
                       "_history h where h.id = r.id and h.revision between 1 and r.revision - 1)") == "0");
}

TEST_CASE("control: where the statement itself keeps what it saw, the same writers lose revisions") {
  const Kept kept = GENERATE(kFeedback, kEvaluation);
  INFO(kept.table);
  const TestDatabase database;
  database.Query("drop trigger keep_replaced on " + kept.table);
  const Revisions acknowledged = WriteAtOnce(database, kept.upsert_and_keep + kept.upsert);
  CHECK(ReadAll(database, kept).size() < acknowledged.size());
}

}  // namespace
}  // namespace verdict::test
