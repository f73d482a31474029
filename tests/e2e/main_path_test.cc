#include <atomic>
#include <barrier>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "tests/support/await.h"
#include "tests/support/stack.h"

namespace verdict::test {
namespace {

namespace json = boost::json;

json::value Json(const HttpResponse& response) { return json::parse(response.body); }

std::string Text(const json::value& value, std::string_view member) {
  return std::string(value.at({member.data(), member.size()}).as_string());
}

HttpRequest Vote(const Tenant& tenant, const std::string& completion, const std::string& body) {
  return {.method = "POST",
          .target = "/v1/prompts/support-bot/completions/" + completion + "/feedback",
          .headers = {{"Authorization", "Bearer " + tenant.key}, {"Content-Type", "application/json"}},
          .body = body};
}

HttpRequest Mint(const Tenant& tenant, const std::string& body) {
  return {.method = "POST",
          .target = "/api/v1/feedback/token",
          .headers = {{"Authorization", "Bearer " + tenant.key}, {"Content-Type", "application/json"}},
          .body = body};
}

HttpRequest Redeem(const std::string& token, const std::string& body) {
  return {.method = "POST",
          .target = "/api/v1/feedback",
          .headers = {{"Authorization", "Bearer " + token}, {"Content-Type", "application/json"}},
          .body = body};
}

json::value ReadEntity(const Stack& stack, const Tenant& tenant, const std::string& type,
                       const std::string& id) {
  const HttpResponse response =
      stack.Send({.target = absl::StrCat("/projects/", tenant.project_id, "/feedback/", type, "/", id),
                  .headers = {{"Authorization", "Bearer " + tenant.key}}});
  REQUIRE(response.status == 200);
  return Json(response);
}

// Sends all requests at the same moment, each on a connection of its own.
std::vector<HttpResponse> SendTogether(const Stack& stack, const std::vector<HttpRequest>& requests) {
  std::vector<HttpResponse> responses(requests.size());
  std::barrier start(static_cast<std::ptrdiff_t>(requests.size()));
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    threads.emplace_back([&, i] {
      HttpClient client(stack.port());
      start.arrive_and_wait();
      responses[i] = client.Send(requests[i]);
    });
  }
  threads.clear();
  return responses;
}

TEST_CASE("64 parallel redemptions of one token make one record, and all get the same answer") {
  Stack stack;
  const std::string token =
      Text(Json(stack.Send(Mint(stack.tenant(), R"({"resource_type":"eval_run","resource_id":"run-1"})"))),
           "token");

  const auto responses = SendTogether(
      stack, std::vector<HttpRequest>(64, Redeem(token, R"({"thumbs_up":true,"reason":"good"})")));

  std::set<std::string> ids;
  int first = 0;
  for (const HttpResponse& response : responses) {
    REQUIRE(response.status == 200);
    ids.insert(Text(Json(response), "id"));
    first += response.headers.contains("idempotent-replayed") ? 0 : 1;
  }
  CHECK(ids.size() == 1);
  CHECK(first == 1);
  CHECK(stack.database().Query("select count(*) from feedback") == "1");
  CHECK(ReadEntity(stack, stack.tenant(), "eval_run", "run-1").at("summary").at("total") == 1);
}

TEST_CASE("of 64 parallel redemptions with different bodies one wins, and the others are told") {
  Stack stack;
  const std::string token =
      Text(Json(stack.Send(Mint(stack.tenant(), R"({"resource_type":"trace","resource_id":"t"})"))), "token");
  std::vector<HttpRequest> requests;
  for (int i = 0; i < 64; ++i) {
    requests.push_back(Redeem(token, absl::StrCat(R"({"thumbs_up":true,"reason":"r)", i, R"("})")));
  }

  int won = 0;
  for (const HttpResponse& response : SendTogether(stack, requests)) {
    if (response.status == 200) {
      ++won;
    } else {
      CHECK(response.status == 410);
      CHECK(Text(Json(response), "code") == "TOKEN_USED");
    }
  }
  CHECK(won == 1);
  CHECK(stack.database().Query("select count(*) from feedback") == "1");
}

TEST_CASE("64 parallel votes of one user make one row with 64 revisions") {
  Stack stack;
  std::vector<HttpRequest> requests;
  for (int i = 0; i < 64; ++i) {
    const char* thumbs_up = i % 2 == 0 ? "true" : "false";
    requests.push_back(Vote(stack.tenant(), "c-1",
                            absl::StrCat(R"({"thumbs_up":)", thumbs_up, R"(,"reason":"r)", i, R"("})")));
  }

  std::set<std::string> ids;
  for (const HttpResponse& response : SendTogether(stack, requests)) {
    REQUIRE(response.status == 200);
    ids.insert(Text(Json(response), "id"));
  }
  CHECK(ids.size() == 1);
  CHECK(stack.database().Query("select count(*), max(revision) from feedback") == "1|64");
  CHECK(stack.database().Query(
            "select count(*), count(distinct revision), max(revision) from feedback_history") == "63|63|63");
  CHECK(stack.database().Query("select count(distinct reason) from (select reason from feedback union all "
                               "select reason from feedback_history) r") == "64");
}

TEST_CASE("two tenants with equal ids never meet") {
  Stack stack;
  const Tenant other = stack.NewTenant("second");
  const std::string completion = "550e8400-e29b-41d4-a716-446655440000";
  const std::string rater = R"("created_by":{"id":"user-1"})";
  REQUIRE(stack.Send(Vote(stack.tenant(), completion, R"({"thumbs_up":true,"reason":"mine",)" + rater + "}"))
              .status == 200);
  REQUIRE(
      stack.Send(Vote(other, completion, R"({"thumbs_up":false,"reason":"theirs",)" + rater + "}")).status ==
      200);

  const json::value mine = ReadEntity(stack, stack.tenant(), "span", completion);
  const json::value theirs = ReadEntity(stack, other, "span", completion);
  CHECK(mine.at("summary").at("total") == 1);
  CHECK(Text(mine.at("items").at(0), "reason") == "mine");
  CHECK(Text(theirs.at("items").at(0), "reason") == "theirs");

  // A foreign project and a missing one cannot be told apart.
  std::vector<HttpResponse> refused;
  for (const std::string& project : {other.project_id, std::string("01900000-0000-7000-8000-000000000000")}) {
    refused.push_back(stack.Send(
        {.target = absl::StrCat("/projects/", project, "/feedback/span/", completion),
         .headers = {{"Authorization", "Bearer " + stack.tenant().key}, {"X-Request-Id", "same"}}}));
    CHECK(refused.back().status == 403);
  }
  CHECK(Text(Json(refused[0]), "detail") == Text(Json(refused[1]), "detail"));

  // Another project's token is no token here, and revoking it here does not touch it.
  const json::value minted = Json(stack.Send(Mint(other, R"({"resource_type":"trace","resource_id":"t"})")));
  CHECK(stack
            .Send({.target = "/api/v1/feedback/token?token=" + Text(minted, "token"),
                   .headers = {{"Authorization", "Bearer " + stack.tenant().key}}})
            .status == 401);
  CHECK(stack
            .Send({.method = "DELETE",
                   .target = "/api/v1/feedback/token/" + Text(minted, "id"),
                   .headers = {{"Authorization", "Bearer " + stack.tenant().key}}})
            .status == 204);
  CHECK(stack.Send(Redeem(Text(minted, "token"), R"({"thumbs_up":true})")).status == 200);
}

TEST_CASE("what was acknowledged is there after every process was killed and the stack came back") {
  Stack stack;
  std::mutex mutex;
  std::set<std::string> acknowledged;
  std::atomic<bool> stop = false;
  {
    std::vector<std::jthread> writers;
    for (int writer = 0; writer < 8; ++writer) {
      writers.emplace_back([&, writer] {
        for (int i = 0; !stop; ++i) {
          const std::string completion = absl::StrCat("w", writer, "-", i);
          try {
            const HttpResponse response =
                stack.Send(Vote(stack.tenant(), completion, R"({"thumbs_up":true})"));
            if (response.status != 200) continue;
            const std::lock_guard lock(mutex);
            acknowledged.insert(completion);
          } catch (const std::exception&) {
            continue;  // not acknowledged
          }
        }
      });
    }
    for (const char* name : {"feedback", "gateway", "token", "feedback"}) {
      const auto enough = [&, before = std::size_t{0}]() mutable {
        const std::lock_guard lock(mutex);
        if (before == 0) before = acknowledged.size() + 100;
        return acknowledged.size() >= before;
      };
      Await("a hundred acknowledged votes", enough);
      CHECK(stack.Stop(name, SIGKILL) == 128 + SIGKILL);
      stack.Start(name);
    }
    stop = true;
  }

  for (const char* name : {"gateway", "aggregator", "feedback", "token"}) {
    CHECK(stack.Stop(name, SIGTERM) == 0);
  }
  for (const char* name : {"token", "feedback", "aggregator"}) stack.Start(name);
  stack.Start("gateway");

  CHECK(acknowledged.size() >= 400);
  for (const std::string& completion : acknowledged) {
    INFO(completion);
    REQUIRE(stack.database().Query("select count(*) from feedback where target_text = '" + completion +
                                   "'") == "1");
  }
  const json::value read = ReadEntity(stack, stack.tenant(), "span", *acknowledged.begin());
  CHECK(read.at("summary").at("total") == 1);
}

TEST_CASE("a revoked key is refused everywhere within five seconds, and its tokens with it when asked") {
  Stack stack;
  const Tenant& tenant = stack.tenant();
  REQUIRE(stack.Send(Vote(tenant, "c-1", R"({"thumbs_up":true})")).status == 200);
  const std::string token =
      Text(Json(stack.Send(Mint(tenant, R"({"resource_type":"trace","resource_id":"t"})"))), "token");
  ReadEntity(stack, tenant, "span", "c-1");

  REQUIRE(stack.Ctl({"key", "revoke", tenant.key_id, "--with-tokens"}).exit_code == 0);
  const std::vector<HttpRequest> uses = {
      Vote(tenant, "c-1", R"({"thumbs_up":true})"),
      Mint(tenant, R"({"resource_type":"trace","resource_id":"t"})"),
      {.target = absl::StrCat("/projects/", tenant.project_id, "/feedback/span/c-1"),
       .headers = {{"Authorization", "Bearer " + tenant.key}}}};
  Await(
      "the key to be refused by every service",
      [&] {
        return std::ranges::all_of(uses,
                                   [&](const HttpRequest& use) { return stack.Send(use).status == 401; });
      },
      std::chrono::seconds(5));
  const HttpResponse redeemed = stack.Send(Redeem(token, R"({"thumbs_up":true})"));
  CHECK(redeemed.status == 410);
  CHECK(Text(Json(redeemed), "code") == "TOKEN_REVOKED");
}

// The names after "# TYPE " of metrics pages, or in the first column of docs/metrics.md.
std::set<std::string> Names(const std::string& page, const std::string& before, char after) {
  std::set<std::string> names;
  for (auto at = page.find(before); at != std::string::npos; at = page.find(before, at)) {
    at += before.size();
    names.insert(page.substr(at, page.find(after, at) - at));
  }
  return names;
}

TEST_CASE("docs/metrics.md lists the metrics that the processes have, and no others") {
  Stack stack;
  REQUIRE(stack.Send(Vote(stack.tenant(), "c-1", R"({"thumbs_up":true})")).status == 200);
  const std::string token =
      Text(Json(stack.Send(Mint(stack.tenant(), R"({"resource_type":"trace","resource_id":"t"})"))), "token");
  REQUIRE(stack.Send(Redeem(token, R"({"thumbs_up":true})")).status == 200);
  ReadEntity(stack, stack.tenant(), "span", "c-1");
  std::set<std::string> exported;
  for (const char* name : {"token", "feedback", "aggregator", "gateway"}) {
    exported.merge(Names(stack.AdminPage(name, "/metrics"), "# TYPE ", ' '));
  }

  std::stringstream page;
  page << std::ifstream(std::filesystem::path(std::getenv("VERDICT_SOURCE")) / "docs/metrics.md").rdbuf();
  const std::set<std::string> documented = Names(page.str(), "\n| `", '`');
  for (const std::string& name : exported) {
    INFO(name << " is exported");
    CHECK(documented.contains(name));
  }
  for (const std::string& name : documented) {
    INFO(name << " is documented");
    CHECK(exported.contains(name));
  }
}

}  // namespace
}  // namespace verdict::test
