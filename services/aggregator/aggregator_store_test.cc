#include "services/aggregator/aggregator_store.h"

#include <atomic>
#include <random>
#include <string>
#include <thread>

#include <catch2/catch.hpp>
#include <pqxx/pqxx>

#include "common/status/error.h"
#include "services/aggregator/test_feedback.h"

namespace verdict::aggregator {
namespace {

using types::v1::ENTITY_TYPE_SPAN;

TEST_CASE("a statement that forgot its WHERE still sees one project only") {
  const TestAggregator aggregator;
  aggregator.InsertMany(kProject, ENTITY_TYPE_SPAN, "same", 3);
  aggregator.InsertMany(kOtherProject, ENTITY_TYPE_SPAN, "same", 5);
  pqxx::connection connection(aggregator.database.Dsn("aggregator"));
  const auto count = [&](const std::string& sql) {
    pqxx::work transaction(connection);
    return transaction.exec1(sql)[0].as<int>();
  };

  CHECK(count("with tenant as materialized (select set_config('app.project_id', '" + kProject.ToString() +
              "', true)) select seen.count from tenant cross join lateral (select count(*) from feedback) "
              "seen") == 3);
  CHECK(count("select count(*) from feedback") == 0);  // the statement before left no project behind
  CHECK(aggregator.database.Query("select count(*) from feedback") == "8");  // that there is more to see
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
  pg::Pool nowhere(
      {.dsn = "host=127.0.0.1 port=1 connect_timeout=1", .statements = AggregatorStore::ReadStatements()});
  CHECK(ReasonOf(AggregatorStore(nowhere, nowhere).Check()) == errors::v1::REASON_UNAVAILABLE);
  aggregator.database.Query("alter table feedback rename to moved");
  CHECK_FALSE(aggregator.store.Check().ok());
}

}  // namespace
}  // namespace verdict::aggregator
