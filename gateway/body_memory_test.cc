#include <chrono>
#include <list>
#include <stdexcept>
#include <string>

#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/gzip/test_gzip.h"
#include "gateway/json_reader.h"
#include "gateway/testing/gateway.h"
#include "gateway/work_pool.h"
#include "tests/support/await.h"
#include "tests/support/sanitized.h"
#include "tests/support/usage.h"

// What strangers' bodies take, in memory and of the threads that serve others.
namespace verdict::gateway {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMiB = 1 << 20;

std::size_t PeakMiB() { return static_cast<std::size_t>(test::PeakBytes()) / kMiB; }

struct Attack {
  std::size_t held = 0;     // bodies that the gateway keeps waiting for the rest of
  std::size_t refused = 0;  // with 503 and Retry-After
  std::size_t peak_mib = 0;
};

// A batch of as many spans as may be, each of a name that is no short one, and behind them what is no span:
// all that a body can become is made before it is refused.
std::string SpanBomb() {
  const std::string begin = R"({"resourceSpans":[{"scopeSpans":[{"spans":[)";
  std::string bomb = begin;
  for (std::size_t i = 0; i < kOtlpElementsMax - 10; ++i)
    bomb += R"({"name":")" + std::string(50, 'n') + R"("},)";
  return Request("POST", "/v1/traces", absl::StrCat(kKey, "Content-Encoding: gzip\r\n"),
                 Gzip(bomb + "0]}]}]}"));
}

// 80 bodies of 3.5 MiB whose last byte does not come, 280 MiB in all, then 40 of a few KiB that inflate to
// 16 MiB, of spaces or, every sixth, of spans. Other clients are served meanwhile and afterwards.
Attack AttackMemory(std::size_t bodies_max) {
  TestGateway gateway({.http = {.body_grace = 1min, .held_bytes = {0, bodies_max, 0}}});
  test::ResetPeak();
  const std::size_t before = PeakMiB();
  Attack attack;
  const auto expect_refusal = [&](TestClient& client) {
    const auto response = client.Receive();
    CHECK(response.status == 503);
    CHECK(response.Header("retry-after") == "1");
    CHECK(CodeOf(response) == "OVERLOADED");
    ++attack.refused;
  };

  const std::string piece(kMiB / 16, ' ');
  std::list<TestClient> slow;
  for (int i = 0; i < 80; ++i) {
    TestClient& client = slow.emplace_back(gateway.server->address());
    client.Send(Request("POST", "/spans", absl::StrCat(kKey, "Content-Length: ", 7 * kMiB / 2 + 1, "\r\n")));
    for (int sent = 0; sent < 7 * 16 / 2 && !client.HasInput(); ++sent) client.Send(piece);
    if (i % 8 == 0) CHECK(gateway.Exchange(Mint()).status == 200);
  }
  const std::string bomb =
      PostSpans(Gzip("[" + std::string(16 * kMiB - 2, ' ') + "]"), "Content-Encoding: gzip\r\n");
  const std::string span_bomb = SpanBomb();
  std::list<TestClient> bombs;
  for (int i = 0; i < 40; ++i) {
    bombs.emplace_back(gateway.server->address()).Send(i % 6 == 0 ? span_bomb : bomb);
  }
  int i = 0;
  for (TestClient& client : bombs) {
    const auto response = client.Receive();
    CHECK((response.status == (i++ % 6 == 0 ? 400 : 200) || response.status == 503));
    CHECK(gateway.Exchange(Mint()).status == 200);
  }
  for (TestClient& client : slow) {
    if (client.HasInput()) {
      expect_refusal(client);
    } else {
      ++attack.held;
    }
  }
  attack.peak_mib = PeakMiB() - before;
  slow.clear();
  test::Await("bodies to be let go", [&] { return gateway.metrics.held_bytes(Held::kBody).Value() == 0; });
  CHECK(gateway.Exchange(PostSpans("[]")).status == 200);
  return attack;
}

TEST_CASE(
    "bodies take the memory that they may, and what two of them take while they are inflated and parsed") {
  constexpr std::size_t kSlackMiB = 2 * 70;
  const Attack attack = AttackMemory(64 * kMiB);
  WARN("of 80 slow bodies " << attack.held << " were held and " << attack.refused << " refused; "
                            << attack.peak_mib << " MiB at most");
  CHECK(attack.held * 7 / 2 <= 64);
  CHECK(attack.held + attack.refused == 80);
  CHECK((test::kSanitized || attack.peak_mib <= 64 + kSlackMiB));

  // Control: this notices when there is no bound.
  const Attack unbounded = AttackMemory(1024 * kMiB);
  CHECK(unbounded.held == 80);
  CHECK((test::kSanitized || unbounded.peak_mib > 64 + kSlackMiB));
}

TEST_CASE("a body takes memory as it arrives, not as it is announced") {
  TestGateway gateway;
  test::ResetPeak();
  const std::size_t before = PeakMiB();
  std::list<TestClient> clients;
  for (int i = 0; i < 400; ++i) {
    clients.emplace_back(gateway.server->address())
        .Send(Request("POST", "/api/v1/feedback", "Content-Length: 262144\r\n") + "{");
  }
  const std::string more(20'000, ' ');
  for (TestClient& client : clients) client.Send(more);
  CHECK(gateway.Exchange(Redeem()).status == 200);
  test::Await("the bodies to arrive",
              [&] { return gateway.metrics.held_bytes(Held::kStrangersBody).Value() >= 400 * 20'000; });
  CHECK(gateway.metrics.held_bytes(Held::kStrangersBody).Value() < 400 * 50'000);
  const std::size_t taken = PeakMiB() - before;
  WARN("400 bodies of 20 KB, announced as 256 KiB: " << taken << " MiB");
  CHECK((test::kSanitized || taken < 40));
}

TEST_CASE("a document takes no memory for each who asks for it and does not read") {
  TestGateway gateway({.openapi = std::string(4 * kMiB, ' ')});
  test::ResetPeak();
  const std::size_t before = PeakMiB();
  std::list<TestClient> clients;
  for (int i = 0; i < 50; ++i) {
    clients.emplace_back(gateway.server->address()).Send(Request("GET", "/openapi.json"));
  }
  for (TestClient& client : clients) CHECK(client.Read(1000).size() == 1000);
  const std::size_t taken = PeakMiB() - before;
  WARN("50 answers of 4 MiB: " << taken << " MiB");
  CHECK((test::kSanitized || taken < 20));
}

// Answers from a thread of the pool, where the path is /work.
class WorkingHandler final : public RequestHandler {
 public:
  Awaitable<void> Handle(Exchange& exchange) override {
    if (exchange.head().path == "/other") co_return co_await exchange.Send({.body = "other"});
    if (exchange.head().path == "/throw") {
      co_await pool.Run([]() -> std::string { throw std::runtime_error("no memory, say"); });
    }
    const auto done = co_await pool.Run([&] {
      working.Notify();
      go_on.WaitForNotification();
      return std::string("done");
    });
    co_await exchange.Send({.status = done ? 200 : 503, .body = done.value_or("")});
  }

  WorkPool pool{1, 1};
  absl::Notification working;
  absl::Notification go_on;
};

TEST_CASE("work on another thread keeps no other connection waiting, and is refused when there is too much") {
  metrics::Registry registry;
  Metrics metrics(registry);
  WorkingHandler handler;
  const auto server = HttpServer::Start("127.0.0.1:0", 1, {}, handler, metrics);
  REQUIRE(server.ok());
  TestClient busy((*server)->address());
  for (int i = 0; i < 3; ++i) {  // one that fails ends its connection, and leaves its place
    TestClient failing((*server)->address());
    failing.Send(Request("GET", "/throw"));
    CHECK(failing.AtEnd());
  }
  busy.Send(Request("GET", "/work"));
  handler.working.WaitForNotification();
  TestClient other((*server)->address());
  CHECK(other.Exchange(Request("GET", "/other")).body == "other");
  CHECK(other.Exchange(Request("GET", "/work")).status == 503);
  handler.go_on.Notify();
  CHECK(busy.Receive().body == "done");
}

}  // namespace
}  // namespace verdict::gateway
