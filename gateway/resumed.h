#pragma once

#include <utility>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "gateway/asio.h"

namespace verdict::gateway {

// Calls `start(resume)`, waits until somebody calls `resume(values...)`, once and from any thread, and goes
// on with the values on the coroutine's own loop, which keeps running until then.
template <typename... Values, typename Start>
auto Resumed(Start start) {
  using Token = asio::use_awaitable_t<Executor>;
  const Token token;
  return asio::async_initiate<const Token, void(Values...)>(
      [start = std::move(start)](auto handler) mutable {
        auto loop = asio::make_work_guard(asio::get_associated_executor(handler));
        start([handler = std::move(handler), loop = std::move(loop)](Values... values) mutable {
          asio::post(loop.get_executor(),
                     [handler = std::move(handler), ... values = std::move(values)]() mutable {
                       std::move(handler)(std::move(values)...);
                     });
          loop.reset();
        });
      },
      token);
}

}  // namespace verdict::gateway
