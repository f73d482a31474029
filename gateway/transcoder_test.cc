#include "gateway/transcoder.h"

#include <chrono>
#include <string>

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/status/error.h"
#include "common/status/grpc_status.h"
#include "gateway/testing/gateway.h"

namespace verdict::gateway {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a route calls its RPC and shows its answer") {
  TestGateway gateway;
  const auto response = gateway.Exchange(Mint());
  CHECK(response.status == 200);
  CHECK(response.Header("content-type") == "application/json");
  CHECK(response.Header("cache-control") == "no-store");
  CHECK(response.Header("referrer-policy") == "no-referrer");
  CHECK(boost::json::parse(response.body) == boost::json::parse(R"({"token":"fbt1.token","id":"run-42"})"));
}

TEST_CASE("a call carries what it should of the request, and nothing else") {
  TestGateway gateway;
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  gateway.Exchange(Mint(
      "authorization: bEaReR  key\r\nX-Request-Id: r-1\r\nIdempotency-Key: k\r\n"
      "If-None-Match: \"t\"\r\nGrpc-Timeout: 1S\r\ngrpc-encoding: gzip\r\ngrpc-tags-bin: AA\r\n"
      "grpc-previous-rpc-attempts: 9\r\nX-Org-Id: o\r\nX-Project-Id: p\r\nVerdict-Project: p\r\n"
      "verdict-admin: 1\r\nCookie: c\r\nX-Forwarded-For: f\r\nX-Forwarded-Host: f\r\nForwarded: for=f\r\n"
      "X-Real-Ip: f\r\nTE: trailers\r\nTracestate: t\r\nBaggage: b\r\nUser-Agent: u\r\ntraceparent: " +
      trace + "\r\n"));
  auto metadata = gateway.backend.metadata;
  CHECK(metadata.at("user-agent").starts_with("grpc-c++/"));
  metadata.erase("user-agent");
  CHECK(metadata == std::map<std::string, std::string>{{"authorization", "Bearer key"},
                                                       {"x-request-id", "r-1"},
                                                       {"idempotency-key", "k"},
                                                       {"if-none-match", "\"t\""},
                                                       {"traceparent", trace}});
  // A name of HTTP/2's own is none.
  CHECK(gateway.Exchange(Mint(absl::StrCat(kKey, ":authority: x\r\n"))).status == 400);
}

TEST_CASE("a malformed traceparent is left out") {
  TestGateway gateway;
  for (const char* trace : {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", "garbage",
                            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"}) {
    CHECK(gateway.Exchange(Mint(absl::StrCat(kKey, "traceparent: ", trace, "\r\n"))).status == 200);
    CHECK_FALSE(gateway.backend.metadata.contains("traceparent"));
  }
}

TEST_CASE("a key comes as a bearer credential or as x-api-key") {
  TestGateway gateway;
  CHECK(gateway.Exchange(Mint("x-api-key: key\r\n")).status == 200);
  CHECK(gateway.backend.metadata.at("authorization") == "Bearer key");
  CHECK(gateway.Exchange(Mint("x-api-key: key\r\nAuthorization: Bearer key\r\n")).status == 200);
  for (const char* fields :
       {"", "x-api-key: a\r\nAuthorization: Bearer b\r\n", "Authorization: Basic a2V5\r\n",
        "Authorization: Bearer\r\n", "Authorization:\r\n", "x-api-key:\r\n"}) {
    INFO(fields);
    const auto response = gateway.Exchange(Mint(fields));
    CHECK(response.status == 401);
    CHECK(CodeOf(response) == "UNAUTHENTICATED");
    CHECK(response.Header("www-authenticate") == "Bearer");
  }
}

TEST_CASE("what no credential can be reaches the service as something no credential can be") {
  TestGateway gateway;
  const auto forwarded = [&](const std::string& credential) {
    CHECK(gateway.Exchange(Redeem("Authorization: Bearer " + credential + "\r\n")).status == 200);
    return gateway.backend.metadata.at("authorization").substr(7);
  };
  CHECK(forwarded("a b\xc3\xa9") == "a?b??");
  CHECK(forwarded(std::string(10'000, 'x')) == std::string(2047, 'x') + "?");
}

TEST_CASE("a client that expects 100 gets the refusal instead, before it sends the body") {
  TestGateway gateway;
  const auto status_of = [&](const std::string& path, const std::string& fields) {
    auto client = gateway.Connect();
    client.Send(Request("POST", path, "Expect: 100-continue\r\nContent-Length: 2\r\n" + fields));
    return client.Receive().status;
  };
  CHECK(status_of("/nowhere", kKey) == 404);
  CHECK(status_of("/healthz", kKey) == 405);
  CHECK(status_of("/api/v1/feedback/token", absl::StrCat(kKey, "Content-Type: text/plain\r\n")) == 415);
  CHECK(status_of("/api/v1/feedback/token", kKey) == 100);
}

TEST_CASE("an Idempotency-Key is 1 to 255 visible characters") {
  TestGateway gateway;
  for (const std::string& key :
       {std::string(), std::string(256, 'k'), std::string("a b"), std::string("\xc3\xa9")}) {
    const auto response = gateway.Exchange(Mint(absl::StrCat(kKey, "Idempotency-Key: ", key, "\r\n")));
    CHECK(response.status == 400);
    CHECK(response.body.find("\"field\":\"Idempotency-Key\"") != std::string::npos);
  }
  CHECK(gateway.Exchange(Mint(kKey + ("Idempotency-Key: " + std::string(255, 'k')) + "\r\n")).status == 200);
  // Where it means nothing it is not looked at.
  CHECK(gateway.Exchange(Redeem("Idempotency-Key: a b\r\n")).status == 200);
  CHECK_FALSE(gateway.backend.metadata.contains("idempotency-key"));
}

TEST_CASE("bodies of other types and encodings are refused") {
  TestGateway gateway;
  for (const char* type :
       {"application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""}) {
    INFO(type);
    CHECK(gateway.Exchange(Mint(absl::StrCat(kKey, "Content-Type: ", type, "\r\n"))).status == 200);
  }
  for (const char* field :
       {"Content-Type: text/plain", "Content-Type: application/json; charset=latin1",
        "Content-Type: application/x-www-form-urlencoded", "Content-Type:", "Content-Encoding: gzip"}) {
    INFO(field);
    const auto response = gateway.Exchange(Mint(absl::StrCat(kKey, field, "\r\n")));
    CHECK(response.status == 415);
    CHECK(CodeOf(response) == "UNSUPPORTED_MEDIA_TYPE");
  }
}

TEST_CASE("bodies that are malformed or too large are refused before any call") {
  TestGateway gateway;
  CHECK(CodeOf(gateway.Exchange(Mint(kKey, "{"))) == "INVALID_JSON");
  CHECK(CodeOf(gateway.Exchange(Mint(kKey, R"({"resource":"x"})"))) == "UNKNOWN_FIELD");
  auto client = gateway.Connect();
  client.Send(Mint(kKey, std::string(300'000, ' ')));
  const auto response = client.Receive();
  CHECK(response.status == 413);
  CHECK(CodeOf(response) == "BODY_TOO_LARGE");
  CHECK(gateway.backend.metadata.empty());
}

TEST_CASE("unknown paths and methods get problem documents") {
  TestGateway gateway;
  const auto unknown = gateway.Exchange(Request("GET", "/nowhere?token=secret"));
  CHECK(unknown.status == 404);
  CHECK(unknown.Header("content-type") == "application/problem+json");
  CHECK(CodeOf(unknown) == "ROUTE_NOT_FOUND");
  CHECK(unknown.body.find("secret") == std::string::npos);

  const auto wrong = gateway.Exchange(Request("PUT", "/api/v1/feedback/token"));
  CHECK(wrong.status == 405);
  CHECK(wrong.Header("allow") == "GET, HEAD, POST");
  CHECK(gateway.Exchange(Request("TRACE", "/api/v1/feedback/token")).status == 405);
  CHECK(gateway.Exchange(Request("OPTIONS", "/api/v1/feedback/token")).status == 405);
  CHECK(gateway.Exchange(Request("OPTIONS", "*")).Has("allow"));
  CHECK(gateway.Exchange("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n").status == 405);
  CHECK(gateway.Exchange(Request("POST", "/healthz")).status == 405);
}

TEST_CASE("an RPC that answers nothing is 204") {
  TestGateway gateway;
  const auto response = gateway.Exchange(Request("DELETE", "/api/v1/feedback/token/1", kKey));
  CHECK(response.status == 204);
  CHECK_FALSE(response.Has("content-length"));
}

TEST_CASE("a service's error becomes its problem document") {
  TestGateway gateway;
  gateway.backend.redeem = [](auto&, auto&, auto&) {
    return ToGrpc(MakeError(errors::v1::REASON_TOKEN_USED, "The feedback token has been used."));
  };
  const auto response = gateway.Exchange(Redeem("X-Request-Id: r-1\r\n"));
  CHECK(response.status == 410);
  CHECK(CodeOf(response) == "TOKEN_USED");
  CHECK(boost::json::parse(response.body).at("error").at("requestId") == "r-1");

  gateway.backend.redeem = [](auto&, auto&, auto&) {
    return ToGrpc(MakeError(errors::v1::REASON_RATE_LIMITED, "Slow down.", {.retry_after = 2500ms}));
  };
  const auto limited = gateway.Exchange(Redeem());
  CHECK(limited.status == 429);
  CHECK(limited.Header("retry-after") == "3");

  gateway.backend.redeem = [](auto&, auto&, auto&) {
    return grpc::Status(grpc::StatusCode::UNKNOWN, "secret");
  };
  const auto internal = gateway.Exchange(Redeem());
  CHECK(internal.status == 500);
  CHECK(internal.body.find("secret") == std::string::npos);
}

TEST_CASE("a replay is marked") {
  TestGateway gateway;
  gateway.backend.redeem = [](grpc::ServerContext& context, auto&, auto&) {
    context.AddTrailingMetadata("idempotent-replayed", "true");
    return grpc::Status::OK;
  };
  CHECK(gateway.Exchange(Redeem()).Header("idempotent-replayed") == "true");
}

TEST_CASE("pages of any origin may redeem, and read refusals") {
  TestGateway gateway;
  const auto preflight = gateway.Exchange(Request("OPTIONS", "/api/v1/feedback",
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
    auto client = gateway.Connect();
    client.Send(request);
    const auto response = client.Receive();
    INFO(response.status);
    CHECK(response.Header("access-control-allow-origin") == "*");
    CHECK(response.Header("access-control-expose-headers") ==
          "X-Request-Id, Retry-After, Idempotent-Replayed");
  }
  const auto other = gateway.Exchange(Mint(absl::StrCat(kKey, "Origin: https://x.example\r\n")));
  CHECK_FALSE(other.Has("access-control-allow-origin"));
}

TEST_CASE("a list of origins admits those alone") {
  TestGateway gateway({.origins = "https://a.example, https://b.example:8443"});
  const auto allowed = gateway.Exchange(Redeem("Origin: https://b.example:8443\r\n"));
  CHECK(allowed.Header("access-control-allow-origin") == "https://b.example:8443");
  CHECK(allowed.Header("vary") == "Origin");
  for (const char* fields : {"Origin: https://c.example\r\n", ""}) {
    const auto other = gateway.Exchange(Redeem(fields));
    CHECK_FALSE(other.Has("access-control-allow-origin"));
    CHECK(other.Header("vary") == "Origin");
  }
  for (const char* origins :
       {"", "a.example", "https://", "https://a.example/", "https://a,", "*,https://a"}) {
    CHECK_FALSE(CorsPolicy::Parse(origins).ok());
  }
}

TEST_CASE("readiness comes once every backend has served, and stays") {
  TestGateway gateway;
  const auto ready = [&] { return gateway.Exchange(Request("GET", "/readyz")); };
  TestResponse response;
  while (response.status != 200) response = ready();
  CHECK(response.body ==
        R"({"ready":true,"backends":{"token":"serving","feedback":"serving","aggregator":"serving"}})");
  gateway.backend.SetServing(false);
  while (response.body.find("not_serving") == std::string::npos) response = ready();
  CHECK(response.status == 200);
  gateway.backends.SetDraining();
  CHECK(ready().status == 503);
  CHECK(ready().Header("retry-after") == "1");
}

TEST_CASE("a gateway whose backends never served is alive and not ready") {
  TestGateway gateway;
  metrics::Registry registry;
  const Backends backends({{.name = "token", .packages = {"p"}, .address = "127.0.0.1:1"}}, registry, 1ms);
  while (backends.StatesAsJson().find("unreachable") == std::string::npos)
    absl::SleepFor(absl::Milliseconds(1));
  CHECK_FALSE(backends.ready());
  CHECK(gateway.Exchange(Request("GET", "/healthz")).status == 200);
  CHECK(gateway.Exchange(Request("GET", "/openapi.json")).body == R"({"openapi":"3.1.0"})");
}

TEST_CASE("requests are counted by the template of their route") {
  TestGateway gateway;
  gateway.Exchange(Mint());
  gateway.Exchange(Request("GET", "/nowhere/secret"));
  gateway.Exchange(Request("BREW", "/api/v1/feedback/token"));
  gateway.server->Drain(10s);
  const std::string text = gateway.registry.Text();
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
