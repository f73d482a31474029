#pragma once

#include <chrono>
#include <cstddef>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace verdict {

// Decides when the workers of a queue, which are threads, take what is ready in it as their next batch.
//
// There is no delay: while one batch is under way the next one gathers, so a lone piece is taken at once and
// a crowd goes together. Another worker helps as soon as a whole batch is ready, or when the one before takes
// long. After the end nothing gathers any more.
//
// It knows how many are ready, and the queue which ones: every member is called under the queue's mutex.
class Gathering {
 public:
  // A whole batch has `batch_max`. One that was taken `company_wait` ago keeps no others waiting for its
  // sake.
  Gathering(std::size_t batch_max, std::chrono::milliseconds company_wait)
      : batch_max_(batch_max), company_wait_(company_wait) {}

  std::size_t ready() const { return ready_; }
  bool ended() const { return ended_; }

  // So many more are ready, one or more; wakes a worker that has to know.
  void Add(std::size_t count);
  // Returns when this worker is to take a batch; false when it may go, because no more will come.
  bool Await(absl::Mutex& mutex) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // It has taken so many, and another watches over what it left.
  void Take(std::size_t count);
  // Its batch is done, which made so many more ready. It wakes nobody, since it comes back for them itself.
  void Finish(std::size_t count = 0);
  void End();

 private:
  // Whether what is ready is better taken now than gathered further.
  bool MayTake() const;

  const std::size_t batch_max_;
  const std::chrono::milliseconds company_wait_;
  absl::CondVar changed_;
  std::size_t ready_ = 0;
  std::size_t under_way_ = 0;  // batches
  std::chrono::steady_clock::time_point taken_at_;
  bool ended_ = false;
};

}  // namespace verdict
