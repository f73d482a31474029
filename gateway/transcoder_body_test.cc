#include <string>
#include <utility>
#include <vector>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "common/gzip/test_gzip.h"
#include "common/status/error.h"
#include "common/status/grpc_status.h"
#include "gateway/testing/gateway.h"
#include "tests/support/await.h"

// Bodies that are arrays, compressed, or one of two kinds.
namespace verdict::gateway {
namespace {

constexpr const char* kGzip = "Content-Encoding: gzip\r\n";

// An array of one span, of so many bytes.
std::string SpansOf(std::size_t bytes) {
  const std::string json = R"([{"trace_id":"t","name":"","kind":"x"}])";
  std::string name(bytes - json.size(), 'n');
  return R"([{"trace_id":"t","name":")" + name + R"(","kind":"x"}])";
}

TEST_CASE("an array is read and answered as one") {
  TestGateway gateway;
  const auto response =
      gateway.Exchange(PostSpans(R"([{"trace_id":"t","name":"a","extra":[null]},{"name":"b"}])"));
  CHECK(response.status == 200);
  CHECK(response.Header("content-type") == "application/json");
  CHECK(response.body == R"([{"trace_id":"t","name":"a"},{"trace_id":"","name":"b"}])");
  CHECK(gateway.Exchange(PostSpans("[]")).body == "[]");

  const auto bad = gateway.Exchange(PostSpans(R"([{},{},{},{"started_at":{}}])"));
  CHECK(bad.status == 400);
  CHECK(CodeOf(bad) == "VALIDATION_ERROR");
  CHECK(FieldOf(bad) == "spans[3].started_at");
  CHECK(gateway.Exchange(PostSpans("{}")).status == 400);
  CHECK(gateway.Exchange(PostSpans("")).status == 400);
}

TEST_CASE("an object and an array of one path go to different RPCs") {
  TestGateway gateway;
  const auto post = [&](const std::string& body) {
    return gateway.Exchange(Request("POST", kRecordPath, kKey, body));
  };
  CHECK(boost::json::parse(post(R"( {"span_id":"s"} )").body).at("span_id") == "s");
  CHECK(post("[{\"span_id\":\"s\"},{}]").body == R"({"results":[{"id":"s"},{"id":""}]})");
  CHECK(post(" \t\r\n[]").body == R"({"results":[]})");

  CHECK(FieldOf(post(R"([{},{"score":"high"}])")) == "evaluations[1].score");
  CHECK(FieldOf(post(R"({"score":"high"})")) == "score");
  CHECK(FieldOf(post("7")) == "The body");
  CHECK(CodeOf(post("\xEF\xBB\xBF[]")) == "INVALID_JSON");
  CHECK(CodeOf(post("")) == "INVALID_JSON");
  CHECK(CodeOf(post("[")) == "INVALID_JSON");
  CHECK(gateway.Exchange(Request("POST", kRecordPath, absl::StrCat(kKey, kGzip), Gzip(" [{}]"))).body ==
        R"({"results":[{"id":""}]})");
}

TEST_CASE("what a service says of a body that is a field, is said of the body") {
  TestGateway gateway;
  gateway.backend.record = [](auto&, auto&) {
    return ToGrpc(ValidationError(
        {{"evaluation.span_id", "evaluation.span_id is required."}, {"judge_id", "judge_id is required."}}));
  };
  const auto response = gateway.Exchange(Request("POST", kRecordPath, kKey, "{}"));
  CHECK(response.status == 400);
  const auto problem = boost::json::parse(response.body);
  CHECK(problem.at("detail") == "span_id is required. judge_id is required.");
  CHECK(boost::json::serialize(problem.at("errors")) ==
        R"([{"field":"span_id","message":"span_id is required."},)"
        R"({"field":"judge_id","message":"judge_id is required."}])");
}

TEST_CASE("however much a service finds wrong, its answer is what is wrong") {
  TestGateway gateway;
  gateway.backend.record = [](auto&, auto&) {
    std::vector<FieldViolation> violations;
    for (int i = 0; i < 10'000; ++i) {
      const std::string field =
          absl::StrCat("evaluation.criteria_scores.", i, std::string(i == 0 ? 60'000 : 0, 'k'));
      violations.push_back({field, absl::StrCat(field, " is required.")});
    }
    return ToGrpc(ValidationError(std::move(violations)));
  };
  const auto response = gateway.Exchange(Request("POST", kRecordPath, kKey, "{}"));
  CHECK(response.status == 400);
  CHECK(CodeOf(response) == "VALIDATION_ERROR");
  CHECK(FieldOf(response).starts_with("criteria_scores.0k"));
}

TEST_CASE("bodies for ingestion may be compressed") {
  TestGateway gateway;
  const std::string spans = SpansOf(1000);
  for (const char* encoding : {"gzip", "GZip"}) {
    const auto response =
        gateway.Exchange(PostSpans(Gzip(spans), absl::StrCat("Content-Encoding: ", encoding, "\r\n")));
    CHECK(response.status == 200);
    CHECK(response.body == spans);
  }
  CHECK(gateway.Exchange(PostSpans(Gzip(spans.substr(0, 500)) + Gzip(spans.substr(500)), kGzip)).body ==
        spans);
  CHECK(gateway.Exchange(PostSpans(spans, "Content-Encoding: identity\r\n")).status == 200);

  const auto code = [&](const std::string& body, const char* fields = kGzip) {
    const auto response = gateway.Exchange(PostSpans(body, fields));
    CHECK(response.status == (CodeOf(response) == "UNSUPPORTED_MEDIA_TYPE" ? 415 : 400));
    return CodeOf(response);
  };
  CHECK(code(spans) == "BAD_REQUEST");
  const std::string gzip = Gzip(spans);
  CHECK(code(gzip.substr(0, gzip.size() - 9)) == "BAD_REQUEST");
  CHECK(code(Gzip(spans) + "x") == "BAD_REQUEST");
  CHECK(code(Gzip("")) == "INVALID_JSON");
  CHECK(code(Gzip("[{]")) == "INVALID_JSON");
  CHECK(code(Gzip(spans), "") == "INVALID_JSON");
  CHECK(code(Gzip(spans), "Content-Encoding: br\r\n") == "UNSUPPORTED_MEDIA_TYPE");
  CHECK(code(Gzip(spans), "Content-Encoding: gzip, gzip\r\n") == "UNSUPPORTED_MEDIA_TYPE");
  CHECK(code(Gzip(spans), "Content-Encoding: gzip\r\nContent-Type: text/plain\r\n") ==
        "UNSUPPORTED_MEDIA_TYPE");
}

TEST_CASE("bodies for ingestion may be larger, compressed or not") {
  TestGateway gateway;
  constexpr std::size_t kSent = 4 << 20;
  constexpr std::size_t kInflated = 16 << 20;
  CHECK(gateway.Exchange(PostSpans(SpansOf(kSent))).body.size() == kSent);
  CHECK(gateway.Exchange(PostSpans(Gzip(SpansOf(kInflated)), kGzip)).body.size() == kInflated);
  for (const auto& [fields, body] : {std::pair("", SpansOf(kSent + 1)),
                                     {kGzip, Gzip(SpansOf(kInflated + 1))},
                                     {kGzip, std::string(kSent + 1, 'x')}}) {
    const auto response = gateway.Exchange(PostSpans(body, fields));
    CHECK(response.status == 413);
    CHECK(CodeOf(response) == "BODY_TOO_LARGE");
  }
  // A chunked body has no length to be refused by.
  std::string chunks =
      absl::StrCat("POST /spans HTTP/1.1\r\nHost: a\r\n", kKey, "Transfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 5; ++i) absl::StrAppend(&chunks, "100000\r\n", std::string(1 << 20, ' '), "\r\n");
  CHECK(gateway.Exchange(chunks + "0\r\n\r\n").status == 413);
}

TEST_CASE("what all bodies take together is bounded") {
  TestGateway gateway({.http = {.held_bytes = {0, 110'000, 0}}});
  const auto refused = gateway.Exchange(PostSpans(SpansOf(200'000)));
  CHECK(refused.status == 503);
  CHECK(CodeOf(refused) == "OVERLOADED");
  CHECK(refused.Header("retry-after") == "1");
  CHECK(CodeOf(gateway.Exchange(PostSpans(Gzip(SpansOf(200'000)), kGzip))) == "OVERLOADED");

  // One that is being sent takes what others would, until it ends. An answer comes before its request's end.
  const auto await_held = [&](double least, double most) {
    test::Await("bodies to be held or let go", [&] {
      const double held = gateway.metrics.held_bytes(Held::kBody).Value();
      return least <= held && held <= most;
    });
  };
  await_held(0, 0);
  auto slow = gateway.Connect();
  const std::string request = PostSpans(SpansOf(90'000));
  slow.Send(request.substr(0, 80'000));
  await_held(79'000, 91'000);
  CHECK(gateway.Exchange(PostSpans(SpansOf(50'000))).status == 503);
  await_held(79'000, 91'000);
  slow.Send(request.substr(80'000));
  CHECK(slow.Receive().status == 200);
  await_held(0, 0);
  CHECK(gateway.Exchange(PostSpans(SpansOf(50'000))).status == 200);
}

TEST_CASE("what answers take while their clients read them is bounded") {
  TestGateway gateway({.http = {.held_bytes = {0, 0, 100'000}}});
  std::size_t items = 0;
  gateway.backend.read = [&](auto&, auto&, grpc::ServerWriter<GetEntityFeedbackResponse>& writer) {
    GetEntityFeedbackResponse response;
    for (std::size_t i = 0; i < items; ++i) response.add_items()->set_reason(std::string(1000, 'r'));
    writer.Write(response);
    return grpc::Status::OK;
  };
  const std::string read = Request("GET", kReadPath, kKey);
  items = 25;
  CHECK(gateway.Exchange(read).status == 200);
  items = 40;
  const auto refused = gateway.Exchange(read);
  CHECK(refused.status == 503);
  CHECK(CodeOf(refused) == "OVERLOADED");
  CHECK(refused.Header("retry-after") == "1");

  // A stream's first message may be small.
  gateway.backend.read = [&](auto&, auto&, grpc::ServerWriter<GetEntityFeedbackResponse>& writer) {
    GetEntityFeedbackResponse response;
    response.set_entity_id("s1");
    writer.Write(response);
    for (std::size_t i = 0; i < items; ++i) response.add_items()->set_reason(std::string(1000, 'r'));
    writer.Write(response);
    return grpc::Status::OK;
  };
  CHECK(CodeOf(gateway.Exchange(read)) == "OVERLOADED");
  items = 25;
  CHECK(gateway.Exchange(read).complete);
}

TEST_CASE("neither strangers' bodies nor others take the room of the rest") {
  TestGateway gateway({.http = {.held_bytes = {30'000, 30'000, 30'000}}});
  gateway.backend.read = [](auto&, auto&, auto& writer) {
    GetEntityFeedbackResponse response;
    response.add_items()->set_reason(std::string(5000, 'r'));
    writer.Write(response);
    return grpc::Status::OK;
  };
  const std::string read = Request("GET", kReadPath, kKey);
  const auto await_none = [&](Held kind) {  // an answer comes before its request's end
    while (gateway.metrics.held_bytes(kind).Value() > 0) absl::SleepFor(absl::Milliseconds(1));
  };
  const auto fill = [&](TestClient& client, Held kind, const std::string& request) {
    await_none(kind);
    client.Send(request.substr(0, request.size() - 1));
    while (gateway.metrics.held_bytes(kind).Value() < 24'000) absl::SleepFor(absl::Milliseconds(1));
  };
  const std::string spans = PostSpans(SpansOf(25'000));
  const std::string redeem = Redeem("", R"({"thumbs_up":true})" + std::string(25'000, ' '));
  CHECK(gateway.Exchange(redeem).status == 200);

  auto stranger = gateway.Connect();
  fill(stranger, Held::kStrangersBody, redeem);
  CHECK(CodeOf(gateway.Exchange(redeem)) == "OVERLOADED");
  CHECK(gateway.Exchange(spans).status == 200);
  CHECK(gateway.Exchange(read).status == 200);
  await_none(Held::kAnswer);

  auto tenant = gateway.Connect();
  fill(tenant, Held::kBody, spans);
  CHECK(CodeOf(gateway.Exchange(spans)) == "OVERLOADED");
  CHECK(gateway.Exchange(read).status == 200);
  stranger.Send(" ");
  CHECK(stranger.Receive().status == 200);
  await_none(Held::kStrangersBody);
  CHECK(gateway.Exchange(redeem).status == 200);
  tenant.Send("]");
  CHECK(tenant.Receive().status == 200);
}

TEST_CASE("a body that no route takes is not waited for") {
  TestGateway gateway;
  gateway.backend.read = [](auto&, auto&, auto& writer) {
    writer.Write(GetEntityFeedbackResponse());
    return grpc::Status::OK;
  };
  const std::string chunked = Request("GET", kReadPath, absl::StrCat(kKey, "Transfer-Encoding: chunked\r\n"));
  for (const std::string& request :
       {Request("GET", kReadPath, absl::StrCat(kKey, "Content-Length: 1000\r\n")), chunked + "3e8\r\n"}) {
    INFO(request);
    const auto refused = gateway.Exchange(request);
    CHECK(refused.status == 400);
    CHECK(CodeOf(refused) == "BAD_REQUEST");
    CHECK(refused.body.find("takes no body") != std::string::npos);
  }
  CHECK(gateway.Exchange(chunked + "0\r\n\r\n").status == 200);
}

TEST_CASE("the body of a stranger is not read") {
  TestGateway gateway;
  bool called = false;
  gateway.backend.mint = [&](auto&, auto&, auto&) {
    called = true;
    return grpc::Status::OK;
  };
  // None of these sends its body, nor a `100 Continue` asks for it: the answer is there at once.
  const std::string announced = "Content-Length: 1000\r\nExpect: 100-continue\r\n";
  for (const std::string& credential :
       {std::string(), std::string("Authorization: Bearer refused\r\n"),
        std::string("x-api-key: refused\r\n"), "Authorization: Bearer " + std::string(257, 'k') + "\r\n"}) {
    for (const char* path : {"/api/v1/feedback/token", "/spans", kRecordPath}) {
      INFO(credential << path);
      auto client = gateway.Connect();
      client.Send(absl::StrCat("POST ", path, " HTTP/1.1\r\nHost: a\r\n", credential, announced, "\r\n"));
      const auto response = client.Receive();
      CHECK(response.status == 401);
      CHECK(CodeOf(response) == "UNAUTHENTICATED");
      CHECK(response.Header("connection") == "close");
    }
  }
  auto away = gateway.Connect();
  away.Send(absl::StrCat("POST /spans HTTP/1.1\r\nHost: a\r\nx-api-key: away\r\n", announced, "\r\n"));
  CHECK(away.Receive().status == 503);
  CHECK_FALSE(called);

  // The control: a key that is known is asked for its body.
  auto known = gateway.Connect();
  known.Send(absl::StrCat("POST /api/v1/feedback/token HTTP/1.1\r\nHost: a\r\n", kKey, "Content-Length: ",
                          std::string_view(kMintBody).size(), "\r\nExpect: 100-continue\r\n\r\n"));
  CHECK(known.Receive(/*to_head=*/true).status == 100);
  CHECK(known.Exchange(kMintBody).status == 200);
  CHECK(called);
}

}  // namespace
}  // namespace verdict::gateway
