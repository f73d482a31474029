#include "services/feedback/metadata.h"

#include <string>

#include <catch2/catch.hpp>

#include "common/status/error.h"

namespace verdict::feedback {
namespace {

std::string Nested(int depth) {
  std::string text;
  for (int i = 0; i < depth; ++i) text += "{\"a\":";
  return text + '1' + std::string(static_cast<size_t>(depth), '}');
}

TEST_CASE("a JSON object is metadata") {
  const std::string text = GENERATE(
      as<std::string>(), "{}", " {\"a\": [1, -0, 2.5e3, 1e308, true, null, \"\\u00e9\\ud83d\\ude00\"]}\n",
      R"({"id":9007199254740993123456789})", Nested(31), "{\"a\":1." + std::string(30, '3') + "}");
  CAPTURE(text);
  CHECK(CheckMetadata(text).ok());
}

TEST_CASE("anything else is not") {
  const std::string text =
      GENERATE(as<std::string>(), "", " ", "[]", "1", "\"a\"", "null", "{", "{}{}", "{} x", "{\"a\":1,}",
               "{'a':1}", "{\"a\":01}", "{\"a\":NaN}", "{\"a\":\"\xff\"}", "{\"a\":\"\\ud800\"}",
               "\xef\xbb\xbf{}", "{/**/}", Nested(32), "{\"a\":1e400}", "{\"a\":-1e400}", "{\"a\":1e-400}",
               "{\"a\":1e-20000}", "{\"a\":1e999999999999}", "{\"a\":" + std::string(400, '9') + "}",
               "{\"a\":1." + std::string(31, '3') + "}");
  CAPTURE(text);
  CHECK(ReasonOf(CheckMetadata(text)) == errors::v1::REASON_VALIDATION_ERROR);
}

TEST_CASE("a member that stands twice is refused, at any depth and however it is written") {
  const std::string text = GENERATE(as<std::string>(), R"({"a":1,"a":2})", R"({"a":1,"\u0061":2})",
                                    R"({"x":[{"b":1,"a":{},"b":{}}]})");
  CAPTURE(text);
  CHECK(ReasonOf(CheckMetadata(text)) == errors::v1::REASON_DUPLICATE_KEY);
  CHECK(CheckMetadata(R"({"a":{"b":1},"b":{"a":1}})").ok());
}

TEST_CASE("metadata may not grow beyond its bound when its numbers are written out") {
  const auto numbers = [](int count, const std::string& number) {
    std::string text = "{\"a\":[" + number;
    for (int i = 1; i < count; ++i) text += "," + number;
    return text + "]}";
  };
  CHECK(CheckMetadata(numbers(50, "1e300")).ok());
  CHECK(CheckMetadata(numbers(2700, "1.234")).ok());
  CHECK_FALSE(CheckMetadata(numbers(60, "1e300")).ok());
  CHECK_FALSE(CheckMetadata(numbers(60, "1E+300")).ok());
  CHECK_FALSE(CheckMetadata(numbers(60, "1e-300")).ok());
}

TEST_CASE("U+0000 in metadata is refused by name, in keys and values, escaped or not") {
  const std::string text =
      GENERATE(as<std::string>(), R"({"a":"b\u0000c"})", R"({"a\u0000":1})", R"([{"a":"\u0000"}])");
  CAPTURE(text);
  const Reason reason = ReasonOf(CheckMetadata(text));
  CHECK(reason == (text[0] == '{' ? errors::v1::REASON_INVALID_TEXT : errors::v1::REASON_VALIDATION_ERROR));
}

TEST_CASE("a hostile text of any length is refused in linear time") {
  CHECK_FALSE(CheckMetadata(std::string(1 << 20, '[')).ok());
  CHECK_FALSE(CheckMetadata("{\"a\":" + std::string(1 << 20, '1') + "}").ok());
  CHECK_FALSE(CheckMetadata("{\"a\":" + std::string(1 << 20, '{')).ok());
}

TEST_CASE("equal metadata have one canonical text") {
  CHECK(CanonicalMetadata(R"({"b": [1, {"y":2,"x":1}], "a": "\u00e9"})") ==
        CanonicalMetadata("{\"a\":\"é\",\n \"b\":[1,{\"x\":1,\"y\":2}]}"));
  CHECK(CanonicalMetadata(R"({"a":[1,2]})") != CanonicalMetadata(R"({"a":[2,1]})"));
  CHECK(CanonicalMetadata(R"({"a":"1"})") != CanonicalMetadata(R"({"a":1})"));
  CHECK(CanonicalMetadata(R"({"a":{"b":1}})") != CanonicalMetadata(R"({"a":{},"b":1})"));
  // As doubles these two are one.
  CHECK(CanonicalMetadata(R"({"a":18446744073709551616})") !=
        CanonicalMetadata(R"({"a":18446744073709551999})"));
}

}  // namespace
}  // namespace verdict::feedback
