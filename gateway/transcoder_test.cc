#include "gateway/transcoder.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/status/error.h"
#include "common/status/grpc_status.h"
#include "gateway/http_server.h"
#include "gateway/http_test_client.h"
#include "verdict/aggregator/v1/aggregator_service.grpc.pb.h"
#include "verdict/feedback/v1/feedback_service.grpc.pb.h"
#include "verdict/token/v1/token_service.grpc.pb.h"

namespace verdict::gateway {
namespace {

using namespace std::chrono_literals;
using aggregator::v1::GetEntityFeedbackRequest;
using aggregator::v1::GetEntityFeedbackResponse;
using feedback::v1::RedeemTokenRequest;
using feedback::v1::RedeemTokenResponse;
using token::v1::MintTokenRequest;
using token::v1::MintTokenResponse;

using Metadata = std::map<std::string, std::string>;

Metadata MetadataOf(const grpc::ServerContext& context) {
  Metadata metadata;
  for (const auto& [key, value] : context.client_metadata()) {
    metadata.emplace(std::string(key.data(), key.size()), std::string(value.data(), value.size()));
  }
  return metadata;
}

// Stands in for all three services: a few methods, by hand, on real gRPC.
class TestBackend final : public token::v1::TokenService::Service,
                          public feedback::v1::FeedbackService::Service,
                          public aggregator::v1::AggregatorService::Service {
 public:
  TestBackend() {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(static_cast<token::v1::TokenService::Service*>(this));
    builder.RegisterService(static_cast<feedback::v1::FeedbackService::Service*>(this));
    builder.RegisterService(static_cast<aggregator::v1::AggregatorService::Service*>(this));
    server_ = builder.BuildAndStart();
    REQUIRE(server_ != nullptr);
    address_ = absl::StrCat("127.0.0.1:", port);
  }
  ~TestBackend() override { Stop(); }

  const std::string& address() const { return address_; }
  void SetServing(bool serving) { server_->GetHealthCheckService()->SetServingStatus(serving); }
  void Stop() { server_->Shutdown(std::chrono::system_clock::now()); }

  // What the handlers do; set before the request.
  std::function<grpc::Status(grpc::ServerContext&, const MintTokenRequest&, MintTokenResponse&)> mint;
  std::function<grpc::Status(grpc::ServerContext&, const RedeemTokenRequest&, RedeemTokenResponse&)> redeem;
  std::function<grpc::Status(grpc::ServerContext&, const GetEntityFeedbackRequest&,
                             grpc::ServerWriter<GetEntityFeedbackResponse>&)>
      read;
  // What the latest call of any of them carried.
  Metadata metadata;

 private:
  grpc::Status MintToken(grpc::ServerContext* context, const MintTokenRequest* request,
                         MintTokenResponse* response) override {
    metadata = MetadataOf(*context);
    return mint(*context, *request, *response);
  }
  grpc::Status RevokeToken(grpc::ServerContext*, const token::v1::RevokeTokenRequest*,
                           token::v1::RevokeTokenResponse*) override {
    return grpc::Status::OK;
  }
  grpc::Status RedeemToken(grpc::ServerContext* context, const RedeemTokenRequest* request,
                           RedeemTokenResponse* response) override {
    metadata = MetadataOf(*context);
    return redeem(*context, *request, *response);
  }
  grpc::Status GetEntityFeedback(grpc::ServerContext* context, const GetEntityFeedbackRequest* request,
                                 grpc::ServerWriter<GetEntityFeedbackResponse>* writer) override {
    metadata = MetadataOf(*context);
    return read(*context, *request, *writer);
  }

  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

RouteTable Routes() {
  const std::array services = {MintTokenRequest::descriptor()->file()->service(0),
                               RedeemTokenRequest::descriptor()->file()->service(0),
                               GetEntityFeedbackRequest::descriptor()->file()->service(0)};
  auto routes = RouteTable::Build(services);
  REQUIRE(routes.ok());
  return *std::move(routes);
}

// A gateway in front of the backend.
struct Fixture {
  struct Options {
    std::string origins = "*";
    TranscoderLimits limits = {};
    HttpLimits http = {};
  };

  Fixture() : Fixture(Options()) {}
  explicit Fixture(const Options& options)
      : transcoder(routes, backends, *CorsPolicy::Parse(options.origins), R"({"openapi":"3.1.0"})",
                   options.limits) {
    auto started = HttpServer::Start("127.0.0.1:0", 2, options.http, transcoder, metrics);
    REQUIRE(started.ok());
    server = *std::move(started);
    backend.mint = [](grpc::ServerContext&, const MintTokenRequest& request, MintTokenResponse& response) {
      response.set_token("fbt1.token");
      response.set_id(request.resource_id());
      return grpc::Status::OK;
    };
    backend.redeem = [](grpc::ServerContext&, const RedeemTokenRequest& request,
                        RedeemTokenResponse& response) {
      response.mutable_feedback()->set_thumbs_up(request.thumbs_up());
      return grpc::Status::OK;
    };
  }

  TestClient Connect() { return TestClient(server->address()); }
  TestResponse Exchange(const std::string& request) { return Connect().Exchange(request); }

  TestBackend backend;
  metrics::Registry registry;
  Metrics metrics{registry};
  RouteTable routes = Routes();
  Backends backends{
      {{.name = "token", .package = "verdict.token.v1", .address = backend.address()},
       {.name = "feedback", .package = "verdict.feedback.v1", .address = backend.address()},
       {.name = "aggregator", .package = "verdict.aggregator.v1", .address = backend.address()}},
      registry,
      10ms};
  Transcoder transcoder;
  std::unique_ptr<HttpServer> server;
};

constexpr const char* kKey = "Authorization: Bearer key\r\n";
constexpr const char* kMintBody = R"({"resource_type":"eval_run","resource_id":"run-42"})";
constexpr const char* kReadPath = "/projects/0190c0de-0000-7000-8000-000000000000/feedback/span/s1";

std::string Request(const std::string& method, const std::string& path, const std::string& fields = "",
                    const std::string& body = "") {
  const std::string length = body.empty() ? "" : absl::StrCat("Content-Length: ", body.size(), "\r\n");
  return absl::StrCat(method, " ", path, " HTTP/1.1\r\nHost: a\r\n", fields, length, "\r\n", body);
}

std::string Mint(const std::string& fields = kKey, const std::string& body = kMintBody) {
  return Request("POST", "/api/v1/feedback/token", fields, body);
}

std::string Redeem(const std::string& fields = "", const std::string& body = R"({"thumbs_up":true})") {
  return Request("POST", "/api/v1/feedback", fields, body);
}

std::string CodeOf(const TestResponse& response) {
  return std::string(boost::json::parse(response.body).at("code").as_string());
}

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

TEST_CASE("a route calls its RPC and shows its answer") {
  Fixture fixture;
  const auto response = fixture.Exchange(Mint());
  CHECK(response.status == 200);
  CHECK(response.Header("content-type") == "application/json");
  CHECK(response.Header("cache-control") == "no-store");
  CHECK(response.Header("referrer-policy") == "no-referrer");
  CHECK(boost::json::parse(response.body) == boost::json::parse(R"({"token":"fbt1.token","id":"run-42"})"));
}

TEST_CASE("a call carries what it should of the request, and nothing else") {
  Fixture fixture;
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  fixture.Exchange(
      Mint("authorization: bEaReR  key\r\nX-Request-Id: r-1\r\nIdempotency-Key: k\r\n"
           "If-None-Match: \"t\"\r\nGrpc-Timeout: 1S\r\nX-Org-Id: o\r\nVerdict-Project: p\r\n"
           "Cookie: c\r\nX-Forwarded-For: f\r\ntraceparent: " +
           trace + "\r\n"));
  Metadata metadata = fixture.backend.metadata;
  metadata.erase("user-agent");
  CHECK(metadata == Metadata{{"authorization", "Bearer key"},
                             {"x-request-id", "r-1"},
                             {"idempotency-key", "k"},
                             {"if-none-match", "\"t\""},
                             {"traceparent", trace}});
}

TEST_CASE("a malformed traceparent is left out") {
  Fixture fixture;
  for (const char* trace : {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", "garbage",
                            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"}) {
    CHECK(fixture.Exchange(Mint(absl::StrCat(kKey, "traceparent: ", trace, "\r\n"))).status == 200);
    CHECK_FALSE(fixture.backend.metadata.contains("traceparent"));
  }
}

TEST_CASE("a key comes as a bearer credential or as x-api-key") {
  Fixture fixture;
  CHECK(fixture.Exchange(Mint("x-api-key: key\r\n")).status == 200);
  CHECK(fixture.backend.metadata.at("authorization") == "Bearer key");
  CHECK(fixture.Exchange(Mint("x-api-key: key\r\nAuthorization: Bearer key\r\n")).status == 200);
  for (const char* fields :
       {"", "x-api-key: a\r\nAuthorization: Bearer b\r\n", "Authorization: Basic a2V5\r\n",
        "Authorization: Bearer\r\n", "Authorization:\r\n", "x-api-key:\r\n"}) {
    INFO(fields);
    const auto response = fixture.Exchange(Mint(fields));
    CHECK(response.status == 401);
    CHECK(CodeOf(response) == "UNAUTHENTICATED");
    CHECK(response.Header("www-authenticate") == "Bearer");
  }
}

TEST_CASE("what no credential can be reaches the service as something no credential can be") {
  Fixture fixture;
  const auto forwarded = [&](const std::string& credential) {
    CHECK(fixture.Exchange(Mint("Authorization: Bearer " + credential + "\r\n")).status == 200);
    return fixture.backend.metadata.at("authorization").substr(7);
  };
  CHECK(forwarded("a b\xc3\xa9") == "a?b??");
  CHECK(forwarded(std::string(10'000, 'x')) == std::string(2047, 'x') + "?");
}

TEST_CASE("without a credential the body is not even read") {
  Fixture fixture;
  const auto response =
      fixture.Exchange("POST /api/v1/feedback/token HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
  CHECK(response.status == 401);
  CHECK(response.Header("connection") == "close");
}

TEST_CASE("an Idempotency-Key is 1 to 255 visible characters") {
  Fixture fixture;
  for (const std::string& key :
       {std::string(), std::string(256, 'k'), std::string("a b"), std::string("\xc3\xa9")}) {
    const auto response = fixture.Exchange(Mint(absl::StrCat(kKey, "Idempotency-Key: ", key, "\r\n")));
    CHECK(response.status == 400);
    CHECK(response.body.find("\"field\":\"Idempotency-Key\"") != std::string::npos);
  }
  CHECK(fixture.Exchange(Mint(kKey + ("Idempotency-Key: " + std::string(255, 'k')) + "\r\n")).status == 200);
  // Where it means nothing it is not looked at.
  CHECK(fixture.Exchange(Redeem("Idempotency-Key: a b\r\n")).status == 200);
  CHECK_FALSE(fixture.backend.metadata.contains("idempotency-key"));
}

TEST_CASE("bodies of other types and encodings are refused") {
  Fixture fixture;
  for (const char* type :
       {"application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""}) {
    INFO(type);
    CHECK(fixture.Exchange(Mint(absl::StrCat(kKey, "Content-Type: ", type, "\r\n"))).status == 200);
  }
  for (const char* field :
       {"Content-Type: text/plain", "Content-Type: application/json; charset=latin1",
        "Content-Type: application/x-www-form-urlencoded", "Content-Type:", "Content-Encoding: gzip"}) {
    INFO(field);
    const auto response = fixture.Exchange(Mint(absl::StrCat(kKey, field, "\r\n")));
    CHECK(response.status == 415);
    CHECK(CodeOf(response) == "UNSUPPORTED_MEDIA_TYPE");
  }
}

TEST_CASE("bodies that are malformed or too large are refused before any call") {
  Fixture fixture;
  CHECK(CodeOf(fixture.Exchange(Mint(kKey, "{"))) == "INVALID_JSON");
  CHECK(CodeOf(fixture.Exchange(Mint(kKey, R"({"resource":"x"})"))) == "UNKNOWN_FIELD");
  auto client = fixture.Connect();
  client.Send(Mint(kKey, std::string(300'000, ' ')));
  const auto response = client.Receive();
  CHECK(response.status == 413);
  CHECK(CodeOf(response) == "BODY_TOO_LARGE");
  CHECK(fixture.backend.metadata.empty());
}

TEST_CASE("unknown paths and methods get problem documents") {
  Fixture fixture;
  const auto unknown = fixture.Exchange(Request("GET", "/nowhere?token=secret"));
  CHECK(unknown.status == 404);
  CHECK(unknown.Header("content-type") == "application/problem+json");
  CHECK(CodeOf(unknown) == "ROUTE_NOT_FOUND");
  CHECK(unknown.body.find("secret") == std::string::npos);

  const auto wrong = fixture.Exchange(Request("PUT", "/api/v1/feedback/token"));
  CHECK(wrong.status == 405);
  CHECK(wrong.Header("allow") == "GET, HEAD, POST");
  CHECK(fixture.Exchange(Request("TRACE", "/api/v1/feedback/token")).status == 405);
  CHECK(fixture.Exchange(Request("OPTIONS", "/api/v1/feedback/token")).status == 405);
  CHECK(fixture.Exchange(Request("OPTIONS", "*")).Has("allow"));
  CHECK(fixture.Exchange("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n").status == 405);
  CHECK(fixture.Exchange(Request("POST", "/healthz")).status == 405);
}

TEST_CASE("an RPC that answers nothing is 204") {
  Fixture fixture;
  const auto response = fixture.Exchange(Request("DELETE", "/api/v1/feedback/token/1", kKey));
  CHECK(response.status == 204);
  CHECK_FALSE(response.Has("content-length"));
}

TEST_CASE("a service's error becomes its problem document") {
  Fixture fixture;
  fixture.backend.redeem = [](auto&, auto&, auto&) {
    return ToGrpc(MakeError(errors::v1::REASON_TOKEN_USED, "The feedback token has been used."));
  };
  const auto response = fixture.Exchange(Redeem("X-Request-Id: r-1\r\n"));
  CHECK(response.status == 410);
  CHECK(CodeOf(response) == "TOKEN_USED");
  CHECK(boost::json::parse(response.body).at("error").at("requestId") == "r-1");

  fixture.backend.redeem = [](auto&, auto&, auto&) {
    return ToGrpc(MakeError(errors::v1::REASON_RATE_LIMITED, "Slow down.", {.retry_after = 2500ms}));
  };
  const auto limited = fixture.Exchange(Redeem());
  CHECK(limited.status == 429);
  CHECK(limited.Header("retry-after") == "3");

  fixture.backend.redeem = [](auto&, auto&, auto&) {
    return grpc::Status(grpc::StatusCode::UNKNOWN, "secret");
  };
  const auto internal = fixture.Exchange(Redeem());
  CHECK(internal.status == 500);
  CHECK(internal.body.find("secret") == std::string::npos);
}

TEST_CASE("a replay is marked") {
  Fixture fixture;
  fixture.backend.redeem = [](grpc::ServerContext& context, auto&, auto&) {
    context.AddTrailingMetadata("idempotent-replayed", "true");
    return grpc::Status::OK;
  };
  CHECK(fixture.Exchange(Redeem()).Header("idempotent-replayed") == "true");
}

TEST_CASE("pages of any origin may redeem, and read refusals") {
  Fixture fixture;
  const auto preflight = fixture.Exchange(Request("OPTIONS", "/api/v1/feedback",
                                                  "Origin: https://x.example\r\n"
                                                  "Access-Control-Request-Method: POST\r\n"));
  CHECK(preflight.status == 204);
  CHECK(preflight.Header("access-control-allow-origin") == "*");
  CHECK(preflight.Header("access-control-allow-methods") == "GET, HEAD, OPTIONS, POST");
  CHECK(preflight.Header("access-control-allow-headers") == "authorization, content-type, idempotency-key");
  CHECK(preflight.Header("access-control-max-age") == "600");
  CHECK(preflight.Header("vary") == "Origin");

  for (const std::string& request :
       {Redeem(), Redeem("", "{"), Redeem("Content-Type: text/plain\r\n"),
        Redeem("", std::string(300'000, ' ')), Request("PUT", "/api/v1/feedback")}) {
    auto client = fixture.Connect();
    client.Send(request);
    const auto response = client.Receive();
    INFO(response.status);
    CHECK(response.Header("access-control-allow-origin") == "*");
    CHECK(response.Header("access-control-expose-headers") ==
          "X-Request-Id, Retry-After, Idempotent-Replayed");
  }
  const auto other = fixture.Exchange(Mint(absl::StrCat(kKey, "Origin: https://x.example\r\n")));
  CHECK_FALSE(other.Has("access-control-allow-origin"));
}

TEST_CASE("a list of origins admits those alone") {
  Fixture fixture({.origins = "https://a.example, https://b.example:8443"});
  const auto allowed = fixture.Exchange(Redeem("Origin: https://b.example:8443\r\n"));
  CHECK(allowed.Header("access-control-allow-origin") == "https://b.example:8443");
  CHECK(allowed.Header("vary") == "Origin");
  for (const char* fields : {"Origin: https://c.example\r\n", ""}) {
    const auto other = fixture.Exchange(Redeem(fields));
    CHECK_FALSE(other.Has("access-control-allow-origin"));
    CHECK(other.Header("vary") == "Origin");
  }
  for (const char* origins :
       {"", "a.example", "https://", "https://a.example/", "https://a,", "*,https://a"}) {
    CHECK_FALSE(CorsPolicy::Parse(origins).ok());
  }
}

TEST_CASE("a stream of one message has a length") {
  Fixture fixture;
  fixture.backend.read = [](grpc::ServerContext& context, auto&, auto& writer) {
    context.AddInitialMetadata("etag", "\"1\"");
    writer.Write(Summary());
    return grpc::Status::OK;
  };
  const auto response = fixture.Exchange(Request("GET", kReadPath, kKey));
  CHECK(response.status == 200);
  CHECK(response.Has("content-length"));
  CHECK(response.Header("etag") == "\"1\"");
  CHECK(boost::json::parse(response.body).at("items").as_array().empty());

  auto client = fixture.Connect();
  client.Send(Request("HEAD", kReadPath, kKey));
  CHECK(client.Receive(true).Header("content-length") == response.Header("content-length"));
}

TEST_CASE("a stream of many messages is one JSON document in chunks") {
  Fixture fixture;
  constexpr int kMessages = 200;
  fixture.backend.read = [](grpc::ServerContext& context, auto&, auto& writer) {
    context.AddInitialMetadata("etag", "\"1\"");
    writer.Write(Summary());
    for (int i = 0; i < kMessages; ++i) writer.Write(Items(100));
    return grpc::Status::OK;
  };
  SECTION("chunked") {
    auto client = fixture.Connect();
    for (int i = 0; i < 2; ++i) {
      const auto response = client.Exchange(Request("GET", kReadPath, kKey));
      CHECK(response.Header("transfer-encoding") == "chunked");
      CHECK(response.Header("etag") == "\"1\"");
      REQUIRE(response.complete);
      CHECK(boost::json::parse(response.body).at("items").as_array().size() == kMessages * 100);
    }
  }
  SECTION("to HTTP/1.0, until the connection ends") {
    const auto response = fixture.Exchange(absl::StrCat("GET ", kReadPath, " HTTP/1.0\r\n", kKey, "\r\n"));
    CHECK_FALSE(response.Has("transfer-encoding"));
    CHECK(boost::json::parse(response.body).at("items").as_array().size() == kMessages * 100);
  }
}

TEST_CASE("a stream that fails is a problem before its first byte, and cut after it") {
  Fixture fixture;
  std::atomic<int> messages = 0;
  fixture.backend.read = [&](auto&, auto&, auto& writer) {
    for (int i = 0; i < messages; ++i) writer.Write(i == 0 ? Summary() : Items(1));
    return ToGrpc(MakeError(errors::v1::REASON_UNAVAILABLE, "The database cannot be reached."));
  };
  for (messages = 0; messages < 2; ++messages) {
    const auto response = fixture.Exchange(Request("GET", kReadPath, kKey));
    CHECK(response.status == 503);
    CHECK(CodeOf(response) == "UNAVAILABLE");
  }
  messages = 3;
  const auto cut = fixture.Exchange(Request("GET", kReadPath, kKey));
  CHECK(cut.status == 200);
  CHECK_FALSE(cut.complete);
}

TEST_CASE("an unchanged entity is 304") {
  Fixture fixture;
  fixture.backend.read = [](grpc::ServerContext& context, auto&, auto&) {
    context.AddTrailingMetadata("etag", "\"1\"");
    return grpc::Status::OK;
  };
  const auto response =
      fixture.Exchange(Request("GET", kReadPath, absl::StrCat(kKey, "If-None-Match: \"1\"\r\n")));
  CHECK(response.status == 304);
  CHECK(response.Header("etag") == "\"1\"");
  CHECK(fixture.backend.metadata.at("if-none-match") == "\"1\"");
}

TEST_CASE("a service reads no further than its client") {
  Fixture fixture;
  absl::Notification stopped;
  std::atomic<int> written = 0;
  fixture.backend.read = [&](auto&, auto&, auto& writer) {
    while (writer.Write(Items(1000))) ++written;
    stopped.Notify();
    return grpc::Status::OK;
  };
  auto client = fixture.Connect();
  client.Send(Request("GET", kReadPath, kKey));
  client.Read(1'000'000);
  client.Close();
  CHECK(stopped.WaitForNotificationWithTimeout(absl::Seconds(10)));
}

TEST_CASE("the call of a client that is gone is cancelled") {
  Fixture fixture;
  absl::Notification called;
  absl::Notification cancelled;
  fixture.backend.mint = [&](grpc::ServerContext& context, auto&, auto&) {
    called.Notify();
    while (!context.IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
    cancelled.Notify();
    return grpc::Status::OK;
  };
  auto client = fixture.Connect();
  client.Send(Mint());
  called.WaitForNotification();
  client.Close();
  CHECK(cancelled.WaitForNotificationWithTimeout(absl::Seconds(4)));
}

TEST_CASE("a call that takes too long is 504") {
  Fixture fixture({.limits = {.unary_deadline = 50ms}});
  fixture.backend.mint = [](grpc::ServerContext& context, auto&, auto&) {
    while (!context.IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
    return grpc::Status::OK;
  };
  const auto response = fixture.Exchange(Mint());
  CHECK(response.status == 504);
  CHECK(CodeOf(response) == "DEADLINE_EXCEEDED");
}

TEST_CASE("a backend that is away is 503, and says when to come again") {
  Fixture fixture;
  fixture.backend.Stop();
  const auto response = fixture.Exchange(Redeem());
  CHECK(response.status == 503);
  CHECK(CodeOf(response) == "UNAVAILABLE");
  CHECK(response.Header("retry-after") == "1");
  CHECK(response.body.find("127.0.0.1") == std::string::npos);
}

TEST_CASE("a backend that goes away during a write leaves its outcome unknown") {
  Fixture fixture;
  absl::Notification called;
  absl::Notification stopped;
  fixture.backend.redeem = [&](grpc::ServerContext& context, auto&, auto&) {
    called.Notify();
    while (!context.IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "");
  };
  auto client = fixture.Connect();
  client.Send(Redeem());
  called.WaitForNotification();
  fixture.backend.Stop();
  const auto response = client.Receive();
  CHECK(response.status == 503);
  CHECK(CodeOf(response) == "OUTCOME_UNKNOWN");
}

TEST_CASE("readiness comes once every backend has served, and stays") {
  Fixture fixture;
  const auto ready = [&] { return fixture.Exchange(Request("GET", "/readyz")); };
  TestResponse response;
  while (response.status != 200) response = ready();
  CHECK(response.body ==
        R"({"ready":true,"backends":{"token":"serving","feedback":"serving","aggregator":"serving"}})");
  fixture.backend.SetServing(false);
  while (response.body.find("not_serving") == std::string::npos) response = ready();
  CHECK(response.status == 200);
  fixture.backends.SetDraining();
  CHECK(ready().status == 503);
  CHECK(ready().Header("retry-after") == "1");
}

TEST_CASE("a gateway whose backends never served is alive and not ready") {
  Fixture fixture;
  metrics::Registry registry;
  const Backends backends({{.name = "token", .package = "p", .address = "127.0.0.1:1"}}, registry, 1ms);
  while (backends.StatesAsJson().find("unreachable") == std::string::npos)
    absl::SleepFor(absl::Milliseconds(1));
  CHECK_FALSE(backends.ready());
  CHECK(fixture.Exchange(Request("GET", "/healthz")).status == 200);
  CHECK(fixture.Exchange(Request("GET", "/openapi.json")).body == R"({"openapi":"3.1.0"})");
}

TEST_CASE("requests are counted by the template of their route") {
  Fixture fixture;
  fixture.Exchange(Mint());
  fixture.Exchange(Request("GET", "/nowhere/secret"));
  fixture.Exchange(Request("BREW", "/api/v1/feedback/token"));
  fixture.server->Drain(10s);
  const std::string text = fixture.registry.Text();
  CHECK(
      text.find(
          R"(verdict_gateway_requests_total{method="POST",route="/api/v1/feedback/token",status="200"} 1)") !=
      std::string::npos);
  CHECK(text.find(R"(verdict_gateway_requests_total{method="GET",route="unmatched",status="404"} 1)") !=
        std::string::npos);
  CHECK(text.find(R"(method="other",)") != std::string::npos);
  CHECK(text.find("secret") == std::string::npos);
  CHECK(text.find("verdict_gateway_connections 0") != std::string::npos);
}

}  // namespace
}  // namespace verdict::gateway
