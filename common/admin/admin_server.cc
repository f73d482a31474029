#include "common/admin/admin_server.h"

#include <charconv>
#include <chrono>
#include <cstdint>
#include <exception>
#include <thread>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "common/status/error.h"

namespace verdict {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

constexpr std::size_t kConnectionsMax = 64;
constexpr std::uint32_t kHeaderBytesMax = 8 << 10;
constexpr std::chrono::seconds kTimeout(5);  // for each request, and each answer

absl::StatusOr<tcp::endpoint> ParseAddress(std::string_view text) {
  const auto colon = text.rfind(':');
  std::uint16_t port = 0;
  boost::system::error_code error;
  if (colon != std::string_view::npos) {
    std::string_view digits = text.substr(0, colon);
    if (digits.starts_with('[') && digits.ends_with(']')) digits = digits.substr(1, digits.size() - 2);
    const auto host = asio::ip::make_address(std::string(digits), error);
    const char* const end = text.data() + text.size();
    const auto [parsed, failure] = std::from_chars(text.data() + colon + 1, end, port);
    if (!error && failure == std::errc() && parsed == end) return tcp::endpoint(host, port);
  }
  return MakeError(errors::v1::REASON_UNAVAILABLE,
                   "Cannot listen on " + std::string(text) + ": it must be HOST:PORT with a numeric host.");
}

}  // namespace

class AdminServer::Impl {
 public:
  Impl(const metrics::Registry& registry, std::function<bool()> ready,
       std::function<std::string()> ready_body)
      : registry_(registry), ready_(std::move(ready)), ready_body_(std::move(ready_body)) {}

  ~Impl() { context_.stop(); }

  absl::Status Listen(std::string_view address) {
    const auto endpoint = ParseAddress(address);
    if (!endpoint.ok()) return endpoint.status();
    try {
      acceptor_.open(endpoint->protocol());
      acceptor_.set_option(tcp::acceptor::reuse_address(true));
      acceptor_.bind(*endpoint);
      acceptor_.listen();
    } catch (const std::exception& error) {
      return MakeError(errors::v1::REASON_UNAVAILABLE,
                       "Cannot listen on " + std::string(address) + ": " + error.what());
    }
    address_ = std::string(address.substr(0, address.rfind(':') + 1)) +
               std::to_string(acceptor_.local_endpoint().port());
    asio::co_spawn(context_, Accept(), asio::detached);
    thread_ = std::jthread([this] { context_.run(); });
    return absl::OkStatus();
  }

  const std::string& address() const { return address_; }

 private:
  asio::awaitable<void> Accept() {
    for (;;) {
      boost::system::error_code error;
      tcp::socket socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
      if (error) {
        // Out of descriptors, most likely: some may be free in a moment.
        asio::steady_timer pause(context_, std::chrono::milliseconds(100));
        co_await pause.async_wait(asio::use_awaitable);
        continue;
      }
      if (connections_ == kConnectionsMax) continue;  // closes it
      ++connections_;
      asio::co_spawn(context_, Serve(beast::tcp_stream(std::move(socket))),
                     [this](const std::exception_ptr&) { --connections_; });  // a lost peer is no error
    }
  }

  asio::awaitable<void> Serve(beast::tcp_stream stream) {
    beast::flat_buffer buffer;
    for (bool keep_alive = true; keep_alive;) {
      http::request_parser<http::empty_body> parser;
      parser.header_limit(kHeaderBytesMax);
      stream.expires_after(kTimeout);
      co_await http::async_read(stream, buffer, parser, asio::use_awaitable);
      http::response<http::string_body> response = Answer(parser.get());
      keep_alive = response.keep_alive();
      stream.expires_after(kTimeout);
      co_await http::async_write(stream, response, asio::use_awaitable);
    }
  }

  http::response<http::string_body> Answer(const http::request<http::empty_body>& request) const {
    http::response<http::string_body> response(http::status::ok, request.version());
    response.keep_alive(request.keep_alive());
    response.set(http::field::content_type, "application/json");
    if (request.method() != http::verb::get) {
      response.result(http::status::method_not_allowed);
      response.set(http::field::allow, "GET");
    } else if (request.target() == "/metrics") {
      response.set(http::field::content_type, "text/plain; version=0.0.4; charset=utf-8");
      response.body() = registry_.Text();
    } else if (request.target() == "/healthz") {
      response.body() = R"({"alive":true})";
    } else if (request.target() == "/readyz") {
      if (!ready_()) response.result(http::status::service_unavailable);
      response.body() = ready_body_();
    } else {
      response.result(http::status::not_found);
    }
    response.prepare_payload();
    return response;
  }

  const metrics::Registry& registry_;
  const std::function<bool()> ready_;
  const std::function<std::string()> ready_body_;
  asio::io_context context_{1};
  tcp::acceptor acceptor_{context_};
  std::string address_;
  std::size_t connections_ = 0;  // only touched on the thread
  std::jthread thread_;
};

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Start(std::string_view address,
                                                                const metrics::Registry& registry,
                                                                std::function<bool()> ready,
                                                                std::function<std::string()> ready_body) {
  auto impl = std::make_unique<Impl>(registry, std::move(ready), std::move(ready_body));
  if (absl::Status status = impl->Listen(address); !status.ok()) return status;
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(impl)));
}

AdminServer::AdminServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AdminServer::~AdminServer() = default;

const std::string& AdminServer::address() const { return impl_->address(); }

}  // namespace verdict
