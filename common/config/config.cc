#include "common/config/config.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <limits>

namespace verdict::config {
namespace {

constexpr size_t kSecretBytesMax = 64 * 1024;

struct Unit {
  std::string_view name;
  int64_t milliseconds;
};

// Largest first; "ms" ahead of "s" does not matter, since a unit must be the whole rest of the text.
constexpr std::array kUnits = {Unit{"d", 86'400'000}, Unit{"h", 3'600'000}, Unit{"m", 60'000},
                               Unit{"s", 1'000}, Unit{"ms", 1}};

// The whole of `text` as an integer.
template <typename T>
std::optional<T> ParseInteger(std::string_view text) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string EnvironmentName(std::string_view name) {
  std::string result = "VERDICT_";
  for (const char c : name) {
    result += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return result;
}

// Fills `secret` from a file; returns the mistake, or nothing.
std::string ReadSecret(const std::string& path, Secret* secret) {
  std::ifstream file(path, std::ios::binary);
  std::string content(kSecretBytesMax + 1, '\0');
  if (!file.read(content.data(), static_cast<std::streamsize>(content.size())) && !file.eof()) {
    return "cannot read the file " + path;
  }
  content.resize(static_cast<size_t>(file.gcount()));
  if (content.size() > kSecretBytesMax) return "the file " + path + " is larger than 64 KiB";
  if (content.ends_with('\n')) content.pop_back();
  if (content.empty()) return "the file " + path + " is empty";
  *secret = Secret(std::move(content));
  return "";
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Secret& secret) {
  return out << (secret.empty() ? "not set" : "set");
}

std::optional<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto count = ParseInteger<int64_t>(text.substr(0, digits));
  const auto unit = std::ranges::find(kUnits, text.substr(digits), &Unit::name);
  if (!count || unit == kUnits.end()) return std::nullopt;
  if (*count > std::numeric_limits<int64_t>::max() / unit->milliseconds) return std::nullopt;
  return std::chrono::milliseconds(*count * unit->milliseconds);
}

std::string FormatDuration(std::chrono::milliseconds duration) {
  if (duration.count() == 0) return "0s";
  const auto unit = std::ranges::find_if(
      kUnits, [&](const Unit& candidate) { return duration.count() % candidate.milliseconds == 0; });
  return std::to_string(duration.count() / unit->milliseconds) + std::string(unit->name);
}

Parser::Parser(std::string_view program, std::string_view summary) : program_(program), summary_(summary) {
  Add("check-config", &check_only_, "Check the settings, print every mistake and exit.");
  Add("help", &help_, "Print this and exit.");
}

void Parser::AddSetting(Setting setting) {
  setting.standard = setting.show();
  settings_.push_back(std::move(setting));
}

void Parser::Add(std::string_view name, std::string* value, std::string_view help) {
  AddSetting({.name = std::string(name),
              .help = std::string(help),
              .assign =
                  [value](std::string_view text) {
                    *value = text;
                    return std::string();
                  },
              .show = [value] { return *value; }});
}

template <typename T>
void Parser::AddInteger(std::string_view name, T* value, std::string_view help) {
  AddSetting({.name = std::string(name),
              .help = std::string(help),
              .assign = [value](std::string_view text) -> std::string {
                const auto number = ParseInteger<T>(text);
                if (!number) {
                  return "is not an integer from " + std::to_string(std::numeric_limits<T>::min()) + " to " +
                         std::to_string(std::numeric_limits<T>::max());
                }
                *value = *number;
                return "";
              },
              .show = [value] { return std::to_string(*value); }});
}

void Parser::Add(std::string_view name, int64_t* value, std::string_view help) {
  AddInteger(name, value, help);
}
void Parser::Add(std::string_view name, uint32_t* value, std::string_view help) {
  AddInteger(name, value, help);
}
void Parser::Add(std::string_view name, size_t* value, std::string_view help) {
  AddInteger(name, value, help);
}

void Parser::Add(std::string_view name, bool* value, std::string_view help) {
  AddSetting({.name = std::string(name),
              .help = std::string(help),
              .lone_flag = true,
              .assign = [value](std::string_view text) -> std::string {
                if (text != "true" && text != "false") return "is neither true nor false";
                *value = text == "true";
                return "";
              },
              .show = [value] { return std::string(*value ? "true" : "false"); }});
}

void Parser::Add(std::string_view name, std::chrono::milliseconds* value, std::string_view help) {
  AddSetting({.name = std::string(name),
              .help = std::string(help),
              .assign = [value](std::string_view text) -> std::string {
                const auto duration = ParseDuration(text);
                if (!duration) return "is not a duration such as 250ms, 5s, 10m, 24h or 30d";
                *value = *duration;
                return "";
              },
              .show = [value] { return FormatDuration(*value); }});
}

void Parser::AddSecretFile(std::string_view name, Secret* value, std::string_view help) {
  AddSetting({.name = std::string(name),
              .help = std::string(help),
              .assign = [value](std::string_view path) { return ReadSecret(std::string(path), value); },
              .show = [value] { return std::string(value->empty() ? "not set" : "set"); }});
}

void Parser::Require(std::string_view name) { Find(name)->required = true; }

void Parser::Check(std::function<bool()> rule, std::string_view mistake) {
  Check(
      [rule = std::move(rule), mistake = std::string(mistake)] { return rule() ? std::string() : mistake; });
}

void Parser::Check(std::function<std::string()> find_mistake) { rules_.push_back(std::move(find_mistake)); }

std::optional<int> Parser::Parse(int argc, const char* const* argv) {
  return Parse(
      std::span(argv, static_cast<size_t>(argc)).subspan(1),
      [](const char* name) { return std::getenv(name); }, std::cout, std::cerr);
}

std::optional<int> Parser::Parse(std::span<const char* const> arguments, const Environment& environment,
                                 std::ostream& out, std::ostream& err) {
  std::vector<std::string> mistakes;
  ReadFlags(arguments, mistakes);
  if (help_) {
    PrintHelp(out);
    return 0;
  }
  ReadEnvironment(environment, mistakes);
  for (const Setting& setting : settings_) {
    if (!setting.required || setting.given) continue;
    mistakes.push_back("--" + setting.name + " is required (or " + EnvironmentName(setting.name) + ").");
  }
  // A rule over a setting that could not be read would only add noise.
  if (mistakes.empty()) {
    for (const auto& find_mistake : rules_) {
      if (std::string mistake = find_mistake(); !mistake.empty()) mistakes.push_back(std::move(mistake));
    }
  }
  if (!mistakes.empty()) {
    for (const std::string& mistake : mistakes) err << program_ << ": " << mistake << '\n';
    err << "See " << program_ << " --help.\n";
    return 2;
  }
  if (check_only_) {
    out << program_ << ": the settings are valid.\n";
    return 0;
  }
  return std::nullopt;
}

std::vector<std::pair<std::string, std::string>> Parser::Effective() const {
  std::vector<std::pair<std::string, std::string>> values;
  for (const Setting& setting : settings_) values.emplace_back(setting.name, setting.show());
  return values;
}

Parser::Setting* Parser::Find(std::string_view name) {
  const auto setting = std::ranges::find(settings_, name, &Setting::name);
  return setting == settings_.end() ? nullptr : &*setting;
}

void Parser::Assign(Setting& setting, std::string_view source, std::string_view text,
                    std::vector<std::string>& mistakes) {
  setting.given = true;
  if (const std::string mistake = setting.assign(text); !mistake.empty()) {
    mistakes.push_back(std::string(source) + ": " + mistake + ".");
  }
}

void Parser::ReadFlags(std::span<const char* const> arguments, std::vector<std::string>& mistakes) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    const size_t equals = argument.find('=');
    const std::string_view flag = argument.substr(0, equals);
    Setting* setting = flag.starts_with("--") ? Find(flag.substr(2)) : nullptr;
    if (setting == nullptr) {
      mistakes.push_back(std::string(flag) + " is not a setting.");
    } else if (equals != std::string_view::npos) {
      Assign(*setting, flag, argument.substr(equals + 1), mistakes);
    } else if (setting->lone_flag) {
      Assign(*setting, flag, "true", mistakes);
    } else if (i + 1 < arguments.size()) {
      Assign(*setting, flag, arguments[++i], mistakes);
    } else {
      mistakes.push_back(std::string(flag) + " needs a value.");
    }
  }
}

void Parser::ReadEnvironment(const Environment& environment, std::vector<std::string>& mistakes) {
  for (Setting& setting : settings_) {
    const std::string name = EnvironmentName(setting.name);
    const char* value = environment(name.c_str());
    // A variable set to nothing is how a shell or a manifest leaves one out.
    if (setting.given || value == nullptr || *value == '\0') continue;
    Assign(setting, name, value, mistakes);
  }
}

void Parser::PrintHelp(std::ostream& out) const {
  out << program_ << ": " << summary_ << "\n\n"
      << "Each setting is a flag, or an environment variable; the flag wins.\n";
  for (const Setting& setting : settings_) {
    out << "\n  --" << setting.name << (setting.lone_flag ? "" : " VALUE") << "  ("
        << EnvironmentName(setting.name) << ")\n      " << setting.help;
    if (setting.required) {
      out << " Required.";
    } else if (!setting.standard.empty()) {
      out << " Default: " << setting.standard << '.';
    }
    out << '\n';
  }
}

}  // namespace verdict::config
