#include "common/admin/admin_server.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch.hpp>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/http_client.h"

namespace verdict {
namespace {

int PortOf(const AdminServer& server) {
  return std::stoi(server.address().substr(server.address().rfind(':') + 1));
}

TEST_CASE("the admin port serves metrics, liveness and readiness, and nothing else") {
  metrics::Registry registry;
  registry.Counter("things_total", "Things.").Increment();
  std::atomic<bool> ready = false;
  const auto server = AdminServer::Start(
      "127.0.0.1:0", registry, [&] { return ready.load(); }, [] { return R"({"state":"x"})"; });
  REQUIRE(server.ok());
  test::HttpClient client(PortOf(**server));

  const test::HttpResponse metrics = client.Send({.target = "/metrics"});
  CHECK(metrics.status == 200);
  CHECK(metrics.headers.at("content-type").starts_with("text/plain; version=0.0.4"));
  CHECK(metrics.body.find("things_total 1") != std::string::npos);
  CHECK(client.Send({.target = "/healthz"}).status == 200);
  CHECK(client.Send({.target = "/readyz"}).status == 503);
  ready = true;
  const test::HttpResponse readyz = client.Send({.target = "/readyz"});
  CHECK(readyz.status == 200);
  CHECK(readyz.body == R"({"state":"x"})");
  CHECK(client.Send({.target = "/metrics?all"}).status == 404);
  CHECK(client.Send({.method = "PUT", .target = "/metrics"}).status == 405);
}

TEST_CASE("an address that cannot be bound is said to be so") {
  metrics::Registry registry;
  const auto ready = [] { return true; };
  const auto body = [] { return std::string(); };
  const auto first = AdminServer::Start("127.0.0.1:0", registry, ready, body);
  REQUIRE(first.ok());
  for (const std::string& address : {std::string("localhost:80"), std::string("127.0.0.1"),
                                     std::string("127.0.0.1:99999"), std::string("192.0.2.1:0")}) {
    INFO(address);
    CHECK_FALSE(AdminServer::Start(address, registry, ready, body).ok());
  }
}

TEST_CASE("a client that sends too much or nothing sensible is cut off, and others are served") {
  metrics::Registry registry;
  const auto server =
      AdminServer::Start("127.0.0.1:0", registry, [] { return true; }, [] { return std::string("{}"); });
  REQUIRE(server.ok());
  test::HttpClient greedy(PortOf(**server));
  CHECK_THROWS(greedy.Send({.target = "/healthz", .headers = {{"X-Long", std::string(10'000, 'x')}}}));
  CHECK(test::HttpClient(PortOf(**server)).Send({.target = "/healthz"}).status == 200);
}

TEST_CASE("IPv6 addresses stand in brackets") {
  metrics::Registry registry;
  const auto server =
      AdminServer::Start("[::1]:0", registry, [] { return true; }, [] { return std::string(); });
  INFO(server.status());
  REQUIRE(server.ok());
  CHECK((*server)->address().starts_with("[::1]:"));
}

TEST_CASE("a server that had no descriptors left serves again when it has") {
  metrics::Registry registry;
  const auto server =
      AdminServer::Start("127.0.0.1:0", registry, [] { return true; }, [] { return std::string("{}"); });
  REQUIRE(server.ok());
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  rlimit limit = {};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const rlimit few = {.rlim_cur = 64, .rlim_max = limit.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &few) == 0);
  std::vector<int> taken;
  for (int descriptor = dup(client); descriptor >= 0; descriptor = dup(client)) taken.push_back(descriptor);

  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(PortOf(**server)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int connected = connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  constexpr std::string_view kRequest = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
  const ssize_t sent = send(client, kRequest.data(), kRequest.size(), 0);
  pollfd answer = {.fd = client, .events = POLLIN, .revents = 0};
  const int answered_without = poll(&answer, 1, 100);
  for (const int descriptor : taken) close(descriptor);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);

  CHECK(connected == 0);
  CHECK(sent == static_cast<ssize_t>(kRequest.size()));
  CHECK(answered_without == 0);
  CHECK(poll(&answer, 1, 20'000) == 1);
  close(client);
}

}  // namespace
}  // namespace verdict
