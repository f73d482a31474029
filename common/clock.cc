#include "common/clock.h"

#include <cstddef>
#include <cstdint>

#include <google/protobuf/util/time_util.h>

namespace verdict {
namespace {

// Writes the last `width` decimal digits of the value.
void PutDigits(std::int64_t value, std::size_t width, char* out) {
  for (; width > 0; value /= 10) out[--width] = static_cast<char>('0' + value % 10);
}

}  // namespace

Time SystemClock::Now() const {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

Time FakeClock::Now() const {
  absl::MutexLock lock(&mutex_);
  return now_;
}

void FakeClock::Set(Time now) {
  absl::MutexLock lock(&mutex_);
  now_ = now;
}

void FakeClock::Advance(std::chrono::milliseconds by) {
  absl::MutexLock lock(&mutex_);
  now_ += by;
}

std::string FormatTime(Time time) {
  std::string text;
  AppendTime(time, text);
  return text;
}

void AppendTime(Time time, std::string& out) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  char text[] = "YYYY-MM-DDThh:mm:ss.mmmZ";
  PutDigits(static_cast<int>(date.year()), 4, text);
  PutDigits(static_cast<unsigned>(date.month()), 2, text + 5);
  PutDigits(static_cast<unsigned>(date.day()), 2, text + 8);
  PutDigits(clock.hours().count(), 2, text + 11);
  PutDigits(clock.minutes().count(), 2, text + 14);
  PutDigits(clock.seconds().count(), 2, text + 17);
  PutDigits(clock.subseconds().count(), 3, text + 20);
  out.append(text, sizeof text - 1);
}

google::protobuf::Timestamp ToProto(Time time) {
  return google::protobuf::util::TimeUtil::MillisecondsToTimestamp(time.time_since_epoch().count());
}

Time FromProto(const google::protobuf::Timestamp& timestamp) {
  return Time(std::chrono::seconds(timestamp.seconds()) +
              std::chrono::floor<std::chrono::milliseconds>(std::chrono::nanoseconds(timestamp.nanos())));
}

bool IsTime(const google::protobuf::Timestamp& timestamp) {
  // As seconds: the caller's number may be too large for milliseconds.
  const std::chrono::seconds seconds(timestamp.seconds());
  return seconds >= std::chrono::ceil<std::chrono::seconds>(kTimeMin.time_since_epoch()) &&
         seconds <= std::chrono::floor<std::chrono::seconds>(kTimeMax.time_since_epoch()) &&
         timestamp.nanos() >= 0 && timestamp.nanos() < 1'000'000'000;
}

}  // namespace verdict
