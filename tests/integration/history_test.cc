#include <string>

#include <catch2/catch.hpp>

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

}  // namespace
}  // namespace verdict::test
