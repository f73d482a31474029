#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <thread>

#include <catch2/catch.hpp>
#include <pqxx/pqxx>

#include "common/pg/pool.h"
#include "common/status/error.h"
#include "tests/support/database.h"

// What the tests of this folder share.
namespace verdict::pg {

inline constexpr std::string_view kApplication = "pg_test";

// A database with one table of its own.
struct NoteDatabase {
  NoteDatabase() { database.Query("create table note (id int constraint note_id primary key, body text)"); }

  std::string Dsn() const { return database.Dsn("postgres"); }

  PoolOptions Options(std::span<const Statement> statements) const {
    return {.dsn = Dsn(), .size = 2, .statements = statements, .application_name = std::string(kApplication)};
  }

  // Waits until `condition`, a boolean expression over a row of pg_stat_activity, holds for a connection of
  // the tests.
  void AwaitActivity(const std::string& condition) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (database.Query("select count(*) > 0 from pg_stat_activity where " + Ours() + " and " +
                          condition) != "t") {
      REQUIRE(std::chrono::steady_clock::now() < deadline);
    }
  }

  // Ends the tests' connections and waits until they are gone.
  void Terminate() const {
    database.Query("select pg_terminate_backend(pid, 20000) from pg_stat_activity where " + Ours());
  }

  static std::string Ours() {
    return "datname = current_database() and application_name = '" + std::string(kApplication) + "'";
  }

  test::TestDatabase database;
  const std::string name = database.Query("select current_database()");
};

inline std::string ReasonNameOf(const absl::Status& status) {
  return std::string(ReasonName(ReasonOf(status)));
}

}  // namespace verdict::pg
