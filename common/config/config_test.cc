#include "common/config/config.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>

#include <catch2/catch.hpp>
#include <unistd.h>

namespace verdict::config {
namespace {

using namespace std::chrono_literals;
using Catch::Contains;

struct Config {
  std::string listen = "127.0.0.1:0";
  int64_t offset = -1;
  uint32_t threads = 2;
  size_t bytes = 1024;
  bool reflection = false;
  std::chrono::milliseconds drain_timeout = 25s;
  Secret dsn = {};
};

// A parser of Config, and what it printed.
struct Run {
  Run() {
    parser.Add("listen", &config.listen, "Address to listen on.");
    parser.Add("offset", &config.offset, "An offset.");
    parser.Add("threads", &config.threads, "Threads.");
    parser.Add("bytes", &config.bytes, "Bytes.");
    parser.Add("reflection", &config.reflection, "Whether to serve reflection.");
    parser.Add("drain-timeout", &config.drain_timeout, "Time to drain.");
    parser.AddSecretFile("database-dsn-file", &config.dsn, "File with the connection string.");
    parser.Check([this] { return config.threads > 0; }, "--threads must be at least 1.");
  }

  std::optional<int> With(std::vector<const char*> arguments,
                          std::map<std::string, const char*> environment = {}) {
    return parser.Parse(
        arguments,
        [&](const char* name) {
          const auto found = environment.find(name);
          return found == environment.end() ? nullptr : found->second;
        },
        out, err);
  }

  Config config;
  Parser parser{"verdict-test", "Tests settings."};
  std::ostringstream out;
  std::ostringstream err;
};

class File {
 public:
  explicit File(std::string_view content)
      : path_(std::filesystem::temp_directory_path() / ("verdict-config-test-" + std::to_string(getpid()))) {
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~File() { std::filesystem::remove(path_); }
  const char* path() const { return path_.c_str(); }

 private:
  std::filesystem::path path_;
};

TEST_CASE("without flags and environment the defaults stand") {
  Run run;
  CHECK_FALSE(run.With({}));
  CHECK(run.config.listen == "127.0.0.1:0");
  CHECK(run.config.drain_timeout == 25s);
  CHECK(run.err.str().empty());
}

TEST_CASE("a flag wins over the environment, which wins over the default") {
  Run run;
  CHECK_FALSE(run.With({"--threads=8"}, {{"VERDICT_THREADS", "4"}, {"VERDICT_DRAIN_TIMEOUT", "3s"}}));
  CHECK(run.config.threads == 8);
  CHECK(run.config.drain_timeout == 3s);
  CHECK(run.config.listen == "127.0.0.1:0");
}

TEST_CASE("flags take their value after = or a space, and a boolean flag needs none") {
  Run run;
  CHECK_FALSE(run.With({"--listen", "[::1]:80", "--offset=-7", "--bytes", "0", "--reflection"}));
  CHECK(run.config.listen == "[::1]:80");
  CHECK(run.config.offset == -7);
  CHECK(run.config.bytes == 0);
  CHECK(run.config.reflection);

  Run off;
  CHECK_FALSE(off.With({"--reflection=false", "--listen=a=b"}, {{"VERDICT_REFLECTION", "true"}}));
  CHECK_FALSE(off.config.reflection);
  CHECK(off.config.listen == "a=b");
}

TEST_CASE("an empty environment variable counts as absent") {
  Run run;
  CHECK_FALSE(run.With({}, {{"VERDICT_THREADS", ""}, {"VERDICT_LISTEN", ""}}));
  CHECK(run.config.threads == 2);
  CHECK(run.config.listen == "127.0.0.1:0");
}

TEST_CASE("all mistakes are reported at once, each with its source") {
  Run run;
  run.parser.Require("database-dsn-file");
  CHECK(run.With({"--threads=-1", "--colour=red", "stray", "--drain-timeout=5", "--listen"},
                 {{"VERDICT_OFFSET", "x"}, {"VERDICT_REFLECTION", "yes"}}) == 2);
  const std::string err = run.err.str();
  CHECK_THAT(err, Contains("verdict-test: --threads: is not an integer from 0 to 4294967295."));
  CHECK_THAT(err, Contains("--colour is not a setting."));
  CHECK_THAT(err, Contains("stray is not a setting."));
  CHECK_THAT(err, Contains("--drain-timeout: is not a duration"));
  CHECK_THAT(err, Contains("--listen needs a value."));
  CHECK_THAT(err, Contains("VERDICT_OFFSET: is not an integer"));
  CHECK_THAT(err, Contains("VERDICT_REFLECTION: is neither true nor false."));
  CHECK_THAT(err, Contains("--database-dsn-file is required (or VERDICT_DATABASE_DSN_FILE)."));
  CHECK(run.out.str().empty());
}

TEST_CASE("numbers must fit and be nothing else") {
  for (const char* flag :
       {"--threads=4294967296", "--threads=1.5", "--threads= 1", "--threads=1x",
        "--threads=", "--offset=9223372036854775808", "--bytes=18446744073709551616", "--bytes=+1"}) {
    INFO(flag);
    Run run;
    CHECK(run.With({flag}) == 2);
  }
}

TEST_CASE("a rule that does not hold is a mistake") {
  Run run;
  CHECK(run.With({"--threads=0"}) == 2);
  CHECK_THAT(run.err.str(), Contains("--threads must be at least 1."));
}

TEST_CASE("a rule may find out itself what to change") {
  Run run;
  run.parser.Check(
      [&run] { return run.config.offset == 7 ? std::string("--offset must be even.") : std::string(); });
  CHECK(run.With({"--offset=7"}) == 2);
  CHECK_THAT(run.err.str(), Catch::Contains("--offset must be even."));
  CHECK_FALSE(run.With({"--offset=8"}));
}

TEST_CASE("a secret comes from a file, less one newline, and is never shown") {
  const File file("host=db password=hunter2\n\n");
  Run run;
  CHECK_FALSE(run.With({"--database-dsn-file", file.path()}));
  CHECK(run.config.dsn.value() == "host=db password=hunter2\n");
  for (const auto& [name, value] : run.parser.Effective()) CHECK_THAT(value, !Contains("hunter2"));
  std::ostringstream printed;
  printed << run.config.dsn << Secret();
  CHECK(printed.str() == "setnot set");
}

TEST_CASE("a secret's file must be readable, of bounded size and not empty") {
  Run missing;
  CHECK(missing.With({"--database-dsn-file=/nonexistent"}) == 2);
  CHECK_THAT(missing.err.str(), Contains("--database-dsn-file: cannot read the file /nonexistent."));
  Run folder;
  CHECK(folder.With({"--database-dsn-file=/tmp"}) == 2);
  {
    const File file("\n");
    Run run;
    CHECK(run.With({"--database-dsn-file", file.path()}) == 2);
    CHECK_THAT(run.err.str(), Contains("is empty."));
  }
  {
    const File file(std::string(64 * 1024 + 1, 'x'));
    Run run;
    CHECK(run.With({"--database-dsn-file", file.path()}) == 2);
    CHECK_THAT(run.err.str(), Contains("larger than 64 KiB"));
  }
  const File largest(std::string(64 * 1024, 'x'));
  Run run;
  CHECK_FALSE(run.With({"--database-dsn-file", largest.path()}));
}

TEST_CASE("--check-config exits 0 when the settings are valid and 2 when not") {
  Run valid;
  CHECK(valid.With({"--check-config", "--threads=3"}) == 0);
  CHECK_THAT(valid.out.str(), Contains("the settings are valid"));
  Run invalid;
  CHECK(invalid.With({"--check-config", "--threads=x"}) == 2);
}

TEST_CASE("--help shows each setting with its variable, sentence and default") {
  Run run;
  run.parser.Require("listen");
  CHECK(run.With({"--help", "--threads=x"}) == 0);
  const std::string out = run.out.str();
  CHECK_THAT(out, Contains("verdict-test: Tests settings."));
  CHECK_THAT(out, Contains("--threads VALUE  (VERDICT_THREADS)\n      Threads. Default: 2."));
  CHECK_THAT(out,
             Contains("--drain-timeout VALUE  (VERDICT_DRAIN_TIMEOUT)\n      Time to drain. Default: 25s."));
  CHECK_THAT(out, Contains("Address to listen on. Required."));
  CHECK_THAT(out, Contains("--reflection  (VERDICT_REFLECTION)"));
}

TEST_CASE("durations are an integer and a unit") {
  CHECK(ParseDuration("250ms") == 250ms);
  CHECK(ParseDuration("5s") == 5s);
  CHECK(ParseDuration("10m") == 10min);
  CHECK(ParseDuration("24h") == 24h);
  CHECK(ParseDuration("30d") == 720h);
  CHECK(ParseDuration("0s") == 0s);
  for (const char* text : {"", "5", "s", "-5s", "5 s", " 5s", "5S", "1.5s", "5sec", "5s ", "1h30m",
                           "9223372036854775807s", "9223372036854775808ms"}) {
    INFO(text);
    CHECK_FALSE(ParseDuration(text));
  }
}

TEST_CASE("a duration is shown as it can be written") {
  for (const std::chrono::milliseconds duration :
       {0ms, 1ms, 1500ms, 90'000ms, 3'600'000ms, 86'400'000ms, 86'400'001ms}) {
    CHECK(ParseDuration(FormatDuration(duration)) == duration);
  }
  CHECK(FormatDuration(24h) == "1d");
  CHECK(FormatDuration(90s) == "90s");
}

}  // namespace
}  // namespace verdict::config
