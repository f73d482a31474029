#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "google/protobuf/descriptor.h"

// The command line as data: commands and options are rows of a table (commands.cc), from which parsing,
// help and the requests follow.
namespace verdict::cli {

class Client;
struct Invocation;

// What an option's value may be.
enum class Kind {
  kText,
  kSwitch,    // no value: given or not
  kUuid,      // an id of ours
  kDuration,  // as ParseDuration takes it
  kNumber,    // any finite number
  kCount,     // a whole number from 1 on
  kChoice,    // a value of `choices`
  kChoices,   // some of them, between commas
  kFile,      // the name of a file that stands for its text; `-` is standard input
};

// A flag (`--org ID`), or an argument (`NAME`) when `argument` is set.
struct Option {
  std::string_view name = {};  // without the dashes
  bool argument = false;
  Kind kind = Kind::kText;
  std::string_view value = {};  // what help calls the value, or an example of it
  std::string_view help = {};   // a sentence
  std::string_view field = {};  // the request's field that it fills, as a path: subject.id
  bool required = false;
  std::string_view instead = {};  // the name of a flag that stands in for it: one of both is needed
  std::string_view with = {};     // the name of a flag without which it makes no sense
  std::string_view env = {};      // where it is taken from when it is not given
  const google::protobuf::EnumDescriptor* (*choices)() = nullptr;
};

// One command.
struct Command {
  std::string_view name = {};     // two words: "key create"
  std::string_view summary = {};  // a sentence
  std::vector<Option> options = {};
  std::string_view service = {};  // the name of the global flag that has the service's address
  std::string_view example = {};  // command lines
  std::string_view next = {};     // what one does next, as a sentence
  // Does it, and returns what to print.
  absl::StatusOr<boost::json::object> (*run)(Client& client, const Invocation& invocation) = nullptr;
  // Instead of `run`, where there may be too much to hold: gives one object after the other to `print`, each
  // of which becomes a line of JSON; `print` returns false when nobody reads on.
  absl::Status (*stream)(Client& client, const Invocation& invocation,
                         absl::FunctionRef<bool(const boost::json::object&)> print) = nullptr;
};

// A command line understood.
struct Invocation {
  const Command* command = nullptr;  // absent only when help was asked for without a command
  bool help = false;
  std::map<std::string, std::string, std::less<>> values = {};  // by option name

  bool Has(std::string_view name) const { return values.contains(name); }
  // The option's value; empty when it was not given.
  std::string_view Get(std::string_view name) const;
};

// The flags that every command takes.
std::span<const Option> GlobalOptions();

// Reads the command line (without the program's name), and the files that it names. An error is a sentence
// that names the flag or argument and says what was expected.
absl::StatusOr<Invocation> Parse(std::span<const Command> commands, std::span<const char* const> line,
                                 absl::FunctionRef<const char*(const char*)> environment);

// The option as one types it: `--org` or `NAME`.
std::string Typed(const Option& option);

// The help of everything, or of one command.
std::string Help(std::span<const Command> commands);
std::string Help(const Command& command);

}  // namespace verdict::cli
