#include "services/feedback/prompt_content.h"

#include <optional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "absl/strings/escaping.h"
#include "tests/support/usage.h"

namespace verdict::feedback {
namespace {

using namespace std::string_literals;

std::string HashOf(std::string_view content, std::optional<std::string_view> model_id = {}) {
  const crypto::Digest hash = ContentHash(content, model_id);
  const std::string_view bytes = crypto::AsText(hash);
  return absl::BytesToHexString({bytes.data(), bytes.size()});
}

std::string Utf8(char32_t c) {
  const auto rest = [c](int shift) { return static_cast<char>(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xc0 | c >> 6), rest(0)};
  if (c < 0x10000) return {static_cast<char>(0xe0 | c >> 12), rest(6), rest(0)};
  return {static_cast<char>(0xf0 | c >> 18), rest(12), rest(6), rest(0)};
}

// Calls `use` with every character that UTF-8 has.
template <typename Use>
void ForEachCharacter(Use use) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c < 0xd800 || c >= 0xe000) use(c);
  }
}

// What normalize_prompt_text of ZeroEval's SDK 0.10.4 makes of the left.
TEST_CASE("a content is normalized as Python does it") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {" \n\t\r\n", ""},
      {"a", "a"},
      {"a\r\r\nb", "a\n\nb"},
      {"a \rb\n\r\nc", "a\nb\n\nc"},
      {"  lead\n  keep", "lead\n  keep"},
      {"\r\n \t one \t \r two\x1c\u0085\n\n  three\u00a0\u2003\n", "one\n two\n\n  three"},
      {"\u0085a\u0085b\u3000", "a\u0085b"},
      {"a\u2028 b\u2029", "a\u2028 b"},
      {"\u200b x \ufeff", "\u200b x \ufeff"},
      {"\u180ea\u180e", "\u180ea\u180e"},
      {"{{name}}  \n{{ x }}", "{{name}}\n{{ x }}"},
  };
  for (const auto& [content, normalized] : cases) {
    CAPTURE(content);
    CHECK(NormalizedContent(content) == normalized);
    CHECK(NormalizedContent(normalized) == normalized);
  }
}

// [c for c in map(chr, range(0x110000)) if c.isspace()]
TEST_CASE("white space is what Python says, of all characters") {
  std::vector<char32_t> spaces;
  ForEachCharacter([&](char32_t c) {
    const std::string text = Utf8(c);
    if (NormalizedContent(text + "x" + text) == "x") spaces.push_back(c);
  });
  CHECK(spaces == std::vector<char32_t>{0x9,    0xa,    0xb,    0xc,    0xd,    0x1c,   0x1d,   0x1e,
                                        0x1f,   0x20,   0x85,   0xa0,   0x1680, 0x2000, 0x2001, 0x2002,
                                        0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200a,
                                        0x2028, 0x2029, 0x202f, 0x205f, 0x3000});
}

// hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest(), as canonical_prompt_hash of the
// SDK.
TEST_CASE("a content hash is that of Python's JSON") {
  CHECK(HashOf("You are a support agent. Answer {{name}}.") ==
        "2acaa5c9759359a7a04e5873ab7644568ce43b31cd381d964e73e2f0b7205180");
  CHECK(HashOf("You are a support agent. Answer {{name}}.", "gpt-4o-mini") ==
        "1a6dfece9cd1f7d6759f84918f0e2c6dc3ac41950422d25bc78f91588784e913");
  CHECK(HashOf("Say \"hi\" \\ / \b\f\t<x>\nnext") ==
        "902a9f2c583acf2c2d5bc56bcafb03d0386a0aed07d65f1381b49547855e724e");
  CHECK(HashOf("Gr\u00fc\u00dfe, \u4e16\u754c! \u0414\u0430\u00e9", "mod\u00e8l/\u00e9") ==
        "80e8f2d096fb5389dc578946866e92673b43a45ff92bc0069ffbb97fb26a6dec");
  CHECK(HashOf("\U0001f600 \U0010ffff \ud7ff\ue000\uffff \U00010000") ==
        "3ad6454ef1e30ca5bb6c13a32f30cd7267915be0de95b6023fc01c3bd93598de");
  CHECK(HashOf("\x01\x02\x1f\x7f\u0080\u009f\u200b\ufeff.", "\x1b") ==
        "61c1d26502019e093fa61fe626ca11a0c3abea41b0f8c1d6c07ef56af147c88e");
  CHECK(HashOf(R"({"content": "a"})") == "120367ef6f1eadce6e5f521919229406c9275f6f1b545c1321f0ee330f8b7c82");

  std::string all;
  ForEachCharacter([&](char32_t c) { all += Utf8(c); });
  CHECK(HashOf(all) == "4129eec059bce73112578858038addffb28b493839cec9829f4bc9edc49a023f");
}

TEST_CASE("what is no UTF-8 does no harm") {
  for (const std::string& text : {"\x80\x80"s, "\xf0"s, "\xff"s, "a\xe2\x80"s, "\xc2 "s}) {
    CHECK_FALSE(NormalizedContent(text).empty());
    CHECK(HashOf(text).size() == 64);
  }
}

TEST_CASE("the longest contents take little time") {
  std::string spaces;
  while (spaces.size() + 4 < 131'072) spaces += "\u2003\r";
  for (const std::string& content : {spaces, std::string(131'072, '\x80'), std::string(131'072, '\r')}) {
    const double start = test::ThreadCpuSeconds();
    const std::string normalized = NormalizedContent(content);
    HashOf(content);
    CHECK(test::ThreadCpuSeconds() - start < 0.5);
    CHECK(normalized.size() <= content.size());
  }
}

}  // namespace
}  // namespace verdict::feedback
