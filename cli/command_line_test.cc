#include "cli/command_line.h"

#include <cstring>
#include <set>

#include <catch2/catch.hpp>

#include "cli/commands.h"
#include "cli/text.h"

namespace verdict::cli {
namespace {

constexpr char kId[] = "0190a5c2-7d3e-7a11-8f00-3b1c5d7e9f10";

// The environment of most tests: where the services are.
const char* Addresses(const char* name) {
  return std::strstr(name, "_ADDR") == nullptr ? nullptr : "localhost:1";
}
const char* NoEnvironment(const char*) { return nullptr; }

const std::vector<Command>& Table() {
  static const auto& commands = *new std::vector<Command>(Commands());
  return commands;
}

absl::StatusOr<Invocation> Parsed(const std::vector<const char*>& line,
                                  absl::FunctionRef<const char*(const char*)> environment = Addresses) {
  return Parse(Table(), line, environment);
}

std::string MistakeOf(const std::vector<const char*>& line,
                      absl::FunctionRef<const char*(const char*)> environment = Addresses) {
  const auto invocation = Parsed(line, environment);
  return invocation.ok() ? "(none)" : std::string(invocation.status().message());
}

TEST_CASE("flags and arguments stand in any order and either spelling") {
  for (const std::vector<const char*>& line : std::vector<std::vector<const char*>>{
           {"project", "create", "--org", kId, "support", "--json"},
           {"--json", "project", "create", "support", "--org", kId},
           {"project", "--json", "create", "--org=0190a5c2-7d3e-7a11-8f00-3b1c5d7e9f10", "support"},
           {"project", "create", "--json", "--org", kId, "--", "support"}}) {
    const auto invocation = Parsed(line);
    REQUIRE(invocation.ok());
    CHECK(invocation->command->name == "project create");
    CHECK(invocation->Get("org") == kId);
    CHECK(invocation->Get("NAME") == "support");
    CHECK(invocation->Has("json"));
  }
}

TEST_CASE("after -- nothing is a flag") {
  const auto invocation = Parsed({"org", "create", "--", "--json"});
  REQUIRE(invocation.ok());
  CHECK(invocation->Get("NAME") == "--json");
  CHECK_FALSE(invocation->Has("json"));
}

TEST_CASE("a flag's value may look like a flag or be empty") {
  const auto invocation = Parsed({"user", "create", "--org", kId, "--email", "--x", "--name="});
  REQUIRE(invocation.ok());
  CHECK(invocation->Get("email") == "--x");
  CHECK(invocation->Has("name"));
}

TEST_CASE("a flag wins over the environment, and an empty variable is none") {
  const auto environment = [](const char*) -> const char* { return "from-environment:1"; };
  CHECK(Parsed({"org", "list"}, environment)->Get("token-address") == "from-environment:1");
  CHECK(Parsed({"org", "list", "--token-address", "from-flag:1"}, environment)->Get("token-address") ==
        "from-flag:1");
  CHECK(MistakeOf({"org", "list"}, [](const char*) -> const char* { return ""; }) ==
        "--token-address (or VERDICT_TOKEN_ADDR) is missing; after `./dev run`, `. .verdict/env` sets it. "
        "See `verdictctl org list --help`.");
}

TEST_CASE("mistakes name the flag or argument, and where help is") {
  const std::string help = " See `verdictctl project create --help`.";
  CHECK(MistakeOf({"project", "create", "x"}) == "--org is missing." + help);
  CHECK(MistakeOf({"project", "create", "--org", kId}) == "NAME is missing." + help);
  CHECK(MistakeOf({"project", "create", "x", "y", "--org", kId}) == "`y` is one argument too many." + help);
  CHECK(MistakeOf({"project", "create", "x", "--org"}) == "--org needs a value: ID." + help);
  CHECK(MistakeOf({"project", "create", "x", "--org", kId, "--org", kId}) == "--org stands twice." + help);
  CHECK(MistakeOf({"project", "create", "x", "--ogr", kId}) ==
        "`project create` has no flag `--ogr`. Did you mean `--org`?" + help);
  CHECK(MistakeOf({"project", "create", "x", "--json=1"}) == "--json takes no value." + help);
  CHECK(MistakeOf({"project", "create", "x", "-o"}) ==
        "`project create` has no flag `-o`. Did you mean `--org`?" + help);
  CHECK(MistakeOf({"project", "create", "x", "--org", "Acme"}) ==
        "--org: `Acme` is not an id; ids look like 0190a5c2-7d3e-7a11-8f00-3b1c5d7e9f10." + help);
}

TEST_CASE("values are checked by their kind") {
  const std::vector<const char*> key = {"key", "create", "--project", kId, "--user", kId};
  const auto with = [&](std::vector<const char*> more) {
    more.insert(more.begin(), key.begin(), key.end());
    return MistakeOf(more);
  };
  CHECK(with({}) == "(none)");
  CHECK(with({"--expires-in", "30d", "--scopes", "read,token"}) == "(none)");
  CHECK_THAT(with({"--expires-in", "soon"}), Catch::StartsWith("--expires-in: `soon` is not a duration;"));
  CHECK_THAT(with({"--timeout", "0s"}), Catch::StartsWith("--timeout: `0s` is not a duration;"));
  CHECK_THAT(with({"--scopes", "read,admin"}),
             Catch::StartsWith(
                 "--scopes: `read,admin` is not a list, between commas, of: token, write, read, erase."));
  CHECK_THAT(with({"--scopes", ""}), Catch::StartsWith("--scopes: `` is not a list"));
  CHECK_THAT(MistakeOf({"token", "mint", "--project", kId, "--type", "Span", "--id", "x"}),
             Catch::StartsWith("--type: `Span` is not one of: span, trace, session, eval_run, annotation."));
}

TEST_CASE("numbers and counts are checked") {
  const auto judge = [](const char* flag, const char* value) {
    return MistakeOf({"judge", "create", "--project", kId, "--name", "n", "--type", "scored", flag, value});
  };
  for (const char* number : {"0", "-1.5", "1e3"}) CHECK(judge("--min", number) == "(none)");
  for (const char* other : {"", "x", "1,5", "nan", "inf", "1e999", "1 "}) {
    CHECK_THAT(judge("--max", other),
               Catch::StartsWith("--max: `" + std::string(other) + "` is not a number."));
  }
  const auto list = [](const char* value) {
    return MistakeOf({"feedback", "list", "--project", kId, "--limit", value});
  };
  CHECK(list("1") == "(none)");
  for (const char* other : {"0", "-1", "1.5", "3000000000", "many"}) {
    CHECK_THAT(list(other),
               Catch::StartsWith("--limit: `" + std::string(other) + "` is not a whole number from 1 on."));
  }
}

TEST_CASE("what makes sense together is needed together") {
  CHECK(MistakeOf({"feedback", "list", "--project", kId}) == "(none)");
  CHECK(MistakeOf({"feedback", "list", "--project", kId, "--type", "span", "--id", "x"}) == "(none)");
  CHECK_THAT(MistakeOf({"feedback", "list", "--project", kId, "--type", "span"}),
             Catch::StartsWith("--type needs --id."));
  CHECK_THAT(MistakeOf({"feedback", "list", "--project", kId, "--id", "x"}),
             Catch::StartsWith("--id needs --type."));
}

TEST_CASE("one of two alternatives is needed, and not both") {
  CHECK(MistakeOf({"token", "revoke", "--project", kId, kId}) == "(none)");
  CHECK(MistakeOf({"token", "revoke", "--project", kId, "--all"}) == "(none)");
  CHECK_THAT(MistakeOf({"token", "revoke", "--project", kId}),
             Catch::StartsWith("Either TOKEN_ID or --all is needed."));
  CHECK_THAT(MistakeOf({"token", "revoke", "--project", kId, kId, "--all"}),
             Catch::StartsWith("Either TOKEN_ID or --all, not both."));
}

TEST_CASE("an unknown command suggests the near one") {
  CHECK(MistakeOf({}) == "A command is needed. See `verdictctl --help`.");
  CHECK(MistakeOf({"key"}) == "`key` needs one of: create, list, revoke. See `verdictctl --help`.");
  CHECK(MistakeOf({"keys", "create"}) ==
        "There is no command `keys create`. Did you mean `key create`? See `verdictctl --help`.");
  CHECK(MistakeOf({"key", "craete"}) ==
        "There is no command `key craete`. Did you mean `key create`? See `verdictctl --help`.");
  CHECK(MistakeOf({"frobnicate", "everything"}) ==
        "There is no command `frobnicate everything`. See `verdictctl --help`.");
  CHECK(MistakeOf({"--jsn", "org", "list"}) ==
        "There is no flag `--jsn` before a command. Did you mean `--json`? See `verdictctl --help`.");
}

TEST_CASE("help needs nothing else") {
  CHECK(Parsed({"--help"}, NoEnvironment)->command == nullptr);
  CHECK(Parsed({"help"}, NoEnvironment)->help);
  CHECK(Parsed({"-h"}, NoEnvironment)->help);
  CHECK(Parsed({"key", "create", "--help"}, NoEnvironment)->command->name == "key create");
  CHECK(Parsed({"help", "key", "create"}, NoEnvironment)->command->name == "key create");
}

TEST_CASE("help shows every command, its options and an example of it") {
  const std::string all = Help(Table());
  for (const Command& command : Table()) {
    INFO(command.name);
    CHECK_THAT(all, Catch::Contains("  " + std::string(command.name) + " "));
    const std::string help = Help(command);
    CHECK_THAT(help, Catch::Contains("verdictctl " + std::string(command.name)));
    for (const Option& option : command.options) CHECK_THAT(help, Catch::Contains(Typed(option)));
    CHECK_THAT(std::string(command.example), Catch::StartsWith("verdictctl " + std::string(command.name)));
  }
  CHECK_THAT(Help(*Parsed({"token", "revoke", "--help"})->command),
             Catch::Contains("verdictctl token revoke --project ID (TOKEN_ID | --all)\n"));
  CHECK_THAT(
      Help(*Parsed({"key", "create", "--help"})->command),
      Catch::Contains("verdictctl key create --project ID --user ID [--scopes a,b] [--expires-in 30d]\n"));
}

TEST_CASE("the table of commands is sound") {
  std::set<std::string_view> names;
  for (const Command& command : Table()) {
    INFO(command.name);
    CHECK(names.insert(command.name).second);
    CHECK(std::count(command.name.begin(), command.name.end(), ' ') == 1);
    CHECK((command.run != nullptr) != (command.stream != nullptr));
    std::set<std::string_view> options;
    for (const Option& option : GlobalOptions()) options.insert(option.name);
    for (const Option& option : command.options) {
      INFO(option.name);
      CHECK(options.insert(option.name).second);
      CHECK_FALSE(option.help.empty());
      CHECK((option.choices != nullptr) == (option.kind == Kind::kChoice || option.kind == Kind::kChoices));
      CHECK((option.argument || option.kind == Kind::kSwitch) == option.value.empty());
    }
  }
}

}  // namespace
}  // namespace verdict::cli
