#include "common/clock.h"

#include <google/protobuf/util/time_util.h>

#include "absl/time/time.h"

namespace verdict {

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
  return absl::FormatTime("%E4Y-%m-%dT%H:%M:%E3SZ", absl::FromUnixMillis(time.time_since_epoch().count()),
                          absl::UTCTimeZone());
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
