#include "services/aggregator/aggregator_store.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <random>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>
#include <malloc.h>
#include <pqxx/pqxx>

#include "common/status/error.h"
#include "services/aggregator/test_feedback.h"
#include "tests/support/sanitized.h"
#include "tests/support/usage.h"

namespace verdict::aggregator {
namespace {

using types::v1::ENTITY_TYPE_SPAN;

// The rows that one of the store's statements finds as `role`; of a cursor, all.
std::string RowsOf(const TestAggregator& aggregator, const std::string& role, const std::string& sql,
                   const std::vector<std::optional<std::string>>& values) {
  pqxx::connection connection(aggregator.database.Dsn(role));
  pqxx::work transaction(connection);
  std::vector<const char*> params;
  params.reserve(values.size());
  for (const auto& value : values) params.push_back(value ? value->c_str() : nullptr);
  connection.prepare("statement", sql);
  const bool cursor = sql.starts_with("declare");
  // As the transactions of the store do; its other statements say it themselves.
  if (!sql.starts_with("with tenant")) {
    transaction.exec("select set_config('app.project_id', '" + kProject.ToString() + "', true)");
  }
  pqxx::result rows = transaction.exec_prepared("statement", pqxx::prepare::make_dynamic_params(params));
  if (cursor) rows = transaction.exec("fetch all from found");
  std::string text = std::to_string(rows.size()) + " rows\n";
  for (const pqxx::row& row : rows) {
    for (const pqxx::field& field : row) text += std::string(field.c_str()) + "|";
    text += "\n";
  }
  return text;
}

TEST_CASE("a statement that forgot its WHERE still sees one project only") {
  const TestAggregator aggregator;
  // Everything has the same id in both projects. The other project's rows come first where nothing orders
  // them.
  const Uuid id = NewUuidV7(kNow);
  const std::string text = id.ToString();
  for (const Uuid& project : {kOtherProject, kProject}) {
    const bool mine = project == kProject;
    const std::string says = mine ? "mine" : "theirs";
    aggregator.Insert(JudgeRow{.project = project, .id = id, .name = says});
    aggregator.Insert(SpanRow{.project = project, .id = text, .trace = text, .session = text, .name = says});
    aggregator.Insert(TraceRow{.project = project, .id = text, .session = text});
    aggregator.Insert(SessionRow{.project = project, .id = text, .name = says});
    for (int i = 0; i < (mine ? 1 : 2); ++i) {
      aggregator.Insert(Row{.project = project,
                            .id = i == 0 ? id : NewUuidV7(kNow),
                            .target = text,
                            .rater_id = std::to_string(i),
                            .judge = id,
                            .reason = says,
                            .trace = text,
                            .session = text});
      aggregator.Insert(EvaluationRow{.project = project,
                                      .id = i == 0 ? id : NewUuidV7(kNow),
                                      .judge = id,
                                      .span = text,
                                      .own_id = true,
                                      .reason = says,
                                      .trace = text,
                                      .session = text});
      for (const auto type : {types::v1::ENTITY_TYPE_EVAL_RUN, types::v1::ENTITY_TYPE_ANNOTATION}) {
        aggregator.Insert(
            Row{.project = project, .type = type, .target = text, .rater_id = std::to_string(i)});
      }
    }
  }
  aggregator.database.Query("update feedback set revision = 2; update evaluation set revision = 2");

  int checked = 0;
  std::vector<pg::Statement> statements = aggregator.statements;
  const auto several = AggregatorStore::SeveralStatements();
  statements.insert(statements.end(), several.begin(), several.end());
  for (const pg::Statement& statement : statements) {
    CAPTURE(statement.name);
    const std::string sql = statement.sql;
    // Keeps the parameter and the order of things, but not the condition.
    const std::regex condition(R"((\w+\.)?project_id = (\$1::uuid|tenant\.project_id))");
    if (!std::regex_search(sql, condition)) continue;
    const std::string stripped = std::regex_replace(sql, condition, "$2 is not null");
    size_t count = 0;
    while (sql.find("$" + std::to_string(count + 1)) != std::string::npos) ++count;
    std::vector<std::optional<std::string>> values(count);
    values[0] = kProject.ToString();
    if (count == 11) values[10] = text;                // the entity
    if (count != 11 && count != 10) values[1] = text;  // the judge, the item or the entity
    if (count == 2 && sql.find("$2::uuid[]") != std::string::npos) values[1] = "{" + text + "}";
    if (count == 3) values[2] = "1000";  // below this revision
    // limit and offset
    if (count == 8) values[6] = "100", values[7] = "0";
    if (count == 7) values[5] = "100", values[6] = "0";

    const std::string rows = RowsOf(aggregator, "aggregator", sql, values);
    CHECK(rows.find("theirs") == std::string::npos);
    CHECK(RowsOf(aggregator, "aggregator", stripped, values) == rows);
    CHECK(RowsOf(aggregator, "postgres", stripped, values) != rows);  // that there is more to see
    ++checked;
  }
  CHECK(checked == 31);
}

TEST_CASE("100,000 items stream in bounded memory, the first before the last is read") {
  const TestAggregator aggregator;
  aggregator.InsertMany(kProject, types::v1::ENTITY_TYPE_TRACE, "huge", 100'000);
  const auto read = [&](auto take) {
    return aggregator.service.GetEntityFeedback(
        {.project_id = kProject}, EntityRequest(types::v1::ENTITY_TYPE_TRACE, "huge"),
        [](const auto&) { return false; }, take);
  };

  constexpr int64_t kGrowthMax = 32 << 20;
  std::vector<v1::GetEntityFeedbackResponse> kept;
  const auto growth = [&](bool keep) {
    malloc_trim(0);
    const int64_t before = test::ResidentBytes();
    int64_t most = before;
    int items = 0;
    CHECK(read([&](Packed<v1::GetEntityFeedbackResponse> message) {
            most = std::max(most, test::ResidentBytes());
            v1::GetEntityFeedbackResponse response = Parsed(message);
            items += response.items_size();
            if (keep) kept.push_back(std::move(response));
            return true;
          }).ok());
    CHECK(items == 100'000);
    return most - before;
  };
  if (!test::kSanitized) {  // sanitizers keep what was freed
    CHECK(growth(/*keep=*/false) < kGrowthMax);
    CHECK(growth(/*keep=*/true) > kGrowthMax);  // that it would show
  }

  // Once the database is gone only what was read can be sent: it was not all.
  int items = 0;
  const absl::Status cut = read([&](Packed<v1::GetEntityFeedbackResponse> message) {
    const v1::GetEntityFeedbackResponse response = Parsed(message);
    if (items == 0 && response.items_size() > 0) {
      aggregator.database.Query(
          "select pg_terminate_backend(pid, 20000) from pg_stat_activity where datname = current_database()"
          " and pid <> pg_backend_pid()");
    }
    items += response.items_size();
    return true;
  });
  CHECK(ReasonOf(cut) == errors::v1::REASON_UNAVAILABLE);
  CHECK(items < 2'000);
}

TEST_CASE("summary and items are of one snapshot while others write") {
  const TestAggregator aggregator;
  const int count = GENERATE(900, 1'100);  // below and above what one statement reads, throughout
  aggregator.InsertMany(kProject, ENTITY_TYPE_SPAN, "busy", count);
  std::atomic<int> written = 0;
  std::jthread writer([&](std::stop_token stop) {
    pqxx::connection connection(aggregator.database.Dsn("postgres"));
    std::mt19937 random(4711);
    while (!stop.stop_requested()) {
      pqxx::work transaction(connection);
      const std::string some =
          "(select id from feedback offset " + std::to_string(random() % 800) + " limit 20)";
      transaction.exec("update feedback set thumbs_up = not thumbs_up where id in " + some);
      // The number stays within 50 of where it began.
      transaction.exec(written % 2 == 0
                           ? "insert into feedback (project_id, id, target_type, target_id, target_text, "
                             "rater_kind, rater_id, thumbs_up, via, submitted_by, created_at, updated_at) "
                             "select project_id, gen_random_uuid(), target_type, target_id, target_text, 1, "
                             "'extra-' || n, n % 2 = 0, 1, submitted_by, created_at, updated_at "
                             "from (select * from feedback limit 1) f cross join generate_series(1, 50) n"
                           : "delete from feedback where rater_id like 'extra-%'");
      transaction.commit();
      ++written;
    }
  });
  while (written == 0) std::this_thread::yield();
  const int before = written;
  for (int i = 0; i < 20 || written < before + 20; ++i) {
    const Read read = ReadEntity(aggregator, ENTITY_TYPE_SPAN, "busy");
    REQUIRE(read.status.ok());
    CheckRecount(read.All());
  }
}

TEST_CASE("the store knows whether it can work") {
  const TestAggregator aggregator;
  CHECK(aggregator.store.Check().ok());
  pg::Pool nowhere({.dsn = "host=127.0.0.1 port=1 connect_timeout=1", .statements = aggregator.statements});
  CHECK(ReasonOf(AggregatorStore(nowhere, nowhere).Check()) == errors::v1::REASON_UNAVAILABLE);
  aggregator.database.Query("alter table feedback rename to moved");
  CHECK_FALSE(aggregator.store.Check().ok());
}

}  // namespace
}  // namespace verdict::aggregator
