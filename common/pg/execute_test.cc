#include "common/pg/execute.h"

#include <atomic>
#include <csignal>
#include <set>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>
#include <pqxx/pqxx>

#include "common/pg/status.h"
#include "common/pg/test_support.h"
#include "common/pg/value.h"

namespace verdict::pg {
namespace {

using namespace std::chrono_literals;
using Catch::Contains;
using std::chrono::steady_clock;

constexpr Statement kInsert = {"insert_note", "insert into note (id, body) values ($1, $2)"};
constexpr Statement kUpdate = {"update_note", "update note set body = $2 where id = $1"};
constexpr Statement kCount = {"count_notes", "select count(*) from note"};
constexpr Statement kIds = {"note_ids", "select id from note"};
constexpr Statement kSlowRead = {"slow_read", "select pg_sleep($1::float8)"};
constexpr Statement kSlowWrite = {"slow_write", "insert into note (id) select 1 from pg_sleep($1::float8)"};
constexpr Statement kReadOnly = {"read_only",
                                 "select set_config('default_transaction_read_only', 'on', false)"};
constexpr Statement kStatements[] = {kInsert, kUpdate, kCount, kIds, kSlowRead, kSlowWrite, kReadOnly};

constexpr char kSleeping[] = "wait_event = 'PgSleep'";

TEST_CASE("a statement that returned OK is stored") {
  const NoteDatabase notes;
  Pool pool(notes.Options(kStatements));
  CHECK(Execute(pool, Access::kWrite, kInsert, 1, "hello").ok());
  CHECK(notes.database.Query("select * from note") == "1|hello");
}

TEST_CASE("an error's cause names no value") {
  const NoteDatabase notes;
  notes.database.Query("alter table note add constraint nothing_secret check (body not like '%secret%')");
  constexpr Statement kCast = {"cast", "select $1::text::int"};
  constexpr Statement kRead = {"read", "select $1::text"};
  const Statement statements[] = {kInsert, kCast, kRead};
  Pool pool(notes.Options(statements));
  const auto cause = [](const absl::Status& status) {
    CHECK(ReasonNameOf(status) == "INTERNAL");
    return std::string(status.message());
  };
  CHECK(cause(Execute(pool, Access::kWrite, kInsert, 1, "a secret").status()) ==
        "ERROR:  23514: new row for relation \"note\" violates check constraint \"nothing_secret\"");
  CHECK(cause(Execute(pool, Access::kRead, kCast, "a secret").status()) ==
        "the database refused a value: 22P02");
  const absl::Status unreadable = StatusOf(pqxx::conversion_error("could not convert 'a secret' to int"));
  CHECK(cause(unreadable) == "a value of the database cannot be read");
}

TEST_CASE("a text with U+0000 is refused and nothing of it is stored") {
  const NoteDatabase notes;
  const std::string text("ab\0cd", 5);
  {
    // The control: what libpqxx makes of it.
    pqxx::connection connection(notes.Dsn());
    pqxx::work transaction(connection);
    transaction.exec_params(kInsert.sql, 1, text);
    transaction.commit();
    CHECK(notes.database.Query("select body from note where id = 1") == "ab");
  }
  Pool pool(notes.Options(kStatements));
  const absl::Status status = Execute(pool, Access::kWrite, kInsert, 2, text).status();
  CHECK(ReasonNameOf(status) == "INVALID_TEXT");
  Array array;
  array.Add(text);
  const absl::Status array_status = Execute(pool, Access::kWrite, kInsert, 2, std::move(array)).status();
  CHECK(ReasonNameOf(array_status) == "INVALID_TEXT");
  CHECK(
      ReasonNameOf(WithTransaction(pool, Isolation::kReadCommitted, [&](pqxx::transaction_base& transaction) {
        Execute(transaction, kInsert, 3, "before");
        Execute(transaction, kInsert, 2, text);
        return absl::OkStatus();
      })) == "INVALID_TEXT");
  CHECK(notes.database.Query("select count(*) from note where id <> 1") == "0");
}

TEST_CASE("a text that is not UTF-8 is refused") {
  const NoteDatabase notes;
  Pool pool(notes.Options(kStatements));
  const absl::Status status = Execute(pool, Access::kWrite, kInsert, 1, "\xff").status();
  CHECK(ReasonNameOf(status) == "INVALID_TEXT");
}

TEST_CASE("a unique violation keeps the constraint's name") {
  const NoteDatabase notes;
  Pool pool(notes.Options(kStatements));
  REQUIRE(Execute(pool, Access::kWrite, kInsert, 1, "a").ok());
  const absl::Status status = Execute(pool, Access::kWrite, kInsert, 1, "b").status();
  CHECK(ReasonNameOf(status) == "ALREADY_EXISTS");
  CHECK(DetailsOf(status).metadata.at(kConstraint) == "note_id");
}

TEST_CASE("any other violation is a fault of ours, told without the row's values") {
  const NoteDatabase notes;
  notes.database.Query("alter table note add constraint body_length check (length(body) < 5)");
  Pool pool(notes.Options(kStatements));
  const absl::Status status = Execute(pool, Access::kWrite, kInsert, 1, "a secret").status();
  CHECK(ReasonNameOf(status) == "INTERNAL");
  CHECK_THAT(std::string(status.message()), Contains("body_length"));
  CHECK_THAT(std::string(status.message()), !Contains("a secret"));
}

TEST_CASE("a statement that takes too long is cancelled, and the connection stays") {
  const NoteDatabase notes;
  PoolOptions options = notes.Options(kStatements);
  options.size = 1;
  options.statement_timeout = 100ms;
  Pool pool(options);
  CHECK(ReasonNameOf(Execute(pool, Access::kWrite, kSlowWrite, 20).status()) == "DEADLINE_EXCEEDED");
  CHECK(ReasonNameOf(Execute(pool, Access::kRead, kSlowRead, 20).status()) == "DEADLINE_EXCEEDED");
  CHECK(notes.database.Query("select count(*) from note") == "0");
  CHECK(Execute(pool, Access::kRead, kCount).ok());
}

TEST_CASE("a lock that is not to be had is reported as a passing condition") {
  const NoteDatabase notes;
  notes.database.Query("insert into note values (1, 'a')");
  PoolOptions options = notes.Options(kStatements);
  options.lock_timeout = 100ms;
  Pool pool(options);
  pqxx::connection connection(notes.Dsn());
  pqxx::work transaction(connection);
  transaction.exec("select * from note for update");
  const absl::Status status = Execute(pool, Access::kWrite, kUpdate, 1, "b").status();
  CHECK(ReasonNameOf(status) == "UNAVAILABLE");
  CHECK(DetailsOf(status).retry_after);
}

TEST_CASE("connections that the server ended while idle are replaced unnoticed, also for writes") {
  const NoteDatabase notes;
  Pool pool(notes.Options(kStatements));
  for (int id = 0; id < 3; ++id) {
    const absl::Status status = Execute(pool, Access::kWrite, kInsert, id, "a").status();
    INFO(status);
    REQUIRE(status.ok());
    notes.Terminate();
  }
  CHECK(notes.database.Query("select count(*) from note") == "3");
}

TEST_CASE("a write whose backend is killed has an unknown outcome, a read does not") {
  const NoteDatabase notes;
  Pool pool(notes.Options(kStatements));
  absl::Status written;
  absl::Status read;
  {
    const std::jthread writer([&] { written = Execute(pool, Access::kWrite, kSlowWrite, 20).status(); });
    notes.AwaitActivity(kSleeping);
    notes.Terminate();
  }
  {
    const std::jthread reader([&] { read = Execute(pool, Access::kRead, kSlowRead, 20).status(); });
    notes.AwaitActivity(kSleeping);
    notes.Terminate();
  }
  CHECK(ReasonNameOf(written) == "OUTCOME_UNKNOWN");
  CHECK(DetailsOf(written).retry_after == 1s);
  CHECK(ReasonNameOf(read) == "UNAVAILABLE");
  CHECK(Execute(pool, Access::kRead, kCount).ok());
}

TEST_CASE("a server that hangs costs its connection, and no more time than the statement had") {
  const NoteDatabase notes;
  PoolOptions options = notes.Options(kStatements);
  options.statement_timeout = 300ms;
  Pool pool(options);
  REQUIRE(Execute(pool, Access::kRead, kCount).ok());
  const pid_t backend =
      std::stoi(notes.database.Query("select pid from pg_stat_activity where " + notes.Ours()));
  kill(backend, SIGSTOP);
  const auto start = steady_clock::now();
  const absl::Status status = Execute(pool, Access::kWrite, kInsert, 1, "a").status();
  const auto took = steady_clock::now() - start;
  const bool next = Execute(pool, Access::kWrite, kInsert, 2, "b").ok();
  kill(backend, SIGCONT);
  CHECK(ReasonNameOf(status) == "OUTCOME_UNKNOWN");
  CHECK(took >= 800ms);
  CHECK(took < 5s);
  CHECK(next);
}

TEST_CASE("a server that has become read-only is left") {
  const NoteDatabase notes;
  PoolOptions options = notes.Options(kStatements);
  options.size = 1;
  Pool pool(options);
  REQUIRE(Execute(pool, Access::kRead, kReadOnly).ok());
  CHECK(ReasonNameOf(Execute(pool, Access::kWrite, kInsert, 1, "a").status()) == "UNAVAILABLE");
  CHECK(Execute(pool, Access::kWrite, kInsert, 1, "a").ok());
}

TEST_CASE("every acknowledged write is stored while backends are killed") {
  const NoteDatabase notes;
  PoolOptions options = notes.Options(kStatements);
  options.size = 4;
  options.acquire_timeout = 5s;
  Pool pool(options);
  constexpr int kThreads = 8;
  constexpr int kEach = 50;
  std::atomic<int> running = kThreads;
  std::vector<absl::Status> statuses(kThreads * kEach);
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int id = thread * kEach; id < (thread + 1) * kEach; ++id) {
        // What was refused was not stored: the primary key would say so.
        do {
          statuses[id] = Execute(pool, Access::kWrite, kInsert, id, "a").status();
        } while (ReasonOf(statuses[id]) == errors::v1::REASON_UNAVAILABLE);
      }
      --running;
    });
  }
  while (running > 0) {
    notes.database.Query("select pg_terminate_backend(pid) from pg_stat_activity where " + notes.Ours() +
                         " order by random() limit 1");
  }
  threads.clear();

  std::set<int> stored;
  Pool unharmed(options);  // the last kill may have met a connection that nobody has used since
  const auto rows = Execute(unharmed, Access::kRead, kIds);
  REQUIRE(rows.ok());
  for (const auto& row : *rows) stored.insert(row[0].as<int>());
  int acknowledged = 0;
  for (int id = 0; id < kThreads * kEach; ++id) {
    INFO(id << ": " << statuses[id]);
    if (statuses[id].ok()) {
      ++acknowledged;
      REQUIRE(stored.contains(id));
    } else {
      REQUIRE(ReasonNameOf(statuses[id]) == "OUTCOME_UNKNOWN");
    }
  }
  CHECK(acknowledged > 0);
}

}  // namespace
}  // namespace verdict::pg
