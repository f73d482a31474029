#include "gateway/http_server.h"

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/status/error.h"
#include "gateway/exchange.h"
#include "gateway/testing/http_client.h"

namespace verdict::gateway {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBodyMax = 1000;

// Answers by path, so that a test can ask for what it needs.
class TestHandler : public RequestHandler {
 public:
  Awaitable<void> Handle(Exchange& exchange) override {
    const std::string_view path = exchange.head().path;
    if (path == "/echo") {
      auto body = co_await exchange.ReadBody(Held::kBody, kBodyMax);
      if (!body.ok()) co_return co_await exchange.SendProblem(body.status());
      co_await exchange.Send({.body = *std::move(body)});
    } else if (path == "/unread") {
      co_await exchange.Send({.status = 404, .body = "no"});
    } else if (path == "/stream" || path == "/cut") {
      co_await exchange.StartStream({});
      for (const char* part : {"one ", "two ", "", "three"}) {
        if (!co_await exchange.SendPart(part)) co_return;
      }
      if (path == "/stream") co_await exchange.EndStream();
    } else if (path == "/flood") {
      const std::string part(1 << 16, 'x');
      co_await exchange.StartStream({});
      while (co_await exchange.SendPart(part)) {
      }
      flood_over.Notify();
    } else if (path == "/wait") {
      // Until the client is gone.
      Timer timer(co_await asio::this_coro::executor, SteadyClock::time_point::max());
      const auto watch = exchange.OnClientGone([&] { timer.cancel(); });
      waiting.Notify();
      co_await timer.async_wait(kAwait);
      gone.Notify();
    } else if (path == "/slow") {
      bool given_up = false;
      const auto watch = exchange.OnClientGone([&] { given_up = true; });
      waiting.Notify();
      Timer timer(co_await asio::this_coro::executor);
      while (!go_on && !given_up) {
        timer.expires_after(5ms);
        co_await timer.async_wait(kAwait);
      }
      co_await exchange.Send({.body = given_up ? "given up" : "done"});
    } else {
      co_await exchange.Send({.body = absl::StrCat("at ", std::string(path))});
    }
  }

  absl::Notification waiting;
  absl::Notification gone;
  absl::Notification flood_over;
  std::atomic<bool> go_on = false;
};

// A server with its handler.
struct Fixture {
  explicit Fixture(const HttpLimits& limits = {}) {
    auto started = HttpServer::Start("127.0.0.1:0", 1, limits, handler, metrics);
    REQUIRE(started.ok());
    server = *std::move(started);
  }
  TestClient Connect() { return TestClient(server->address()); }

  metrics::Registry registry;
  Metrics metrics{registry};
  TestHandler handler;
  std::unique_ptr<HttpServer> server;
};

std::string Post(const std::string& path, const std::string& body, const std::string& fields = "") {
  return absl::StrCat("POST ", path, " HTTP/1.1\r\nHost: a\r\nContent-Length: ", body.size(), "\r\n", fields,
                      "\r\n", body);
}

std::string Chunked(const std::string& chunks) {
  return "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks;
}

constexpr const char* kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

TEST_CASE("a connection takes request after request") {
  Fixture fixture;
  auto client = fixture.Connect();
  for (int i = 0; i < 3; ++i) {
    const auto response = client.Exchange(Post("/echo", "hello"));
    CHECK(response.status == 200);
    CHECK(response.body == "hello");
    CHECK_FALSE(response.Has("connection"));
  }
}

TEST_CASE("pipelined requests are answered in order") {
  Fixture fixture;
  auto client = fixture.Connect();
  client.Send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n" + Post("/echo", "2") + Chunked("1\r\n3\r\n0\r\n\r\n") +
              "GET /4 HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(client.Receive().body == "at /1");
  CHECK(client.Receive().body == "2");
  CHECK(client.Receive().body == "3");
  CHECK(client.Receive().body == "at /4");
}

TEST_CASE("a request may arrive byte by byte") {
  Fixture fixture;
  auto client = fixture.Connect();
  for (const char byte : Chunked("3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: z\r\n\r\n"))
    client.Send({&byte, 1});
  CHECK(client.Receive().body == "abcde");
  CHECK(client.Exchange(kGet).status == 200);
}

TEST_CASE("the request id is echoed when it is sane, and made otherwise") {
  Fixture fixture;
  auto client = fixture.Connect();
  CHECK(client.Exchange("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: a.B_1-\r\n\r\n").Header("x-request-id") ==
        "a.B_1-");
  const auto made =
      client.Exchange("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: a b\r\n\r\n").Header("x-request-id");
  CHECK(made.size() == 32);
  CHECK(client.Exchange("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: " + std::string(65, 'a') + "\r\n\r\n")
            .Header("x-request-id")
            .size() == 32);
  CHECK(client.Exchange(kGet).Header("x-request-id") != made);
}

TEST_CASE("HTTP/1.0 is answered and closed, its streams by the close") {
  Fixture fixture;
  auto client = fixture.Connect();
  const auto response = client.Exchange("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(response.body == "at /");
  CHECK(response.Header("connection") == "close");
  CHECK(client.AtEnd());

  auto streaming = fixture.Connect();
  const auto stream = streaming.Exchange("GET /stream HTTP/1.0\r\n\r\n");
  CHECK(stream.body == "one two three");
  CHECK_FALSE(stream.Has("transfer-encoding"));
  CHECK(stream.complete);
}

TEST_CASE("Connection: close is honoured") {
  Fixture fixture;
  auto client = fixture.Connect();
  const auto response = client.Exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  CHECK(response.Header("connection") == "close");
  CHECK(client.AtEnd());
}

TEST_CASE("HEAD gets the head that GET would get") {
  Fixture fixture;
  auto client = fixture.Connect();
  client.Send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\nHEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n" +
              std::string(kGet));
  CHECK(client.Receive(true).Header("content-length") == "4");
  CHECK(client.Receive(true).Header("transfer-encoding") == "chunked");
  CHECK(client.Receive().body == "at /");
}

TEST_CASE("a stream is chunked, and one that fails lacks its last chunk") {
  Fixture fixture;
  auto client = fixture.Connect();
  const auto response = client.Exchange("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(response.body == "one two three");
  CHECK(response.complete);
  const auto cut = client.Exchange("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(cut.body == "one two three");
  CHECK_FALSE(cut.complete);

  auto old = fixture.Connect();
  CHECK_FALSE(old.Exchange("GET /cut HTTP/1.0\r\n\r\n").complete);
  CHECK(old.reset());
}

TEST_CASE("a malformed head is answered with a problem and closed") {
  Fixture fixture;
  for (const char* request : {"GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n", "\x16\x03\x01\n"}) {
    auto client = fixture.Connect();
    const auto response = client.Exchange(request);
    CHECK(response.status == 400);
    CHECK(response.Header("content-type") == "application/problem+json");
    CHECK(response.Header("connection") == "close");
    CHECK(response.Has("x-request-id"));
    CHECK(client.AtEnd());
  }
}

TEST_CASE("what follows a refused request is never taken for another one") {
  Fixture fixture;
  auto client = fixture.Connect();
  const auto response = client.Exchange(
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" +
      std::string(kGet));
  CHECK(response.status == 400);
  CHECK(client.AtEnd());
}

TEST_CASE("heads beyond the limits are refused") {
  Fixture fixture;
  CHECK(
      fixture.Connect().Exchange("GET /" + std::string(5000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n").status ==
      414);
  CHECK(fixture.Connect().Exchange("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(1 << 20, 'a')).status ==
        431);
}

TEST_CASE("a body over the limit is refused, and the client can read that") {
  Fixture fixture;
  SECTION("before it is read, when Content-Length says so") {
    auto client = fixture.Connect();
    const auto response = client.Exchange("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n");
    CHECK(response.status == 413);
    CHECK(response.Header("connection") == "close");
  }
  SECTION("although the client sends all of it first") {
    auto client = fixture.Connect();
    client.Send(Post("/echo", std::string(1 << 19, 'x')));
    CHECK(client.Receive().status == 413);
    CHECK(client.AtEnd());
    CHECK_FALSE(client.reset());
  }
  SECTION("in chunks") {
    auto client = fixture.Connect();
    client.Send(Chunked("258\r\n" + std::string(600, 'x') + "\r\n258\r\n" + std::string(600, 'x') + "\r\n"));
    CHECK(client.Receive().status == 413);
  }
  SECTION("at the limit it is taken") {
    auto client = fixture.Connect();
    CHECK(client.Exchange(Post("/echo", std::string(1000, 'x'))).body.size() == 1000);
  }
  SECTION("a length beyond all reason") {
    auto client = fixture.Connect();
    client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\n");
    CHECK(client.Receive().status == 413);
  }
}

TEST_CASE("malformed chunks are refused") {
  Fixture fixture;
  const std::string chunks[] = {
      "x\r\n",
      "-1\r\nabc\r\n0\r\n\r\n",
      "+3\r\nabc\r\n0\r\n\r\n",
      "0x3\r\nabc\r\n0\r\n\r\n",
      " 3\r\nabc\r\n0\r\n\r\n",
      "3\r\nabcd\r\n0\r\n\r\n",
      "3\r\nabc0\r\n\r\n",
      "11111111111111111\r\nabc\r\n0\r\n\r\n",
      "3;" + std::string(257, 'x') + "\r\nabc\r\n0\r\n\r\n",
      "3;" + std::string(100'000, 'x'),
      "0\r\n" + std::string(100'000, 'x'),
  };
  for (const std::string& body : chunks) {
    INFO(body.substr(0, 40));
    auto client = fixture.Connect();
    CHECK(client.Exchange(Chunked(body)).status == 400);
    CHECK(client.AtEnd());
  }
}

TEST_CASE("chunks with bare LF hide no second request") {
  Fixture fixture;
  auto client = fixture.Connect();
  CHECK(client.Exchange(Chunked("3\nabc\n0\n\n") + kGet).status == 400);
  CHECK(client.AtEnd());
}

TEST_CASE("a body that ends early is refused") {
  Fixture fixture;
  auto client = fixture.Connect();
  client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
  client.FinishSending();
  CHECK(client.Receive().status == 400);
}

TEST_CASE("a client that expects 100 gets it before it sends the body") {
  Fixture fixture;
  auto client = fixture.Connect();
  client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.Receive().status == 100);
  client.Send("hello");
  CHECK(client.Receive().body == "hello");
  // Refused, it gets the answer at once.
  client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.Receive().status == 413);
  CHECK(client.AtEnd());
}

TEST_CASE("an answer given before the body was read closes the connection") {
  Fixture fixture;
  auto client = fixture.Connect();
  const auto response = client.Exchange(Post("/unread", kGet));
  CHECK(response.status == 404);
  CHECK(response.Header("connection") == "close");
  CHECK(client.AtEnd());
}

TEST_CASE("a connection serves so many requests and no more") {
  Fixture fixture({.requests_per_connection = 2});
  auto client = fixture.Connect();
  CHECK_FALSE(client.Exchange(kGet).Has("connection"));
  CHECK(client.Exchange(kGet).Header("connection") == "close");
  CHECK(client.AtEnd());
}

TEST_CASE("slow heads and bodies are answered 408, idle connections closed") {
  Fixture fixture({.head_timeout = 50ms, .idle_timeout = 50ms, .body_grace = 50ms});
  SECTION("a head that stops") {
    auto client = fixture.Connect();
    const auto answer = client.Exchange("GET / HTTP/1.1\r\nHo");
    CHECK(answer.status == 408);
    CHECK(answer.body.find("\"REQUEST_TIMEOUT\"") != std::string::npos);
    CHECK(client.AtEnd());
  }
  SECTION("a body that stops") {
    auto client = fixture.Connect();
    CHECK(client.Exchange("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n").status == 408);
    CHECK(client.AtEnd());
  }
  SECTION("a body that drips below the least rate") {
    auto client = fixture.Connect();
    client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    // One byte of content in five milliseconds is 200 a second.
    while (client.Send("1\r\nx\r\n")) std::this_thread::sleep_for(5ms);
    SUCCEED("the server has ended it");
  }
  SECTION("a connection without a request") {
    auto client = fixture.Connect();
    CHECK(client.AtEnd());
  }
  SECTION("a connection without another request") {
    auto client = fixture.Connect();
    CHECK(client.Exchange(kGet).status == 200);
    CHECK(client.AtEnd());
  }
}

TEST_CASE("a client that does not read its answer is given up") {
  Fixture fixture({.write_timeout = 50ms});
  auto client = fixture.Connect();
  client.Send("GET /flood HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(fixture.handler.flood_over.WaitForNotificationWithTimeout(absl::Seconds(10)));
}

TEST_CASE("the handler learns that the client is gone") {
  Fixture fixture({.half_close_grace = 10ms});
  auto client = fixture.Connect();
  client.Send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  fixture.handler.waiting.WaitForNotification();
  client.Close();
  CHECK(fixture.handler.gone.WaitForNotificationWithTimeout(absl::Seconds(10)));
}

TEST_CASE("a client that ends its side after the request gets its answer") {
  Fixture fixture;
  auto client = fixture.Connect();
  client.Send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  client.FinishSending();
  fixture.handler.waiting.WaitForNotification();
  fixture.handler.go_on = true;
  CHECK(client.Receive().body == "done");
}

TEST_CASE("connections beyond the cap are closed at once, and their end makes room") {
  Fixture fixture({.connections = 1});
  {
    auto first = fixture.Connect();
    CHECK(first.Exchange(kGet).status == 200);
    auto second = fixture.Connect();
    CHECK(second.AtEnd());
    CHECK(fixture.metrics.connections_refused.Value() == 1);
    CHECK(first.Exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").status == 200);
    CHECK(first.AtEnd());
  }
  TestResponse response;
  while (response.status == 0) response = fixture.Connect().Exchange(kGet);
  CHECK(response.status == 200);
}

TEST_CASE("draining finishes what is in progress and closes") {
  Fixture fixture({.drain_idle = 20ms});
  auto idle = fixture.Connect();
  CHECK(idle.Exchange(kGet).status == 200);
  auto busy = fixture.Connect();
  busy.Send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  fixture.handler.waiting.WaitForNotification();

  std::jthread drain([&] { fixture.server->Drain(10s); });
  CHECK(idle.AtEnd());
  fixture.handler.go_on = true;
  const auto response = busy.Receive();
  CHECK(response.body == "done");
  CHECK(response.Header("connection") == "close");
  busy.Close();
}

TEST_CASE("draining cuts what lasts too long") {
  Fixture fixture;
  auto client = fixture.Connect();
  client.Send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  fixture.handler.waiting.WaitForNotification();
  fixture.server->Drain(10ms);
  CHECK(fixture.handler.gone.HasBeenNotified());
  CHECK(client.AtEnd());
}

TEST_CASE("a port that another server has is not shared with it") {
  Fixture fixture;
  TestHandler handler;
  const auto second = HttpServer::Start(fixture.server->address(), 1, {}, handler, fixture.metrics);
  CHECK(ReasonOf(second.status()) == errors::v1::REASON_UNAVAILABLE);
  CHECK_FALSE(HttpServer::Start("localhost", 1, {}, handler, fixture.metrics).ok());
  CHECK_FALSE(HttpServer::Start("127.0.0.1:70000", 1, {}, handler, fixture.metrics).ok());
}

TEST_CASE("several threads share the port") {
  Fixture fixture;
  TestHandler handler;
  auto server = HttpServer::Start("127.0.0.1:0", 3, {}, handler, fixture.metrics);
  REQUIRE(server.ok());
  for (int i = 0; i < 20; ++i) CHECK(TestClient((*server)->address()).Exchange(kGet).status == 200);
}

}  // namespace
}  // namespace verdict::gateway
