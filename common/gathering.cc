#include "common/gathering.h"

#include "absl/time/time.h"

namespace verdict {

using std::chrono::steady_clock;

void Gathering::Add(std::size_t count) {
  const bool unwatched = ready_ == 0;
  ready_ += count;
  if (unwatched || MayTake()) changed_.Signal();
}

bool Gathering::Await(absl::Mutex& mutex) {
  while (ready_ == 0 ? !ended_ : !MayTake()) {
    if (ready_ == 0) {
      changed_.Wait(&mutex);
    } else {
      changed_.WaitWithTimeout(&mutex, absl::FromChrono(taken_at_ + company_wait_ - steady_clock::now()));
    }
  }
  return ready_ > 0;
}

void Gathering::Take(std::size_t count) {
  ready_ -= count;
  ++under_way_;
  taken_at_ = steady_clock::now();
  if (ready_ > 0) changed_.Signal();
}

void Gathering::Finish(std::size_t count) {
  --under_way_;
  ready_ += count;
}

void Gathering::End() {
  ended_ = true;
  changed_.SignalAll();
}

bool Gathering::MayTake() const {
  return under_way_ == 0 || ready_ >= batch_max_ || ended_ ||
         steady_clock::now() - taken_at_ >= company_wait_;
}

}  // namespace verdict
