#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "common/auth/authenticator.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/process/process.h"
#include "common/rpc/server.h"
#include "common/status/macros.h"
#include "gateway/backends.h"
#include "gateway/cors.h"
#include "gateway/http_server.h"
#include "gateway/metrics.h"
#include "gateway/route_table.h"
#include "gateway/transcoder.h"
#include "tests/bench/echo.pb.h"

// A service that answers what it was asked, and our gateway in front of it or of another such: what costs
// nothing but the way there and back. Without the log line of a request, as the proxies that it is compared
// with.
//
//   echo_bench backend
//   echo_bench gateway --backend HOST:PORT
//
// Each prints listen=HOST:PORT and ends at SIGTERM.
namespace verdict {
namespace {

// The route is public: nobody asks.
class NoKeys final : public auth::Authenticator {
 public:
  void Authenticate(const auth::Credential& /*credential*/, auth::Deadline /*deadline*/,
                    auth::AuthenticateDone done) override {
    done(auth::Unauthenticated());
  }
};

void ServeUntilSignal(const std::string& address, process::Signals& signals) {
  std::printf("listen=%s\n", address.c_str());
  std::fflush(stdout);
  signals.Wait();
}

absl::Status RunBackend(process::Signals& signals) {
  NoKeys authenticator;
  metrics::Registry registry;
  rpc::Server server({}, authenticator, registry);
  server.Inline<bench::v1::EchoRequest, bench::v1::EchoResponse>(
      "verdict.bench.v1.EchoService/Echo", [](rpc::Context&, const bench::v1::EchoRequest& request) {
        bench::v1::EchoResponse response;
        *response.mutable_feedback() = request.feedback();
        return absl::StatusOr<bench::v1::EchoResponse>(std::move(response));
      });
  RETURN_IF_ERROR(server.Start());
  server.SetReady(true);
  ServeUntilSignal(server.address(), signals);
  return absl::OkStatus();
}

absl::Status RunGateway(const std::string& backend, process::Signals& signals) {
  const std::array services = {bench::v1::EchoRequest::descriptor()->file()->service(0)};
  ASSIGN_OR_RETURN(const gateway::RouteTable routes, gateway::RouteTable::Build(services));
  ASSIGN_OR_RETURN(gateway::CorsPolicy cors, gateway::CorsPolicy::Parse("*"));
  NoKeys authenticator;
  metrics::Registry registry;
  gateway::Metrics metrics(registry);
  gateway::Backends backends({{.name = "echo", .packages = {"verdict.bench.v1"}, .address = backend}},
                             registry, std::chrono::milliseconds(500), /*queue_threads=*/1);
  gateway::Transcoder transcoder(routes, backends, authenticator, std::move(cors), "{}");
  ASSIGN_OR_RETURN(const auto server, gateway::HttpServer::Start("127.0.0.1:0", 1, {}, transcoder, metrics));
  ServeUntilSignal(server->address(), signals);
  return absl::OkStatus();
}

int Main(std::span<char*> arguments) {
  process::Signals signals;
  log::Init("echo", log::Level::kWarn);
  absl::Status status;
  if (arguments.size() == 2 && arguments[1] == std::string_view("backend")) {
    status = RunBackend(signals);
  } else if (arguments.size() == 4 && arguments[1] == std::string_view("gateway") &&
             arguments[2] == std::string_view("--backend")) {
    status = RunGateway(arguments[3], signals);
  } else {
    status = absl::InvalidArgumentError("usage: echo_bench backend | gateway --backend HOST:PORT");
  }
  if (status.ok()) return EXIT_SUCCESS;
  std::fprintf(stderr, "echo_bench: %s\n", std::string(status.message()).c_str());
  return EXIT_FAILURE;
}

}  // namespace
}  // namespace verdict

int main(int argc, char** argv) { return verdict::Main({argv, static_cast<std::size_t>(argc)}); }
