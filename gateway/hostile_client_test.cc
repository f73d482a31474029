#include <atomic>
#include <chrono>
#include <cmath>
#include <list>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "gateway/connection_count.h"
#include "gateway/exchange.h"
#include "gateway/http_server.h"
#include "gateway/testing/http_client.h"
#include "tests/support/await.h"
#include "tests/support/usage.h"

// Clients that send too slowly, too much, or what does not belong together.
namespace verdict::gateway {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBodyMax = 1 << 20;

// Reads the body, and answers the target.
class CountingHandler : public RequestHandler {
 public:
  Awaitable<void> Handle(Exchange& exchange) override {
    const auto body = co_await exchange.ReadBody(Held::kBody, kBodyMax);
    if (!body.ok()) co_return co_await exchange.SendProblem(body.status());
    ++executed;
    if (exchange.head().path == "/large")
      co_return co_await exchange.Send({.body = std::string(16 << 20, 'x')});
    co_await exchange.Send({.body = std::string(exchange.head().path)});
  }

  std::atomic<int> executed = 0;
};

struct Fixture {
  explicit Fixture(const HttpLimits& limits = {}) {
    auto started = HttpServer::Start("127.0.0.1:0", 1, limits, handler, metrics);
    REQUIRE(started.ok());
    server = *std::move(started);
  }
  TestClient Connect() { return TestClient(server->address()); }

  metrics::Registry registry;
  Metrics metrics{registry};
  CountingHandler handler;
  std::unique_ptr<HttpServer> server;
};

std::string Get(const std::string& path) { return "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n"; }

std::string PostHead(const std::string& fields) {
  return "POST /p HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

std::string Sized(std::size_t length) { return PostHead(absl::StrCat("Content-Length: ", length, "\r\n")); }

const std::string kChunkedHead = PostHead("Transfer-Encoding: chunked\r\n");

// Holds 500 connections whose heads come byte by byte, until the server has answered 408 and closed all of
// them, or the time is over. How many are left. Another client is answered all the time.
std::size_t LeftOfSlowHeads(Fixture& fixture, std::chrono::milliseconds time) {
  std::list<TestClient> slow;
  for (int i = 0; i < 500; ++i) {
    slow.emplace_back(fixture.server->address(), absl::StrCat("127.0.0.", 2 + i % 200));
    slow.back().Send("GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ");
  }
  for (const auto end = SteadyClock::now() + time; !slow.empty() && SteadyClock::now() < end;) {
    for (auto client = slow.begin(); client != slow.end();) {
      if (client->HasInput()) {
        CHECK(client->Receive().status == 408);
        CHECK(client->AtEnd());
        client = slow.erase(client);
      } else {
        client->Send("x");
        ++client;
      }
    }
    CHECK(fixture.Connect().Exchange(Get("/")).status == 200);
  }
  return slow.size();
}

TEST_CASE("500 heads that come byte by byte are given up, and keep nobody waiting") {
  Fixture fixture({.head_timeout = 300ms});
  CHECK(LeftOfSlowHeads(fixture, 10s) == 0);
}

TEST_CASE("control: without a time for the head they would stay") {
  Fixture fixture({.head_timeout = 1h});
  CHECK(LeftOfSlowHeads(fixture, 600ms) == 500);
}

TEST_CASE("a body's time cannot be saved up") {
  Fixture fixture({.body_grace = 100ms});
  auto client = fixture.Connect();
  // At 500 bytes a second these would be good for a quarter of an hour.
  client.Send(Sized(500'000) + std::string(499'999, 'x'));
  CHECK(client.Receive().status == 408);
  CHECK(client.AtEnd());
  CHECK(fixture.handler.executed == 0);
}

TEST_CASE("a body that keeps the least rate is read to its end, however long the grace was") {
  constexpr auto kGrace = 3s;  // a busy machine may keep the client from sending for almost as long
  Fixture fixture({.body_grace = kGrace});
  auto client = fixture.Connect();
  client.Send(kChunkedHead);
  for (const auto end = SteadyClock::now() + kGrace + 500ms; SteadyClock::now() < end;) {
    client.Send("64\r\n" + std::string(100, 'x') + "\r\n");
    std::this_thread::sleep_for(100ms);  // twice the least rate
  }
  CHECK(client.Exchange("0\r\n\r\n").status == 200);
}

TEST_CASE("no body may last longer than its whole time") {
  Fixture fixture({.body_timeout = 200ms});
  auto client = fixture.Connect();
  client.Send(Sized(kBodyMax));
  test::Await("the refusal", [&] {
    client.Send(std::string(10, 'x'));
    return client.HasInput();
  });
  CHECK(client.Receive().status == 408);
}

TEST_CASE("chunks that announce what never comes are given up") {
  Fixture fixture({.body_grace = 50ms});
  for (const char* chunks :
       {"", "5", "5\r\n", "5\r\nhell", "5\r\nhello\r\n", "5\r\nhello\r\n0\r\n", "fffff\r\n"}) {
    INFO(chunks);
    auto client = fixture.Connect();
    client.Send(kChunkedHead + chunks);
    CHECK(client.Receive().status == 408);
    CHECK(client.AtEnd());
  }
  CHECK(fixture.handler.executed == 0);
}

TEST_CASE("the kernel keeps little of an answer that is not read") {
  constexpr std::size_t kRead = 4 << 20;
  Fixture fixture({.write_timeout = 1s});
  auto client = fixture.Connect();
  client.Send(Get("/large"));
  CHECK(client.Read(kRead).size() == kRead);  // a fast connection, for which the kernel buffers more
  while (fixture.metrics.bytes_sent.Value() == 0) absl::SleepFor(absl::Milliseconds(1));
  const auto sent = static_cast<std::size_t>(fixture.metrics.bytes_sent.Value());
  const std::size_t kept = sent - kRead - client.Unread();
  WARN("kept of an answer that is not read: " << kept / 1024 << " KiB");
  CHECK(kept < 512 * 1024);
}

TEST_CASE("100,000 chunks of a byte cost no more than they are long") {
  Fixture fixture;
  std::string request = kChunkedHead;
  for (int i = 0; i < 100'000; ++i) request += "1\r\nx\r\n";
  request += "0\r\n\r\n";
  auto client = fixture.Connect();
  const double before = test::ProcessCpuSeconds();
  CHECK(client.Exchange(request).status == 200);
  const double seconds = test::ProcessCpuSeconds() - before;
  WARN("100,000 chunks of a byte: " << seconds * 1000 << " ms of CPU");
  CHECK(seconds < 0.25);  // measured 0.0025; sanitizers take ten times as much
}

TEST_CASE("trailers are bounded") {
  Fixture fixture;
  std::string trailers;
  for (int i = 0; i < 20'000; ++i) trailers += "X: a\r\n";
  auto client = fixture.Connect();
  client.Send(kChunkedHead + "0\r\n" + trailers);
  CHECK(client.Receive().status == 400);
  CHECK(client.AtEnd());
  CHECK(fixture.handler.executed == 0);
}

TEST_CASE("chunk extensions are bounded in all") {
  Fixture fixture;
  const auto chunks = [](int count) {
    std::string text = kChunkedHead;
    for (int i = 0; i < count; ++i) text += "1;" + std::string(63, 'x') + "\r\nx\r\n";
    return text + "0\r\n\r\n";
  };
  CHECK(fixture.Connect().Exchange(chunks(4)).status == 200);
  CHECK(fixture.Connect().Exchange(chunks(5)).status == 400);
}

TEST_CASE("what holds memory is counted, and nothing else") {
  Fixture fixture({.held_bytes = {0, 100'000, 0}});
  // 600,000 bytes on the wire, of which 100 are held.
  std::string request = kChunkedHead;
  for (int i = 0; i < 100; ++i) request += std::string(6000, '0') + "1\r\nx\r\n";
  CHECK(fixture.Connect().Exchange(request + "0\r\n\r\n").status == 200);
}

TEST_CASE("large bodies leave room for small ones") {
  Fixture fixture({.held_bytes = {0, 800'000, 0}});
  const auto held = [&](double bytes) {  // but for the few that a string holds in itself
    test::Await("bodies to be held or let go",
                [&] { return std::abs(fixture.metrics.held_bytes(Held::kBody).Value() - bytes) <= 20; });
  };
  auto first = fixture.Connect();
  first.Send(Sized(700'000) + std::string(699'999, 'x'));
  held(699'999);
  // Another large one is refused as soon as it is large, and a small one taken.
  auto second = fixture.Connect();
  second.Send(Sized(50'000) + std::string(50'000, 'x'));
  const auto refused = second.Receive();
  CHECK(refused.status == 503);
  CHECK(refused.Header("retry-after") == "1");
  held(699'999);
  CHECK(fixture.Connect().Exchange(Sized(16'000) + std::string(16'000, 'x')).status == 200);
  held(699'999);
  first.Send("x");
  CHECK(first.Receive().status == 200);
  held(0);
}

TEST_CASE("behind a refused request nothing is executed") {
  Fixture fixture;
  std::string requests;
  for (int i = 0; i < 16; ++i)
    requests += i == 8 ? "GET /8 HTTP/1.1\r\nHost : a\r\n\r\n" : Get(absl::StrCat("/", i));
  auto client = fixture.Connect();
  client.Send(requests);
  for (int i = 0; i < 8; ++i) CHECK(client.Receive().body == absl::StrCat("/", i));
  CHECK(client.Receive().status == 400);
  CHECK(client.AtEnd());
  CHECK(fixture.handler.executed == 8);
}

TEST_CASE("a body of another length than was said is no request") {
  Fixture fixture;
  SECTION("a shorter one, and the end") {
    auto client = fixture.Connect();
    client.Send(Sized(10) + "hello");
    client.FinishSending();
    CHECK(client.Receive().status == 400);
    CHECK(fixture.handler.executed == 0);
  }
  SECTION("a longer one: its rest is the next request, and not one") {
    auto client = fixture.Connect();
    client.Send(Sized(3) + "hello\r\n\r\n");
    CHECK(client.Receive().status == 200);
    CHECK(client.Receive().status == 400);
    CHECK(client.AtEnd());
    CHECK(fixture.handler.executed == 1);
  }
}

TEST_CASE("a connection that is reset at any place leaves nothing behind") {
  Fixture fixture;
  const std::string whole = Sized(5) + "hello";
  for (std::size_t sent = 0; sent <= whole.size(); ++sent) {
    auto client = fixture.Connect();
    client.Send(whole.substr(0, sent));
    client.Reset();
  }
  auto reading = fixture.Connect();
  reading.Send(Get("/large"));
  CHECK(reading.Read(100'000).size() == 100'000);
  reading.Reset();
  test::Await("the connections' end", [&] { return fixture.metrics.connections.Value() == 0; });
  CHECK(fixture.metrics.held_bytes(Held::kBody).Value() == 0);
  CHECK(fixture.Connect().Exchange(Get("/")).status == 200);
}

TEST_CASE("a connection serves a thousand requests") {
  Fixture fixture;
  auto client = fixture.Connect();
  for (int i = 1; i < 1000; ++i) REQUIRE_FALSE(client.Exchange(Get("/")).Has("connection"));
  client.Send(Get("/") + Get("/too-many"));
  CHECK(client.Receive().Header("connection") == "close");
  CHECK(client.AtEnd());
  CHECK(fixture.handler.executed == 1000);
}

TEST_CASE("an address has so many connections and no more") {
  Fixture fixture({.connections_per_address = 2});
  const std::string& server = fixture.server->address();
  TestClient first(server, "127.0.0.2");
  TestClient second(server, "127.0.0.2");
  CHECK(first.Exchange(Get("/")).status == 200);
  CHECK(second.Exchange(Get("/")).status == 200);
  CHECK(TestClient(server, "127.0.0.2").AtEnd());
  CHECK(fixture.metrics.connections_refused.Value() == 1);
  CHECK(TestClient(server, "127.0.0.3").Exchange(Get("/")).status == 200);
  // One that ends makes room.
  first.Close();
  test::Await("room for another",
              [&] { return TestClient(server, "127.0.0.2").Exchange(Get("/")).status == 200; });
}

TEST_CASE("an owner of IPv6 addresses counts once") {
  const auto address = [](const char* text) { return asio::ip::make_address(text); };
  ConnectionCount count(10, 1);
  CHECK(count.Enter(address("2001:db8::1")));
  CHECK_FALSE(count.Enter(address("2001:db8::2:1")));
  CHECK(count.Enter(address("2001:db8:0:1::1")));
  CHECK(count.Enter(address("::ffff:127.0.0.1")));
  CHECK_FALSE(count.Enter(address("127.0.0.1")));
  CHECK(count.Enter(address("::ffff:127.0.0.2")));
  count.Leave(address("2001:db8::1"));
  CHECK(count.Enter(address("2001:db8::2")));
}

}  // namespace
}  // namespace verdict::gateway
