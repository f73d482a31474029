#include "common/process/process.h"

#include <csignal>
#include <cstdio>
#include <fstream>

#include <pthread.h>
#include <sys/resource.h>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/status/error.h"

namespace verdict::process {
namespace {

sigset_t EndSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

}  // namespace

Signals::Signals() {
#ifdef NDEBUG
  // Debian builds Abseil with its search for cycles among locks, in one graph of the process and at every
  // lock.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
#endif
  const sigset_t signals = EndSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

void Signals::Wait() {
  const sigset_t signals = EndSignals();
  int signal = 0;
  sigwait(&signals, &signal);
}

void ForbidCoreFiles() {
  // With 0 a handler that core(5)'s pattern pipes to would still get it; with 1 the kernel hands out nothing,
  // and it is less than any file would need.
  const rlimit limit = {.rlim_cur = 1, .rlim_max = 1};
  setrlimit(RLIMIT_CORE, &limit);
}

absl::Status WriteAddressFile(const std::string& path,
                              const std::vector<std::pair<std::string, std::string>>& addresses) {
  if (path.empty()) return absl::OkStatus();
  const std::string draft = path + ".new";
  std::ofstream file(draft);
  for (const auto& [name, address] : addresses) file << name << '=' << address << '\n';
  file.close();
  if (!file || std::rename(draft.c_str(), path.c_str()) != 0) {
    return MakeError(errors::v1::REASON_UNAVAILABLE,
                     absl::StrCat("Cannot write the address file ", path, "."));
  }
  return absl::OkStatus();
}

}  // namespace verdict::process
