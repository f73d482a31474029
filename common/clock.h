#pragma once

#include <chrono>
#include <string>

#include <google/protobuf/timestamp.pb.h>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace verdict {

// A point in time. Milliseconds throughout, so that what is shown is what is stored and compared.
using Time = std::chrono::sys_time<std::chrono::milliseconds>;

// The first and the last that FormatTime and a Timestamp can show: the years 1 to 9999.
inline constexpr Time kTimeMin(std::chrono::seconds(-62'135'596'800));
inline constexpr Time kTimeMax(std::chrono::milliseconds(253'402'300'799'999));

// Where the time comes from, so that tests can set it. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time Now() const = 0;
};

// The time of day.
class SystemClock final : public Clock {
 public:
  Time Now() const override;
};

// Stands still until it is moved.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(Time now) : now_(now) {}

  Time Now() const override;
  void Set(Time now);
  void Advance(std::chrono::milliseconds by);

 private:
  mutable absl::Mutex mutex_;
  Time now_ ABSL_GUARDED_BY(mutex_);
};

// RFC 3339 in UTC with milliseconds: 2026-05-29T20:54:19.746Z. For years 0 to 9999.
std::string FormatTime(Time time);
void AppendTime(Time time, std::string& out);

// google.protobuf.Timestamp and back. FromProto rounds down to a millisecond.
google::protobuf::Timestamp ToProto(Time time);
Time FromProto(const google::protobuf::Timestamp& timestamp);

// Whether a caller's message keeps what google.protobuf.Timestamp promises: the years 1 to 9999. FromProto
// may overflow on others.
bool IsTime(const google::protobuf::Timestamp& timestamp);

}  // namespace verdict
