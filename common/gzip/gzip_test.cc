#include "common/gzip/gzip.h"

#include <random>
#include <string>

#include <catch2/catch.hpp>

#include "common/gzip/test_gzip.h"
#include "common/status/error.h"
#include "tests/support/usage.h"

namespace verdict {
namespace {

constexpr std::size_t kMax = 1 << 20;

std::string Refusal(std::string_view compressed) {
  const auto inflated = Gunzip(compressed, kMax);
  return inflated.ok() ? "" : std::string(ReasonName(ReasonOf(inflated.status())));
}

TEST_CASE("gzip is inflated, all its members") {
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  std::string text(300'000, '\0');
  for (char& c : text) c = static_cast<char>(random() % 16);
  CHECK(*Gunzip(Gzip(text), kMax) == text);
  CHECK(*Gunzip(Gzip(""), kMax) == "");
  CHECK(*Gunzip(Gzip("one, ") + Gzip("") + Gzip("two"), kMax) == "one, two");
}

TEST_CASE("what is not gzip from its first byte to its last is refused") {
  const std::string good = Gzip("a text that is compressed, a text that is compressed");
  for (std::size_t size = 0; size < good.size(); ++size) {
    INFO(size);
    CHECK(Refusal(good.substr(0, size)) == "BAD_REQUEST");
    CHECK(Refusal(good + good.substr(0, size)) == (size == 0 ? "" : "BAD_REQUEST"));
  }
  CHECK(Refusal(good + "garbage") == "BAD_REQUEST");
  CHECK(Refusal(good + '\0') == "BAD_REQUEST");
  CHECK(Refusal("[]") == "BAD_REQUEST");
  CHECK(Refusal("\x78\x9c\x8b\x8e\x05\x00\x01\x16\x00\xb9") == "BAD_REQUEST");  // zlib's own format
  std::string corrupt = good;
  corrupt[corrupt.size() - 6] ^= 1;  // of the checksum
  CHECK(Refusal(corrupt) == "BAD_REQUEST");
}

TEST_CASE("nothing is inflated beyond the limit") {
  CHECK(Gunzip(Gzip(std::string(kMax, 'a')), kMax)->size() == kMax);
  CHECK(Refusal(Gzip(std::string(kMax + 1, 'a'))) == "BODY_TOO_LARGE");
  CHECK(Refusal(Gzip(std::string(kMax, 'a')) + Gzip("a")) == "BODY_TOO_LARGE");

  // 16 GiB, of which 1 MiB is made: some 10 ms in a debug build. And members of nothing, which cost little
  // each.
  constexpr double kSecondsMax = 0.3;
  const std::string member = Gzip(std::string(16 << 20, '\0'));
  std::string bomb;
  while (bomb.size() < 1024 * member.size()) bomb += member;
  double start = test::ThreadCpuSeconds();
  CHECK(Refusal(bomb) == "BODY_TOO_LARGE");
  CHECK(test::ThreadCpuSeconds() - start < kSecondsMax);

  const std::string nothing = Gzip("");
  std::string nothings;
  while (nothings.size() < (4 << 20)) nothings += nothing;
  start = test::ThreadCpuSeconds();
  CHECK(Gunzip(nothings, kMax)->empty());
  CHECK(test::ThreadCpuSeconds() - start < kSecondsMax);
}

}  // namespace
}  // namespace verdict
