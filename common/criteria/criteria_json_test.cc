#include "common/criteria/criteria_json.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <random>

#include <catch2/catch.hpp>

namespace verdict::criteria {
namespace {

TEST_CASE("scores by criterion have one text, whatever the order they came in") {
  Scores scores;
  scores["tone"].set_score(4);
  scores["clarity"].set_score(0.1);
  scores["clarity"].set_reason("\"so so\"\n");
  CHECK(ToJson(scores) == R"({"clarity":{"score":0.1,"reason":"\"so so\"\n"},"tone":{"score":4}})");
  CHECK(ToJson(Scores()) == "{}");

  Opinions opinions;
  opinions["tone"].set_reason("too dry");
  opinions["wit"].set_expected_score(-1e300);
  opinions["zest"];
  CHECK(ToJson(opinions) == R"({"tone":{"reason":"too dry"},"wit":{"expected_score":-1e+300},"zest":{}})");
}

TEST_CASE("what the database makes of the text reads back as it was") {
  Scores scores;
  REQUIRE(FromJson(
      R"({"a": {"score": 9, "reason": "é \" \u0001"}, "b\\": {"reason": "", "score": 0.30000000000000004}})",
      scores));
  REQUIRE(scores.size() == 2);
  CHECK(scores.at("a").score() == 9);
  CHECK(scores.at("a").reason() == "é \" \x01");
  CHECK(scores.at("b\\").score() == 0.30000000000000004);
  CHECK(scores.at("b\\").reason().empty());
}

TEST_CASE("every double survives, to the last bit") {
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    const auto number = std::bit_cast<double>(static_cast<std::uint64_t>(random()));
    if (!std::isfinite(number)) continue;
    Opinions written;
    written["k"].set_expected_score(number);
    Opinions read;
    REQUIRE(FromJson(ToJson(written), read));
    REQUIRE(std::bit_cast<std::uint64_t>(read.at("k").expected_score()) ==
            std::bit_cast<std::uint64_t>(number));
  }
}

TEST_CASE("other JSON is told from values by criterion") {
  for (const char* text :
       {"", "[]", "1", R"({"a":1})", R"({"a":"b"})", R"({"a":{"score":"1"}})", R"({"a":{"score":null}})",
        R"({"a":{"expected_score":1}})", R"({"a":{"reason":true}})", R"({"a":{"score":{}}})", "{"}) {
    INFO(text);
    Scores scores;
    CHECK_FALSE(FromJson(text, scores));
  }
}

}  // namespace
}  // namespace verdict::criteria
