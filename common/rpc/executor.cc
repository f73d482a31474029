#include "common/rpc/executor.h"

#include <utility>

namespace verdict::rpc {

Executor::Executor(std::size_t threads, std::size_t waiting_max) : waiting_max_(waiting_max) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

Executor::~Executor() {
  absl::MutexLock lock(&mutex_);
  ending_ = true;
}

bool Executor::Submit(Task task) {
  absl::MutexLock lock(&mutex_);
  if (ending_ || waiting_.size() >= waiting_max_) return false;
  waiting_.push_back(std::move(task));
  return true;
}

void Executor::Run() {
  const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ending_ || !waiting_.empty(); };
  while (true) {
    Task task;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(&ready));
      if (waiting_.empty()) return;
      task = std::move(waiting_.front());
      waiting_.pop_front();
    }
    task();
  }
}

}  // namespace verdict::rpc
