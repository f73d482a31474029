// with_stack COMMAND...: runs the command beside a stack of its own, whose addresses and keys it finds in its
// environment (Stack::Environment), and ends as the command does, also when a terminal interrupts both. No
// rate limit stands in its way.

#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>

#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/stack.h"

namespace verdict::test {
namespace {

constexpr int kFailed = 125;

int RunBeside(const Stack& stack, char** command) {
  const pid_t child = fork();
  if (child < 0) return kFailed;
  if (child == 0) {
    std::signal(SIGINT, SIG_DFL);
    for (const auto& [name, value] : stack.Environment()) setenv(name.c_str(), value.c_str(), 1);
    execvp(command[0], command);
    _exit(kFailed);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) return kFailed;
  return WEXITSTATUS(status);
}

int Main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: with_stack COMMAND...\n";
    return kFailed;
  }
  try {
    const std::vector<std::string> unlimited = {"--rate-limit-per-key=0"};
    const Stack stack({{"token", unlimited}, {"feedback", unlimited}, {"aggregator", unlimited}});
    // The stack is ours to end, and its files ours to remove, when the command has ended.
    std::signal(SIGINT, SIG_IGN);
    return RunBeside(stack, argv + 1);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return kFailed;
  }
}

}  // namespace
}  // namespace verdict::test

int main(int argc, char** argv) { return verdict::test::Main(argc, argv); }
