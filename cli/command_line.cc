#include "cli/command_line.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iostream>

#include "cli/errors.h"
#include "cli/text.h"
#include "common/ids/uuid.h"
#include "common/status/macros.h"

namespace verdict::cli {
namespace {

constexpr std::array kGlobalOptions = {
    Option{.name = "token-address",
           .value = "HOST:PORT",
           .help = "The token service.",
           .env = "VERDICT_TOKEN_ADDR"},
    Option{.name = "feedback-address",
           .value = "HOST:PORT",
           .help = "The feedback service.",
           .env = "VERDICT_FEEDBACK_ADDR"},
    Option{.name = "aggregator-address",
           .value = "HOST:PORT",
           .help = "The aggregator service.",
           .env = "VERDICT_AGGREGATOR_ADDR"},
    Option{.name = "admin-key-file",
           .value = "FILE",
           .help = "A file that holds the admin key; without it, VERDICT_ADMIN_KEY is the key itself."},
    Option{.name = "timeout",
           .kind = Kind::kDuration,
           .value = "10s",
           .help = "How long each call may take; 10s unless told."},
    Option{.name = "json", .kind = Kind::kSwitch, .help = "Print one JSON object instead of a table."},
    Option{.name = "help", .kind = Kind::kSwitch, .help = "Explain the command instead of running it."},
};

const Option* Find(std::span<const Option> options, std::string_view name) {
  const auto found =
      std::ranges::find_if(options, [&](const Option& o) { return !o.argument && o.name == name; });
  return found == options.end() ? nullptr : &*found;
}

std::string_view Group(const Command& command) { return command.name.substr(0, command.name.find(' ')); }

// The candidate that `text` was probably meant to be, as a question; nothing when none is near.
std::string DidYouMean(std::string_view text, const std::vector<std::string>& candidates) {
  const auto nearest = std::ranges::min_element(
      candidates, {}, [&](const std::string& candidate) { return EditDistance(text, candidate); });
  if (nearest == candidates.end() || EditDistance(text, *nearest) > 3) return "";
  return Cat({" Did you mean `", *nearest, "`?"});
}

absl::Status UnknownCommand(std::span<const Command> commands, std::string_view group,
                            std::string_view verb) {
  std::string verbs;
  std::vector<std::string> names;
  for (const Command& command : commands) {
    names.emplace_back(command.name);
    if (Group(command) == group) {
      verbs += Cat({verbs.empty() ? "" : ", ", command.name.substr(group.size() + 1)});
    }
  }
  if (group.empty()) return error::Usage("A command is needed.");
  if (!verbs.empty() && verb.empty()) return error::Usage(Cat({"`", group, "` needs one of: ", verbs, "."}));
  const std::string name = verb.empty() ? std::string(group) : Cat({group, " ", verb});
  return error::Usage(Cat({"There is no command `", name, "`.", DidYouMean(name, names)}));
}

absl::Status CheckValue(const Option& option, std::string_view value) {
  const auto problem = [&](std::string_view expected) {
    return error::Usage(Cat({Typed(option), ": `", value, "` is not ", expected}));
  };
  switch (option.kind) {
    case Kind::kText:
    case Kind::kSwitch:
    case Kind::kFile:
      return absl::OkStatus();
    case Kind::kUuid:
      if (Uuid::Parse(value)) return absl::OkStatus();
      return problem("an id; ids look like 0190a5c2-7d3e-7a11-8f00-3b1c5d7e9f10.");
    case Kind::kDuration:
      if (ParseDuration(value)) return absl::OkStatus();
      return problem("a duration; write a number and s, m, h or d, like 30d, up to 10000d.");
    case Kind::kNumber:
      if (ParseNumber(value)) return absl::OkStatus();
      return problem("a number.");
    case Kind::kCount:
      if (ParseCount(value)) return absl::OkStatus();
      return problem("a whole number from 1 on.");
    case Kind::kChoice:
      if (FindEnumValue(*option.choices(), value) != nullptr) return absl::OkStatus();
      return problem(Cat({"one of: ", EnumNames(*option.choices()), "."}));
    case Kind::kChoices:
      for (const std::string& part : SplitAtCommas(value)) {
        if (FindEnumValue(*option.choices(), part) != nullptr) continue;
        return problem(Cat({"a list, between commas, of: ", EnumNames(*option.choices()), "."}));
      }
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

// Whether everything that the command needs was given, once, and makes sense.
absl::Status CheckComplete(const Invocation& invocation) {
  const auto check = [&](const Option& option) -> absl::Status {
    if (invocation.Has(option.name)) {
      if (!option.instead.empty() && invocation.Has(option.instead)) {
        return error::Usage(Cat({"Either ", Typed(option), " or --", option.instead, ", not both."}));
      }
      if (!option.with.empty() && !invocation.Has(option.with)) {
        return error::Usage(Cat({Typed(option), " needs --", option.with, "."}));
      }
      return CheckValue(option, invocation.Get(option.name));
    }
    if (!option.instead.empty() && !invocation.Has(option.instead)) {
      return error::Usage(Cat({"Either ", Typed(option), " or --", option.instead, " is needed."}));
    }
    if (option.required) return error::Usage(Cat({Typed(option), " is missing."}));
    return absl::OkStatus();
  };
  for (const Option& option : invocation.command->options) RETURN_IF_ERROR(check(option));
  for (const Option& option : kGlobalOptions) RETURN_IF_ERROR(check(option));
  if (!invocation.Has(invocation.command->service)) {
    const Option& address = *Find(kGlobalOptions, invocation.command->service);
    return error::Usage(Cat({Typed(address), " (or ", address.env,
                             ") is missing; after `./dev run`, `. .verdict/env` sets it."}));
  }
  return absl::OkStatus();
}

// Puts the texts of the files in the places of their names.
absl::Status ReadFiles(Invocation& invocation) {
  constexpr std::streamsize kBytesMax = 1 << 20;  // more than any field takes
  for (const Option& option : invocation.command->options) {
    if (option.kind != Kind::kFile || !invocation.Has(option.name)) continue;
    std::string& value = invocation.values.find(option.name)->second;
    std::ifstream file;
    if (value != "-") file.open(value, std::ios::binary);
    std::istream& input = value == "-" ? std::cin : file;
    std::string text(kBytesMax + 1, '\0');
    input.read(text.data(), kBytesMax + 1);
    if (input.bad() || !input.eof()) {
      return error::Usage(
          Cat({Typed(option), ": `", value, "` is not a file of at most 1 MiB that can be read."}));
    }
    text.resize(static_cast<size_t>(input.gcount()));
    value = std::move(text);
  }
  return absl::OkStatus();
}

// Walks over the command line from left to right.
class Walk {
 public:
  explicit Walk(std::span<const Command> commands) : commands_(commands) {}

  absl::Status Run(std::span<const char* const> line) {
    for (size_t i = 0; i < line.size(); ++i) {
      const std::string_view text = line[i];
      if (flags_ended_ || text.size() < 2 || text[0] != '-') {
        RETURN_IF_ERROR(TakeWord(text));
      } else if (text == "--") {
        flags_ended_ = true;
      } else {
        RETURN_IF_ERROR(TakeFlag(text == "-h" ? "--help" : text, line, i));
      }
    }
    if (invocation_.command == nullptr && !invocation_.help) return UnknownCommand(commands_, group_, "");
    return absl::OkStatus();
  }

  Invocation Take() { return std::move(invocation_); }

 private:
  absl::Status TakeWord(std::string_view word) {
    if (invocation_.command != nullptr) return TakeArgument(word);
    if (group_.empty()) {
      if (word == "help") {
        invocation_.help = true;
      } else {
        group_ = word;
      }
      return absl::OkStatus();
    }
    const std::string name = Cat({group_, " ", word});
    const auto found = std::ranges::find(commands_, name, &Command::name);
    if (found == commands_.end()) return UnknownCommand(commands_, group_, word);
    invocation_.command = &*found;
    return absl::OkStatus();
  }

  absl::Status TakeArgument(std::string_view word) {
    for (const Option& option : invocation_.command->options) {
      if (!option.argument || invocation_.Has(option.name)) continue;
      return Set(option, word);
    }
    return error::Usage(Cat({"`", word, "` is one argument too many."}));
  }

  // `i` is the flag's index, and then that of its value.
  absl::Status TakeFlag(std::string_view text, std::span<const char* const> line, size_t& i) {
    const size_t equals = text.find('=');
    const std::string_view name = text.substr(2, equals == text.npos ? text.npos : equals - 2);
    const Option* option = text.starts_with("--") ? Find(kGlobalOptions, name) : nullptr;
    if (option == nullptr && text.starts_with("--") && invocation_.command != nullptr) {
      option = Find(invocation_.command->options, name);
    }
    if (option == nullptr) return UnknownFlag(text.substr(0, equals));
    if (option->kind == Kind::kSwitch) {
      if (equals != text.npos) return error::Usage(Cat({Typed(*option), " takes no value."}));
      if (option->name == "help") invocation_.help = true;
      return Set(*option, "");
    }
    if (equals != text.npos) return Set(*option, text.substr(equals + 1));
    if (i + 1 == line.size())
      return error::Usage(Cat({Typed(*option), " needs a value: ", option->value, "."}));
    return Set(*option, line[++i]);
  }

  absl::Status UnknownFlag(std::string_view flag) const {
    std::vector<std::string> known;
    for (const Option& option : kGlobalOptions) known.push_back(Typed(option));
    if (invocation_.command == nullptr) {
      return error::Usage(Cat({"There is no flag `", flag, "` before a command.", DidYouMean(flag, known)}));
    }
    for (const Option& option : invocation_.command->options) known.push_back(Typed(option));
    return error::Usage(
        Cat({"`", invocation_.command->name, "` has no flag `", flag, "`.", DidYouMean(flag, known)}));
  }

  absl::Status Set(const Option& option, std::string_view value) {
    if (invocation_.values.emplace(option.name, value).second) return absl::OkStatus();
    return error::Usage(Cat({Typed(option), " stands twice."}));
  }

  const std::span<const Command> commands_;
  bool flags_ended_ = false;
  std::string_view group_;
  Invocation invocation_;
};

std::string Line(std::string_view left, size_t width, std::string_view right) {
  return Cat({"  ", left, std::string(width - left.size() + 2, ' '), right, "\n"});
}

std::string TypedWithValue(const Option& option) {
  if (option.argument || option.kind == Kind::kSwitch) return Typed(option);
  return Cat({Typed(option), " ", option.value});
}

std::string OptionLines(std::span<const Option> options) {
  size_t width = 0;
  for (const Option& option : options) width = std::max(width, TypedWithValue(option).size());
  std::string lines;
  for (const Option& option : options) {
    std::string help(option.help);
    if (option.choices != nullptr) help += Cat({" One of: ", EnumNames(*option.choices()), "."});
    if (!option.env.empty()) help += Cat({" [", option.env, "]"});
    lines += Line(TypedWithValue(option), width, help);
  }
  return lines;
}

// The command with its options, as in a manual: [--optional] and either|or.
std::string Synopsis(const Command& command) {
  std::string synopsis = Cat({"verdictctl ", command.name});
  for (const Option& option : command.options) {
    const bool stand_in =
        std::ranges::find(command.options, option.name, &Option::instead) != command.options.end();
    if (stand_in) continue;
    if (!option.instead.empty()) {
      synopsis += Cat({" (", TypedWithValue(option), " | --", option.instead, ")"});
    } else {
      synopsis +=
          option.required ? Cat({" ", TypedWithValue(option)}) : Cat({" [", TypedWithValue(option), "]"});
    }
  }
  return synopsis;
}

}  // namespace

std::string_view Invocation::Get(std::string_view name) const {
  const auto found = values.find(name);
  return found == values.end() ? std::string_view() : std::string_view(found->second);
}

std::span<const Option> GlobalOptions() { return kGlobalOptions; }

absl::StatusOr<Invocation> Parse(std::span<const Command> commands, std::span<const char* const> line,
                                 absl::FunctionRef<const char*(const char*)> environment) {
  Walk walk(commands);
  const absl::Status walked = walk.Run(line);
  Invocation invocation = walk.Take();
  // Where the mistake's remedy is explained.
  const auto with_help = [&](const absl::Status& status) {
    if (status.ok()) return status;
    return error::Usage(
        Cat({std::string(status.message()), " See `verdictctl ",
             invocation.command == nullptr ? "" : Cat({invocation.command->name, " "}), "--help`."}));
  };
  RETURN_IF_ERROR(with_help(walked));
  if (invocation.help) return invocation;
  for (const Option& option : kGlobalOptions) {
    if (option.env.empty()) continue;
    const char* value = environment(option.env.data());
    if (value != nullptr && *value != '\0') invocation.values.emplace(option.name, value);
  }
  RETURN_IF_ERROR(with_help(CheckComplete(invocation)));
  RETURN_IF_ERROR(with_help(ReadFiles(invocation)));
  return invocation;
}

std::string Typed(const Option& option) {
  return option.argument ? std::string(option.name) : Cat({"--", option.name});
}

std::string Help(std::span<const Command> commands) {
  std::string help =
      "verdictctl: set up and look after Verdict.\n\n"
      "  verdictctl COMMAND [FLAGS]\n"
      "  verdictctl COMMAND --help\n\n"
      "Commands:\n";
  size_t width = 0;
  for (const Command& command : commands) width = std::max(width, command.name.size());
  for (const Command& command : commands) help += Line(command.name, width, command.summary);
  help += Cat({"\nFlags of every command:\n", OptionLines(kGlobalOptions)});
  help +=
      "\nFrom nothing to a first feedback:\n"
      "  verdictctl org create Acme\n"
      "  verdictctl project create --org ORG_ID support\n"
      "  verdictctl user create --org ORG_ID --email alice@example.com --name Alice\n"
      "  verdictctl key create --project PROJECT_ID --user USER_ID\n"
      "  verdictctl prompt create --project PROJECT_ID support-bot\n"
      "  curl $VERDICT_URL/v1/prompts/support-bot/completions/run-1/feedback \\\n"
      "    -H \"Authorization: Bearer KEY\" -H 'Content-Type: application/json' -d '{\"thumbs_up\":true}'\n"
      "\nExit codes: 0 done, 2 wrong usage, 3 refused by the service, 4 service not reachable.\n";
  return help;
}

std::string Help(const Command& command) {
  std::string help =
      Cat({"verdictctl ", command.name, ": ", command.summary, "\n\n  ", Synopsis(command), "\n"});
  if (!command.options.empty()) help += Cat({"\n", OptionLines(command.options)});
  help += Cat({"\nExample:\n  ", command.example, "\n"});
  if (!command.next.empty()) help += Cat({"\nNext:\n  ", command.next, "\n"});
  help += "\n`verdictctl --help` lists the flags that every command takes.\n";
  return help;
}

}  // namespace verdict::cli
