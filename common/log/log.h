#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "absl/strings/string_view.h"
#include "common/clock.h"

// The process's log: one JSON object a line on stderr. Messages are constant, data stands in fields:
//
//   log::Warn("database unavailable", {{"error", status.ToString()}, {"retry_in_ms", 250}});
//   {"time":"2026-05-29T20:54:19.746Z","level":"warn","service":"token","message":"database unavailable",…}
//
// Thread-safe; lines are written whole, in their order, and at the latest when the process exits. Warnings
// and errors are so before the call returns, others within some 10 ms after Init: together, since a write
// costs more than a line. Never log tokens, keys, bodies or connection strings.
namespace verdict::log {

enum class Level { kDebug, kInfo, kWarn, kError };

// "debug", "info", "warn" or "error"; false for anything else.
bool ParseLevel(std::string_view name, Level* level);

// One field of a line. Holds a view: the text must live until the call returns. Text may be any bytes: what
// is no UTF-8 is replaced by U+FFFD.
class Field {
 public:
  Field(std::string_view key, std::string_view value) : key_(key), value_(value) {}
  Field(std::string_view key, const char* value) : key_(key), value_(std::string_view(value)) {}
  Field(std::string_view key, const std::string& value) : key_(key), value_(std::string_view(value)) {}
  // Debian builds Abseil with a string_view of its own, which Status::message() returns.
  Field(std::string_view key, absl::string_view value)
      : Field(key, std::string_view(value.data(), value.size())) {}
  Field(std::string_view key, bool value) : key_(key), value_(value) {}
  Field(std::string_view key, std::integral auto value) : key_(key), value_(static_cast<int64_t>(value)) {}
  Field(std::string_view key, std::floating_point auto value)
      : key_(key), value_(static_cast<double>(value)) {}

  std::string_view key() const { return key_; }
  const std::variant<std::string_view, bool, int64_t, double>& value() const { return value_; }

 private:
  std::string_view key_;
  std::variant<std::string_view, bool, int64_t, double> value_;
};

using Fields = std::initializer_list<Field>;

// Names the process in every line and drops what is below `level`. Call once, before threads start and with
// the signals blocked that one of them waits for; until then the service is "", the level kInfo, and every
// line is written before the call returns.
void Init(std::string_view service, Level level);

void Debug(std::string_view message, Fields fields = {});
void Info(std::string_view message, Fields fields = {});
void Warn(std::string_view message, Fields fields = {});
void Error(std::string_view message, Fields fields = {});

// The line that is written, without its newline.
std::string FormatLine(Time time, Level level, std::string_view service, std::string_view message,
                       Fields fields);

}  // namespace verdict::log
