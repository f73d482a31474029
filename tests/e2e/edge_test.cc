#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <list>
#include <string>
#include <utility>
#include <vector>

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <poll.h>
#include <sys/resource.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/testing/http_client.h"
#include "tests/support/stack.h"
#include "tests/support/usage.h"

// The product's edge as strangers meet it: the real processes, on their defaults.
namespace verdict::test {
namespace {

using namespace std::chrono_literals;
using gateway::TestClient;
using SteadyClock = std::chrono::steady_clock;

std::string Address(const Stack& stack) { return absl::StrCat("127.0.0.1:", stack.port()); }

std::string KeyOf(const Tenant& tenant) { return "Authorization: Bearer " + tenant.key + "\r\n"; }

// A request without a body; `fields` are whole lines.
std::string Request(const std::string& method, const std::string& target, const std::string& fields = "") {
  return absl::StrCat(method, " ", target, " HTTP/1.1\r\nHost: a\r\n", fields, "\r\n");
}

// Everything that is answered to the bytes and the end behind them.
std::string Answer(const Stack& stack, const std::string& bytes) {
  TestClient client(Address(stack));
  client.Send(bytes);
  client.FinishSending();
  return client.Read(1 << 20);
}

TEST_CASE("nothing of a query is in a log, a metric or a refusal") {
  Stack stack;
  const std::string secret = "fbt1.k1.c4n4ry-0f-4-t0ken";
  const std::string path = "/api/v1/feedback/token";
  const std::string target = path + "?token=" + secret;
  const std::string key = KeyOf(stack.tenant());
  const auto with_line = [](const std::string& line) { return line + "\r\nHost: a\r\n\r\n"; };
  const std::vector<std::pair<std::string, std::string>> requests = {
      {"matched", Request("GET", target, key)},
      {"without a key", Request("GET", target)},
      {"HEAD", Request("HEAD", target, key)},
      {"a peek", Request("GET", "/api/v1/feedback?token=" + secret)},
      {"of another route", Request("GET", "/v1/prompts/support-bot?token=" + secret, key)},
      {"unmatched", Request("GET", "/nowhere?token=" + secret)},
      {"in the path", Request("GET", path + "%3Ftoken=" + secret)},
      {"twice", Request("GET", target + "&token=" + secret, key)},
      {"behind another '?'", Request("GET", target + "?token=" + secret, key)},
      {"malformed encoding", Request("GET", target + "%zz", key)},
      {"not UTF-8", Request("GET", target + "%ff", key)},
      {"NUL", Request("GET", target + "%00", key)},
      {"of a wrong type",
       Request("GET", "/projects/" + stack.tenant().project_id + "/feedback?limit=" + secret, key)},
      {"of a time",
       Request("GET", "/projects/" + stack.tenant().project_id + "/feedback?created_after=" + secret, key)},
      {"of a cursor",
       Request("GET", "/projects/" + stack.tenant().project_id + "/feedback?cursor=" + secret, key)},
      {"405", Request("PUT", target)},
      {"TRACE", Request("TRACE", target)},
      {"OPTIONS", Request("OPTIONS", target)},
      {"a preflight",
       Request("OPTIONS", "/api/v1/feedback?token=" + secret, "Origin: https://a.example\r\n")},
      {"CONNECT", "CONNECT a:1?token=" + secret + " HTTP/1.1\r\nHost: a:1\r\n\r\n"},
      {"414", Request("GET", target + std::string(5000, 'a'))},
      {"414 that does not end", "GET " + target + std::string(17'000, 'a')},
      {"431", Request("GET", target, "X: " + std::string(17'000, 'a') + "\r\n")},
      {"a fragment", Request("GET", target + "#" + secret)},
      {"a space", Request("GET", target + " " + secret)},
      {"a bad field", Request("GET", target, "X : a\r\n")},
      {"two Hosts", Request("GET", target, "Host: b\r\n")},
      {"bare LF", "GET " + target + " HTTP/1.1\nHost: a\n\n"},
      {"two lengths", Request("POST", target, "Content-Length: 1\r\nContent-Length: 2\r\n")},
      {"a body that is none", Request("POST", target, key + "Content-Length: 1\r\n") + "{"},
      {"a body cut short", Request("POST", target, key + "Content-Length: 9\r\n") + "{"},
      {"a head cut short", "GET " + target},
      {"HTTP/1.0", "GET " + target + " HTTP/1.0\r\n" + key + "\r\n"},
      {"HTTP/0.9", "GET " + target + "\r\n\r\n"},
      {"HTTP/1.2", with_line("GET " + target + " HTTP/1.2")},
      {"absolute form", with_line("GET http://a" + target + " HTTP/1.1")},
      {"absolute form without a path", with_line("GET http://a?token=" + secret + " HTTP/1.1")},
      {"absolute form of another host", with_line("GET http://b" + target + " HTTP/1.1")},
  };
  for (const auto& [name, bytes] : requests) {
    INFO(name);
    const std::string answer = Answer(stack, bytes);
    CHECK(absl::StartsWith(answer, "HTTP/1.1 "));
    CHECK_FALSE(absl::StartsWith(answer, "HTTP/1.1 5"));
    CHECK_FALSE(absl::StrContains(answer, secret));
  }

  // Control: what is meant to be in answers and logs is found there.
  const std::string control = Answer(stack, Request("GET", "/nowhere", "X-Request-Id: c4n4ry\r\n"));
  CHECK(absl::StrContains(control, "c4n4ry"));
  for (const char* process : {"token", "feedback", "aggregator", "gateway"}) {
    INFO(process);
    const std::string page = stack.AdminPage(process, "/metrics");
    CHECK(absl::StrContains(page, "verdict_"));
    CHECK_FALSE(absl::StrContains(page, secret));
  }
  CHECK(stack.Stop("gateway", SIGTERM) == 0);
  CHECK(absl::StrContains(stack.Logs(), "c4n4ry"));
  CHECK_FALSE(absl::StrContains(stack.Logs(), secret));
}

TEST_CASE("no spelling of a path leads to another resource") {
  Stack stack;
  const Tenant& tenant = stack.tenant();
  const Tenant other = stack.NewTenant("other");
  const std::string vote = R"({"thumbs_up":true})";
  for (const Tenant* each : {&tenant, &other}) {
    REQUIRE(stack
                .Send({.method = "POST",
                       .target = "/v1/prompts/support-bot/completions/c1/feedback",
                       .headers = {{"Authorization", "Bearer " + each->key}},
                       .body = vote})
                .status == 200);
  }
  const std::string project = "/projects/" + tenant.project_id;
  const std::string spans = project + "/feedback/span/";
  std::string upper = tenant.project_id;
  std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return std::toupper(c); });
  std::string bare = tenant.project_id;
  std::erase(bare, '-');

  struct Case {
    std::string target;
    int status;
    int items = 0;  // where the answer is 200
  };
  const std::vector<Case> cases = {
      {spans + "c1", 200, 1},
      {"/projects/" + upper + "/feedback/span/c1", 200, 1},
      {spans + "%63%31", 200, 1},
      // Ids of other things, with nothing on them.
      {spans + "%2563%2531", 200},
      {spans + "C1", 200},
      {spans + "c1%2F", 200},
      {spans + "c1;v=1", 200},
      {spans + "c1%3Bv=1", 200},
      {spans + "c1%20", 200},
      {spans + "c1%3F", 200},
      {spans + "c1%23", 200},
      {spans + "c1%0D%0AX:%20y", 200},
      {spans + "..%2Fspan%2Fc1", 200},
      {spans + "x%2F..%2Fc1", 200},
      {spans + "x\\..\\c1", 200},
      {spans + "%5C..%5Cc1", 200},
      // No route.
      {spans, 404},
      {spans + "c1/", 404},
      {spans + "c1//", 404},
      {spans + "../span/c1", 404},
      {spans + "./c1", 404},
      {spans + "..", 404},
      {spans + "/c1", 404},
      {"/" + spans + "c1", 404},
      {"/x/.." + spans + "c1", 404},
      {"/.//" + spans + "c1", 404},
      {"/%2e" + spans + "c1", 404},
      {"/%2e%2e" + spans + "c1", 404},
      {"/projects/x/../" + tenant.project_id + "/feedback/span/c1", 404},
      {"/projects%2F" + tenant.project_id + "/feedback/span/c1", 404},
      {"\\projects\\" + tenant.project_id + "\\feedback\\span\\c1", 400},
      {"/projects\\" + tenant.project_id + "/feedback/span/c1", 404},
      {"/PROJECTS/" + tenant.project_id + "/feedback/span/c1", 404},
      {"/%70rojects/" + tenant.project_id + "/feedback/span/c1", 404},
      {"/projects;a=b/" + tenant.project_id + "/feedback/span/c1", 404},
      // Not what a path may hold.
      {spans + "c1%00", 400},
      {spans + "c1%", 400},
      {spans + "c1%zz", 400},
      {spans + "%C0%AE%C0%AE", 400},
      {spans + "%C0%AF", 400},
      {spans + "%E0%80%AF", 400},
      {spans + "%ED%A0%80", 400},
      {spans + "%FF", 400},
      {spans + "\xC0\xAF", 400},
      {spans + std::string(8192, 'a'), 414},
      {spans + std::string(201, 'a'), 400},
      {project + "/feedback/spans/c1", 400},
      {project + "/feedback/SPAN/c1", 400},
      // Not our project.
      {"/projects/" + other.project_id + "/feedback/span/c1", 403},
      {"/projects/" + bare + "/feedback/span/c1", 403},
      {"/projects/%7B" + tenant.project_id + "%7D/feedback/span/c1", 403},
      {"/projects/urn:uuid:" + tenant.project_id + "/feedback/span/c1", 403},
      {"/projects/" + tenant.project_id + "%20/feedback/span/c1", 403},
      {"/projects/" + tenant.project_id + ";" + other.project_id + "/feedback/span/c1", 403},
      {"/projects/" + tenant.project_id + "%2F..%2F" + other.project_id + "/feedback/span/c1", 403},
      {"/projects/%2e%2e/feedback/span/c1", 403},
  };
  TestClient client(Address(stack));
  for (const Case& c : cases) {
    INFO(c.target);
    TestClient stranger(Address(stack));
    const auto response = stranger.Exchange(Request("GET", c.target, KeyOf(tenant)));
    CHECK(response.status == c.status);
    if (response.status != 200) continue;
    CHECK(boost::json::parse(response.body).at("summary").at("total") == c.items);
  }
}

TEST_CASE("methods that a path does not take are refused with those that it takes") {
  Stack stack;
  const std::vector<std::pair<std::string, std::string>> paths = {
      {"/api/v1/feedback", "GET, HEAD, OPTIONS, POST"},
      {"/api/v1/feedback/token", "GET, HEAD, POST"},
      {"/spans", "GET, HEAD, POST"},
      {"/v1/prompts/support-bot", "GET, HEAD"},
      {"/healthz", "GET, HEAD"},
  };
  for (const auto& [path, allow] : paths) {
    for (const char* method : {"TRACE", "PUT", "PATCH", "CONNECT", "PROPFIND", "get", "M-SEARCH"}) {
      INFO(method << " " << path);
      TestClient client(Address(stack));
      const bool connect = std::string_view(method) == "CONNECT";
      const auto response =
          client.Exchange(connect ? "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"
                                  : Request(method, path, KeyOf(stack.tenant()) + "X-Echo: c4n4ry\r\n"));
      CHECK(response.status == 405);
      CHECK(response.Header("allow") == (connect ? "" : allow));
      CHECK_FALSE(absl::StrContains(response.body, "c4n4ry"));
    }
  }
}

TEST_CASE("5,000 idle connections cost little, and 500 slow ones are gone in ten seconds") {
  rlimit files = {};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &files) == 0);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  const std::size_t count = std::min<std::size_t>(5000, files.rlim_max - 700);
  Stack stack;
  const std::string request = Request("GET", "/healthz");
  TestClient(Address(stack)).Exchange(request);

  const pid_t pid = stack.process("gateway").pid();
  const std::int64_t before = ResidentBytes(pid);
  std::list<TestClient> idle;
  while (idle.size() < count) {
    idle.emplace_back(Address(stack), absl::StrCat("127.0.0.", 2 + idle.size() % 200));
    REQUIRE(idle.back().Exchange(request).status == 200);
  }
  const double kib = static_cast<double>(ResidentBytes(pid) - before) / 1024 / static_cast<double>(count);
  WARN(count << " idle connections: " << kib << " KiB each");
  CHECK(kib < 70);  // measured 7

  std::list<TestClient> slow;
  for (int i = 0; i < 500; ++i) {
    slow.emplace_back(Address(stack), absl::StrCat("127.0.0.", 2 + i % 200));
    slow.back().Send("GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow: ");
  }
  const auto start = SteadyClock::now();
  auto longest = 0ms;
  while (!slow.empty() && SteadyClock::now() - start < 10s) {
    for (auto client = slow.begin(); client != slow.end();) {
      if (client->HasInput()) {
        CHECK(client->Receive().status == 408);
        client = slow.erase(client);
      } else {
        client->Send("x");
        ++client;
      }
    }
    const auto asked = SteadyClock::now();
    CHECK(stack
              .Send({.target = "/projects/" + stack.tenant().project_id + "/prompts/support-bot/versions",
                     .headers = {{"Authorization", "Bearer " + stack.tenant().key}}})
              .status == 200);
    longest =
        std::max(longest, std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - asked));
    poll(nullptr, 0, 50);  // the pace of the slow ones
  }
  WARN("slow connections were gone after "
       << std::chrono::duration<double>(SteadyClock::now() - start).count() << " s; others waited at most "
       << longest.count() << " ms");
  CHECK(slow.empty());
  CHECK(longest < 5s);
  CHECK(idle.front().Exchange(request).status == 200);
  CHECK(idle.back().Exchange(request).status == 200);
}

}  // namespace
}  // namespace verdict::test
