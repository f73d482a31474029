#pragma once

#include <csignal>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace verdict::test {

// What a program printed, and how it ended.
struct Finished {
  int exit_code = 0;
  std::string out = {};
  std::string err = {};
};

// Runs a program to its end, with `environment` added to ours. Throws when it cannot be started or takes
// more than two minutes.
Finished Run(const std::vector<std::string>& command,
             const std::map<std::string, std::string>& environment = {});

// A program in the background, killed when this object ends.
class Process {
 public:
  // Output goes to the end of the file `log`.
  Process(const std::vector<std::string>& command, const std::string& log);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void Signal(int signal) const;
  // Waits for its end and returns the exit code, 128 + N for a signal N. Throws after 60 s.
  int Wait();
  bool Running();
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
  std::optional<int> exit_code_;
};

}  // namespace verdict::test
