#pragma once

#include <cstdint>
#include <ctime>
#include <fstream>
#include <stdexcept>
#include <string>

#include <unistd.h>

// What processes use of the machine.
namespace verdict::test {

inline double CpuSeconds(clockid_t clock) {
  timespec time = {};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}
inline double ThreadCpuSeconds() { return CpuSeconds(CLOCK_THREAD_CPUTIME_ID); }
inline double ProcessCpuSeconds() { return CpuSeconds(CLOCK_PROCESS_CPUTIME_ID); }

// A field of /proc/PID/status that is a size, in bytes.
inline std::int64_t StatusBytes(const std::string& field, pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; status >> word;) {
    if (word != field + ":") continue;
    std::int64_t kib = 0;
    status >> kib;
    return kib * 1024;
  }
  throw std::runtime_error("no " + field + " of process " + std::to_string(pid));
}

// The memory that the process has in use.
inline std::int64_t ResidentBytes(pid_t pid = getpid()) { return StatusBytes("VmRSS", pid); }

// The most of it that there was since ResetPeak.
inline std::int64_t PeakBytes(pid_t pid = getpid()) { return StatusBytes("VmHWM", pid); }

inline void ResetPeak(pid_t pid = getpid()) {
  std::ofstream("/proc/" + std::to_string(pid) + "/clear_refs") << 5;
}

}  // namespace verdict::test
