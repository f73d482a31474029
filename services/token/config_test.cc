#include "services/token/config.h"

#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "common/token/test_keyset.h"

namespace verdict::token {
namespace {

// What --check-config says of a keyset and an admin key.
std::string MistakesOf(const TestKeySet& files, const std::string& admin_key) {
  files.WriteFile("dsn", "dbname=verdict", 0400);
  files.WriteFile("admin", admin_key, 0400);
  TokenConfig config;
  config::Parser parser("verdict-token", "Test.");
  config.AddTo(parser);
  const std::string dsn = "--database-dsn-file=" + (files.directory() / "dsn").string();
  const std::string keys = "--keyset-dir=" + files.directory().string();
  const std::string admin = "--admin-key-file=" + (files.directory() / "admin").string();
  std::ostringstream out;
  std::ostringstream err;
  const std::vector<const char*> arguments = {dsn.c_str(), keys.c_str(), admin.c_str(), "--check-config"};
  parser.Parse(arguments, [](const char*) { return nullptr; }, out, err);
  return err.str();
}

TEST_CASE("the admin key must be long, and fit into a header") {
  const TestKeySet files;
  CHECK(MistakesOf(files, std::string(32, 'a')).empty());
  CHECK(MistakesOf(files, std::string(256, '~')).empty());
  for (const std::string& key :
       {std::string(31, 'a'), std::string(257, 'a'), std::string(32, ' '), std::string(32, 'a') + "\n\n"}) {
    CHECK_THAT(MistakesOf(files, key), Catch::Contains("--admin-key-file must hold"));
  }
}

TEST_CASE("a bad key set is found before the process starts") {
  const TestKeySet files;
  files.WriteKey("k1", 'a', 31);
  CHECK_THAT(MistakesOf(files, std::string(32, 'a')),
             Catch::Contains("--keyset-dir") && Catch::Contains("exactly 32"));
}

}  // namespace
}  // namespace verdict::token
