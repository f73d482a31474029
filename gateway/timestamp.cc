#include "gateway/timestamp.h"

#include <chrono>
#include <cmath>
#include <string>

namespace verdict::gateway {
namespace {

using google::protobuf::Timestamp;
using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::year;
using std::chrono::year_month_day;

constexpr sys_seconds kFirst = sys_days(year(1) / 1 / 1);
constexpr sys_seconds kEnd = sys_days(year(10000) / 1 / 1);

// Takes exactly `width` digits, or `separator`, off the front of a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  std::optional<int> Digits(size_t width) {
    int value = 0;
    if (rest_.size() < width) return std::nullopt;
    for (const char digit : rest_.substr(0, width)) {
      if (digit < '0' || digit > '9') return std::nullopt;
      value = value * 10 + (digit - '0');
    }
    rest_.remove_prefix(width);
    return value;
  }
  // One of two characters.
  bool Take(char character, char other) {
    if (rest_.empty() || (rest_.front() != character && rest_.front() != other)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool Take(char character) { return Take(character, character); }
  bool AtDigit() const { return !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; }
  bool AtEnd() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

}  // namespace

std::optional<Timestamp> ParseTimestamp(std::string_view text) {
  Scanner scanner(text);
  const auto years = scanner.Digits(4);
  if (!years || !scanner.Take('-')) return std::nullopt;
  const auto months = scanner.Digits(2);
  if (!months || !scanner.Take('-')) return std::nullopt;
  const auto day_of_month = scanner.Digits(2);
  if (!day_of_month || !scanner.Take('T', 't')) return std::nullopt;
  const auto hours = scanner.Digits(2);
  if (!hours || *hours > 23 || !scanner.Take(':')) return std::nullopt;
  const auto minutes = scanner.Digits(2);
  if (!minutes || *minutes > 59 || !scanner.Take(':')) return std::nullopt;
  const auto seconds = scanner.Digits(2);
  if (!seconds || *seconds > 59) return std::nullopt;
  const year_month_day date(year(*years), std::chrono::month(static_cast<unsigned>(*months)),
                            std::chrono::day(static_cast<unsigned>(*day_of_month)));
  if (!date.ok()) return std::nullopt;

  int nanos = 0;
  if (scanner.Take('.')) {
    if (!scanner.AtDigit()) return std::nullopt;
    for (int unit = 100'000'000; scanner.AtDigit(); unit /= 10) {
      if (unit == 0) return std::nullopt;
      nanos += *scanner.Digits(1) * unit;
    }
  }

  std::chrono::minutes offset{0};
  if (!scanner.Take('Z', 'z')) {
    const bool is_west = scanner.Take('-');
    if (!is_west && !scanner.Take('+')) return std::nullopt;
    const auto offset_hours = scanner.Digits(2);
    if (!offset_hours || *offset_hours > 23 || !scanner.Take(':')) return std::nullopt;
    const auto offset_minutes = scanner.Digits(2);
    if (!offset_minutes || *offset_minutes > 59) return std::nullopt;
    offset = std::chrono::hours(*offset_hours) + std::chrono::minutes(*offset_minutes);
    if (is_west) offset = -offset;
  }
  if (!scanner.AtEnd()) return std::nullopt;

  const sys_seconds time = sys_days(date) + std::chrono::hours(*hours) + std::chrono::minutes(*minutes) +
                           std::chrono::seconds(*seconds) - offset;
  if (time < kFirst || time >= kEnd) return std::nullopt;
  Timestamp timestamp;
  timestamp.set_seconds(time.time_since_epoch().count());
  timestamp.set_nanos(nanos);
  return timestamp;
}

std::optional<Timestamp> ParseDate(std::string_view text) {
  constexpr size_t kDateSize = 10;
  return text.size() == kDateSize ? ParseTimestamp(std::string(text) + "T00:00:00Z") : std::nullopt;
}

std::optional<Timestamp> TimestampOf(double epoch_seconds) {
  using std::chrono::microseconds;
  using std::chrono::seconds;
  // Before the cast, which is good for 64 bits only; what is no number is in no range.
  const bool has_year = epoch_seconds >= static_cast<double>(kFirst.time_since_epoch().count()) &&
                        epoch_seconds < static_cast<double>(kEnd.time_since_epoch().count());
  if (!has_year) return std::nullopt;
  const microseconds time(std::llround(epoch_seconds * 1e6));
  if (time >= kEnd.time_since_epoch()) return std::nullopt;  // rounded up
  const auto whole = std::chrono::floor<seconds>(time);
  Timestamp timestamp;
  timestamp.set_seconds(whole.count());
  timestamp.set_nanos(static_cast<int>(std::chrono::nanoseconds(time - whole).count()));
  return timestamp;
}

}  // namespace verdict::gateway
