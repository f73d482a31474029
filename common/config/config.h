#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The settings of a process. Each is a flag `--like-this`, or the environment's VERDICT_LIKE_THIS, or a
// default:
//
//   TokenConfig config;
//   config::Parser parser("verdict-token", "Mints, verifies and revokes feedback tokens.");
//   parser.Add("listen", &config.listen, "Address to serve gRPC on; port 0 takes any free one.");
//   parser.AddSecretFile("database-dsn-file", &config.dsn, "File with the database's connection string.");
//   parser.Require("database-dsn-file");
//   if (const auto exit_code = parser.Parse(argc, argv)) return *exit_code;
namespace verdict::config {

// A value that must not be shown: printing it says only whether there is one.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}

  const std::string& value() const { return value_; }
  bool empty() const { return value_.empty(); }

  friend std::ostream& operator<<(std::ostream& out, const Secret& secret);

 private:
  std::string value_;
};

// An integer and its unit, ms, s, m, h or d: "250ms", "30d". nullopt for anything else, also when it
// overflows.
std::optional<std::chrono::milliseconds> ParseDuration(std::string_view text);

// The same, in the largest unit that divides it.
std::string FormatDuration(std::chrono::milliseconds duration);

// Looks up an environment variable; nullptr when it is not set.
using Environment = std::function<const char*(const char* name)>;

// Fills the variables it was given. Those hold the defaults before Parse, and must outlive the parser.
class Parser {
 public:
  Parser(std::string_view program, std::string_view summary);

  // Declares a setting. `name` is the flag without dashes, `help` a sentence.
  void Add(std::string_view name, std::string* value, std::string_view help);
  void Add(std::string_view name, int64_t* value, std::string_view help);
  void Add(std::string_view name, uint32_t* value, std::string_view help);
  void Add(std::string_view name, size_t* value, std::string_view help);
  void Add(std::string_view name, bool* value, std::string_view help);  // the flag alone means true
  void Add(std::string_view name, std::chrono::milliseconds* value, std::string_view help);

  // The setting names a file of at most 64 KiB; `value` gets its content, less one newline at the end.
  void AddSecretFile(std::string_view name, Secret* value, std::string_view help);

  // A setting without which the process cannot start.
  void Require(std::string_view name);

  // A rule that the settings must satisfy; `mistake` says what to change. It runs when each setting could be
  // read.
  void Check(std::function<bool()> rule, std::string_view mistake);
  // The same, for a rule that finds out itself what to change: it returns the mistake, or nothing.
  void Check(std::function<std::string()> find_mistake);

  // Reads the command line and the environment. Returns nullopt when the process should start, else its exit
  // code: 0 after --help and a --check-config without mistakes, 2 after printing every mistake.
  std::optional<int> Parse(int argc, const char* const* argv);
  std::optional<int> Parse(std::span<const char* const> arguments, const Environment& environment,
                           std::ostream& out, std::ostream& err);

  // Each setting's name and value, to be logged at the start; a secret's value is "set" or "not set".
  std::vector<std::pair<std::string, std::string>> Effective() const;

 private:
  struct Setting {
    std::string name = {};
    std::string help = {};
    std::string standard = {};  // the default, as --help shows it
    bool lone_flag = false;     // takes no value after a space
    bool required = false;
    bool given = false;
    std::function<std::string(std::string_view text)> assign = {};  // returns the mistake, or nothing
    std::function<std::string()> show = {};
  };
  struct Rule {
    std::function<bool()> holds = {};
    std::string mistake = {};
  };

  template <typename T>
  void AddInteger(std::string_view name, T* value, std::string_view help);
  void AddSetting(Setting setting);
  Setting* Find(std::string_view name);
  void ReadFlags(std::span<const char* const> arguments, std::vector<std::string>& mistakes);
  void ReadEnvironment(const Environment& environment, std::vector<std::string>& mistakes);
  void Assign(Setting& setting, std::string_view source, std::string_view text,
              std::vector<std::string>& mistakes);
  void PrintHelp(std::ostream& out) const;

  std::string program_;
  std::string summary_;
  std::vector<Setting> settings_;
  std::vector<std::function<std::string()>> rules_;
  bool help_ = false;
  bool check_only_ = false;
};

}  // namespace verdict::config
