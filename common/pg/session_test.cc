#include "common/pg/session.h"

#include <catch2/catch.hpp>
#include <pqxx/pqxx>

#include "common/pg/test_support.h"
#include "common/pg/value.h"

namespace verdict::pg {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr Statement kInsert = {"insert_note", "insert into note (id, body) values ($1, $2) returning id"};
constexpr Statement kSlowWrite = {"slow_write", "insert into note (id) select 1 from pg_sleep($1::float8)"};
constexpr Statement kUpdateBoth = {"update_both",
                                   "with first as (update note set body = $1 where id = 1 returning id) "
                                   "update note set body = $1 where id = 2 and exists (select from first)"};
constexpr Statement kStatements[] = {kInsert, kSlowWrite, kUpdateBoth};

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

TEST_CASE("a session runs transactions, all or nothing") {
  const NoteDatabase notes;
  Session session(Options(notes));
  const auto insert_two = [&](int second) {
    return session.WithTransaction(Isolation::kReadCommitted, [&](pqxx::transaction_base& transaction) {
      Execute(transaction, kInsert, 1, "a");
      Execute(transaction, kInsert, second, "b");
      return absl::OkStatus();
    });
  };
  CHECK(insert_two(1).code() == absl::StatusCode::kAlreadyExists);
  CHECK(notes.database.Query("select count(*) from note") == "0");
  CHECK(insert_two(2).ok());
  CHECK(notes.database.Query("select count(*) from note") == "2");
}

TEST_CASE("a statement that lost a deadlock runs again") {
  const NoteDatabase notes;
  notes.database.Query("insert into note values (1, 'a'), (2, 'a')");
  // So late that the session, which waits first, finds the deadlock when it looks for one.
  notes.database.Query("alter database " + notes.name + " set deadlock_timeout = '2s'");
  ConnectionOptions options = Options(notes);
  options.lock_timeout = 20s;
  Session session(options);
  pqxx::connection other(notes.Dsn());
  pqxx::work transaction(other);
  transaction.exec("set deadlock_timeout = '1h'");
  transaction.exec("update note set body = 'b' where id = 2");
  absl::Status status;
  {
    const std::jthread writer([&] { status = session.Execute(Access::kWrite, kUpdateBoth, "c").status(); });
    notes.AwaitActivity("wait_event_type = 'Lock'");
    transaction.exec("update note set body = 'b' where id = 1");
    transaction.commit();
  }
  CHECK(status.ok());
  CHECK(notes.database.Query("select string_agg(body, ',') from note") == "c,c");
}

TEST_CASE("a session refuses while the database is away, and finds it again") {
  const NoteDatabase notes;
  Session session(Options(notes));
  notes.database.AllowConnections(false);
  CHECK(ReasonNameOf(session.Execute(Access::kWrite, kInsert, 1, "a").status()) == "UNAVAILABLE");
  CHECK(ReasonNameOf(session.Execute(Access::kWrite, kInsert, 1, "a").status()) == "UNAVAILABLE");
  notes.database.AllowConnections(true);
  const auto deadline = steady_clock::now() + 20s;
  while (!session.Execute(Access::kWrite, kInsert, 1, "a").ok()) REQUIRE(steady_clock::now() < deadline);
  CHECK(notes.database.Query("select count(*) from note") == "1");
}

}  // namespace
}  // namespace verdict::pg
