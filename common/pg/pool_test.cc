#include "common/pg/pool.h"

#include <atomic>
#include <optional>
#include <thread>

#include <catch2/catch.hpp>

#include "common/pg/execute.h"
#include "common/pg/test_support.h"
#include "common/pg/value.h"

namespace verdict::pg {
namespace {

using namespace std::chrono_literals;
using Catch::Contains;
using std::chrono::steady_clock;

constexpr Statement kPid = {"pid", "select pg_backend_pid()"};
constexpr Statement kStatements[] = {kPid};

// Tries until the pool answers.
absl::Status AwaitOk(Pool& pool) {
  const auto deadline = steady_clock::now() + 20s;
  absl::Status status;
  do {
    status = Execute(pool, Access::kRead, kPid).status();
  } while (!status.ok() && steady_clock::now() < deadline);
  return status;
}

TEST_CASE("connections are opened when they are wanted, and used again") {
  const NoteDatabase notes;
  Pool pool(notes.Options(kStatements));
  const std::string count = "select count(*) from pg_stat_activity where " + notes.Ours();
  CHECK(notes.database.Query(count) == "0");
  const auto first = Execute(pool, Access::kRead, kPid);
  const auto second = Execute(pool, Access::kRead, kPid);
  REQUIRE(first.ok());
  REQUIRE(second.ok());
  CHECK(TextFrom((*first)[0][0]) == TextFrom((*second)[0][0]));
  CHECK(notes.database.Query(count) == "1");
}

TEST_CASE("an exhausted pool refuses within its acquire timeout") {
  const NoteDatabase notes;
  metrics::Registry registry;
  PoolOptions options = notes.Options(kStatements);
  options.acquire_timeout = 100ms;
  options.registry = &registry;
  Pool pool(options);
  std::optional<Pool::Lease> first;
  {
    // The first two are opened while a caller waits, so it may take another try on a busy machine.
    REQUIRE(AwaitOk(pool).ok());
    auto lease = pool.Acquire();
    REQUIRE(lease.ok());
    first.emplace(*std::move(lease));
  }
  std::optional<Pool::Lease> second;
  while (!second) {
    auto lease = pool.Acquire();
    if (lease.ok()) second.emplace(*std::move(lease));
  }
  CHECK_THAT(registry.Text(), Contains("verdict_pg_connections{pool=\"main\"} 2"));
  CHECK_THAT(registry.Text(), Contains("verdict_pg_connections_in_use{pool=\"main\"} 2"));

  const auto start = steady_clock::now();
  const absl::Status status = pool.Acquire().status();
  const auto waited = steady_clock::now() - start;
  CHECK(ReasonNameOf(status) == "OVERLOADED");
  CHECK(DetailsOf(status).retry_after);
  CHECK(waited >= 100ms);
  CHECK(waited < 2s);

  second.reset();
  CHECK(Execute(pool, Access::kRead, kPid).ok());
  first.reset();
  CHECK_THAT(registry.Text(), Contains("verdict_pg_connections_in_use{pool=\"main\"} 0"));
}

TEST_CASE("a waiting caller gets the connection that is returned") {
  const NoteDatabase notes;
  PoolOptions options = notes.Options(kStatements);
  options.size = 1;
  options.acquire_timeout = 20s;
  Pool pool(options);
  auto lease = pool.Acquire();
  REQUIRE(lease.ok());
  std::optional<Pool::Lease> held(*std::move(lease));
  absl::Status status = absl::UnknownError("");
  {
    const std::jthread waiter([&] { status = Execute(pool, Access::kRead, kPid).status(); });
    held.reset();
  }
  CHECK(status.ok());
}

TEST_CASE("while the database is away callers are refused at once, and it is found again") {
  const NoteDatabase notes;
  PoolOptions options = notes.Options(kStatements);
  options.acquire_timeout = 10s;
  Pool pool(options);
  REQUIRE(Execute(pool, Access::kRead, kPid).ok());
  notes.database.AllowConnections(false);

  // The first to ask waits for the attempt to connect; all after it know.
  for (int i = 0; i < 3; ++i) {
    const auto start = steady_clock::now();
    const absl::Status status = Execute(pool, Access::kWrite, kPid).status();
    CHECK(ReasonNameOf(status) == "UNAVAILABLE");
    CHECK(DetailsOf(status).retry_after);
    CHECK(steady_clock::now() - start < 5s);
  }
  notes.database.AllowConnections(true);
  CHECK(AwaitOk(pool).ok());
}

TEST_CASE("a pool whose statements cannot be prepared is unavailable until they can") {
  const NoteDatabase notes;
  const Statement statements[] = {kPid, {"later", "select * from later"}};
  Pool pool(notes.Options(statements));
  CHECK(ReasonNameOf(Execute(pool, Access::kRead, kPid).status()) == "UNAVAILABLE");
  notes.database.Query("create table later ()");
  CHECK(AwaitOk(pool).ok());
}

TEST_CASE("a pool without a server neither blocks its caller nor its own end") {
  const auto start = steady_clock::now();
  {
    Pool pool({.dsn = "host=127.0.0.1 port=1", .statements = kStatements});
    CHECK(ReasonNameOf(Execute(pool, Access::kRead, kPid).status()) == "UNAVAILABLE");
  }
  {
    Pool pool({.dsn = "nonsense", .statements = kStatements});
    CHECK(ReasonNameOf(Execute(pool, Access::kRead, kPid).status()) == "UNAVAILABLE");
  }
  CHECK(steady_clock::now() - start < 5s);
}

}  // namespace
}  // namespace verdict::pg
