#include "gateway/exchange.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/chunk_encode.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>
#include <openssl/rand.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "common/rpc/call_metadata.h"
#include "common/status/error.h"
#include "common/status/macros.h"
#include "gateway/errors.h"

namespace verdict::gateway {
namespace {

namespace http = boost::beast::http;

constexpr std::size_t kChunkExtensionsMax = 256;  // of all chunks of a body: they are work, and mean nothing

std::string RequestIdOf(const RequestHead& head) {
  if (const auto given = head.Field("X-Request-Id"); given && rpc::IsRequestId(*given))
    return std::string(*given);
  // The generator costs as much for many as for one.
  constexpr std::size_t kIdBytes = 16;
  thread_local std::array<unsigned char, 64 * kIdBytes> random;
  thread_local std::size_t used = random.size();
  if (used == random.size()) {
    RAND_bytes(random.data(), random.size());
    used = 0;
  }
  const auto* id = reinterpret_cast<const char*>(random.data() + used);
  used += kIdBytes;
  return absl::BytesToHexString({id, kIdBytes});
}

// "Sun, 06 Nov 1994 08:49:37 GMT", made once a second and thread.
const std::string& HttpDate() {
  thread_local std::time_t time = -1;
  thread_local std::string date;
  const std::time_t now = std::time(nullptr);
  if (now != time) {
    std::tm parts = {};
    gmtime_r(&now, &parts);
    std::array<char, 32> text = {};
    date.assign(text.data(), std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts));
    time = now;
  }
  return date;
}

// Beast's string_body, but for its reserving what Content-Length announces: memory is for what arrives.
struct GrowingBody {
  using value_type = std::string;

  class reader {  // as Beast names it. NOLINT(readability-identifier-naming)
   public:
    template <bool is_request, class FieldsOfHead>
    reader(http::header<is_request, FieldsOfHead>& /*head*/, std::string& body) : body_(body) {}

    void init(const boost::optional<std::uint64_t>& /*length*/, boost::system::error_code& error) {
      error = {};
    }

    template <class Buffers>
    std::size_t put(const Buffers& buffers, boost::system::error_code& error) {
      const std::size_t size_before = body_.size();
      for (const auto buffer : boost::beast::buffers_range_ref(buffers)) {
        body_.append(static_cast<const char*>(buffer.data()), buffer.size());
      }
      error = {};
      return body_.size() - size_before;
    }

    void finish(boost::system::error_code& error) { error = {}; }

   private:
    std::string& body_;
  };
};

bool HasNoBody(int status) { return status == 204 || status == 304; }

// The parser gets no header section of the client's, but one that states how the guard understood the
// body's framing: about it, then, the two cannot differ.
std::string FramingOf(const RequestHead& head) {
  if (head.chunked) return "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  return absl::StrCat("POST / HTTP/1.1\r\nContent-Length: ", *head.content_length, "\r\n\r\n");
}

}  // namespace

Exchange::Exchange(Connection& connection, RequestHead head)
    : connection_(connection),
      head_(std::move(head)),
      request_id_(RequestIdOf(head_)),
      body_pending_(head_.has_body()),
      keep_alive_(head_.keep_alive) {}

Exchange::~Exchange() {
  for (std::size_t at = 0; at < kHeldKinds; ++at) {
    connection_.context().held_bytes[at] -= held_bytes_[at];
    const auto bytes = static_cast<double>(held_bytes_[at]);
    connection_.context().metrics.held_bytes(static_cast<Held>(at)).Decrement(bytes);
  }
  const std::chrono::duration<double> latency = SteadyClock::now() - start_;
  connection_.context().metrics.CountRequest(route_, head_.method, status_, latency);
  log::Info("request", {{"method", head_.method},
                        {"route", route_},
                        {"status", status_},
                        {"reason", reason_ == errors::v1::REASON_UNSPECIFIED ? "" : ReasonName(reason_)},
                        {"latency_ms", latency.count() * 1000},
                        {"request_id", request_id_}});
}

absl::Status Exchange::HoldBytes(Held kind, std::size_t bytes) {
  HttpContext& context = connection_.context();
  const auto at = static_cast<std::size_t>(kind);
  // Large ones leave room, or a few of them would shut everybody out.
  const std::size_t total = context.limits.held_bytes[at];
  const std::size_t most = held_bytes_[at] + bytes > context.limits.small_bytes ? total - total / 8 : total;
  // What is refused is never counted, not for a moment in which it would have others refused.
  std::size_t held = context.held_bytes[at];
  do {
    if (held + bytes > most) return TooManyBodies();
  } while (!context.held_bytes[at].compare_exchange_weak(held, held + bytes));
  held_bytes_[at] += bytes;
  context.metrics.held_bytes(kind).Increment(static_cast<double>(bytes));
  return absl::OkStatus();
}

absl::Status Exchange::Grow(Held kind, std::string& body, std::size_t bytes, std::size_t size_max) {
  const std::size_t size = std::min(body.size() + bytes, size_max);
  if (size <= body.capacity()) return absl::OkStatus();
  const std::size_t capacity = std::min(std::max(size, 2 * body.capacity()), size_max);
  RETURN_IF_ERROR(HoldBytes(kind, capacity - body.capacity()));
  std::string larger;  // reserve() would take twice what there was, whatever it is asked for
  larger.reserve(capacity);
  larger.append(body);
  body = std::move(larger);
  return absl::OkStatus();
}

Awaitable<absl::StatusOr<std::string>> Exchange::ReadBody(Held kind, std::size_t bytes_max) {
  if (!body_pending_) co_return std::string();
  if (head_.content_length.value_or(0) > bytes_max) co_return BodyTooLarge(bytes_max);
  if (head_.expects_continue && connection_.received().empty()) {
    if (!co_await connection_.Write(asio::buffer(std::string_view("HTTP/1.1 100 Continue\r\n\r\n")))) {
      co_return BadBody("The connection ended before the body.");
    }
  }

  http::request_parser<GrowingBody> parser;
  std::string& body = parser.get().body();
  parser.eager(true);
  parser.body_limit(bytes_max);
  std::size_t extension_bytes = 0;
  auto check_extensions = [&](std::uint64_t, boost::beast::string_view extensions,
                              boost::system::error_code& refused) {
    extension_bytes += extensions.size();
    if (extension_bytes > kChunkExtensionsMax) refused = http::error::bad_chunk_extension;
  };
  parser.on_chunk_header(check_extensions);
  boost::system::error_code error;
  parser.put(asio::buffer(FramingOf(head_)), error);

  const HttpLimits& limits = connection_.context().limits;
  const auto end = SteadyClock::now() + limits.body_timeout;
  auto deadline = SteadyClock::now() + limits.body_grace;
  for (;;) {
    const std::string_view received = connection_.received();
    if (!received.empty()) {
      const std::size_t size_before = body.size();
      const std::size_t size_max = head_.content_length.value_or(bytes_max);
      if (absl::Status status = Grow(kind, body, received.size(), size_max); !status.ok()) co_return status;
      connection_.Consume(parser.put(asio::buffer(received), error));
      // Content alone buys time; chunk headers do not. Time cannot be saved up: who sends a lot and then
      // stops would hold it for hours.
      const std::size_t content = body.size() - size_before;
      const std::chrono::milliseconds earned(1000 * content / limits.body_bytes_per_second);
      deadline = std::min({deadline + earned, SteadyClock::now() + limits.body_grace, end});
      if (error == http::error::body_limit) co_return BodyTooLarge(bytes_max);
      if (error && error != http::error::need_more) co_return BadBody("The body's chunks are malformed.");
      if (parser.is_done()) break;
    }
    switch (co_await connection_.ReadSome(deadline)) {
      case Connection::Read::kSome:
        break;
      case Connection::Read::kEnd:
        co_return BadBody("The connection ended within the body.");
      case Connection::Read::kFull:
        co_return BadBody("The body's chunks are malformed.");
      case Connection::Read::kTimeout:
        co_return MakeError(errors::v1::REASON_REQUEST_TIMEOUT, "The body did not arrive in time.");
    }
  }
  body_pending_ = false;
  co_return std::move(body);
}

std::string Exchange::HeadOf(const Response& response, std::string_view framing) {
  status_ = response.status;
  reason_ = response.reason;
  // The rest of a body that was not read would be taken for the next request.
  if (body_pending_ || connection_.context().draining) keep_alive_ = false;
  std::string head = absl::StrCat(
      "HTTP/1.1 ", status_, " ", std::string(http::obsolete_reason(http::int_to_status(status_))), "\r\n",  //
      "Date: ", HttpDate(), "\r\nX-Request-Id: ", request_id_, "\r\n");
  for (const Fields* fields : {&std::as_const(fields_), &response.fields}) {
    for (const auto& [name, value] : *fields) absl::StrAppend(&head, std::string(name), ": ", value, "\r\n");
  }
  absl::StrAppend(&head, std::string(framing), keep_alive_ ? "" : "Connection: close\r\n", "\r\n");
  return head;
}

Awaitable<void> Exchange::Send(Response response) {
  const bool empty = HasNoBody(response.status);
  std::string_view body = response.lasting_body.empty() ? response.body : response.lasting_body;
  const std::string head =
      HeadOf(response, empty ? "" : absl::StrCat("Content-Length: ", body.size(), "\r\n"));
  if (empty || head_.method == "HEAD") body = {};
  complete_ = co_await connection_.Write(std::array{asio::buffer(head), asio::buffer(body)});
}

Awaitable<void> Exchange::SendProblem(absl::Status error) {
  if (ReasonOf(error) == errors::v1::REASON_INTERNAL) {
    log::Error("request failed", {{"request_id", request_id_}, {"cause", std::string(error.message())}});
  }
  co_await Send(ErrorResponse(error, request_id_, error_format_));
}

Awaitable<bool> Exchange::StartStream(Response response) {
  streaming_ = true;
  // HTTP/1.0 has no chunks: there the end of the connection ends the answer.
  const std::string head = HeadOf(response, head_.http_1_0 ? "" : "Transfer-Encoding: chunked\r\n");
  co_return co_await connection_.Write(asio::buffer(head));
}

Awaitable<bool> Exchange::SendPart(std::string_view part) {
  if (part.empty() || head_.method == "HEAD") co_return true;
  if (head_.http_1_0) co_return co_await connection_.Write(asio::buffer(part));
  co_return co_await connection_.Write(http::make_chunk(asio::buffer(part)));
}

Awaitable<void> Exchange::EndStream() {
  const bool has_last_chunk = !head_.http_1_0 && head_.method != "HEAD";
  complete_ = !has_last_chunk || co_await connection_.Write(http::make_chunk_last());
}

}  // namespace verdict::gateway
