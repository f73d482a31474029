#pragma once

#include <chrono>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>

// Asio's types for one io_context a thread. The executor's type is named throughout, since asio's default,
// any_io_executor, costs an allocation and virtual calls at every step of a coroutine.
namespace verdict::gateway {

namespace asio = boost::asio;
using asio::ip::tcp;

using SteadyClock = std::chrono::steady_clock;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<tcp, Executor>;
using Timer = asio::basic_waitable_timer<SteadyClock, asio::wait_traits<SteadyClock>, Executor>;
template <typename T>
using Awaitable = asio::awaitable<T, Executor>;

// Awaits an operation and returns its error code instead of throwing it.
inline constexpr asio::as_tuple_t<asio::use_awaitable_t<Executor>> kAwait = {};

}  // namespace verdict::gateway
