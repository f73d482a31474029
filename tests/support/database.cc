#include "tests/support/database.h"

#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <random>
#include <sstream>
#include <stdexcept>

#include <pqxx/pqxx>

namespace verdict::test {
namespace {

std::string ClusterFolder() {
  const char* folder = std::getenv("VERDICT_TEST_CLUSTER");
  if (folder == nullptr)
    throw std::runtime_error("VERDICT_TEST_CLUSTER is not set: run this test through ctest");
  return folder;
}

std::string DsnOf(std::string_view database, std::string_view role) {
  const std::string folder = ClusterFolder();
  std::string port;
  if (!(std::ifstream(folder + "/port") >> port)) {
    throw std::runtime_error("no cluster in " + folder + ": run this test through ctest");
  }
  std::ostringstream dsn;
  dsn << "host=127.0.0.1 port=" << port << " dbname=" << database
      << " user=" << (role == "postgres" ? "" : "verdict_") << role << " passfile='" << folder << "/pgpass'";
  return dsn.str();
}

// Statements about databases, which cannot run inside a transaction.
void Administer(const std::string& sql) {
  pqxx::connection connection(DsnOf("postgres", "postgres"));
  pqxx::nontransaction(connection).exec(sql);
}

std::string NewName() {
  std::random_device random;
  std::ostringstream name;
  name << "test_" << std::hex << std::setfill('0') << std::setw(8) << random() << std::setw(8) << random();
  return name.str();
}

}  // namespace

TestDatabase::TestDatabase() : name_(NewName()) {
  Administer("create database " + name_ + " template verdict_template owner verdict_owner");
}

TestDatabase::~TestDatabase() {
  try {
    Administer("drop database " + name_ + " with (force)");
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
    // The cluster is going away with everything in it.
  }
}

std::string TestDatabase::Dsn(std::string_view role) const { return DsnOf(name_, role); }

std::string TestDatabase::Query(std::string_view sql) const {
  pqxx::connection connection(Dsn("postgres"));
  pqxx::work transaction(connection);
  const pqxx::result rows = transaction.exec(std::string(sql));
  transaction.commit();

  std::string text;
  for (const pqxx::row& row : rows) {
    if (row.rownumber() > 0) text += '\n';
    for (pqxx::row::size_type column = 0; column < row.size(); ++column) {
      if (column > 0) text += '|';
      text += row[column].c_str();
    }
  }
  return text;
}

void TestDatabase::AllowConnections(bool allowed) const {
  Administer("alter database " + name_ + " allow_connections " + (allowed ? "on" : "off"));
  if (allowed) return;
  Administer("select pg_terminate_backend(pid, 20000) from pg_stat_activity where datname = '" + name_ + "'");
}

}  // namespace verdict::test
