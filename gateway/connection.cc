#include "gateway/connection.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <sys/socket.h>

#include "common/status/error.h"
#include "gateway/exchange.h"

namespace verdict::gateway {
namespace {

constexpr std::size_t kReadBytes = 8 * 1024;

}  // namespace

void Connection::Deadline::Set(SteadyClock::time_point time) {
  time_ = time;
  passed_ = false;
  if (!waiting_ || time < timer_.expiry()) Wait();
}

void Connection::Deadline::Close() {
  socket_ = nullptr;
  timer_.cancel();
}

void Connection::Deadline::Wait() {
  waiting_ = true;
  timer_.expires_at(time_);
  timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
    if (error || self->socket_ == nullptr) return;  // replaced by another wait, or closed
    self->waiting_ = false;
    if (self->time_ == SteadyClock::time_point::max()) return;
    if (SteadyClock::now() < self->time_) return self->Wait();
    self->passed_ = true;
    self->socket_->cancel(error);
  });
}

Connection::Connection(Socket socket, HttpContext& context)
    : socket_(std::move(socket)), context_(context), deadline_(std::make_shared<Deadline>(socket_)) {
  context_.metrics.connections.Increment();
}

Connection::~Connection() {
  deadline_->Close();
  context_.metrics.connections.Decrement();
}

std::string_view Connection::received() const {
  return {static_cast<const char*>(buffer_.data().data()), buffer_.size()};
}

void Connection::Consume(std::size_t bytes) { buffer_.consume(bytes); }

Awaitable<Connection::Read> Connection::ReadSome(SteadyClock::time_point deadline) {
  const std::size_t room = std::min(kReadBytes, buffer_.max_size() - buffer_.size());
  if (room == 0) co_return Read::kFull;
  deadline_->Set(deadline);
  const auto [error, bytes] = co_await socket_.async_read_some(buffer_.prepare(room), kAwait);
  deadline_->Clear();
  if (error) co_return deadline_->passed() ? Read::kTimeout : Read::kEnd;
  buffer_.commit(bytes);
  context_.metrics.bytes_received.Increment(static_cast<double>(bytes));
  co_return Read::kSome;
}

Awaitable<bool> Connection::AwaitRequest(bool first) {
  if (!received().empty()) co_return true;
  const HttpLimits& limits = context_.limits;
  idle_ = true;
  const Read read =
      co_await ReadSome(SteadyClock::now() + (first ? limits.head_timeout : limits.idle_timeout));
  idle_ = false;
  co_return read == Read::kSome;
}

Awaitable<absl::StatusOr<bool>> Connection::ReadHead(bool first) {
  if (!co_await AwaitRequest(first)) co_return false;
  const auto deadline = SteadyClock::now() + context_.limits.head_timeout;
  for (;;) {
    // Some clients end a body with a CRLF too many.
    while (received().starts_with("\r\n")) Consume(2);
    const auto end = FindHeadEnd(received(), context_.limits.head);
    if (!end.ok()) co_return end.status();
    if (*end > 0) {
      section_.assign(received().substr(0, *end));
      Consume(*end);
      co_return true;
    }
    switch (co_await ReadSome(deadline)) {
      case Read::kSome:
        break;
      case Read::kTimeout:
        co_return MakeError(errors::v1::REASON_REQUEST_TIMEOUT, "The header section did not arrive in time.");
      case Read::kEnd:
      case Read::kFull:  // FindHeadEnd refuses what is longer than its limit before the buffer is full
        if (received().empty()) co_return false;
        co_return MakeError(errors::v1::REASON_BAD_REQUEST,
                            "The connection ended within the header section.");
    }
  }
}

Awaitable<void> Connection::Serve() {
  for (std::size_t served = 1;; ++served) {
    const auto has_request = co_await ReadHead(served == 1);
    if (has_request.ok() && !*has_request) co_return;
    const auto head = has_request.ok() ? ParseHead(section_, context_.limits.head) : has_request.status();
    if (!head.ok()) {
      Exchange exchange(*this, RequestHead());
      exchange.CloseAfterwards();
      co_await exchange.SendProblem(head.status());
      break;
    }
    Exchange exchange(*this, *head);
    if (served == context_.limits.requests_per_connection) exchange.CloseAfterwards();
    co_await context_.handler.Handle(exchange);
    if (exchange.looks_complete_but_is_not()) co_return Reset();
    if (!exchange.connection_reusable()) break;
  }
  co_await Linger();
}

// Closing with bytes unread makes the kernel reset the connection, and the client loses the answer with it.
// So: end our side, and wait for the client to end its own.
Awaitable<void> Connection::Linger() {
  boost::system::error_code error;
  socket_.shutdown(tcp::socket::shutdown_send, error);
  if (error) co_return;
  const auto deadline = SteadyClock::now() + context_.limits.linger_timeout;
  for (std::size_t dropped = 0; dropped < context_.limits.linger_bytes;) {
    Consume(buffer_.size());
    if (co_await ReadSome(deadline) != Read::kSome) co_return;
    dropped += buffer_.size();
  }
}

void Connection::Reset() {
  boost::system::error_code error;
  socket_.set_option(Socket::linger(true, 0), error);
  socket_.close(error);
}

void Connection::Drain() {
  if (idle_) deadline_->Set(SteadyClock::now() + context_.limits.drain_idle);
}

void Connection::Abort() {
  if (watcher_ != nullptr) watcher_->gone();
  boost::system::error_code error;
  socket_.close(error);
}

void Connection::Watch(std::function<void()> gone) {
  // Aborted before there was a call to cancel.
  if (!socket_.is_open()) return gone();
  watcher_ = std::make_shared<Watcher>(std::move(gone), Timer(socket_.get_executor()));
  socket_.async_wait(
      Socket::wait_read, [this, weak = std::weak_ptr(watcher_)](boost::system::error_code error) {
        const auto watcher = weak.lock();  // only while the watch lasts, and so does the connection
        if (error || watcher == nullptr) return;
        char byte;
        const auto peeked = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (peeked > 0) return;  // the next request; what comes behind it is seen when that has been read
        if (peeked < 0) {
          if (errno != EAGAIN) watcher->gone();
          return;
        }
        watcher->grace.expires_after(context_.limits.half_close_grace);
        watcher->grace.async_wait([weak](boost::system::error_code cancelled) {
          const auto still_watching = weak.lock();
          if (!cancelled && still_watching != nullptr) still_watching->gone();
        });
      });
}

void Connection::StopWatching() {
  watcher_.reset();
  boost::system::error_code error;
  socket_.cancel(error);
}

}  // namespace verdict::gateway
