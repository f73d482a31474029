#pragma once

#include <chrono>
#include <list>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace verdict::pg {

// Ends waits for a server that neither answers nor goes away. A statement_timeout needs a server that runs,
// and TCP's timeouts one whose kernel does not: libpq waits for a stopped process without end. Thread-safe.
class Watchdog {
 public:
  explicit Watchdog(std::chrono::milliseconds limit);
  ~Watchdog();  // when no guard is left
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  class Guard;

  // Shuts `socket` down when the guard lives longer than the limit: whoever waits for it then sees its end.
  // The descriptor must stay open as long as the guard lives.
  Guard Watch(int socket);

 private:
  struct Watched {
    std::chrono::steady_clock::time_point expiry;
    int socket;
    bool expired = false;
  };

  void Run();  // body of thread_

  const std::chrono::milliseconds limit_;
  absl::Mutex mutex_;
  std::list<Watched> watched_ ABSL_GUARDED_BY(mutex_);  // by expiry, since all have the same limit
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::jthread thread_;
};

class Watchdog::Guard {
 public:
  ~Guard();
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

 private:
  friend Watchdog;
  Guard(Watchdog& watchdog, std::list<Watched>::iterator watched) : watchdog_(watchdog), watched_(watched) {}

  Watchdog& watchdog_;
  const std::list<Watched>::iterator watched_;
};

}  // namespace verdict::pg
