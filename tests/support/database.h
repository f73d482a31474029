#pragma once

#include <string>
#include <string_view>

namespace verdict::test {

// A database of its own for one test, with the present schema and no rows: a copy of the template in the
// cluster that ctest starts (its folder is in VERDICT_TEST_CLUSTER). Dropped at the end, connected or not.
//
//   TestDatabase database;
//   Store store(database.Dsn("feedback"));
//   CHECK(database.Query("select count(*) from feedback") == "1");
//
// Thread-safe. Throws std::exception, as a test may.
class TestDatabase {
 public:
  TestDatabase();
  ~TestDatabase();
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  // The libpq connection string of "owner", "token", "feedback", "aggregator" or "postgres" (the superuser).
  std::string Dsn(std::string_view role) const;

  // Runs one or more statements as superuser and returns the last one's rows as psql prints them unaligned:
  // columns parted by '|', rows by '\n', null as nothing. Each call is a transaction.
  std::string Query(std::string_view sql) const;

  // While connections are not allowed the database is away, also for those who have one, and for Query.
  void AllowConnections(bool allowed) const;

 private:
  std::string name_;
};

}  // namespace verdict::test
