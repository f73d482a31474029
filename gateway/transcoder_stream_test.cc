#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/status/error.h"
#include "common/status/grpc_status.h"
#include "gateway/testing/gateway.h"

namespace verdict::gateway {
namespace {

using namespace std::chrono_literals;

GetEntityFeedbackResponse Items(int count) {
  GetEntityFeedbackResponse message;
  for (int i = 0; i < count; ++i) message.add_items()->set_id(absl::StrCat("item-", i));
  return message;
}

GetEntityFeedbackResponse Summary() {
  GetEntityFeedbackResponse message;
  message.set_entity_id("s1");
  message.mutable_summary()->set_total(1);
  return message;
}

TEST_CASE("a stream of one message has a length") {
  TestGateway gateway;
  gateway.backend.read = [](grpc::ServerContext& context, auto&, auto& writer) {
    context.AddInitialMetadata("etag", "\"1\"");
    writer.Write(Summary());
    return grpc::Status::OK;
  };
  const auto response = gateway.Exchange(Request("GET", kReadPath, kKey));
  CHECK(response.status == 200);
  CHECK(response.Has("content-length"));
  CHECK(response.Header("etag") == "\"1\"");
  CHECK(boost::json::parse(response.body).at("items").as_array().empty());

  auto client = gateway.Connect();
  client.Send(Request("HEAD", kReadPath, kKey));
  CHECK(client.Receive(true).Header("content-length") == response.Header("content-length"));
}

TEST_CASE("a stream of many messages is one JSON document in chunks") {
  TestGateway gateway;
  constexpr int kMessages = 200;
  gateway.backend.read = [](grpc::ServerContext& context, auto&, auto& writer) {
    context.AddInitialMetadata("etag", "\"1\"");
    writer.Write(Summary());
    for (int i = 0; i < kMessages; ++i) writer.Write(Items(100));
    return grpc::Status::OK;
  };
  SECTION("chunked") {
    auto client = gateway.Connect();
    for (int i = 0; i < 2; ++i) {
      const auto response = client.Exchange(Request("GET", kReadPath, kKey));
      CHECK(response.Header("transfer-encoding") == "chunked");
      CHECK(response.Header("etag") == "\"1\"");
      REQUIRE(response.complete);
      CHECK(boost::json::parse(response.body).at("items").as_array().size() == kMessages * 100);
    }
    client.Send(Request("HEAD", kReadPath, kKey));
    const auto head = client.Receive(true);
    CHECK(head.status == 200);
    CHECK(head.Header("etag") == "\"1\"");
    CHECK(client.Exchange(Request("GET", "/healthz")).status == 200);
  }
  SECTION("to HTTP/1.0, until the connection ends") {
    const auto response = gateway.Exchange(absl::StrCat("GET ", kReadPath, " HTTP/1.0\r\n", kKey, "\r\n"));
    CHECK_FALSE(response.Has("transfer-encoding"));
    CHECK(boost::json::parse(response.body).at("items").as_array().size() == kMessages * 100);
  }
}

TEST_CASE("a stream may be one JSON array, in chunks, and empty") {
  TestGateway gateway;
  const std::string request = Request("GET", "/spans?limit=7&tags.kind=x", kKey);
  gateway.backend.list_spans = [](const ListSpansRequest& list, auto& writer) {
    CHECK(list.limit() == 7);
    writer.Write(ListSpansResponse());
    return grpc::Status::OK;
  };
  const auto empty = gateway.Exchange(request);
  CHECK(empty.status == 200);
  CHECK(empty.Header("content-type") == "application/json");
  CHECK(empty.body == "[]");

  constexpr int kMessages = 200;
  gateway.backend.list_spans = [](const ListSpansRequest&, auto& writer) {
    ListSpansResponse message;
    for (int i = 0; i < 100; ++i) message.add_spans()->set_id(absl::StrCat("span-", i));
    for (int i = 0; i < kMessages; ++i) writer.Write(message);
    return grpc::Status::OK;
  };
  const auto response = gateway.Exchange(request);
  CHECK(response.Header("transfer-encoding") == "chunked");
  REQUIRE(response.complete);
  const auto spans = boost::json::parse(response.body).as_array();
  REQUIRE(spans.size() == kMessages * 100);
  CHECK(spans[101].at("id") == "span-1");
}

TEST_CASE("a stream that fails is a problem before its first byte, and cut after it") {
  TestGateway gateway;
  std::atomic<int> messages = 0;
  gateway.backend.read = [&](auto&, auto&, auto& writer) {
    for (int i = 0; i < messages; ++i) writer.Write(i == 0 ? Summary() : Items(1));
    return ToGrpc(MakeError(errors::v1::REASON_UNAVAILABLE, "The database cannot be reached."));
  };
  for (messages = 0; messages < 2; ++messages) {
    const auto response = gateway.Exchange(Request("GET", kReadPath, kKey));
    CHECK(response.status == 503);
    CHECK(CodeOf(response) == "UNAVAILABLE");
  }
  messages = 3;
  const auto cut = gateway.Exchange(Request("GET", kReadPath, kKey));
  CHECK(cut.status == 200);
  CHECK_FALSE(cut.complete);
}

TEST_CASE("an unchanged entity is 304, with its tag and without a body") {
  TestGateway gateway;
  const bool first = GENERATE(true, false);
  gateway.backend.read = [&](grpc::ServerContext& context, auto&, auto&) {
    first ? context.AddInitialMetadata("etag", "\"1\"") : context.AddTrailingMetadata("etag", "\"1\"");
    return grpc::Status::OK;
  };
  auto client = gateway.Connect();
  for (const char* method : {"GET", "HEAD", "GET"}) {  // what a body would leave behind, the next would show
    const auto response =
        client.Exchange(Request(method, kReadPath, absl::StrCat(kKey, "If-None-Match: \"1\"\r\n")));
    CHECK(response.status == 304);
    CHECK(response.head.count("etag") == 1);
    CHECK(response.Header("etag") == "\"1\"");
    CHECK_FALSE(response.Has("content-length"));
    CHECK_FALSE(response.Has("transfer-encoding"));
    CHECK_FALSE(response.Has("content-type"));
    CHECK(gateway.backend.metadata.at("if-none-match") == "\"1\"");
  }
}

TEST_CASE("the export of a project is a line an item") {
  TestGateway gateway;
  constexpr int kMessages = 200;
  constexpr int kItems = 100;
  gateway.backend.export_feedback = [](auto&, const ExportFeedbackRequest& request, auto& writer) {
    ExportFeedbackResponse message;
    for (int i = 0; i < kItems; ++i) message.add_items()->set_id(request.user_id());
    for (int i = 0; i < kMessages; ++i) writer.Write(message);
    return grpc::Status::OK;
  };
  std::string lines;
  for (int i = 0; i < kMessages * kItems; ++i) lines += "{\"id\":\"u\"}\n";
  const std::string path = absl::StrCat(kListPath, "?user_id=u");
  for (const char* accept : {"Accept: application/x-ndjson\r\n", "accept: APPLICATION/X-NDJSON\r\n",
                             "Accept: text/html, application/x-ndjson;q=0.9, */*;q=0.8\r\n",
                             "Accept: application/json\r\nAccept: application/x-ndjson\r\n"}) {
    INFO(accept);
    auto client = gateway.Connect();
    for (int i = 0; i < 2; ++i) {
      const auto response = client.Exchange(Request("GET", path, absl::StrCat(kKey, accept)));
      CHECK(response.status == 200);
      CHECK(response.Header("content-type") == "application/x-ndjson");
      CHECK(response.Header("transfer-encoding") == "chunked");
      CHECK(response.Header("vary") == "Accept");
      CHECK(response.complete);
      CHECK(response.body == lines);
    }
  }
  auto client = gateway.Connect();
  client.Send(Request("HEAD", path, absl::StrCat(kKey, "Accept: application/x-ndjson\r\n")));
  CHECK(client.Receive(true).Header("content-type") == "application/x-ndjson");
  CHECK(client.Exchange(Request("GET", "/healthz")).status == 200);
  const auto old = gateway.Exchange(
      absl::StrCat("GET ", path, " HTTP/1.0\r\n", kKey, "Accept: application/x-ndjson\r\n\r\n"));
  CHECK(old.body == lines);
}

TEST_CASE("who does not ask for lines gets a page") {
  TestGateway gateway;
  for (const char* accept :
       {"", "Accept: */*\r\n", "Accept: application/json\r\n", "Accept: application/ndjson\r\n",
        "Accept: application/x-ndjson2\r\n", "Accept:\r\n", "Accept: ,;,\r\n"}) {
    INFO(accept);
    const auto response = gateway.Exchange(
        Request("GET", absl::StrCat(kListPath, "?cursor=c&limit=10"), absl::StrCat(kKey, accept)));
    CHECK(response.status == 200);
    CHECK(response.Header("content-type") == "application/json");
    CHECK(response.Header("vary") == "Accept");
    CHECK(response.body == R"({"items":[],"next_cursor":"c"})");
  }
  const auto paged = gateway.Exchange(Request("GET", absl::StrCat(kListPath, "?limit=1"),
                                              absl::StrCat(kKey, "Accept: application/x-ndjson\r\n")));
  CHECK(paged.status == 400);
  CHECK(CodeOf(paged) == "UNKNOWN_FIELD");
}

TEST_CASE("an export may be empty, fail before its first byte, or be cut after it") {
  TestGateway gateway;
  const auto get = [&] {
    return gateway.Exchange(
        Request("GET", kListPath, absl::StrCat(kKey, "Accept: application/x-ndjson\r\n")));
  };
  std::atomic<int> messages = 0;
  std::atomic<bool> fails = false;
  gateway.backend.export_feedback = [&](auto&, auto&, auto& writer) {
    ExportFeedbackResponse message;
    message.add_items()->set_id("1");
    for (int i = 0; i < messages; ++i) writer.Write(message);
    return fails ? ToGrpc(MakeError(errors::v1::REASON_UNAVAILABLE, "The database cannot be reached."))
                 : grpc::Status::OK;
  };
  const auto empty = get();
  CHECK(empty.status == 200);
  CHECK(empty.Header("content-type") == "application/x-ndjson");
  CHECK(empty.Header("content-length") == "0");
  CHECK(empty.body.empty());
  messages = 1;
  CHECK(get().body == "{\"id\":\"1\"}\n");

  fails = true;
  for (messages = 0; messages < 2; ++messages) {
    const auto response = get();
    CHECK(response.status == 503);
    CHECK(response.Header("content-type") == "application/problem+json");
    CHECK(CodeOf(response) == "UNAVAILABLE");
  }
  messages = 3;
  const auto cut = get();
  CHECK(cut.status == 200);
  CHECK_FALSE(cut.complete);
}

TEST_CASE("a service reads no further than its client") {
  TestGateway gateway;
  absl::Notification stopped;
  std::atomic<int> written = 0;
  gateway.backend.read = [&](auto&, auto&, auto& writer) {
    while (writer.Write(Items(1000))) ++written;
    stopped.Notify();
    return grpc::Status::OK;
  };
  auto client = gateway.Connect();
  client.Send(Request("GET", kReadPath, kKey));
  client.Read(1'000'000);
  client.Close();
  CHECK(stopped.WaitForNotificationWithTimeout(absl::Seconds(10)));
}

TEST_CASE("the call of a client that is gone is cancelled") {
  TestGateway gateway({.http = {.half_close_grace = 10ms}});
  absl::Notification called;
  absl::Notification cancelled;
  gateway.backend.mint = [&](grpc::ServerContext& context, auto&, auto&) {
    called.Notify();
    while (!context.IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
    cancelled.Notify();
    return grpc::Status::OK;
  };
  auto client = gateway.Connect();
  client.Send(Mint());
  called.WaitForNotification();
  client.Close();
  CHECK(cancelled.WaitForNotificationWithTimeout(absl::Seconds(4)));
}

TEST_CASE("a request that waits for its key when the time to drain is over calls nothing") {
  TestGateway gateway;
  std::atomic<bool> called = false;
  gateway.backend.mint = [&](auto&, auto&, auto&) {
    called = true;
    return grpc::Status::OK;
  };
  auto client = gateway.Connect();
  client.Send(Mint("Authorization: Bearer waits\r\n"));
  gateway.authenticator.asked.WaitForNotification();
  std::jthread draining([&] { gateway.server->Drain(0ms); });
  CHECK(client.AtEnd());
  gateway.authenticator.waiting(std::make_shared<const auth::Principal>());
  draining.join();
  CHECK_FALSE(called);
}

TEST_CASE("a call that takes too long is 504") {
  TestGateway gateway({.limits = {.unary_deadline = 50ms}});
  gateway.backend.mint = [](grpc::ServerContext& context, auto&, auto&) {
    while (!context.IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
    return grpc::Status::OK;
  };
  const auto response = gateway.Exchange(Mint());
  CHECK(response.status == 504);
  CHECK(CodeOf(response) == "DEADLINE_EXCEEDED");
}

TEST_CASE("a backend that is away is 503, and says when to come again") {
  TestGateway gateway;
  gateway.backend.Stop();
  const auto response = gateway.Exchange(Redeem());
  CHECK(response.status == 503);
  CHECK(CodeOf(response) == "UNAVAILABLE");
  CHECK(response.Header("retry-after") == "1");
  CHECK(response.body.find("127.0.0.1") == std::string::npos);
}

TEST_CASE("a backend that goes away during a write leaves its outcome unknown") {
  TestGateway gateway;
  absl::Notification called;
  absl::Notification stopped;
  gateway.backend.redeem = [&](grpc::ServerContext& context, auto&, auto&) {
    called.Notify();
    while (!context.IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "");
  };
  auto client = gateway.Connect();
  client.Send(Redeem());
  called.WaitForNotification();
  gateway.backend.Stop();
  const auto response = client.Receive();
  CHECK(response.status == 503);
  CHECK(CodeOf(response) == "OUTCOME_UNKNOWN");
}

}  // namespace
}  // namespace verdict::gateway
