#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gateway/asio.h"
#include "gateway/connection.h"
#include "gateway/framing_guard.h"
#include "gateway/problem.h"
#include "gateway/response.h"

namespace verdict::gateway {

// One request on a connection and its answer, of which there is exactly one: Send, SendProblem, or a stream.
// Writes the request's log line and metrics when it ends. Lives on its connection's thread, but for
// HoldBytes.
class Exchange {
 public:
  // The views of `head` stay valid as long as the exchange.
  Exchange(Connection& connection, RequestHead head);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  const RequestHead& head() const { return head_; }
  // The client's X-Request-Id if it is sane, else a new one; every answer carries it.
  const std::string& request_id() const { return request_id_; }

  // The route's template, which stands for the path in log and metrics; must outlive the exchange.
  void set_route(std::string_view route) { route_ = route; }
  // How errors look from here on; until then they are problem documents.
  void set_error_format(ErrorFormat format) { error_format_ = format; }
  ErrorFormat error_format() const { return error_format_; }
  // Adds a header field to the answer, whatever it will be.
  void AddField(std::string_view name, std::string_view value) { fields_.emplace_back(name, value); }

  // Reads the whole body; empty when there is none. BODY_TOO_LARGE (before reading, where Content-Length says
  // so), REQUEST_TIMEOUT, OVERLOADED or BAD_REQUEST, after each of which the connection closes.
  Awaitable<absl::StatusOr<std::string>> ReadBody(Held kind, std::size_t bytes_max);

  // Counts bytes of the body or the answer, or of what is made of them, until the exchange ends. On any
  // thread, but on one at a time. OVERLOADED when they are too many, those of this kind of all requests
  // together.
  absl::Status HoldBytes(Held kind, std::size_t bytes);

  // Runs `gone` on this thread when the client closes the connection, as long as the watch lives.
  class Watch {
   public:
    Watch(Connection& connection, std::function<void()> gone) : connection_(connection) {
      connection_.Watch(std::move(gone));
    }
    ~Watch() { connection_.StopWatching(); }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    Connection& connection_;
  };
  Watch OnClientGone(std::function<void()> gone) { return {connection_, std::move(gone)}; }

  // Answers; with an error, in the error format.
  Awaitable<void> Send(Response response);
  Awaitable<void> SendProblem(absl::Status error);

  // Answers piece by piece: the head, the parts, the end. False when the client does not take it. A stream
  // that is not ended is cut, so that the client can tell.
  Awaitable<bool> StartStream(Response response);
  Awaitable<bool> SendPart(std::string_view part);
  Awaitable<void> EndStream();

  // Why a stream is cut, for the log.
  void set_reason(errors::v1::Reason reason) { reason_ = reason; }

  void CloseAfterwards() { keep_alive_ = false; }
  bool connection_reusable() const { return keep_alive_ && complete_; }
  // The client could take what it got of a stream for all of it: without chunks, an end is an end.
  bool looks_complete_but_is_not() const { return streaming_ && head_.http_1_0 && !complete_; }

 private:
  // Makes room for so many more bytes of the body, and counts it. By twice what there is, at least, or the
  // time to copy would grow with the square.
  absl::Status Grow(Held kind, std::string& body, std::size_t bytes, std::size_t size_max);
  std::string HeadOf(const Response& response, std::string_view framing);

  Connection& connection_;
  const RequestHead head_;
  const std::string request_id_;
  const SteadyClock::time_point start_ = SteadyClock::now();
  std::string_view route_ = "unmatched";
  ErrorFormat error_format_ = ErrorFormat::kProblem;
  Fields fields_;
  std::array<std::size_t, kHeldKinds> held_bytes_ = {};
  bool body_pending_;      // of the request
  bool keep_alive_;        // as far as the request and the limits go
  bool complete_ = false;  // the whole answer has been written
  bool streaming_ = false;
  int status_ = 0;  // of the answer; 0 before there is one
  errors::v1::Reason reason_ = errors::v1::REASON_UNSPECIFIED;
};

}  // namespace verdict::gateway
