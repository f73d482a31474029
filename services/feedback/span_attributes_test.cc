#include "services/feedback/span_attributes.h"

#include <catch2/catch.hpp>

namespace verdict::feedback {
namespace {

constexpr char kVersion[] = "0196f7e6-0b5c-7c7e-8a4e-1f2d3c4b5a69";

std::string VersionOf(std::string_view text) {
  const auto id = ReadAttributes(text).prompt_version_id;
  return id ? id->ToString() : "";
}
std::string ModelOf(std::string_view text) { return ReadAttributes(text).model.value_or(""); }

TEST_CASE("a span's prompt and model are read of its attributes, as ZeroEval's SDK sends them") {
  const std::string text = R"({"task": "support-bot", "variables": {"name": "Ada"}, "model": "gpt-4o",
      "zeroeval": {"task": "support-bot", "prompt_slug": null, "prompt_version": 1, "prompt_version_id": ")" +
                           std::string(kVersion) + R"(", "content_hash": "1a6d"}})";
  CHECK(VersionOf(text) == kVersion);
  CHECK(ModelOf(text) == "gpt-4o");
}

TEST_CASE("a model has three names, and the first that can be kept counts") {
  CHECK(ModelOf(R"({"gen_ai.request.model": "c", "llm.model": "b", "model": "a"})") == "a");
  CHECK(ModelOf(R"({"gen_ai.request.model": "c", "llm.model": "b", "model": 4})") == "b");
  CHECK(ModelOf(R"({"gen_ai.request.model": "c", "llm.model": "", "model": null})") == "c");
  CHECK(ModelOf(R"({"gen_ai.request.model": "c", "model": "a\u0000"})") == "c");
  CHECK(ModelOf(R"({"model": ")" + std::string(200, 'm') + R"("})") == std::string(200, 'm'));
  CHECK(ModelOf(R"({"model": ")" + std::string(201, 'm') + R"("})").empty());
}

TEST_CASE("what is of another kind is as if it were not there") {
  const std::string long_list = "[" + std::string(1 << 20, ' ') + "]";
  for (const std::string& text :
       {std::string(), std::string("null"), std::string("[]"), std::string("{"), std::string("{}"),
        std::string(R"({"zeroeval": null, "model": []})"),
        std::string(R"({"zeroeval": ")") + kVersion + R"(", "model": {}})",
        std::string(R"({"zeroeval": {"prompt_version_id": 7}})"),
        std::string(R"({"zeroeval": {"prompt_version_id": "7"}})"),
        R"({"zeroeval.prompt_version_id": ")" + std::string(kVersion) + R"("})",
        R"({"model": "m"} )" + std::string("x"), std::string(100, '[') + std::string(100, ']'),
        R"({"model": "m", "more": )" + long_list + "}"}) {
    CAPTURE(text.substr(0, 60));
    CHECK(VersionOf(text).empty());
    CHECK(ModelOf(text).empty());
  }
}

}  // namespace
}  // namespace verdict::feedback
