#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "gateway/asio.h"
#include "gateway/resumed.h"

namespace verdict::gateway {

// Threads for work that would keep an event loop from its other connections for too long. Thread-safe.
class WorkPool {
 public:
  // At most `waiting_max` pieces of work run or wait.
  WorkPool(std::size_t threads, std::size_t waiting_max) : waiting_max_(waiting_max), threads_(threads) {}

  // Runs `work` on one of the threads and returns what it returned, or throws what it threw, on the
  // coroutine's own; nullopt, and nothing was run, when too many wait.
  template <typename Work>
  Awaitable<std::optional<std::invoke_result_t<Work>>> Run(Work work) {
    const struct Place {
      ~Place() { --waiting; }
      std::atomic<std::size_t>& waiting;
      const bool free;
    } place{waiting_, waiting_.fetch_add(1) < waiting_max_};
    std::optional<std::invoke_result_t<Work>> result;
    if (!place.free) co_return result;
    co_await Resumed<std::exception_ptr>([&](auto resume) {
      asio::post(threads_, [&result, &work, resume = std::move(resume)]() mutable {
        std::exception_ptr thrown;
        try {
          result.emplace(work());
        } catch (...) {
          thrown = std::current_exception();
        }
        resume(std::move(thrown));
      });
    });
    co_return result;
  }

 private:
  const std::size_t waiting_max_;
  std::atomic<std::size_t> waiting_ = 0;
  asio::thread_pool threads_;
};

}  // namespace verdict::gateway
