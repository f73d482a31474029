#include "tests/support/process.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/await.h"

namespace verdict::test {
namespace {

// Starts `command` with its output appended to the two files.
pid_t Spawn(const std::vector<std::string>& command, const std::map<std::string, std::string>& environment,
            const std::string& out, const std::string& err) {
  // Of two values of a variable the first counts.
  std::vector<std::string> variables;
  for (const auto& [name, value] : environment) variables.push_back(name + "=" + value);
  for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
  const auto pointers = [](const std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
    result.push_back(nullptr);
    return result;
  };

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, command.front().c_str(), &actions, nullptr, pointers(command).data(),
                                 pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::system_error(error, std::generic_category(), "cannot start " + command.front());
  return pid;
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

Finished Run(const std::vector<std::string>& command, const std::map<std::string, std::string>& environment) {
  char folder[] = "/tmp/verdict-run-XXXXXX";
  if (mkdtemp(folder) == nullptr) throw std::system_error(errno, std::generic_category(), "mkdtemp");
  const std::string out = std::string(folder) + "/out";
  const std::string err = std::string(folder) + "/err";
  const pid_t pid = Spawn(command, environment, out, err);
  int status = 0;
  Await(
      "the end of " + command.front(), [&] { return waitpid(pid, &status, WNOHANG) == pid; },
      std::chrono::seconds(120));
  Finished finished{.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
                    .out = ReadFile(out),
                    .err = ReadFile(err)};
  std::filesystem::remove_all(folder);
  return finished;
}

Process::Process(const std::vector<std::string>& command, const std::string& log)
    : pid_(Spawn(command, {}, log, log)) {}

Process::~Process() {
  if (!Running()) return;
  Signal(SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Process::Signal(int signal) const { kill(pid_, signal); }

bool Process::Running() {
  if (exit_code_) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return true;
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return false;
}

int Process::Wait() {
  Await("the end of a process", [this] { return !Running(); });
  return *exit_code_;
}

}  // namespace verdict::test
