#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gateway/asio.h"
#include "gateway/framing_guard.h"
#include "gateway/metrics.h"

namespace verdict::gateway {

class Exchange;

// What a connection may use, in bytes and in time.
struct HttpLimits {
  HeadLimits head = {};
  std::size_t connections = 10'000;
  std::size_t connections_per_address = 0;  // 0: as many as there may be in all
  std::size_t requests_per_connection = 1000;
  std::chrono::milliseconds head_timeout = std::chrono::seconds(5);  // from a head's first byte to its last
  std::chrono::milliseconds idle_timeout =
      std::chrono::seconds(60);                                      // between an answer and the next request
  std::chrono::milliseconds body_grace = std::chrono::seconds(5);    // how far a body may fall behind
  std::size_t body_bytes_per_second = 500;                           // this rate, and never be ahead of it
  std::chrono::milliseconds body_timeout = std::chrono::minutes(2);  // of a whole body
  // By Held, of all requests together; an eighth is for small ones alone.
  std::array<std::size_t, kHeldKinds> held_bytes = {16 << 20, 64 << 20, 128 << 20};
  std::size_t small_bytes = 16 * 1024;
  std::chrono::milliseconds write_timeout = std::chrono::seconds(30);  // of one write
  std::chrono::milliseconds linger_timeout = std::chrono::seconds(1);  // for the client to close first
  std::size_t linger_bytes = 1 << 20;                                  // of what it still sends
  std::chrono::milliseconds half_close_grace =
      std::chrono::seconds(1);  // until a client that ended its side is gone
  std::chrono::milliseconds drain_idle = std::chrono::seconds(1);  // for one more request while draining
};

// Answers requests, on the threads of their connections.
class RequestHandler {
 public:
  virtual ~RequestHandler() = default;

  // Answers one request by the exchange's Send or its stream. Without either the connection is closed.
  virtual Awaitable<void> Handle(Exchange& exchange) = 0;
};

// What all connections of a server share.
struct HttpContext {
  HttpLimits limits;
  RequestHandler& handler;
  Metrics& metrics;
  std::atomic<bool> draining = false;
  std::array<std::atomic<std::size_t>, kHeldKinds> held_bytes = {};  // by Held, of all exchanges
};

// A client's connection: reads requests one after the other, has them answered in that order, and keeps the
// times that its limits say. Lives on the thread of its socket's executor.
class Connection {
 public:
  enum class Read { kSome, kEnd, kTimeout, kFull };

  // The longest stretch that is waited for in one piece, a header section or a chunk's header, and what is
  // read at a time.
  static constexpr std::size_t kBufferMax = 24 * 1024;

  Connection(Socket socket, HttpContext& context);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Serves requests until the connection ends.
  Awaitable<void> Serve();

  // Makes the next answer the last. An idle connection stays open for a moment, since its client may be
  // sending just now.
  void Drain();

  // Ends the connection and cancels the call that is in progress for it.
  void Abort();

  // The rest is for the exchange in progress.

  HttpContext& context() { return context_; }
  std::string_view received() const;
  void Consume(std::size_t bytes);

  // Waits for more bytes; kEnd also stands for any error, kFull for a buffer that holds kBufferMax.
  Awaitable<Read> ReadSome(SteadyClock::time_point deadline);

  // False when the client does not take the bytes, or not in time.
  template <typename Buffers>
  Awaitable<bool> Write(Buffers buffers) {
    deadline_->Set(SteadyClock::now() + context_.limits.write_timeout);
    const auto [error, bytes] = co_await asio::async_write(socket_, buffers, kAwait);
    deadline_->Clear();
    context_.metrics.bytes_sent.Increment(static_cast<double>(bytes));
    co_return !error;
  }

  // Runs `gone` once when the client closes the connection, until StopWatching. One that has only ended its
  // own side looks the same, so there is a moment in which it may still get its answer.
  void Watch(std::function<void()> gone);
  void StopWatching();

 private:
  // Cancels what waits on the socket when the time is over. Setting a later time costs nothing: the timer
  // that runs already looks again when it ends. Shared with the timer's handler, which may outlive it.
  class Deadline : public std::enable_shared_from_this<Deadline> {
   public:
    explicit Deadline(Socket& socket) : socket_(&socket), timer_(socket.get_executor()) {}
    void Set(SteadyClock::time_point time);
    void Clear() { time_ = SteadyClock::time_point::max(); }
    void Close();
    bool passed() const { return passed_; }

   private:
    void Wait();

    Socket* socket_;  // null once closed
    Timer timer_;
    SteadyClock::time_point time_ = SteadyClock::time_point::max();
    bool waiting_ = false;
    bool passed_ = false;
  };

  // Who wants to know that the client is gone.
  struct Watcher {
    std::function<void()> gone;
    Timer grace;
  };

  // Reads a header section into section_. False when there is none: the client is gone, or idle for too long.
  Awaitable<absl::StatusOr<bool>> ReadHead(bool first);
  Awaitable<bool> AwaitRequest(bool first);
  Awaitable<void> Linger();
  void Reset();

  Socket socket_;
  HttpContext& context_;
  std::shared_ptr<Deadline> deadline_;
  boost::beast::flat_buffer buffer_{kBufferMax};
  std::string section_;               // of the request in progress
  std::shared_ptr<Watcher> watcher_;  // null: nobody watches; handlers hold it weakly
  bool idle_ = false;
};

}  // namespace verdict::gateway
