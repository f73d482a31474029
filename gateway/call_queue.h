#pragma once

#include <cstddef>
#include <thread>
#include <utility>
#include <vector>

#include <grpcpp/completion_queue.h>

#include "common/rpc/event.h"
#include "gateway/asio.h"
#include "gateway/resumed.h"

// gRPC's asynchronous operations, awaited by coroutines. (gRPC 1.51's callback API would be shorter; its
// pollers sleep up to 100 ms after an idle second.)
namespace verdict::gateway {

// A completion queue whose tags are events, and the threads that wait on it.
class CallQueue {
 public:
  explicit CallQueue(std::size_t threads);
  // No operation may be begun any more; waits for those that are under way.
  ~CallQueue();
  CallQueue(const CallQueue&) = delete;
  CallQueue& operator=(const CallQueue&) = delete;

  grpc::CompletionQueue* get() { return &queue_; }

 private:
  grpc::CompletionQueue queue_;
  std::vector<std::jthread> threads_;
};

// Resumes what waits for an operation.
template <typename Resume>
class ResumingOperation final : public rpc::Event {
 public:
  explicit ResumingOperation(Resume resume) : resume_(std::move(resume)) {}

  void Complete(bool ok) override {
    resume_(ok);
    delete this;
  }

 private:
  Resume resume_;
};

// Begins an operation by `start(tag)`, waits until it has ended, and returns its `ok`.
template <typename Start>
Awaitable<bool> Completed(Start start) {
  return Resumed<bool>([start = std::move(start)](auto resume) mutable {
    rpc::Event* operation = new ResumingOperation<decltype(resume)>(std::move(resume));
    start(static_cast<void*>(operation));
  });
}

}  // namespace verdict::gateway
