#include "gateway/timestamp.h"

#include <limits>

#include <catch2/catch.hpp>

#include "common/clock.h"

namespace verdict::gateway {
namespace {

std::string Rewritten(std::string_view text) {
  const auto time = ParseTimestamp(text);
  if (!time) return "";
  return FormatTime(FromProto(*time));
}

TEST_CASE("times of RFC 3339 are read with any offset and written in UTC") {
  struct Case {
    const char* read;
    const char* written;
  };
  const Case cases[] = {
      {"2026-05-29T20:54:19.746Z", "2026-05-29T20:54:19.746Z"},
      {"2026-05-29t20:54:19z", "2026-05-29T20:54:19.000Z"},
      {"2026-05-29T22:54:19.7+02:00", "2026-05-29T20:54:19.700Z"},
      {"2026-05-29T15:24:19.746999999-05:30", "2026-05-29T20:54:19.746Z"},
      {"2026-05-29T20:54:19-00:00", "2026-05-29T20:54:19.000Z"},
      {"1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"},
      {"2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"},
      {"0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"},
      {"9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999Z"},
      {"2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00.000Z"},
  };
  for (const Case& test : cases) {
    INFO(test.read);
    CHECK(Rewritten(test.read) == test.written);
  }
}

TEST_CASE("a date is its midnight in UTC") {
  const auto date = ParseDate("2026-01-31");
  REQUIRE(date);
  CHECK(FormatTime(FromProto(*date)) == "2026-01-31T00:00:00.000Z");
  for (const char* text : {"", "2026-02-29", "2026-1-31", "2026-01-3", "20260131", "2026-01-31T",
                           "2026-01-31 ", "2026-01-31T00:00:00Z", "0000-01-01", "today"}) {
    INFO(text);
    CHECK_FALSE(ParseDate(text));
  }
}

TEST_CASE("seconds since 1970 are kept to the microsecond, within the years that a time has") {
  struct Case {
    double epoch;
    int64_t seconds;
    int32_t nanos;
  };
  const Case cases[] = {
      {0, 0, 0},
      {-0.0, 0, 0},
      {1795302271.0564847, 1795302271, 56'485'000},
      {1795302271.999999, 1795302271, 999'999'000},
      {1795302271.9999998, 1795302272, 0},
      {-0.25, -1, 750'000'000},
      {1e-300, 0, 0},
      {-62135596800, -62135596800, 0},
      {253402300799, 253402300799, 0},
  };
  for (const Case& test : cases) {
    INFO(test.epoch);
    const auto time = TimestampOf(test.epoch);
    REQUIRE(time);
    CHECK(time->seconds() == test.seconds);
    CHECK(time->nanos() == test.nanos);
  }
  for (const double epoch :
       {-62135596800.5, -62135596801.0, 253402300800.0, 1795302271056.0 /* milliseconds */, 1e300, -1e300,
        std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    INFO(epoch);
    CHECK_FALSE(TimestampOf(epoch));
  }
}

TEST_CASE("nothing else is a time") {
  for (const char* text : {
           "",
           "2026-05-29",
           "20:54:19Z",
           "2026-05-29T20:54:19",
           "2026-05-29 20:54:19Z",
           "2026-05-29T20:54Z",
           "2026-05-29T20:54:19.Z",
           "2026-05-29T20:54:19,5Z",
           "2026-05-29T20:54:19.1234567890Z",
           "2026-05-29T20:54:19ZZ",
           "2026-05-29T20:54:19Z ",
           " 2026-05-29T20:54:19Z",
           "2026-05-29T20:54:19+0200",
           "2026-05-29T20:54:19+02",
           "2026-05-29T20:54:19+24:00",
           "2026-05-29T20:54:19+02:60",
           "2026-05-29T20:54:60Z",
           "2026-05-29T20:60:00Z",
           "2026-05-29T24:00:00Z",
           "2026-02-29T00:00:00Z",
           "2026-04-31T00:00:00Z",
           "2026-13-01T00:00:00Z",
           "2026-00-01T00:00:00Z",
           "2026-01-00T00:00:00Z",
           "0000-12-31T23:59:59Z",
           "0001-01-01T00:00:00+00:01",
           "9999-12-31T23:59:59-00:01",
           "+2026-05-29T20:54:19Z",
           "-026-05-29T20:54:19Z",
           "2026-5-29T20:54:19Z",
           "2026-05-29T20:54:1\xD9\xA9Z",
           "infinite-future",
           "1780088059",
       }) {
    INFO(text);
    CHECK_FALSE(ParseTimestamp(text));
  }
}

TEST_CASE("finer parts than milliseconds are kept when read") {
  CHECK(ParseTimestamp("2026-05-29T20:54:19.123456789Z")->nanos() == 123'456'789);
  CHECK(ParseTimestamp("1969-12-31T23:59:59.5Z")->seconds() == -1);
}

}  // namespace
}  // namespace verdict::gateway
