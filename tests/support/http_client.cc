#include "tests/support/http_client.h"

#include <chrono>
#include <optional>
#include <stdexcept>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "absl/strings/ascii.h"

namespace verdict::test {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

struct HttpClient::Connection {
  asio::io_context context{1};
  beast::tcp_stream stream{context};
  beast::flat_buffer buffer;

  // Runs one asynchronous operation under the deadline, which only those have.
  template <typename Start>
  void Run(Start start) {
    std::optional<beast::error_code> outcome;
    stream.expires_after(std::chrono::seconds(30));
    start([&](beast::error_code error, auto&&...) { outcome = error; });
    context.restart();
    context.run();
    if (*outcome) throw std::runtime_error("HTTP client: " + outcome->message());
  }
};

HttpClient::HttpClient(int port) : port_(port) {}
HttpClient::~HttpClient() = default;

void HttpClient::Connect() {
  connection_ = std::make_unique<Connection>();
  const asio::ip::tcp::endpoint peer(asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(port_));
  connection_->Run([&](auto done) { connection_->stream.async_connect(peer, done); });
}

HttpResponse HttpClient::Send(const HttpRequest& request) {
  if (connection_ == nullptr) Connect();
  http::request<http::string_body> message(http::string_to_verb(request.method), request.target, 11);
  message.set(http::field::host, "127.0.0.1:" + std::to_string(port_));
  for (const auto& [name, value] : request.headers) message.insert(name, value);
  message.body() = request.body;
  message.prepare_payload();
  connection_->Run([&](auto done) { http::async_write(connection_->stream, message, done); });

  http::response_parser<http::string_body> parser;
  parser.body_limit(1ULL << 30);
  parser.skip(request.method == "HEAD");
  connection_->Run(
      [&](auto done) { http::async_read(connection_->stream, connection_->buffer, parser, done); });
  const auto& answer = parser.get();
  HttpResponse response{.status = static_cast<int>(answer.result_int()), .body = answer.body()};
  for (const auto& field : answer) {
    response.headers[absl::AsciiStrToLower({field.name_string().data(), field.name_string().size()})] =
        std::string(field.value());
  }
  if (!answer.keep_alive()) connection_.reset();
  return response;
}

}  // namespace verdict::test
