#pragma once

#include <cstddef>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <grpcpp/completion_queue.h>

#include "gateway/asio.h"

// gRPC's asynchronous operations, awaited by coroutines. (gRPC 1.51's callback API would be shorter; its
// pollers sleep up to 100 ms after an idle second.)
namespace verdict::gateway {

// An operation on a completion queue; its address is the operation's tag.
class CallOperation {
 public:
  virtual ~CallOperation() = default;
  // Called once, on a thread of the queue.
  virtual void Complete(bool ok) = 0;
};

// A completion queue whose tags are CallOperations, and the threads that wait on it.
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

// Resumes a coroutine, on the coroutine's own thread.
template <typename Handler>
class ResumingOperation final : public CallOperation {
 public:
  ResumingOperation(Handler handler, const Executor& executor)
      : handler_(std::move(handler)), work_(executor) {}

  void Complete(bool ok) override {
    asio::post(work_.get_executor(),
               [handler = std::move(handler_), ok]() mutable { std::move(handler)(ok); });
    delete this;
  }

 private:
  Handler handler_;
  asio::executor_work_guard<Executor> work_;  // keeps the coroutine's loop running until then
};

// Begins an operation by `start(tag)`, waits until it has ended, and returns its `ok`.
template <typename Start>
Awaitable<bool> Completed(Start start) {
  const Executor executor = co_await asio::this_coro::executor;
  const asio::use_awaitable_t<Executor> token;
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void(bool)>(
      [&](auto handler) {
        CallOperation* operation = new ResumingOperation<decltype(handler)>(std::move(handler), executor);
        start(static_cast<void*>(operation));
      },
      token);
}

}  // namespace verdict::gateway
