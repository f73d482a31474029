#include "cli/text.h"

#include <catch2/catch.hpp>

#include "verdict/types/v1/entity.pb.h"

namespace verdict::cli {
namespace {

TEST_CASE("a duration is a number and a unit") {
  CHECK(ParseDuration("1s") == std::chrono::seconds(1));
  CHECK(ParseDuration("90m") == std::chrono::minutes(90));
  CHECK(ParseDuration("24h") == std::chrono::hours(24));
  CHECK(ParseDuration("30d") == std::chrono::days(30));
  CHECK(ParseDuration("10000d") == std::chrono::days(10'000));
}

TEST_CASE("anything else is no duration") {
  for (const char* text : {"", "d", "30", "30x", "-1h", "+1h", " 1h", "1h ", "1.5h", "0s", "10001d", "1500ms",
                           "99999999999999999999d", "9223372036854775807d"}) {
    INFO(text);
    CHECK_FALSE(ParseDuration(text));
  }
}

TEST_CASE("enum values are spelled as in our JSON") {
  const auto& type = *types::v1::EntityType_descriptor();
  CHECK(EnumNames(type) == "span, trace, session, eval_run, annotation");
  CHECK(FindEnumValue(type, "eval_run")->number() == types::v1::ENTITY_TYPE_EVAL_RUN);
  CHECK(FindEnumValue(type, "unspecified") == nullptr);
  CHECK(FindEnumValue(type, "ENTITY_TYPE_SPAN") == nullptr);
  CHECK(FindEnumValue(type, "") == nullptr);
}

TEST_CASE("the distance counts what must change") {
  CHECK(EditDistance("", "") == 0);
  CHECK(EditDistance("key", "key") == 0);
  CHECK(EditDistance("", "key") == 3);
  CHECK(EditDistance("key create", "key craete") == 2);
  CHECK(EditDistance("keys create", "key create") == 1);
}

TEST_CASE("text cannot drive the terminal") {
  CHECK(Printable("Zoë \x1b[31m\n\x7f") == "Zoë \\x1b[31m\\x0a\\x7f");
}

}  // namespace
}  // namespace verdict::cli
