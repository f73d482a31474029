#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <map>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <catch2/catch.hpp>

#include "absl/base/thread_annotations.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/metrics/metrics.h"
#include "gateway/exchange.h"
#include "gateway/http_server.h"
#include "gateway/metrics.h"
#include "gateway/testing/http_client.h"
#include "tests/contract/smuggling_vectors.h"
#include "tests/support/nginx.h"
#include "tests/support/seed.h"

// What the gateway and Debian's nginx make of the same bytes. A front end that sees other messages than the
// server behind it lets strangers put requests of their own among those of others.
namespace verdict::test {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

// The messages that a server got, METHOD TARGET [BODY]. Thread-safe.
class Recorder {
 public:
  void Add(std::string_view method, std::string_view target, std::string_view body) {
    const absl::MutexLock lock(&mutex_);
    messages_.push_back(
        absl::StrCat(std::string(method), " ", std::string(target), " [", std::string(body), "]"));
  }
  std::vector<std::string> Take() {
    const absl::MutexLock lock(&mutex_);
    return std::exchange(messages_, {});
  }

 private:
  absl::Mutex mutex_;
  std::vector<std::string> messages_ ABSL_GUARDED_BY(mutex_);
};

// The gateway's HTTP, and instead of the API a handler that records what it gets and answers its target.
class RecordingGateway final : public gateway::RequestHandler {
 public:
  RecordingGateway() {
    auto started = gateway::HttpServer::Start("127.0.0.1:0", 1, {}, *this, metrics_);
    REQUIRE(started.ok());
    server_ = *std::move(started);
  }

  gateway::Awaitable<void> Handle(gateway::Exchange& exchange) override {
    const gateway::RequestHead& head = exchange.head();
    const auto body = co_await exchange.ReadBody(gateway::Held::kBody, 1 << 16);
    if (!body.ok()) co_return co_await exchange.SendProblem(body.status());
    const std::string target =
        absl::StrCat(std::string(head.path), head.query.empty() ? "" : "?", std::string(head.query));
    recorder.Add(head.method, target, *body);
    co_await exchange.Send({.body = target});
  }

  const std::string& address() const { return server_->address(); }

  Recorder recorder;

 private:
  metrics::Registry registry_;
  gateway::Metrics metrics_{registry_};
  std::unique_ptr<gateway::HttpServer> server_;
};

// A server of another kind, which records what it gets and answers 200.
class ReferenceBackend {
 public:
  ReferenceBackend() {
    asio::co_spawn(io_, Accept(), asio::detached);
    thread_ = std::jthread([this] { io_.run(); });
  }
  ~ReferenceBackend() { io_.stop(); }

  std::string address() const { return absl::StrCat("127.0.0.1:", acceptor_.local_endpoint().port()); }

  Recorder recorder;

 private:
  asio::awaitable<void> Accept() {
    for (;;) asio::co_spawn(io_, Serve(co_await acceptor_.async_accept(asio::use_awaitable)), asio::detached);
  }

  asio::awaitable<void> Serve(tcp::socket socket) {
    boost::beast::flat_buffer buffer;
    for (;;) {  // until reading throws at the connection's end
      http::request<http::string_body> request;
      co_await http::async_read(socket, buffer, request, asio::use_awaitable);
      recorder.Add(request.method_string(), request.target(), request.body());
      http::response<http::string_body> response(http::status::ok, 11);
      response.prepare_payload();
      co_await http::async_write(socket, response, asio::use_awaitable);
    }
  }

  asio::io_context io_{1};
  tcp::acceptor acceptor_{io_, {asio::ip::address_v4::loopback(), 0}};
  std::jthread thread_;
};

// What became of a stranger's bytes.
struct Outcome {
  std::vector<std::string> messages;
  bool refused = false;  // at last
};

std::string ToString(const Outcome& outcome) {
  std::string text;
  const auto add = [&](const std::string& part) { absl::StrAppend(&text, text.empty() ? "" : " | ", part); };
  for (const std::string& message : outcome.messages) add(message);
  if (outcome.refused) add("refused");
  return text;
}

// Sends the bytes, all there will be, and reads until the server at `address` closes. What arrived behind it
// is in `recorder` by then.
Outcome Send(const std::string& bytes, const std::string& address, Recorder& recorder) {
  gateway::TestClient client(address);
  client.Send(bytes);
  client.FinishSending();
  const std::string answers = client.Read(1 << 20);
  constexpr std::string_view kStart = "HTTP/1.1 ";
  char last = '5';  // the first digit of the last status; no answer at all is a refusal too
  for (auto at = answers.find(kStart); at != std::string::npos; at = answers.find(kStart, at + 1)) {
    if (const char digit = answers.at(at + kStart.size()); digit >= '1' && digit <= '5') last = digit;
  }
  return {.messages = recorder.Take(), .refused = last >= '4'};
}

using Messages = std::vector<std::string>;

bool IsBeginningOf(const Messages& some, const Messages& all) {
  return some.size() <= all.size() && std::ranges::equal(some, std::span(all).first(some.size()));
}

// Neither more nor other messages than the reference: all of them, or some and then a refusal.
bool Agrees(const Outcome& ours, const Outcome& reference) {
  return ours.refused ? IsBeginningOf(ours.messages, reference.messages)
                      : ours.messages == reference.messages;
}

// A server of the kind that makes smuggling possible: it takes the first Content-Length as far as it is a
// number, knows no chunks, and ends lines at LF.
Outcome Naive(std::string_view bytes) {
  Outcome outcome;
  while (!bytes.empty()) {
    std::map<std::string, std::string> fields;
    std::string request_line;
    while (!bytes.empty()) {
      std::string line(bytes.substr(0, bytes.find('\n')));
      bytes.remove_prefix(std::min(line.size() + 1, bytes.size()));
      if (absl::EndsWith(line, "\r")) line.pop_back();
      if (line.empty()) break;
      if (request_line.empty()) request_line = line;
      const auto colon = line.find(':');
      if (colon != std::string::npos) fields.emplace(line.substr(0, colon), line.substr(colon + 1));
    }
    const std::string_view body =
        bytes.substr(0, std::strtoul(fields["Content-Length"].c_str(), nullptr, 10));
    bytes.remove_prefix(body.size());
    if (request_line.empty()) continue;
    outcome.messages.push_back(
        absl::StrCat(request_line.substr(0, request_line.rfind(' ')), " [", std::string(body), "]"));
  }
  return outcome;
}

// The three that are compared.
struct Trio {
  RecordingGateway gateway;
  ReferenceBackend reference;
  Nginx nginx{{{"reference", reference.address()}, {"gateway", gateway.address()}}};

  Outcome Ours(const std::string& bytes) { return Send(bytes, gateway.address(), gateway.recorder); }
  Outcome Theirs(const std::string& bytes) {
    return Send(bytes, nginx.AddressOf("reference"), reference.recorder);
  }
  Outcome Behind(const std::string& bytes) {
    return Send(bytes, nginx.AddressOf("gateway"), gateway.recorder);
  }

  // Whether what came before left nothing on the connections between nginx and us.
  bool IsInStep() {
    gateway::TestClient next(nginx.AddressOf("gateway"));
    const bool in_step = next.Exchange("GET /next HTTP/1.1\r\nHost: a\r\n\r\n").body == "/next";
    gateway.recorder.Take();
    return in_step;
  }
};

TEST_CASE("strangers' bytes are refused, or understood as nginx understands them") {
  Trio trio;
  const auto vectors = SmugglingVectors();
  CHECK(vectors.size() >= 40);

  std::size_t desyncs = 0;
  std::size_t refused = 0;
  std::size_t caught = 0;  // of the control
  for (const SmugglingVector& vector : vectors) {
    const Outcome ours = trio.Ours(vector.bytes);
    const Outcome theirs = trio.Theirs(vector.bytes);
    const Outcome behind = trio.Behind(vector.bytes);
    const bool is_in_step = trio.IsInStep();

    INFO(vector.name << "\n  nginx: " << ToString(theirs) << "\n  behind nginx: " << ToString(behind));
    CHECK(ToString(ours) == vector.outcome);
    CHECK(Agrees(ours, theirs));
    CHECK(Agrees(behind, theirs));
    CHECK(is_in_step);

    refused += ours.refused ? 1 : 0;
    desyncs += Agrees(ours, theirs) && Agrees(behind, theirs) && is_in_step ? 0 : 1;
    caught += Agrees(Naive(vector.bytes), theirs) ? 0 : 1;
  }
  WARN(vectors.size() << " payloads: " << refused << " refused, " << vectors.size() - refused
                      << " understood, " << desyncs << " desyncs; of the naive server " << caught);
  CHECK(desyncs == 0);
  CHECK(caught >= vectors.size() / 4);
}

// What parsers disagree on.
const std::string kPieces[] = {"\r",
                               "\n",
                               "\r\n",
                               " ",
                               "\t",
                               std::string(1, '\0'),
                               "\x0b",
                               "\xff",
                               ":",
                               ";",
                               ",",
                               "+",
                               "-",
                               "\"",
                               "0",
                               "5",
                               "chunked",
                               "Content-Length: 5\r\n",
                               "Transfer-Encoding: chunked\r\n",
                               "0\r\n\r\n",
                               " HTTP/1.1",
                               "Host: b\r\n"};

// The bytes with up to four changes, each of which takes some away, adds such a piece, or both.
std::string Mutated(std::string bytes, std::mt19937_64& random) {
  const auto below = [&](std::size_t bound) { return random() % bound; };
  for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
    const std::size_t at = below(bytes.size() + 1);
    const std::string& piece = kPieces[below(std::size(kPieces))];
    const std::size_t replaced = below(3) == 0 ? 1 + below(3) : 0;
    bytes.replace(at, std::min(replaced, bytes.size() - at), below(4) == 0 ? "" : piece);
  }
  return bytes;
}

// Whether both understand the same until one of them refuses or closes: nginx closes sooner at times, for
// instance at `Connection: 5close`.
bool AgreesUntilEnd(const Outcome& ours, const Outcome& reference) {
  return IsBeginningOf(ours.messages, reference.messages) || IsBeginningOf(reference.messages, ours.messages);
}

// Whether what came through the reference is some of what it understood. What we refuse of that does not end
// the client's connection to it, and more may follow.
bool IsPartOf(const Outcome& behind, const Outcome& reference) {
  auto next = reference.messages.begin();
  for (const std::string& message : behind.messages) {
    next = std::find(next, reference.messages.end(), message);
    if (next == reference.messages.end()) return false;
    ++next;
  }
  return true;
}

// The last line that the program prints.
struct SoakReport {
  ~SoakReport() { std::cout << "soak: " << cases << " cases, " << findings << " findings\n"; }
  std::size_t cases = 0;
  std::size_t findings = 0;
} soak;

TEST_CASE("random changes of those bytes open no gap either") {
  std::mt19937_64 random(NewSeed("changes of smugglers' bytes"));
  const char* given = std::getenv("VERDICT_SOAK_SECONDS");
  const std::string soak_seconds = given == nullptr ? "" : given;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(std::stoul("0" + soak_seconds));
  const auto goes_on = [&](std::size_t cases) {
    return soak_seconds.empty() ? cases < 300 : std::chrono::steady_clock::now() < end;
  };
  Trio trio;
  const auto vectors = SmugglingVectors();

  std::size_t caught = 0;  // of the control
  std::string shown;
  for (; goes_on(soak.cases); ++soak.cases) {
    const std::string bytes = Mutated(vectors[random() % vectors.size()].bytes, random);
    const Outcome ours = trio.Ours(bytes);
    const Outcome theirs = trio.Theirs(bytes);
    const Outcome behind = trio.Behind(bytes);
    const bool is_finding = !AgreesUntilEnd(ours, theirs) || !IsPartOf(behind, theirs) || !trio.IsInStep();
    if (is_finding) {
      ++soak.findings;
      absl::StrAppend(&shown, "\n\"", absl::CEscape(bytes), "\"\n  ours: ", ToString(ours),
                      "\n  nginx: ", ToString(theirs), "\n  behind nginx: ", ToString(behind));
    }
    caught += AgreesUntilEnd(Naive(bytes), theirs) ? 0 : 1;
  }
  INFO(shown);
  CHECK(soak.findings == 0);
  CHECK(caught > 0);
  WARN("of the naive server " << caught << " findings");
}

}  // namespace
}  // namespace verdict::test
