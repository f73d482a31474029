#include "common/pg/dsn.h"

#include <catch2/catch.hpp>

#include "common/pg/execute.h"
#include "common/pg/test_support.h"
#include "common/pg/value.h"

namespace verdict::pg {
namespace {

using Catch::Contains;

constexpr Statement kShow = {"show", "select current_setting($1)"};

std::string Show(const PoolOptions& options, std::string_view setting) {
  Pool pool(options);
  const auto rows = Execute(pool, Access::kRead, kShow, setting);
  return rows.ok() ? std::string(TextFrom((*rows)[0][0])) : std::string(rows.status().message());
}

TEST_CASE("strings and URIs are DSNs") {
  CHECK(IsDsn("host=db user=verdict password='a b'"));
  CHECK(IsDsn("postgresql://verdict:secret@db1:5432,db2:5432/verdict?target_session_attrs=read-write"));
  CHECK_FALSE(IsDsn("host"));
  CHECK_FALSE(IsDsn("colour=red"));
  CHECK_FALSE(IsDsn("host='db"));
}

TEST_CASE("a DSN that is none is refused without being quoted") {
  const auto text = ConnectionString({.dsn = "hunter2"});
  CHECK(ReasonNameOf(text.status()) == "INTERNAL");
  CHECK_THAT(std::string(text.status().message()), !Contains("hunter2"));
}

TEST_CASE("timeouts are added where the DSN has none, and hosts pass through") {
  const auto text =
      ConnectionString({.dsn = "postgresql://u:it's%5C@db1,db2/verdict?target_session_attrs=read-write"});
  REQUIRE(text.ok());
  for (const char* setting : {"connect_timeout='2'", "tcp_user_timeout='5000'", "keepalives_idle='10'",
                              "keepalives_interval='5'", "keepalives_count='3'", "host='db1,db2'",
                              "target_session_attrs='read-write'", R"(password='it\'s\\')"}) {
    CHECK_THAT(*text, Contains(setting));
  }
  CHECK(IsDsn(*text));
  CHECK_THAT(*ConnectionString({.dsn = "connect_timeout=7"}), Contains("connect_timeout='7'"));
  CHECK_THAT(*ConnectionString({.generic_plans = true}), Contains("-c plan_cache_mode=force_generic_plan "));
  CHECK_THAT(*ConnectionString({}), !Contains("plan_cache_mode"));
}

TEST_CASE("each connection has the timeouts of its options, and the DSN's own settings win") {
  const NoteDatabase notes;
  const Statement statements[] = {kShow};
  PoolOptions options = notes.Options(statements);
  options.statement_timeout = std::chrono::milliseconds(1234);
  options.lock_timeout = std::chrono::milliseconds(567);
  CHECK(Show(options, "statement_timeout") == "1234ms");
  CHECK(Show(options, "lock_timeout") == "567ms");
  CHECK(Show(options, "idle_in_transaction_session_timeout") == "5s");
  CHECK(Show(options, "client_encoding") == "UTF8");
  CHECK(Show(options, "application_name") == kApplication);
  options.dsn += " application_name=other options='-c statement_timeout=99'";
  CHECK(Show(options, "statement_timeout") == "99ms");
  CHECK(Show(options, "lock_timeout") == "567ms");
  CHECK(Show(options, "application_name") == "other");
}

TEST_CASE("the next host is tried when the first is away") {
  const NoteDatabase notes;
  const Statement statements[] = {kShow};
  PoolOptions options = notes.Options(statements);
  const std::string host = "host=127.0.0.1 port=";
  REQUIRE(options.dsn.starts_with(host));
  options.dsn.replace(0, host.size(), "target_session_attrs=read-write host=127.0.0.1,127.0.0.1 port=1,");
  CHECK(Show(options, "application_name") == kApplication);
}

}  // namespace
}  // namespace verdict::pg
