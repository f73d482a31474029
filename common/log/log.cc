#include "common/log/log.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

namespace verdict::log {
namespace {

struct LevelRule {
  Level level;
  std::string_view name;
  spdlog::level::level_enum spdlog_level;
};

constexpr std::array kLevels = {
    LevelRule{Level::kDebug, "debug", spdlog::level::debug},
    LevelRule{Level::kInfo, "info", spdlog::level::info},
    LevelRule{Level::kWarn, "warn", spdlog::level::warn},
    LevelRule{Level::kError, "error", spdlog::level::err},
};

const LevelRule& RuleOf(Level level) { return kLevels[static_cast<size_t>(level)]; }

// How long a line may wait for others, so that they are written together.
constexpr std::chrono::milliseconds kGatherTime(10);
// With so much waiting a caller writes by itself, and waits for whoever reads the log.
constexpr std::size_t kWaitingBytesMax = 64 * 1024;

// Gathers lines, and writes those that wait together: when it is flushed, or on a thread of its own within
// kGatherTime. spdlog's own flusher counts in seconds, and wakes up when nothing waits.
class GatheringSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  // Writes from now on what waits. Call once; lives as long as the process.
  void Start() {
    std::thread([this] {
      for (;;) {
        {
          std::unique_lock lock(mutex_);
          has_lines_.wait(lock, [this] { return waiting_.size() > 0; });
        }
        std::this_thread::sleep_for(kGatherTime);
        flush();
      }
    }).detach();
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& line) override {
    if (waiting_.size() == 0) has_lines_.notify_one();
    formatter_->format(line, waiting_);
    if (waiting_.size() > kWaitingBytesMax) flush_();
  }

  void flush_() override {
    // When it fails, nobody can be told.
    static_cast<void>(std::fwrite(waiting_.data(), 1, waiting_.size(), stderr));
    waiting_.clear();
  }

 private:
  spdlog::memory_buf_t waiting_;  // as has_lines_, guarded by mutex_
  std::condition_variable has_lines_;
};

// The process's one log, set up by Init.
struct Output {
  Output() : sink(std::make_shared<GatheringSink>()), logger("verdict", sink) {
    logger.set_pattern("%v");
    logger.set_level(spdlog::level::info);
    logger.flush_on(spdlog::level::trace);
  }

  std::string service;
  std::shared_ptr<GatheringSink> sink;
  spdlog::logger logger;
  std::once_flag started;
};

// Never destroyed: threads may log until the process is gone.
Output& GetOutput() {
  static auto& output = *new Output;
  return output;
}

// The length of the UTF-8 character that `text` begins with, 0 when it begins with none.
size_t CharacterLength(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; };
  const auto follows = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const int first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) return follows(1) ? 2 : 0;
  if ((first & 0xf0) == 0xe0) {
    // No overlong forms (e0 80-9f) and no surrogates (ed a0-bf).
    if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) >= 0xa0)) return 0;
    return follows(1) && follows(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first < 0xf5) {
    // No overlong forms (f0 80-8f) and nothing over U+10FFFF (f4 90-bf).
    if ((first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) >= 0x90)) return 0;
    return follows(1) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

// ASCII that a JSON string has as it is.
bool IsPlain(char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; }

// As a JSON string. What is no UTF-8 is replaced.
void Append(std::string_view bytes, std::string& line) {
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  line += '"';
  while (!bytes.empty()) {
    const auto plain = static_cast<size_t>(std::ranges::find_if_not(bytes, IsPlain) - bytes.begin());
    line += bytes.substr(0, plain);
    bytes.remove_prefix(plain);
    if (bytes.empty()) break;
    const auto first = static_cast<uint8_t>(bytes.front());
    const size_t length = CharacterLength(bytes);
    if (first == '"' || first == '\\') {
      line += '\\';
      line += bytes.front();
    } else if (first < 0x20) {
      line += "\\u00";
      line += kHexDigits[first >> 4];
      line += kHexDigits[first & 15];
    } else {
      line += length == 0 ? "\xef\xbf\xbd" : bytes.substr(0, length);
    }
    bytes.remove_prefix(std::max<size_t>(length, 1));
  }
  line += '"';
}

template <typename Number>
void AppendNumber(Number number, std::string& line) {
  char text[32];  // the longest double has 24 characters
  line.append(text, std::to_chars(text, text + sizeof text, number).ptr);
}

void Append(bool value, std::string& line) { line += value ? "true" : "false"; }
void Append(int64_t value, std::string& line) { AppendNumber(value, line); }
// JSON has no infinities: they are written as texts.
void Append(double value, std::string& line) {
  if (std::isfinite(value)) return AppendNumber(value, line);
  Append(std::string_view(std::to_string(value)), line);
}

void Write(Level level, std::string_view message, Fields fields) {
  Output& output = GetOutput();
  const auto spdlog_level = RuleOf(level).spdlog_level;
  if (!output.logger.should_log(spdlog_level)) return;
  const Time now = SystemClock().Now();
  output.logger.log(now, spdlog::source_loc(), spdlog_level,
                    FormatLine(now, level, output.service, message, fields));
}

// What is logged from here on is written at once.
void End() {
  spdlog::logger& logger = GetOutput().logger;
  logger.flush_on(spdlog::level::trace);
  logger.flush();
}

}  // namespace

bool ParseLevel(std::string_view name, Level* level) {
  const auto* const rule = std::ranges::find(kLevels, name, &LevelRule::name);
  if (rule == kLevels.end()) return false;
  *level = rule->level;
  return true;
}

void Init(std::string_view service, Level level) {
  Output& output = GetOutput();
  output.service = service;
  output.logger.set_level(RuleOf(level).spdlog_level);
  std::call_once(output.started, [&output] {
    output.sink->Start();
    output.logger.flush_on(spdlog::level::warn);
    std::atexit(End);
  });
}

void Debug(std::string_view message, Fields fields) { Write(Level::kDebug, message, fields); }
void Info(std::string_view message, Fields fields) { Write(Level::kInfo, message, fields); }
void Warn(std::string_view message, Fields fields) { Write(Level::kWarn, message, fields); }
void Error(std::string_view message, Fields fields) { Write(Level::kError, message, fields); }

std::string FormatLine(Time time, Level level, std::string_view service, std::string_view message,
                       Fields fields) {
  std::string line;
  line.reserve(256);  // most lines
  line += "{\"time\":\"";
  AppendTime(time, line);
  line += "\",\"level\":\"";
  line += RuleOf(level).name;
  line += "\",\"service\":";
  Append(service, line);
  line += ",\"message\":";
  Append(message, line);
  for (const Field& field : fields) {
    line += ',';
    Append(field.key(), line);
    line += ':';
    std::visit([&](auto value) { Append(value, line); }, field.value());
  }
  line += '}';
  return line;
}

}  // namespace verdict::log
