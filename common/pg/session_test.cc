#include "common/pg/session.h"

#include <catch2/catch.hpp>

#include "common/pg/test_support.h"
#include "common/pg/value.h"

namespace verdict::pg {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr Statement kInsert = {"insert_note", "insert into note (id, body) values ($1, $2) returning id"};
constexpr Statement kSlowWrite = {"slow_write", "insert into note (id) select 1 from pg_sleep($1::float8)"};
constexpr Statement kStatements[] = {kInsert, kSlowWrite};

ConnectionOptions Options(const NoteDatabase& notes) {
  return {.dsn = notes.Dsn(), .application_name = std::string(kApplication), .statements = kStatements};
}

TEST_CASE("a session connects when it is first used, and again after it was lost while idle") {
  const NoteDatabase notes;
  Session session(Options(notes));
  for (int id = 0; id < 3; ++id) {
    const auto rows = session.Execute(Access::kWrite, kInsert, id, "a");
    REQUIRE(rows.ok());
    CHECK((*rows)[0][0].as<int>() == id);
    notes.Terminate();
  }
  CHECK(notes.database.Query("select count(*) from note") == "3");
}

TEST_CASE("a session's write whose backend is killed has an unknown outcome") {
  const NoteDatabase notes;
  Session session(Options(notes));
  absl::Status status;
  {
    const std::jthread writer([&] { status = session.Execute(Access::kWrite, kSlowWrite, 20).status(); });
    notes.AwaitActivity("wait_event = 'PgSleep'");
    notes.Terminate();
  }
  CHECK(ReasonNameOf(status) == "OUTCOME_UNKNOWN");
  CHECK(session.Execute(Access::kWrite, kInsert, 1, "a").ok());
}

TEST_CASE("a session refuses while the database is away, and finds it again") {
  const NoteDatabase notes;
  Session session(Options(notes));
  notes.AllowConnections(false);
  CHECK(ReasonNameOf(session.Execute(Access::kWrite, kInsert, 1, "a").status()) == "UNAVAILABLE");
  CHECK(ReasonNameOf(session.Execute(Access::kWrite, kInsert, 1, "a").status()) == "UNAVAILABLE");
  notes.AllowConnections(true);
  const auto deadline = steady_clock::now() + 20s;
  while (!session.Execute(Access::kWrite, kInsert, 1, "a").ok()) REQUIRE(steady_clock::now() < deadline);
  CHECK(notes.database.Query("select count(*) from note") == "1");
}

}  // namespace
}  // namespace verdict::pg
