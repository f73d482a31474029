#include "common/log/log.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <catch2/catch.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/await.h"

namespace verdict::log {
namespace {

const Time kTime(std::chrono::milliseconds(1780088059746));

boost::json::object Parse(const std::string& line) { return boost::json::parse(line).as_object(); }

// What `body` writes to stderr.
template <typename Body>
std::string StderrOf(Body body) {
  std::FILE* file = std::tmpfile();
  const int saved = dup(STDERR_FILENO);
  dup2(fileno(file), STDERR_FILENO);
  body();
  std::fflush(stderr);
  dup2(saved, STDERR_FILENO);
  close(saved);
  std::fseek(file, 0, SEEK_SET);
  std::string text;
  std::array<char, 4096> buffer;
  while (const size_t count = std::fread(buffer.data(), 1, buffer.size(), file))
    text.append(buffer.data(), count);
  std::fclose(file);
  return text;
}

// The last bytes of the file that stderr is.
std::string EndOfStderr() {
  struct stat status = {};
  fstat(STDERR_FILENO, &status);
  std::string end(std::min<size_t>(static_cast<size_t>(status.st_size), 200), '\0');
  end.resize(static_cast<size_t>(std::max<ssize_t>(
      pread(STDERR_FILENO, end.data(), end.size(), status.st_size - static_cast<off_t>(end.size())), 0)));
  return end;
}

TEST_CASE("a line is one JSON object with its fields in order") {
  const std::string text = "t";
  CHECK(FormatLine(kTime, Level::kWarn, "token", "it happened",
                   {{"text", text},
                    {"literal", "l"},
                    {"int", -3},
                    {"size", size_t{7}},
                    {"half", 0.5},
                    {"yes", true}}) ==
        R"({"time":"2026-05-29T20:54:19.746Z","level":"warn","service":"token","message":"it happened",)"
        R"("text":"t","literal":"l","int":-3,"size":7,"half":0.5,"yes":true})");
}

TEST_CASE("a line parses as JSON and stays one line whatever bytes its fields hold") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 5'000; ++round) {
    std::string bytes(random() % 40, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    const std::string line = FormatLine(kTime, Level::kInfo, bytes, bytes, {{bytes, bytes}});
    REQUIRE(line.find('\n') == std::string::npos);
    boost::json::error_code error;
    boost::json::parse(line, error);
    REQUIRE_FALSE(error);
  }
}

TEST_CASE("text is kept, and what is no UTF-8 is replaced") {
  const auto logged = [](std::string_view bytes) {
    const auto line = Parse(FormatLine(kTime, Level::kInfo, "", "", {{"text", bytes}}));
    return std::string(line.at("text").as_string());
  };
  for (const std::string& text :
       {std::string("quote \" backslash \\ newline \n tab \t"), std::string("a\0b", 3),
        std::string("é ß ₤ 𝄞 \u2028 \U0010ffff \ud7ff \ue000")}) {
    CHECK(logged(text) == text);
  }
  const std::string replaced = "\ufffd";
  CHECK(logged("a\xff"
               "b") == "a" + replaced + "b");
  CHECK(logged("\xc3") == replaced);                                               // cut short
  CHECK(logged("\xe2\x82") == replaced + replaced);                                // cut short
  CHECK(logged("\xc0\xaf") == replaced + replaced);                                // overlong
  CHECK(logged("\xed\xa0\x80") == replaced + replaced + replaced);                 // a surrogate
  CHECK(logged("\xf4\x90\x80\x80") == replaced + replaced + replaced + replaced);  // over U+10FFFF
}

TEST_CASE("numbers that JSON cannot write become texts") {
  const auto line = Parse(FormatLine(kTime, Level::kInfo, "", "",
                                     {{"inf", std::numeric_limits<double>::infinity()},
                                      {"nan", std::numeric_limits<double>::quiet_NaN()},
                                      {"large", std::numeric_limits<int64_t>::max()}}));
  CHECK(line.at("inf").as_string() == "inf");
  CHECK(line.at("nan").as_string() == "nan");
  CHECK(line.at("large").as_int64() == std::numeric_limits<int64_t>::max());
}

TEST_CASE("lines go to stderr, from the level that Init sets") {
  Level level = Level::kInfo;
  REQUIRE(ParseLevel("warn", &level));
  const std::string text = StderrOf([&] {
    Init("token", level);
    Info("dropped");
    Warn("{} kept %v", {{"count", 1}});
    Error("kept too");
  });
  const size_t newline = text.find('\n');
  REQUIRE(newline != std::string::npos);
  const auto first = Parse(text.substr(0, newline));
  CHECK(first.at("service").as_string() == "token");
  CHECK(first.at("level").as_string() == "warn");
  CHECK(first.at("message").as_string() == "{} kept %v");
  CHECK(first.at("count").as_int64() == 1);
  const auto second = Parse(text.substr(newline + 1, text.size() - newline - 2));
  CHECK(second.at("level").as_string() == "error");
}

TEST_CASE("lines that may wait are written soon, whole and in order") {
  constexpr int kThreads = 4;
  constexpr int kLines = 2'000;  // some 600 KB: more than may wait
  const std::string text = StderrOf([] {
    Init("token", Level::kInfo);
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([thread] {
        for (int i = 0; i < kLines; ++i) Info("line", {{"thread", thread}, {"number", i}});
      });
    }
    threads.clear();
    Info("the last");
    test::Await("the last line", [] { return EndOfStderr().find("the last") != std::string::npos; });
  });
  std::array<int64_t, kThreads> next = {};
  int lines = 0;
  for (size_t start = 0; start < text.size(); ++lines) {
    const size_t end = text.find('\n', start);
    const auto line = Parse(text.substr(start, end - start));
    start = end + 1;
    if (line.at("message").as_string() == "the last") continue;
    int64_t& number = next.at(static_cast<size_t>(line.at("thread").as_int64()));
    REQUIRE(line.at("number").as_int64() == number);
    ++number;
  }
  CHECK(lines == kThreads * kLines + 1);
}

// Run by the next test, in a process of its own.
TEST_CASE("logs and exits", "[.]") {
  Init("token", Level::kInfo);
  for (int i = 0; i < 100; ++i) Info("line", {{"number", i}});
  std::exit(0);
}

TEST_CASE("no line is lost at exit") {
  const auto program = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> process(
      popen(("'" + program + "' 'logs and exits' 2>&1 >/dev/null").c_str(), "r"), pclose);
  REQUIRE(process != nullptr);
  std::array<char, 4096> line;
  for (int i = 0; i < 100; ++i) {
    REQUIRE(std::fgets(line.data(), line.size(), process.get()) != nullptr);
    CHECK(Parse(line.data()).at("number").as_int64() == i);
  }
}

TEST_CASE("an unknown level is refused") {
  Level level = Level::kError;
  CHECK_FALSE(ParseLevel("verbose", &level));
  CHECK_FALSE(ParseLevel("", &level));
  CHECK(level == Level::kError);
  CHECK(ParseLevel("debug", &level));
  CHECK(level == Level::kDebug);
}

}  // namespace
}  // namespace verdict::log
