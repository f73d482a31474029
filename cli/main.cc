#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>

#include <boost/json.hpp>

#include "absl/strings/ascii.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/errors.h"
#include "cli/message.h"
#include "cli/text.h"
#include "common/rpc/channel.h"
#include "common/status/error.h"

namespace verdict::cli {
namespace {

// Exit codes; a script can tell from them what to do next.
constexpr int kDone = 0;
constexpr int kNotPrinted = 1;
constexpr int kUsage = 2;
constexpr int kRefused = 3;
constexpr int kUnreachable = 4;

absl::StatusOr<std::string> ReadAdminKey(const Invocation& invocation) {
  std::string key;
  if (invocation.Has("admin-key-file")) {
    const std::string path(invocation.Get("admin-key-file"));
    std::ifstream file(path);
    key.assign(std::istreambuf_iterator<char>(file), {});
    absl::StripAsciiWhitespace(&key);
    if (!file || key.empty())
      return error::Usage(Cat({"--admin-key-file: `", path, "` has no key to read."}));
  } else if (const char* value = std::getenv("VERDICT_ADMIN_KEY")) {
    key = value;
  }
  if (key.empty()) {
    return error::Usage(
        "--admin-key-file (or VERDICT_ADMIN_KEY) is missing; after `./dev run`, `. .verdict/env` sets it.");
  }
  // gRPC ends the process when a header's value is anything else.
  for (const char c : key) {
    if (!absl::ascii_isgraph(static_cast<unsigned char>(c))) {
      return error::Usage("The admin key has characters that no admin key has.");
    }
  }
  return key;
}

int Complain(const absl::Status& status, const Invocation& invocation) {
  const bool unreachable =
      status.code() == absl::StatusCode::kUnavailable || status.code() == absl::StatusCode::kDeadlineExceeded;
  std::cerr << "verdictctl: " << ReasonName(ReasonOf(status)) << ": "
            << Printable(std::string(status.message())) << "\n";
  for (const FieldViolation& violation : DetailsOf(status).violations) {
    for (const Option& option : invocation.command->options) {
      if (option.field == violation.field) {
        std::cerr << "  " << Typed(option) << ": " << Printable(violation.message) << "\n";
      }
    }
  }
  if (unreachable) {
    std::cerr << "  The service is at --" << invocation.command->service << " "
              << invocation.Get(invocation.command->service) << "; try again when it answers.\n";
  } else {
    std::cerr << "  " << RuleOf(ReasonOf(status)).remedy() << "\n";
  }
  return unreachable ? kUnreachable : kRefused;
}

int WrongUsage(const absl::Status& status) {
  std::cerr << "verdictctl: " << Printable(std::string(status.message())) << "\n";
  return kUsage;
}

int Print(std::string_view text) { return std::cout << text << std::flush ? kDone : kNotPrinted; }

int Run(std::span<const char* const> line) {
  const std::vector<Command> commands = Commands();
  const auto invocation =
      Parse(commands, line, [](const char* name) -> const char* { return std::getenv(name); });
  if (!invocation.ok()) return WrongUsage(invocation.status());
  const Command* command = invocation->command;
  if (invocation->help) return Print(command == nullptr ? Help(commands) : Help(*command));

  const auto admin_key = ReadAdminKey(*invocation);
  if (!admin_key.ok()) return WrongUsage(admin_key.status());
  const auto timeout =
      invocation->Has("timeout") ? *ParseDuration(invocation->Get("timeout")) : std::chrono::seconds(10);
  Client client(rpc::NewChannel(std::string(invocation->Get(command->service))), *admin_key, timeout);
  if (command->stream != nullptr) {
    const absl::Status status = command->stream(client, *invocation, [](const boost::json::object& line) {
      return static_cast<bool>(std::cout << boost::json::serialize(line) << '\n');
    });
    if (!status.ok()) return Complain(status, *invocation);
    return Print("");
  }
  const auto answer = command->run(client, *invocation);
  if (!answer.ok()) return Complain(answer.status(), *invocation);
  if (invocation->Has("json")) return Print(boost::json::serialize(*answer) + "\n");
  // What comes next is for people; it leaves standard output to the answer.
  if (!command->next.empty()) std::cerr << "Next: " << command->next << "\n";
  return Print(ToText(*answer));
}

}  // namespace
}  // namespace verdict::cli

int main(int argc, char** argv) {
  return verdict::cli::Run({argv + 1, static_cast<size_t>(argc > 0 ? argc - 1 : 0)});
}
