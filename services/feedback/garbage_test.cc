#include <atomic>
#include <chrono>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>
#include <pqxx/pqxx>

#include "common/ids/entity_id.h"
#include "services/feedback/garbage_collector.h"
#include "services/feedback/test_service.h"
#include "tests/support/await.h"

namespace verdict::feedback {
namespace {

using namespace std::chrono_literals;

void Collect(Replica& replica, const GarbageOptions& options = {}) {
  GarbageCollector collector(options, replica.garbage, replica.garbage_metrics);
  REQUIRE(collector.Collect(std::stop_token()).ok());
}

v1::SubmitCompletionFeedbackRequest VoteOn(const std::string& span_id) {
  v1::SubmitCompletionFeedbackRequest request = Vote(true);
  request.set_completion_id(span_id);
  return request;
}

std::string Count(const TestService& test, const std::string& table) {
  return test.database.Query("select count(*) from " + table);
}

TEST_CASE("a claim is collected 49 hours after its token's end, and never before it is 49 hours old itself") {
  TestService test;
  const std::string project = test.AddProject().project_id.ToString();
  const auto insert = [&](const std::string& since_end, const std::string& age) {
    test.database.Query("insert into redemption (project_id, jti, state, exp, at) values ('" + project +
                        "', gen_random_uuid(), 2, now() - interval '" + since_end + "', now() - interval '" +
                        age + "')");
  };
  insert("48 hours 59 minutes", "72 hours");
  insert("-1 hour", "1 minute");
  insert("60 hours", "48 hours 59 minutes");
  Collect(test.replica);
  CHECK(Count(test, "redemption") == "3");
  insert("49 hours 1 minute", "49 hours 2 minutes");
  Collect(test.replica);
  CHECK(Count(test, "redemption") == "3");
}

TEST_CASE("a used token stays used through every collection while any token of its id can live") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const Uuid jti = NewUuidV7(test.clock.Now());
  const auto token = [&](std::chrono::milliseconds end) {
    return test.Mint(principal, [&](token::TokenClaims& claims) {
      claims.jti = jti;
      claims.exp = claims.iat + end;
    });
  };
  REQUIRE(test.replica.Redeem(token(1h), Redemption(true)).response.ok());
  // Two days later: the token has ended long ago; one that was minted again a day after it has just done so.
  test.database.Query(
      "update redemption set exp = exp - interval '48 hours 59 minutes', at = at - interval '48 hours 59 "
      "minutes'");
  Collect(test.replica);
  CHECK(ReasonOf(test.replica.Redeem(token(1h), Redemption(false)).response.status()) ==
        errors::v1::REASON_TOKEN_USED);
}

TEST_CASE("idempotency records are collected when they are of no more use") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  REQUIRE(test.replica.CreateSpans(principal, Spans({MakeSpan("s1", "t1")}), "k1").response.ok());
  test.database.Query("update idempotency set created_at = now() - interval '24 hours 59 minutes'");
  Collect(test.replica);
  CHECK(Count(test, "idempotency") == "1");
  test.database.Query("update idempotency set created_at = now() - interval '25 hours 1 minute'");
  Collect(test.replica);
  CHECK(Count(test, "idempotency") == "0");
}

TEST_CASE("stubs are collected when they are old; known spans and traces are not") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  REQUIRE(test.replica.Submit(principal, VoteOn("stub")).response.ok());
  REQUIRE(test.replica
              .Redeem(test.Mint(principal,
                                [](token::TokenClaims& claims) {
                                  claims.type = types::v1::ENTITY_TYPE_TRACE;
                                  claims.resource = "stub";
                                }),
                      Redemption(true))
              .response.ok());
  REQUIRE(test.replica.CreateSpans(principal, Spans({MakeSpan("s1", "t1")})).response.ok());
  const auto age = [&](const std::string& by) {
    test.database.Query("update span set created_at = now() - interval '" + by +
                        "'; update trace set created_at = now() - interval '" + by + "'");
  };
  age("29 days 23 hours");
  Collect(test.replica);
  CHECK(Count(test, "span") == "2");
  CHECK(Count(test, "trace") == "2");
  Collect(test.replica, {.stub_retention = 29 * 24h});
  CHECK(test.database.Query("select span_id from span") == EntityKey("s1").ToString());
  CHECK(test.database.Query("select trace_id from trace") == EntityKey("t1").ToString());
  age("10 years");
  Collect(test.replica);
  CHECK(Count(test, "span") == "1");
  CHECK(Count(test, "trace") == "1");
  const std::string metrics = test.replica.registry.Text();
  CHECK(metrics.find("verdict_garbage_collected_rows_total{table=\"span\"} 1\n") != std::string::npos);
  CHECK(metrics.find("verdict_garbage_collected_rows_total{table=\"trace\"} 1\n") != std::string::npos);
  CHECK(metrics.find("verdict_garbage_failures_total 0\n") != std::string::npos);
  CHECK(metrics.find("verdict_garbage_last_success_timestamp_seconds 0\n") == std::string::npos);
}

TEST_CASE("a span that arrives after its stub was collected finds its feedback") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  REQUIRE(test.replica.Submit(principal, VoteOn("s1")).response.ok());
  test.database.Query("update span set created_at = now() - interval '31 days'");
  Collect(test.replica);
  REQUIRE(Count(test, "span") == "0");
  v1::Span span = MakeSpan("s1", "t1");
  span.set_session_id("chat-1");
  REQUIRE(test.replica.CreateSpans(principal, Spans({span})).response.ok());
  CHECK(test.database.Query("select trace_id, session_id from feedback") ==
        EntityKey("t1").ToString() + "|" + EntityKey("chat-1").ToString());
}

TEST_CASE("topology is kept for ever, or for as long as is set; feedback keeps its place") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  v1::Span span = MakeSpan("old", "t1");
  span.set_session_id("chat-1");
  REQUIRE(test.replica.Submit(principal, VoteOn("old")).response.ok());
  REQUIRE(test.replica.CreateSpans(principal, Spans({span})).response.ok());
  for (const std::string table : {"span", "trace", "session"}) {
    test.database.Query("update " + table + " set created_at = now() - interval '2 days'");
  }
  REQUIRE(test.replica.CreateSpans(principal, Spans({MakeSpan("young", "t2")})).response.ok());
  Collect(test.replica);
  CHECK(Count(test, "span") == "2");
  Collect(test.replica, {.span_retention = 24h});
  CHECK(test.database.Query("select span_id from span") == EntityKey("young").ToString());
  CHECK(test.database.Query("select trace_id from trace") == EntityKey("t2").ToString());
  CHECK(Count(test, "session") == "0");
  CHECK(test.database.Query("select trace_id, session_id from feedback") ==
        EntityKey("t1").ToString() + "|" + EntityKey("chat-1").ToString());
}

TEST_CASE("topology of every project is collected by one process at a time, and no stub with it") {
  TestService test;
  for (int i = 0; i < 2; ++i) {
    const std::string project = "'" + test.AddProject().project_id.ToString() + "'::uuid";
    const std::string old = ", now() - interval '2 days' from generate_series(1, 1200)";
    test.database.Query("insert into span (project_id, span_id, trace_id, created_at) select " + project +
                        ", gen_random_uuid(), gen_random_uuid()" + old +
                        "; insert into trace (project_id, trace_id, started_at, created_at) select " +
                        project + ", gen_random_uuid(), now()" + old +
                        "; insert into session (project_id, session_id, session_text, created_at) select " +
                        project + ", gen_random_uuid(), 's'" + old +
                        "; insert into span (project_id, span_id, created_at) select " + project +
                        ", gen_random_uuid(), now() - interval '2 days'");
  }
  pqxx::connection connection(test.database.Dsn("feedback"));
  {
    pqxx::work other(connection);
    // As a collection does that is under way.
    other.exec("select pg_try_advisory_xact_lock(8531321946284286721)");
    Collect(test.replica, {.span_retention = 24h});
    CHECK(Count(test, "span") == "2402");
  }
  Collect(test.replica, {.span_retention = 24h});
  CHECK(Count(test, "span") == "2");
  CHECK(Count(test, "span where trace_id is null") == "2");
  CHECK(Count(test, "trace") == "0");
  CHECK(Count(test, "session") == "0");
}

TEST_CASE("two collectors at once collect everything once, a statement of 1,000 rows at a time") {
  TestService test;
  test.database.Query(
      "insert into span (project_id, span_id, created_at)"
      " select gen_random_uuid(), gen_random_uuid(), now() - interval '31 days' from generate_series(1, "
      "5500)");
  std::atomic<int> failures = 0;
  {
    std::vector<std::jthread> threads;
    for (Replica* replica : {&test.replica, &test.other_replica}) {
      threads.emplace_back([replica, &failures] {
        GarbageCollector collector({}, replica->garbage, replica->garbage_metrics);
        if (!collector.Collect(std::stop_token()).ok()) ++failures;
      });
    }
  }
  CHECK(failures == 0);
  // Both may have met in a statement and given up; what is left is the next turn's.
  Collect(test.replica);
  CHECK(Count(test, "span") == "0");
  const double collected = test.replica.garbage_metrics.Collected(Garbage::kSpanStubs).Value() +
                           test.other_replica.garbage_metrics.Collected(Garbage::kSpanStubs).Value();
  CHECK(collected == 5500);
}

TEST_CASE("while one process collects, another leaves it alone") {
  TestService test;
  const std::string row =
      "insert into span (project_id, span_id, created_at) values (gen_random_uuid(), gen_random_uuid(),"
      " now() - interval '31 days')";
  test.database.Query(row);
  pqxx::connection connection(test.database.Dsn("feedback"));
  {
    pqxx::work other(connection);
    // As a collection does that is under way.
    other.exec("select pg_try_advisory_xact_lock(8531321946284286721)");
    Collect(test.replica);
    CHECK(Count(test, "span") == "1");
  }
  Collect(test.replica);
  CHECK(Count(test, "span") == "0");
}

TEST_CASE("a stub that somebody is using is left alone and not waited for") {
  TestService test;
  test.database.Query(
      "insert into span (project_id, span_id, created_at)"
      " select gen_random_uuid(), gen_random_uuid(), now() - interval '31 days' from generate_series(1, 2)");
  pqxx::connection connection(test.database.Dsn("owner"));
  pqxx::work user(connection);
  user.exec1("select from span limit 1 for update");
  Collect(test.replica);
  CHECK(Count(test, "span") == "1");
  user.abort();
  Collect(test.replica);
  CHECK(Count(test, "span") == "0");
}

TEST_CASE("a collection that fails is counted, and the others are done") {
  TestService test;
  test.database.Query(
      "insert into trace (project_id, trace_id, created_at) values (gen_random_uuid(), gen_random_uuid(),"
      " now() - interval '31 days'); revoke delete on span from verdict_feedback");
  GarbageCollector collector({}, test.replica.garbage, test.replica.garbage_metrics);
  CHECK_FALSE(collector.Collect(std::stop_token()).ok());
  CHECK(Count(test, "trace") == "0");
  CHECK(test.replica.garbage_metrics.failures.Value() == 1);
  CHECK(test.replica.garbage_metrics.last_success.Value() == 0);
}

TEST_CASE("the collector's thread collects by itself and ends when it is asked to") {
  TestService test;
  test.database.Query(
      "insert into span (project_id, span_id, created_at) values (gen_random_uuid(), gen_random_uuid(),"
      " now() - interval '31 days')");
  GarbageCollector often({.interval = 1ms}, test.replica.garbage, test.replica.garbage_metrics);
  GarbageCollector hourly({.interval = 1h}, test.replica.garbage, test.replica.garbage_metrics);
  std::jthread idle([&](std::stop_token stop) { hourly.Run(stop); });
  std::jthread busy([&](std::stop_token stop) { often.Run(stop); });
  test::Await("the collection", [&] { return Count(test, "span") == "0"; });
  // Destroying the threads joins them: a test that hangs here has failed.
}

}  // namespace
}  // namespace verdict::feedback
