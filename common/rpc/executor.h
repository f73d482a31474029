#pragma once

#include <cstddef>
#include <deque>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"

namespace verdict::rpc {

// A fixed number of threads with a bounded queue, for work that blocks. Thread-safe.
class Executor {
 public:
  using Task = absl::AnyInvocable<void()>;

  Executor(std::size_t threads, std::size_t waiting_max);
  // Runs what waits, then ends.
  ~Executor();

  // False, and the task is not taken, when `waiting_max` tasks wait already.
  bool Submit(Task task);

 private:
  void Run();

  const std::size_t waiting_max_;
  absl::Mutex mutex_;
  std::deque<Task> waiting_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::jthread> threads_;
};

}  // namespace verdict::rpc
