#include "services/feedback/config.h"

#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "common/token/test_keyset.h"

namespace verdict::feedback {
namespace {

// What --check-config says of settings that are complete but for `setting`.
std::string MistakesOf(const std::string& setting) {
  const token::TestKeySet files;
  files.WriteFile("dsn", "dbname=verdict", 0400);
  FeedbackConfig config;
  config::Parser parser("verdict-feedback", "Test.");
  config.AddTo(parser);
  const std::string dsn = "--database-dsn-file=" + (files.directory() / "dsn").string();
  const std::string keys = "--keyset-dir=" + files.directory().string();
  const std::vector<const char*> arguments = {dsn.c_str(), keys.c_str(), "--token-address=127.0.0.1:1",
                                              setting.c_str(), "--check-config"};
  std::ostringstream out;
  std::ostringstream err;
  parser.Parse(arguments, [](const char*) { return nullptr; }, out, err);
  return err.str();
}

TEST_CASE("settings of spans and garbage have their bounds") {
  for (const char* good : {"--span-writers=1", "--span-writers=64", "--garbage-interval=1s",
                           "--stub-retention=1h", "--span-retention=0s", "--span-retention=1d"}) {
    INFO(good);
    CHECK(MistakesOf(good).empty());
  }
  for (const std::string bad : {"--span-writers=0", "--span-writers=65", "--garbage-interval=999ms",
                                "--stub-retention=59m", "--span-retention=23h", "--span-retention=-1d"}) {
    INFO(bad);
    CHECK_THAT(MistakesOf(bad), Catch::Contains(bad.substr(0, bad.find('='))));
  }
}

}  // namespace
}  // namespace verdict::feedback
