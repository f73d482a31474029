#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "gateway/connection.h"
#include "gateway/connection_count.h"

namespace verdict::gateway {

// Serves HTTP/1.1 and 1.0 on a TCP port. Each thread has an event loop, a listening socket of its own on the
// same port (SO_REUSEPORT: the kernel spreads the connections), and the connections that it accepted, so that
// a connection stays on one thread, but for work that its handler has done elsewhere and waits for.
class HttpServer {
 public:
  // Starts serving on `address`, HOST:PORT with a numeric host; port 0 takes any free one. `handler` and
  // `metrics` must outlive the server. UNAVAILABLE when the address cannot be bound.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(std::string_view address, std::size_t threads,
                                                           const HttpLimits& limits, RequestHandler& handler,
                                                           Metrics& metrics);

  // Drains without waiting.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // HOST:PORT as bound.
  const std::string& address() const { return address_; }

  // Stops accepting, answers the requests in progress with `Connection: close`, and cuts those that are not
  // done after `timeout`. Returns when the last connection has ended.
  void Drain(std::chrono::milliseconds timeout);

 private:
  class Worker;

  HttpServer(const HttpLimits& limits, RequestHandler& handler, Metrics& metrics);

  HttpContext context_;
  ConnectionCount connection_count_;
  std::string address_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace verdict::gateway
