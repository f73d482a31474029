#include "common/log/log.h"

#include <array>
#include <cmath>
#include <memory>
#include <utility>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

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

// The process's one log, set up by Init.
struct Output {
  Output() : logger("verdict", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    logger.set_pattern("%v");
    logger.set_level(spdlog::level::info);
  }

  std::string service;
  spdlog::logger logger;
};

Output& GetOutput() {
  static Output output;
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

std::string ToUtf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const size_t length = CharacterLength(bytes);
    text += length == 0 ? "\xef\xbf\xbd" : bytes.substr(0, length);
    bytes.remove_prefix(length == 0 ? 1 : length);
  }
  return text;
}

std::string ToJson(std::string_view text) { return boost::json::serialize(ToUtf8(text)); }
std::string ToJson(bool value) { return value ? "true" : "false"; }
std::string ToJson(int64_t value) { return std::to_string(value); }
// JSON has no infinities: they are written as texts.
std::string ToJson(double value) {
  if (!std::isfinite(value)) return ToJson(std::string_view(std::to_string(value)));
  return boost::json::serialize(boost::json::value(value));
}

void Write(Level level, std::string_view message, Fields fields) {
  Output& output = GetOutput();
  const auto spdlog_level = RuleOf(level).spdlog_level;
  if (!output.logger.should_log(spdlog_level)) return;
  output.logger.log(spdlog_level, spdlog::string_view_t(FormatLine(SystemClock().Now(), level, output.service,
                                                                   message, fields)));
}

}  // namespace

bool ParseLevel(std::string_view name, Level* level) {
  for (const LevelRule& rule : kLevels) {
    if (rule.name != name) continue;
    *level = rule.level;
    return true;
  }
  return false;
}

void Init(std::string_view service, Level level) {
  Output& output = GetOutput();
  output.service = service;
  output.logger.set_level(RuleOf(level).spdlog_level);
}

void Debug(std::string_view message, Fields fields) { Write(Level::kDebug, message, fields); }
void Info(std::string_view message, Fields fields) { Write(Level::kInfo, message, fields); }
void Warn(std::string_view message, Fields fields) { Write(Level::kWarn, message, fields); }
void Error(std::string_view message, Fields fields) { Write(Level::kError, message, fields); }

std::string FormatLine(Time time, Level level, std::string_view service, std::string_view message,
                       Fields fields) {
  std::string line = "{\"time\":\"" + FormatTime(time) + "\",\"level\":\"";
  line += RuleOf(level).name;
  line += "\",\"service\":" + ToJson(service) + ",\"message\":" + ToJson(message);
  for (const Field& field : fields) {
    line += ',' + ToJson(field.key()) + ':';
    line += std::visit([](auto value) { return ToJson(value); }, field.value());
  }
  line += '}';
  return line;
}

}  // namespace verdict::log
