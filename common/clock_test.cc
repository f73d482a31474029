#include "common/clock.h"

#include <cstdint>
#include <limits>

#include <catch2/catch.hpp>

namespace verdict {
namespace {

using namespace std::chrono_literals;

TEST_CASE("times are written in UTC with milliseconds") {
  CHECK(FormatTime(Time(1780088059746ms)) == "2026-05-29T20:54:19.746Z");
  CHECK(FormatTime(Time(0ms)) == "1970-01-01T00:00:00.000Z");
  CHECK(FormatTime(Time(-1ms)) == "1969-12-31T23:59:59.999Z");
  CHECK(FormatTime(Time(253402300799999ms)) == "9999-12-31T23:59:59.999Z");
}

TEST_CASE("a time survives the way to a Timestamp and back") {
  for (const Time time : {Time(0ms), Time(1780088059746ms), Time(-1ms), Time(-1000ms)}) {
    CHECK(FromProto(ToProto(time)) == time);
    CHECK(ToProto(time).nanos() >= 0);
  }
}

TEST_CASE("what is finer than a millisecond is rounded down") {
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(5);
  timestamp.set_nanos(1'999'999);
  CHECK(FromProto(timestamp) == Time(5001ms));
}

TEST_CASE("a time lies in the years 1 to 9999") {
  const auto is_time = [](int64_t seconds, int32_t nanos) {
    google::protobuf::Timestamp timestamp;
    timestamp.set_seconds(seconds);
    timestamp.set_nanos(nanos);
    return IsTime(timestamp);
  };
  CHECK(is_time(-62'135'596'800, 0));
  CHECK(is_time(253'402'300'799, 999'999'999));
  CHECK_FALSE(is_time(-62'135'596'801, 999'999'999));
  CHECK_FALSE(is_time(253'402'300'800, 0));
  CHECK_FALSE(is_time(std::numeric_limits<int64_t>::max(), 0));
  CHECK_FALSE(is_time(std::numeric_limits<int64_t>::min(), 0));
  CHECK_FALSE(is_time(0, -1));
  CHECK_FALSE(is_time(0, 1'000'000'000));
}

TEST_CASE("the fake clock stands still until it is moved") {
  FakeClock clock(Time(100ms));
  CHECK(clock.Now() == Time(100ms));
  clock.Advance(5ms);
  CHECK(clock.Now() == Time(105ms));
  clock.Set(Time(1ms));
  CHECK(clock.Now() == Time(1ms));
}

}  // namespace
}  // namespace verdict
