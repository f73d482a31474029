#include <string>
#include <utility>
#include <vector>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/status/error.h"
#include "common/status/grpc_status.h"
#include "gateway/testing/gateway.h"
#include "gateway/testing/gzip.h"

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
  TestGateway gateway({.http = {.body_bytes_total = 100'000}});
  const auto refused = gateway.Exchange(PostSpans(SpansOf(200'000)));
  CHECK(refused.status == 503);
  CHECK(CodeOf(refused) == "OVERLOADED");
  CHECK(refused.Header("retry-after") == "1");
  CHECK(CodeOf(gateway.Exchange(PostSpans(Gzip(SpansOf(200'000)), kGzip))) == "OVERLOADED");

  // One that is being sent takes what others would, until it ends. An answer comes before its request's end.
  const auto await_held = [&](double least, double most) {
    const auto held = [&] { return gateway.metrics.body_bytes.Value(); };
    while (held() < least || held() > most) absl::SleepFor(absl::Milliseconds(1));
  };
  await_held(0, 0);
  auto slow = gateway.Connect();
  const std::string request = PostSpans(SpansOf(90'000));
  slow.Send(request.substr(0, 80'000));
  await_held(79'000, 80'000);
  CHECK(gateway.Exchange(PostSpans(SpansOf(50'000))).status == 503);
  await_held(79'000, 80'000);
  slow.Send(request.substr(80'000));
  CHECK(slow.Receive().status == 200);
  await_held(0, 0);
  CHECK(gateway.Exchange(PostSpans(SpansOf(50'000))).status == 200);
}

}  // namespace
}  // namespace verdict::gateway
