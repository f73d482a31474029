#include <algorithm>
#include <string>

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "common/gzip/test_gzip.h"
#include "common/status/error.h"
#include "common/status/grpc_status.h"
#include "gateway/testing/gateway.h"
#include "google/rpc/status.pb.h"

// OTLP/HTTP at a socket: two encodings of requests, answers and errors.
namespace verdict::gateway {
namespace {

using namespace std::chrono_literals;

constexpr const char* kPath = "/v1/traces";
constexpr const char* kJsonType = "Content-Type: application/json\r\n";
constexpr const char* kProtobufType = "Content-Type: application/x-protobuf\r\n";
constexpr const char* kGzip = "Content-Encoding: gzip\r\n";
constexpr const char* kJsonBody =
    R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"4BF92f3577b34da6a3ce929d0e0e4736",)"
    R"("kind":1,"startTimeUnixNano":"1780087759746000000"}]}]}]})";

std::string PostTraces(const std::string& fields, const std::string& body) {
  return Request("POST", kPath, kKey + fields, body);
}

// What kJsonBody says, and as many bytes more as its span's name has.
ExportTraceServiceRequest Batch(std::size_t name_bytes = 0) {
  ExportTraceServiceRequest batch;
  auto* span = batch.add_resource_spans()->add_scope_spans()->add_spans();
  span->set_trace_id("\x4b\xf9\x2f\x35\x77\xb3\x4d\xa6\xa3\xce\x92\x9d\x0e\x0e\x47\x36");
  span->set_start_time_unix_nano(1'780'087'759'746'000'000);
  span->set_name(std::string(name_bytes, 'n'));
  return batch;
}

// The same as a chunked request, as exporters send it.
std::string Chunked(const std::string& fields, const std::string& body) {
  std::string request = absl::StrCat("POST ", kPath, " HTTP/1.1\r\nHost: a\r\n", kKey, fields,
                                     "Transfer-Encoding: chunked\r\n\r\n");
  for (std::size_t at = 0; at < body.size(); at += 100'000) {
    const std::string chunk = body.substr(at, 100'000);
    absl::StrAppend(&request, absl::Hex(chunk.size()), "\r\n", chunk, "\r\n");
  }
  return request + "0\r\n\r\n";
}

// A detail of a google.rpc.Status; their order means nothing.
const boost::json::value& DetailOf(const boost::json::value& error, const std::string& type) {
  const auto& details = error.at("details").as_array();
  const auto found = std::ranges::find(details, boost::json::value("type.googleapis.com/google.rpc." + type),
                                       [](const auto& detail) { return detail.at("@type"); });
  REQUIRE(found != details.end());
  return *found;
}

// An error as OTLP has it, in the encoding that its Content-Type names: its reason, if its code and status
// are those of the reason.
std::string OtlpReasonOf(const TestResponse& response) {
  absl::Status status;
  if (response.Header("content-type") == "application/x-protobuf") {
    google::rpc::Status error;
    REQUIRE(error.ParseFromString(response.body));
    status = FromGrpc({static_cast<grpc::StatusCode>(error.code()), error.message(), response.body});
  } else {
    REQUIRE(response.Header("content-type") == "application/json");
    const auto error = boost::json::parse(response.body);
    const auto& info = DetailOf(error, "ErrorInfo");
    REQUIRE(info.at("domain") == "verdict");
    errors::v1::Reason reason;
    REQUIRE(
        errors::v1::Reason_Parse(absl::StrCat("REASON_", info.at("reason").as_string().c_str()), &reason));
    status = MakeError(reason, error.at("message").as_string().c_str());
    CHECK(error.at("code") == static_cast<int>(status.code()));
  }
  CHECK_FALSE(status.message().empty());
  CHECK(RuleOf(ReasonOf(status)).http_status() == response.status);
  CHECK(response.Has("x-request-id"));
  return std::string(ReasonName(ReasonOf(status)));
}

TEST_CASE("a batch in JSON becomes the service's message, and its answer JSON") {
  TestGateway gateway;
  ExportTraceServiceRequest received;
  gateway.backend.export_traces = [&](auto&, const ExportTraceServiceRequest& request, auto&) {
    received = request;
    return grpc::Status::OK;
  };
  for (const std::string& request :
       {PostTraces(kJsonType, kJsonBody), PostTraces("", kJsonBody), Chunked(kJsonType, kJsonBody),
        Chunked(absl::StrCat(kJsonType, kGzip), Gzip(kJsonBody)),
        PostTraces("Content-Type: application/json; charset=utf-8\r\n", kJsonBody)}) {
    received.Clear();
    const auto response = gateway.Exchange(request);
    CHECK(response.status == 200);
    CHECK(response.Header("content-type") == "application/json");
    CHECK(response.body == "{}");
    CHECK(received.SerializeAsString() == Batch().SerializeAsString());
  }
  CHECK(gateway.backend.metadata.at("authorization") == "Bearer key");
}

TEST_CASE("a batch in protobuf reaches the service as it is, and its answer the client") {
  TestGateway gateway;
  ExportTraceServiceRequest received;
  gateway.backend.export_traces = [&](auto&, const ExportTraceServiceRequest& request, auto&) {
    received = request;
    return grpc::Status::OK;
  };
  // With a field that the contract has not, which the gateway would drop if it made messages of it.
  const std::string bytes = Batch().SerializeAsString() + std::string("\xF8\x07\x01", 3);
  for (const std::string& request :
       {PostTraces(kProtobufType, bytes), Chunked(kProtobufType, bytes),
        Chunked(absl::StrCat(kProtobufType, kGzip), Gzip(bytes)),
        PostTraces("Content-Type: Application/X-Protobuf\r\n", bytes),
        Request("POST", absl::StrCat(kPath, "?a=%&a"), absl::StrCat(kKey, kProtobufType), bytes)}) {
    received.Clear();
    const auto response = gateway.Exchange(request);
    CHECK(response.status == 200);
    CHECK(response.Header("content-type") == "application/x-protobuf");
    CHECK(response.Header("content-length") == "0");
    CHECK(response.body.empty());
    CHECK(received.SerializeAsString() == bytes);
  }
  // No body is the empty message.
  received = Batch();
  CHECK(gateway.Exchange(Request("POST", kPath, absl::StrCat(kKey, kProtobufType))).status == 200);
  CHECK(received.ByteSizeLong() == 0);
  CHECK(gateway.Exchange(PostTraces(absl::StrCat(kProtobufType, kGzip), Gzip(""))).status == 200);
}

TEST_CASE("a partial success is told in the request's encoding") {
  TestGateway gateway;
  gateway.backend.export_traces = [](auto&, auto&, ExportTraceServiceResponse& response) {
    response.mutable_partial_success()->set_rejected_spans(2);
    response.mutable_partial_success()->set_error_message("A span has no name.");
    return grpc::Status::OK;
  };
  const auto json = gateway.Exchange(PostTraces(kJsonType, kJsonBody));
  CHECK(json.status == 200);
  CHECK(json.body == R"({"partialSuccess":{"rejectedSpans":"2","errorMessage":"A span has no name."}})");
  const auto protobuf = gateway.Exchange(PostTraces(kProtobufType, ""));
  CHECK(protobuf.status == 200);
  ExportTraceServiceResponse response;
  REQUIRE(response.ParseFromString(protobuf.body));
  CHECK(response.partial_success().rejected_spans() == 2);
  CHECK(response.partial_success().error_message() == "A span has no name.");
}

TEST_CASE("whatever is refused once the route is known is a google.rpc.Status in the request's encoding") {
  TestGateway gateway;
  TestGateway hasty({.http = {.body_grace = 50ms}});
  const std::string large(5 << 20, ' ');
  for (const char* type : {kJsonType, kProtobufType}) {
    INFO(type);
    const std::string with_key = absl::StrCat(kKey, type);
    const auto reason_of = [&](const std::string& request) {
      const auto response = gateway.Exchange(request);
      CHECK(response.Header("content-type") ==
            (type == kJsonType ? "application/json" : "application/x-protobuf"));
      return OtlpReasonOf(response);
    };
    const auto unauthenticated = gateway.Exchange(Request("POST", kPath, type, kJsonBody));
    CHECK(OtlpReasonOf(unauthenticated) == "UNAUTHENTICATED");
    CHECK(unauthenticated.Header("www-authenticate") == "Bearer");
    CHECK(reason_of(Request("POST", kPath, absl::StrCat("x-api-key: refused\r\n", type), kJsonBody)) ==
          "UNAUTHENTICATED");
    const auto away =
        gateway.Exchange(Request("POST", kPath, absl::StrCat("x-api-key: away\r\n", type), kJsonBody));
    CHECK(OtlpReasonOf(away) == "UNAVAILABLE");
    CHECK(away.Header("retry-after") == "1");
    for (const char* method : {"GET", "PUT", "OPTIONS", "DELETE"}) {
      const auto other = gateway.Exchange(Request(method, kPath, with_key));
      CHECK(OtlpReasonOf(other) == "METHOD_NOT_ALLOWED");
      CHECK(other.Header("allow") == "POST");
    }
    CHECK(reason_of(PostTraces(type, large)) == "BODY_TOO_LARGE");
    CHECK(reason_of(Chunked(type, large)) == "BODY_TOO_LARGE");
    CHECK(reason_of(PostTraces(absl::StrCat(type, "Content-Encoding: br\r\n"), kJsonBody)) ==
          "UNSUPPORTED_MEDIA_TYPE");
    CHECK(reason_of(PostTraces(absl::StrCat(type, kGzip), kJsonBody)) == "BAD_REQUEST");
    CHECK(OtlpReasonOf(hasty.Exchange(
              Request("POST", kPath, absl::StrCat(with_key, "Content-Length: 9\r\n")))) == "REQUEST_TIMEOUT");

    const auto of_service = [&](const absl::Status& error) {
      gateway.backend.export_traces = [error](grpc::ServerContext& context, auto&, auto&) {
        context.AddTrailingMetadata("ratelimit", "\"key\";r=0;t=3");
        context.AddTrailingMetadata("ratelimit-policy", "\"key\";q=100;w=1");
        return ToGrpc(error);
      };
      return gateway.Exchange(PostTraces(type, type == kJsonType ? "{}" : ""));
    };
    const auto limited =
        of_service(MakeError(errors::v1::REASON_RATE_LIMITED, "Too many calls.", {.retry_after = 2500ms}));
    CHECK(OtlpReasonOf(limited) == "RATE_LIMITED");
    CHECK(limited.Header("retry-after") == "3");
    CHECK(limited.Header("ratelimit") == "\"key\";r=0;t=3");
    CHECK(limited.Header("ratelimit-policy") == "\"key\";q=100;w=1");
    CHECK(OtlpReasonOf(of_service(MakeError(errors::v1::REASON_SCOPE_REQUIRED, "Needs write."))) ==
          "SCOPE_REQUIRED");
    CHECK(OtlpReasonOf(of_service(MakeError(errors::v1::REASON_OUTCOME_UNKNOWN, "Perhaps."))) ==
          "OUTCOME_UNKNOWN");
    CHECK(OtlpReasonOf(of_service(MakeError(errors::v1::REASON_VALIDATION_ERROR, "No message."))) ==
          "VALIDATION_ERROR");
    const auto internal = of_service(InternalError("relation \"x\" does not exist"));
    CHECK(OtlpReasonOf(internal) == "INTERNAL");
    CHECK(internal.body.find("relation") == std::string::npos);
    CHECK(OtlpReasonOf(of_service(absl::UnknownError("secret"))) == "INTERNAL");
    gateway.backend.export_traces = [](auto&, auto&, auto&) { return grpc::Status::OK; };
  }
}

TEST_CASE("a value that cannot be kept costs no batch") {
  TestGateway gateway;
  ExportTraceServiceRequest received;
  gateway.backend.export_traces = [&](auto&, const ExportTraceServiceRequest& request, auto&) {
    received = request;
    return grpc::Status::OK;
  };
  const std::string batch =
      R"({"resourceSpans":[{"scopeSpans":[{"spans":[)"
      R"({"name":"cut \ud83d","attributes":[{"value":{"intValue":100000000000000000000}}]},)"
      R"({"traceId":"xy","startTimeUnixNano":1e20},{"name":"\ud83d\udc4d \\ud83d"}]}]}]})";
  for (const std::string& request :
       {PostTraces(kJsonType, batch), Chunked(absl::StrCat(kJsonType, kGzip), Gzip(batch))}) {
    received.Clear();
    CHECK(gateway.Exchange(request).status == 200);
    const auto& spans = received.resource_spans(0).scope_spans(0).spans();
    REQUIRE(spans.size() == 3);
    CHECK(spans[0].name() == "cut \uFFFD");
    CHECK_FALSE(spans[0].attributes(0).value().has_int_value());
    CHECK(spans[1].trace_id() == std::string(1, '\0'));
    CHECK(spans[1].start_time_unix_nano() == 0);
    CHECK(spans[2].name() == "\U0001F44D \\ud83d");
  }
  // Elsewhere nothing is made of what is wrong.
  CHECK(CodeOf(gateway.Exchange(PostSpans(R"([{"name":"\ud83d"}])", kJsonType))) == "INVALID_JSON");
}

TEST_CASE("protobuf that is compressed once more than its header says is refused, and not inflated") {
  TestGateway gateway;
  int calls = 0;
  gateway.backend.export_traces = [&](auto&, auto&, auto&) {
    ++calls;
    return grpc::Status::OK;
  };
  const std::string gzip = Gzip(Batch().SerializeAsString());
  for (const std::string& request :
       {PostTraces(kProtobufType, gzip), Chunked(kProtobufType, gzip), PostTraces(kProtobufType, "\x1f"),
        PostTraces(absl::StrCat(kProtobufType, "Content-Encoding: identity\r\n"), gzip),
        PostTraces(absl::StrCat(kProtobufType, kGzip), Gzip(gzip))}) {
    const auto refused = gateway.Exchange(request);
    CHECK(refused.Header("content-type") == "application/x-protobuf");
    CHECK(OtlpReasonOf(refused) == "BAD_REQUEST");
  }
  CHECK(calls == 0);
  CHECK(gateway.Exchange(PostTraces(absl::StrCat(kProtobufType, kGzip), gzip)).status == 200);
  CHECK(calls == 1);
}

TEST_CASE("JSON that is none of OTLP's is refused, and protobuf is not looked at") {
  TestGateway gateway;
  int calls = 0;
  gateway.backend.export_traces = [&](auto&, auto&, auto&) {
    ++calls;
    return grpc::Status::OK;
  };
  const auto refusal_of = [&](const std::string& body) {
    return gateway.Exchange(PostTraces(kJsonType, body));
  };
  for (const char* body : {"", "{", "{]", "\xFF", "{\"resourceSpans\":"}) {
    CHECK(OtlpReasonOf(refusal_of(body)) == "INVALID_JSON");
  }
  const auto wrong = refusal_of(R"({"resourceSpans":[{"scopeSpans":[{"spans":[{},{"spanId":12}]}]}]})");
  CHECK(OtlpReasonOf(wrong) == "VALIDATION_ERROR");
  const auto error = boost::json::parse(wrong.body);
  CHECK(DetailOf(error, "BadRequest").at("fieldViolations").at(0).at("field") ==
        "resourceSpans[0].scopeSpans[0].spans[1].spanId");
  CHECK(calls == 0);

  // The body is JSON; what its type says decides.
  const std::string bytes = Batch().SerializeAsString();
  CHECK(OtlpReasonOf(gateway.Exchange(PostTraces(kJsonType, bytes))) == "INVALID_JSON");
  CHECK(calls == 0);
  CHECK(gateway.Exchange(PostTraces(kProtobufType, bytes)).status == 200);
  CHECK(calls == 1);
  // What is no message is the service's to refuse; gRPC's own server, which plays it here, has INTERNAL for
  // it.
  const auto none = gateway.Exchange(PostTraces(kProtobufType, kJsonBody));
  CHECK(none.Header("content-type") == "application/x-protobuf");
  CHECK(OtlpReasonOf(none) == "INTERNAL");
  CHECK(calls == 1);

  for (const char* type :
       {"text/plain", "application/protobuf", "application/x-protobuf; charset=latin1", ""}) {
    INFO(type);
    const auto other = gateway.Exchange(PostTraces(absl::StrCat("Content-Type: ", type, "\r\n"), kJsonBody));
    CHECK(other.Header("content-type") == "application/json");
    CHECK(OtlpReasonOf(other) == "UNSUPPORTED_MEDIA_TYPE");
  }
  // Elsewhere protobuf is no type, and errors are what they were.
  const auto elsewhere = gateway.Exchange(PostSpans("[]", kProtobufType));
  CHECK(elsewhere.status == 415);
  CHECK(elsewhere.Header("content-type") == "application/problem+json");
  CHECK(gateway.Exchange(Request("POST", "/v1/trace", kProtobufType)).Header("content-type") ==
        "application/problem+json");
}

TEST_CASE("a batch may have 4 MiB, and 16 MiB when inflated, in either encoding") {
  constexpr std::size_t kSent = 4 << 20;
  constexpr std::size_t kInflated = 16 << 20;
  TestGateway gateway;
  std::size_t received = 0;
  gateway.backend.export_traces = [&](auto&, const ExportTraceServiceRequest& request, auto&) {
    received = request.resource_spans(0).scope_spans(0).spans(0).name().size();
    return grpc::Status::OK;
  };
  // A batch of so many bytes.
  const auto json_of = [](std::size_t bytes) {
    const std::string begin = R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"name":")";
    const std::string end = R"("}]}]}]})";
    return begin + std::string(bytes - begin.size() - end.size(), 'n') + end;
  };
  const auto protobuf_of = [](std::size_t bytes) {
    const std::size_t around = Batch(bytes).ByteSizeLong() - bytes;
    return Batch(bytes - around).SerializeAsString();
  };
  const auto post = [&](const char* fields, const std::string& body) {
    received = 0;
    return gateway.Exchange(PostTraces(fields, body));
  };
  const std::string json_gzip = absl::StrCat(kJsonType, kGzip);
  const std::string protobuf_gzip = absl::StrCat(kProtobufType, kGzip);
  CHECK(post(kJsonType, json_of(kSent)).status == 200);
  CHECK(received > kSent - 100);
  CHECK(post(kProtobufType, protobuf_of(kSent)).status == 200);
  CHECK(received > kSent - 100);
  CHECK(post(json_gzip.c_str(), Gzip(json_of(kInflated))).status == 200);
  CHECK(received > kInflated - 100);
  CHECK(post(protobuf_gzip.c_str(), Gzip(protobuf_of(kInflated))).status == 200);
  CHECK(received > kInflated - 100);
  for (const auto& response :
       {post(kJsonType, json_of(kSent + 1)), post(kProtobufType, protobuf_of(kSent + 1)),
        post(json_gzip.c_str(), Gzip(json_of(kInflated + 1))),
        post(protobuf_gzip.c_str(), Gzip(protobuf_of(kInflated + 1)))}) {
    CHECK(OtlpReasonOf(response) == "BODY_TOO_LARGE");
  }
  CHECK(received == 0);
}

TEST_CASE("what batches take together is bounded, in either encoding") {
  TestGateway gateway({.http = {.held_bytes = {0, 110'000, 0}}});
  const std::string name(200'000, 'n');
  for (const std::string& request :
       {PostTraces(kProtobufType, Batch(200'000).SerializeAsString()),
        PostTraces(absl::StrCat(kProtobufType, kGzip), Gzip(Batch(200'000).SerializeAsString())),
        PostTraces(absl::StrCat(kJsonType, kGzip), Gzip(absl::StrCat("{\"a\":\"", name, "\"}")))}) {
    const auto refused = gateway.Exchange(request);
    CHECK(OtlpReasonOf(refused) == "OVERLOADED");
    CHECK(refused.Header("retry-after") == "1");
  }
  CHECK(gateway.Exchange(PostTraces(kProtobufType, Batch(50'000).SerializeAsString())).status == 200);
}

TEST_CASE("a batch whose service is away may be sent again") {
  TestGateway gateway;
  gateway.backend.Stop();
  for (const char* type : {kJsonType, kProtobufType}) {
    const auto away = gateway.Exchange(PostTraces(type, type == kJsonType ? "{}" : ""));
    CHECK(away.status == 503);
    CHECK(away.Has("retry-after"));
    const std::string reason = OtlpReasonOf(away);
    CHECK((reason == "UNAVAILABLE" || reason == "OUTCOME_UNKNOWN"));
  }
}

}  // namespace
}  // namespace verdict::gateway
