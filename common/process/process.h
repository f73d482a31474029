#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

// What every process of ours does at its edges: end on a signal, and say where it listens.
namespace verdict::process {

// Takes SIGTERM and SIGINT out of every thread that starts after it, so make it first in main. Ignores
// SIGPIPE: a peer that went away is an error of a call, not the end of the process. Optimised builds do
// without Abseil's search for deadlocks from here on.
class Signals {
 public:
  Signals();
  // Returns when the process is asked to end. Later signals change nothing: draining has begun.
  void Wait();
};

// A process that crashes leaves no image of its memory, which holds keys and bodies.
void ForbidCoreFiles();

// Writes lines NAME=HOST:PORT, whole or not at all, for whoever started the process with ports of 0.
// Does nothing when `path` is empty.
absl::Status WriteAddressFile(const std::string& path,
                              const std::vector<std::pair<std::string, std::string>>& addresses);

}  // namespace verdict::process
