#include "common/ids/uuid.h"

#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "absl/container/flat_hash_set.h"

namespace verdict {
namespace {

constexpr std::string_view kText = "0190163d-8694-739b-aea5-966c26f8ad91";

TEST_CASE("a UUID's text survives the way to bytes and back") {
  CHECK(Uuid::Parse(kText).value().ToString() == kText);
  CHECK(Uuid::Parse("0190163D-8694-739B-AEA5-966C26F8AD91") == Uuid::Parse(kText));
  CHECK(Uuid::Parse("00000000-0000-0000-0000-000000000000").value().IsNil());
  CHECK_FALSE(Uuid::Parse(kText)->IsNil());
}

TEST_CASE("what is not 8-4-4-4-12 hex digits is no UUID") {
  for (const std::string& text : {
           std::string(),
           std::string("0190163d8694739baea5966c26f8ad91"),
           std::string("{0190163d-8694-739b-aea5-966c26f8ad91}"),
           std::string("urn:uuid:0190163d-8694-739b-aea5-966c26f8ad91"),
           std::string("0190163d-8694-739b-aea5-966c26f8ad9"),
           std::string("0190163d-8694-739b-aea5-966c26f8ad911"),
           std::string("0190163d-8694-739b-aea5-966c26f8ad9g"),
           std::string("0190163d+8694-739b-aea5-966c26f8ad91"),
           std::string("0190163d-8694-739b-aea5966c-26f8ad91"),
           std::string("0190163d-8694-739b-aea5-966c26f8ad9\0", 36),
           std::string(" 190163d-8694-739b-aea5-966c26f8ad91"),
       }) {
    INFO(text);
    CHECK_FALSE(Uuid::Parse(text));
  }
}

TEST_CASE("version 7 ids bear their time, version and variant") {
  const Uuid uuid = NewUuidV7(Time(std::chrono::milliseconds(0x7fffffff0102)));
  CHECK(uuid.ToString().substr(0, 15) == "7fffffff-0102-7");
  CHECK((uuid.bytes[8] & 0xc0) == 0x80);
}

TEST_CASE("version 7 ids ascend while the clock stands still or steps back") {
  const auto milliseconds = std::chrono::milliseconds(0x7fffffff0200);
  Uuid last = NewUuidV7(Time(milliseconds));
  for (int i = 0; i < 10'000; ++i) {
    const Uuid next = NewUuidV7(Time(milliseconds - std::chrono::milliseconds(i % 3)));
    REQUIRE(last < next);
    REQUIRE(next.ToString()[14] == '7');
    last = next;
  }
}

TEST_CASE("version 7 ids of many threads differ") {
  constexpr int kThreads = 4;
  constexpr int kEach = 5'000;
  std::vector<std::vector<Uuid>> made(kThreads);
  {
    std::vector<std::jthread> threads;
    for (auto& ids : made) {
      threads.emplace_back([&ids] {
        for (int i = 0; i < kEach; ++i) ids.push_back(NewUuidV7(SystemClock().Now()));
      });
    }
  }
  absl::flat_hash_set<Uuid> distinct;
  for (const auto& ids : made) distinct.insert(ids.begin(), ids.end());
  CHECK(distinct.size() == kThreads * kEach);
}

TEST_CASE("version 5 ids are those of other implementations") {
  CHECK(UuidV5Dns("www.example.com").ToString() == "2ed6657d-e927-568b-95e1-2665a8aea6a2");
  CHECK(UuidV5Dns("python.org").ToString() == "886313e1-3b8a-5372-9b90-0c9aee199e5d");
}

TEST_CASE("version 8 ids keep their maker's bits but those of version and variant") {
  const std::vector<uint8_t> ones(20, 0xff);
  CHECK(UuidV8(ones).ToString() == "ffffffff-ffff-8fff-bfff-ffffffffffff");
  const std::vector<uint8_t> zeros(16, 0);
  CHECK(UuidV8(zeros).ToString() == "00000000-0000-8000-8000-000000000000");
}

}  // namespace
}  // namespace verdict
