#include <algorithm>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>
#include <pqxx/pqxx>

#include "common/pg/execute.h"
#include "common/pg/status.h"
#include "common/pg/test_support.h"
#include "common/pg/value.h"

namespace verdict::pg {
namespace {

using namespace std::chrono_literals;

constexpr Statement kInsert = {"insert_note", "insert into note (id, body) values ($1, $2)"};
constexpr Statement kUpdate = {"update_note", "update note set body = $2 where id = $1"};
constexpr Statement kCount = {"count_notes", "select count(*) from note"};
constexpr Statement kBody = {"read_body", "select body from note where id = $1"};
constexpr Statement kSleep = {"sleep", "select pg_sleep($1::float8)"};
constexpr Statement kIsolation = {"isolation", "select current_setting('transaction_isolation')"};
constexpr Statement kOpen = {"open_notes",
                             "declare notes no scroll cursor for select id from note order by id"};
constexpr Statement kFetch = {"fetch_notes", "fetch 3 from notes"};
constexpr Statement kStatements[] = {kInsert, kUpdate, kCount, kBody, kSleep, kIsolation, kOpen, kFetch};

absl::Status InsertTwo(pqxx::transaction_base& transaction) {
  Execute(transaction, kInsert, 1, "a");
  Execute(transaction, kInsert, 2, "b");
  return absl::OkStatus();
}

TEST_CASE("a transaction is stored as a whole when its body returns OK") {
  const NoteDatabase notes;
  Pool pool(notes.Options(kStatements));
  CHECK(WithTransaction(pool, Isolation::kReadCommitted, InsertTwo).ok());
  CHECK(notes.database.Query("select count(*) from note") == "2");
}

TEST_CASE("a transaction runs at its isolation level") {
  const NoteDatabase notes;
  Pool pool(notes.Options(kStatements));
  for (const auto& [isolation, name] : {std::pair(Isolation::kReadCommitted, "read committed"),
                                        std::pair(Isolation::kRepeatableRead, "repeatable read"),
                                        std::pair(Isolation::kSerializable, "serializable")}) {
    std::string actual;
    CHECK(WithTransaction(pool, isolation, [&](pqxx::transaction_base& transaction) {
            actual = TextFrom(Execute(transaction, kIsolation)[0][0]);
            return absl::OkStatus();
          }).ok());
    CHECK(actual == name);
  }
}

TEST_CASE("nothing of a transaction is stored when its body returns an error or throws") {
  const NoteDatabase notes;
  PoolOptions options = notes.Options(kStatements);
  options.size = 1;
  Pool pool(options);
  CHECK(WithTransaction(pool, Isolation::kReadCommitted, [](pqxx::transaction_base& transaction) {
          InsertTwo(transaction).IgnoreError();
          return ValidationError({{"body", "body is wrong."}});
        }).message() == "body is wrong.");
  const absl::Status violated =
      WithTransaction(pool, Isolation::kReadCommitted, [](pqxx::transaction_base& transaction) {
        InsertTwo(transaction).IgnoreError();
        return InsertTwo(transaction);
      });
  CHECK(DetailsOf(violated).metadata.at(kConstraint) == "note_id");
  const absl::Status mismatched =
      WithTransaction(pool, Isolation::kReadCommitted, [](pqxx::transaction_base& transaction) {
        InsertTwo(transaction).IgnoreError();
        UuidFrom(Execute(transaction, kCount)[0][0]);
        return absl::OkStatus();
      });
  CHECK(ReasonNameOf(mismatched) == "INTERNAL");
  CHECK(notes.database.Query("select count(*) from note") == "0");
  CHECK(Execute(pool, Access::kRead, kCount).ok());
}

TEST_CASE("a violation that COMMIT finds is told like any other, and its outcome is known") {
  const NoteDatabase notes;
  notes.database.Query("alter table note add constraint late unique (body) deferrable initially deferred");
  Pool pool(notes.Options(kStatements));
  const absl::Status status =
      WithTransaction(pool, Isolation::kReadCommitted, [](pqxx::transaction_base& transaction) {
        Execute(transaction, kInsert, 1, "a");
        Execute(transaction, kInsert, 2, "a");
        return absl::OkStatus();
      });
  CHECK(ReasonNameOf(status) == "ALREADY_EXISTS");
  CHECK(DetailsOf(status).metadata.at(kConstraint) == "late");
}

TEST_CASE("a serialization failure runs the body again") {
  const NoteDatabase notes;
  notes.database.Query("insert into note values (1, '0')");
  Pool pool(notes.Options(kStatements));
  int runs = 0;
  const absl::Status status =
      WithTransaction(pool, Isolation::kRepeatableRead, [&](pqxx::transaction_base& transaction) {
        ++runs;
        const std::string body(TextFrom(Execute(transaction, kBody, 1)[0][0]));
        // Somebody else changes the row under the first run's snapshot.
        if (runs == 1) notes.database.Query("update note set body = '10'");
        Execute(transaction, kUpdate, 1, std::to_string(std::stoi(body) + 1));
        return absl::OkStatus();
      });
  INFO(status);
  CHECK(status.ok());
  CHECK(runs == 2);
  CHECK(notes.database.Query("select body from note") == "11");
}

TEST_CASE("a serialization failure of COMMIT runs the body again") {
  const NoteDatabase notes;
  notes.database.Query("insert into note values (1, '0'), (2, '0')");
  Pool pool(notes.Options(kStatements));
  int runs = 0;
  const absl::Status status =
      WithTransaction(pool, Isolation::kSerializable, [&](pqxx::transaction_base& transaction) {
        ++runs;
        Execute(transaction, kBody, 2);
        Execute(transaction, kUpdate, 1, "1");
        if (runs == 1) {
          // Write skew: reads what we write and writes what we read.
          pqxx::connection connection(notes.Dsn());
          pqxx::transaction<pqxx::serializable> other(connection);
          other.exec("select * from note where id = 1");
          other.exec("update note set body = '2' where id = 2");
          other.commit();
        }
        return absl::OkStatus();
      });
  INFO(status);
  CHECK(status.ok());
  CHECK(runs == 2);
}

TEST_CASE("a transaction that keeps failing to serialize is given up after three runs") {
  const NoteDatabase notes;
  notes.database.Query("insert into note values (1, '0')");
  Pool pool(notes.Options(kStatements));
  int runs = 0;
  const absl::Status status =
      WithTransaction(pool, Isolation::kRepeatableRead, [&](pqxx::transaction_base& transaction) {
        ++runs;
        Execute(transaction, kBody, 1);
        notes.database.Query("update note set body = body || '0'");
        Execute(transaction, kUpdate, 1, "mine");
        return absl::OkStatus();
      });
  CHECK(ReasonNameOf(status) == "UNAVAILABLE");
  CHECK(runs == 3);
}

TEST_CASE("one of two transactions in a deadlock runs again, and both succeed") {
  const NoteDatabase notes;
  notes.database.Query("insert into note values (1, 'a'), (2, 'a')");
  PoolOptions options = notes.Options(kStatements);
  options.lock_timeout = 10s;  // PostgreSQL looks for deadlocks after one second
  Pool pool(options);
  std::array<int, 2> runs = {};
  std::array<absl::Status, 2> statuses;
  {
    std::atomic<int> locked = 0;
    const auto run = [&](int side) {
      statuses[side] =
          WithTransaction(pool, Isolation::kReadCommitted, [&](pqxx::transaction_base& transaction) {
            ++runs[side];
            Execute(transaction, kUpdate, 1 + side, "b");
            ++locked;
            while (locked < 2) std::this_thread::yield();
            Execute(transaction, kUpdate, 2 - side, "b");
            return absl::OkStatus();
          });
    };
    const std::jthread first([&] { run(0); });
    const std::jthread second([&] { run(1); });
  }
  CHECK(statuses[0].ok());
  CHECK(statuses[1].ok());
  CHECK(runs[0] + runs[1] == 3);
}

TEST_CASE("a connection lost before COMMIT stored nothing") {
  const NoteDatabase notes;
  Pool pool(notes.Options(kStatements));
  const absl::Status status =
      WithTransaction(pool, Isolation::kReadCommitted, [&](pqxx::transaction_base& transaction) {
        Execute(transaction, kInsert, 1, "a");
        notes.Terminate();
        Execute(transaction, kInsert, 2, "b");
        return absl::OkStatus();
      });
  CHECK(ReasonNameOf(status) == "UNAVAILABLE");
  CHECK(notes.database.Query("select count(*) from note") == "0");
  CHECK(WithTransaction(pool, Isolation::kReadCommitted, InsertTwo).ok());
}

TEST_CASE("a connection lost during COMMIT leaves the outcome unknown, and the body is not run again") {
  const NoteDatabase notes;
  notes.database.Query(
      "create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(20); return null; "
      "end';"
      "create constraint trigger slow after insert on note deferrable initially deferred"
      " for each row execute function slow()");
  Pool pool(notes.Options(kStatements));
  int runs = 0;
  absl::Status status;
  {
    const std::jthread thread([&] {
      status = WithTransaction(pool, Isolation::kReadCommitted, [&](pqxx::transaction_base& transaction) {
        ++runs;
        Execute(transaction, kInsert, 1, "a");
        return absl::OkStatus();
      });
    });
    notes.AwaitActivity("wait_event = 'PgSleep'");
    notes.Terminate();
  }
  CHECK(ReasonNameOf(status) == "OUTCOME_UNKNOWN");
  CHECK(runs == 1);
}

TEST_CASE("a cursor gives its rows in order, as many as are wanted, all of one snapshot") {
  const NoteDatabase notes;
  Pool pool(notes.Options(kStatements));
  notes.database.Query("insert into note select n from generate_series(1, 7) n");
  const int wanted = GENERATE(1, 3, 4, 7, 100);
  std::vector<int> ids;
  CHECK(WithSnapshot(pool, [&](pqxx::transaction_base& transaction) {
          Execute(transaction, kOpen);
          ForEachRow(transaction, kFetch, [&](const Row& row) {
            if (ids.empty()) notes.database.Query("delete from note");
            ids.push_back(row[0].as<int>());
            return std::ssize(ids) < wanted;
          });
          CHECK(Execute(transaction, kCount)[0][0].as<int>() == 7);
          return absl::OkStatus();
        }).ok());
  CHECK(std::ssize(ids) == std::min(wanted, 7));
  for (size_t i = 0; i < ids.size(); ++i) CHECK(ids[i] == static_cast<int>(i) + 1);
}

TEST_CASE("a snapshot is never read twice") {
  const NoteDatabase notes;
  Pool pool(notes.Options(kStatements));
  int runs = 0;
  const absl::Status status =
      WithSnapshot(pool, [&](pqxx::transaction_base& /*transaction*/) -> absl::Status {
        ++runs;
        throw pqxx::serialization_failure("A conflict.");
      });
  CHECK(ReasonOf(status) == errors::v1::REASON_INTERNAL);
  CHECK(runs == 1);
}

}  // namespace
}  // namespace verdict::pg
