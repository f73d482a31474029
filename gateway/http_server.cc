#include "gateway/http_server.h"

#include <charconv>
#include <exception>
#include <thread>
#include <utility>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/socket_base.hpp>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/log/log.h"
#include "common/status/error.h"
#include "common/status/macros.h"

namespace verdict::gateway {
namespace {

using Acceptor = asio::basic_socket_acceptor<tcp, Executor>;

// How long accepting pauses when the process has no file descriptors left.
constexpr std::chrono::milliseconds kAcceptPause{100};

// What the kernel keeps of an answer that is not read (it doubles the number). It would let that grow to some
// megabytes a connection.
constexpr int kSendBuffer = 128 * 1024;

using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

absl::Status CannotListen(const tcp::endpoint& endpoint, const boost::system::error_code& error) {
  return MakeError(errors::v1::REASON_UNAVAILABLE,
                   absl::StrCat("Cannot listen on ", endpoint.address().to_string(), ":", endpoint.port(),
                                ": ", error.message()));
}

absl::StatusOr<tcp::endpoint> ParseAddress(std::string_view address) {
  const auto colon = address.rfind(':');
  std::string_view host = address.substr(0, colon);
  const std::string_view port =
      colon == std::string_view::npos ? std::string_view() : address.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  boost::system::error_code error;
  const auto ip = asio::ip::make_address(host, error);
  std::uint16_t number = 0;
  const auto [stop, range] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error || port.empty() || range != std::errc() || stop != port.data() + port.size()) {
    return MakeError(errors::v1::REASON_UNAVAILABLE,
                     absl::StrCat("The address to listen on is not HOST:PORT with a numeric host: ",
                                  std::string(address)));
  }
  return tcp::endpoint(ip, number);
}

// With SO_REUSEPORT a second server on the port would take part of the first one's connections. Binding once
// without it tells.
absl::Status CheckIsFree(const tcp::endpoint& endpoint) {
  asio::io_context io;
  Acceptor acceptor(io);
  boost::system::error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(Acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  return error ? CannotListen(endpoint, error) : absl::OkStatus();
}

}  // namespace

// One thread with its event loop.
class HttpServer::Worker {
 public:
  Worker(HttpContext& context, ConnectionCount& connections)
      : context_(context), connection_count_(connections) {}
  ~Worker() { Join(); }

  absl::Status Listen(const tcp::endpoint& endpoint) {
    boost::system::error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(Acceptor::reuse_address(true), error);
    if (!error) acceptor_.set_option(ReusePort(true), error);
    // Accepted sockets have it from the listening one.
    if (!error) acceptor_.set_option(asio::socket_base::send_buffer_size(kSendBuffer), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(Acceptor::max_listen_connections, error);
    if (!error) return absl::OkStatus();
    return CannotListen(endpoint, error);
  }

  tcp::endpoint endpoint() const { return acceptor_.local_endpoint(); }

  void Run() {
    Spawn(Accept());
    thread_ = std::jthread([this] {
      io_.run();
      done_.Notify();
    });
  }

  void Drain() {
    asio::post(io_, [this] {
      boost::system::error_code error;
      acceptor_.close(error);
      for (Connection* connection : connections_) connection->Drain();
    });
  }

  void Abort() {
    asio::post(io_, [this] {
      for (Connection* connection : connections_) connection->Abort();
    });
  }

  bool DoneBy(absl::Time time) const { return done_.WaitForNotificationWithDeadline(time); }

  void Join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Spawn(Awaitable<void> task) {
    asio::co_spawn(io_, std::move(task), [](std::exception_ptr exception) {
      if (!exception) return;
      try {
        std::rethrow_exception(exception);
      } catch (const std::exception& e) {
        log::Error("connection failed", {{"error", e.what()}});
      }
    });
  }

  Awaitable<void> Accept() {
    while (acceptor_.is_open()) {
      auto [error, socket] = co_await acceptor_.async_accept(kAwait);
      if (error == asio::error::operation_aborted) break;
      if (error == asio::error::no_descriptors || error == asio::error::no_memory) {
        log::Warn("cannot accept connections", {{"error", error.message()}});
        Timer pause(io_.get_executor(), kAcceptPause);
        co_await pause.async_wait(kAwait);
      }
      if (error) continue;
      const tcp::endpoint peer = socket.remote_endpoint(error);
      if (error) continue;  // it is gone already
      if (!connection_count_.Enter(peer.address())) {
        context_.metrics.connections_refused.Increment();
        continue;
      }
      Spawn(Serve(std::move(socket), peer.address()));
    }
  }

  Awaitable<void> Serve(Socket socket, asio::ip::address peer) {
    boost::system::error_code error;
    socket.set_option(tcp::no_delay(true), error);
    Connection connection(std::move(socket), context_);
    connections_.insert(&connection);
    const struct Leave {
      ~Leave() {
        worker.connections_.erase(connection);
        worker.connection_count_.Leave(peer);
      }
      Worker& worker;
      Connection* connection;
      const asio::ip::address& peer;
    } leave{*this, &connection, peer};
    co_await connection.Serve();
  }

  HttpContext& context_;
  ConnectionCount& connection_count_;  // of all workers
  asio::io_context io_{1};
  Acceptor acceptor_{io_};
  absl::flat_hash_set<Connection*> connections_;
  absl::Notification done_;
  std::jthread thread_;
};

HttpServer::HttpServer(const HttpLimits& limits, RequestHandler& handler, Metrics& metrics)
    : context_{.limits = limits, .handler = handler, .metrics = metrics},
      connection_count_(limits.connections, limits.connections_per_address) {}

HttpServer::~HttpServer() { Drain(std::chrono::milliseconds(0)); }

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(std::string_view address, std::size_t threads,
                                                              const HttpLimits& limits,
                                                              RequestHandler& handler, Metrics& metrics) {
  ASSIGN_OR_RETURN(tcp::endpoint endpoint, ParseAddress(address));
  RETURN_IF_ERROR(CheckIsFree(endpoint));
  std::unique_ptr<HttpServer> server(new HttpServer(limits, handler, metrics));
  for (std::size_t i = 0; i < threads; ++i) {
    auto worker = std::make_unique<Worker>(server->context_, server->connection_count_);
    RETURN_IF_ERROR(worker->Listen(endpoint));
    endpoint = worker->endpoint();  // the first worker's port, if any was free to take
    server->workers_.push_back(std::move(worker));
  }
  server->address_ = absl::StrCat(std::string(address.substr(0, address.rfind(':'))), ":", endpoint.port());
  for (const auto& worker : server->workers_) worker->Run();
  return server;
}

void HttpServer::Drain(std::chrono::milliseconds timeout) {
  const absl::Time deadline = absl::Now() + absl::FromChrono(timeout);
  context_.draining = true;
  for (const auto& worker : workers_) worker->Drain();
  for (const auto& worker : workers_) {
    if (!worker->DoneBy(deadline)) worker->Abort();
  }
  for (const auto& worker : workers_) worker->Join();
}

}  // namespace verdict::gateway
