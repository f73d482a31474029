#include "common/log/log.h"

#include <array>
#include <cstdio>
#include <limits>
#include <random>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <catch2/catch.hpp>
#include <unistd.h>

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
        R"("text":"t","literal":"l","int":-3,"size":7,"half":5E-1,"yes":true})");
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
