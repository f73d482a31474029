#include "common/pg/watchdog.h"

#include <sys/socket.h>

#include "absl/time/time.h"

namespace verdict::pg {

using std::chrono::steady_clock;

Watchdog::Watchdog(std::chrono::milliseconds limit) : limit_(limit), thread_([this] { Run(); }) {}

Watchdog::~Watchdog() {
  absl::MutexLock lock(&mutex_);
  stopping_ = true;
}

Watchdog::Guard Watchdog::Watch(int socket) {
  absl::MutexLock lock(&mutex_);
  return {*this, watched_.insert(watched_.end(), {.expiry = steady_clock::now() + limit_, .socket = socket})};
}

Watchdog::Guard::~Guard() {
  absl::MutexLock lock(&watchdog_.mutex_);
  watchdog_.watched_.erase(watched_);
}

void Watchdog::Run() {
  absl::MutexLock lock(&mutex_);
  while (!stopping_) {
    const auto now = steady_clock::now();
    // Whatever is watched from now on expires no sooner than this: nobody needs to wake this thread.
    auto next = now + limit_;
    for (Watched& watched : watched_) {
      if (watched.expiry > now) {
        next = watched.expiry;
        break;
      }
      if (!watched.expired) shutdown(watched.socket, SHUT_RDWR);
      watched.expired = true;
    }
    mutex_.AwaitWithTimeout(absl::Condition(&stopping_), absl::FromChrono(next - now));
  }
}

}  // namespace verdict::pg
