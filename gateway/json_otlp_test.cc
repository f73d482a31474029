#include <cmath>
#include <limits>
#include <string>

#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "gateway/testing/codec_test_support.h"
#include "tests/support/sanitized.h"
#include "tests/support/usage.h"

// OTLP's own JSON: what differs from ours. json_differential_test compares it with protobuf's.
namespace verdict::gateway {
namespace {

using opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
using opentelemetry::proto::collector::trace::v1::ExportTraceServiceResponse;
using opentelemetry::proto::common::v1::AnyValue;
using opentelemetry::proto::trace::v1::Span;

const Route& ExportRoute() {
  static const auto& routes = *new RouteTable(ContractRoutes());
  return *routes.Find("POST", "/v1/traces").route;
}

// Reads a body as the route does.
absl::Status Read(std::string body, ExportTraceServiceRequest& request) {
  ReplaceLoneSurrogates(body);
  Match match;
  match.route = &ExportRoute();
  return ReadRequest(match, "", body, request);
}

std::string WithSpans(const std::string& spans) {
  return R"({"resourceSpans":[{"scopeSpans":[{"spans":[)" + spans + "]}]}]}";
}

// The only span of a body that must be taken, from the members of its JSON.
Span SpanOf(const std::string& members) {
  ExportTraceServiceRequest request;
  const absl::Status status = Read(WithSpans("{" + members + "}"), request);
  INFO(members << ": " << status);
  REQUIRE(status.ok());
  return request.resource_spans(0).scope_spans(0).spans(0);
}

// Why a body with such a span is refused.
absl::Status RefusalOf(const std::string& members) {
  ExportTraceServiceRequest request;
  return Read(WithSpans("{" + members + "}"), request);
}

AnyValue ValueOf(const std::string& json) {
  return SpanOf(R"("attributes":[{"key":"k","value":)" + json + "}]").attributes(0).value();
}

TEST_CASE("what OpenTelemetry's exporter for JavaScript sends is read") {
  ExportTraceServiceRequest request;
  REQUIRE(Read(R"({"resourceSpans":[{"resource":{"attributes":[
    {"key":"service.name","value":{"stringValue":"bot"}},{"key":"process.pid","value":{"intValue":42}}],
    "droppedAttributesCount":0},"scopeSpans":[{"scope":{"name":"demo","version":""},"spans":[
    {"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","parentSpanId":"a2fb4a1d1a96d312",
     "name":"llm","kind":3,"startTimeUnixNano":"1780087759746000000","endTimeUnixNano":"1780087760000000001",
     "attributes":[{"key":"n","value":{"intValue":7}},{"key":"x","value":{"doubleValue":0.5}},
       {"key":"b","value":{"boolValue":true}},{"key":"a","value":{"arrayValue":{"values":[{"intValue":1}]}}}],
     "droppedAttributesCount":0,"events":[{"attributes":[],"name":"gen_ai.evaluation.result",
       "timeUnixNano":"1780087759800000000","droppedAttributesCount":0}],"droppedEventsCount":0,
     "status":{"code":0},"links":[],"droppedLinksCount":0,"flags":257},
    {"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"a2fb4a1d1a96d312","name":"root"}]}]}]})",
               request)
              .ok());
  const auto& resource = request.resource_spans(0);
  CHECK(resource.resource().attributes(1).value().int_value() == 42);
  REQUIRE(resource.scope_spans(0).spans_size() == 2);
  const Span& span = resource.scope_spans(0).spans(0);
  CHECK(span.trace_id() == "\x4b\xf9\x2f\x35\x77\xb3\x4d\xa6\xa3\xce\x92\x9d\x0e\x0e\x47\x36");
  CHECK(span.span_id() == std::string("\x00\xf0\x67\xaa\x0b\xa9\x02\xb7", 8));
  CHECK(span.parent_span_id().size() == 8);
  CHECK(span.name() == "llm");
  CHECK(span.start_time_unix_nano() == 1'780'087'759'746'000'000);
  CHECK(span.end_time_unix_nano() == 1'780'087'760'000'000'001);
  CHECK(span.attributes(0).value().int_value() == 7);
  CHECK(span.attributes(1).value().double_value() == 0.5);
  CHECK(span.attributes(2).value().bool_value());
  CHECK(span.attributes(3).value().value_case() == AnyValue::VALUE_NOT_SET);
  CHECK(span.events(0).name() == "gen_ai.evaluation.result");
  CHECK(resource.scope_spans(0).spans(1).parent_span_id().empty());
}

TEST_CASE("ids are hex digits of either case") {
  CHECK(SpanOf(R"("traceId":"00fFABcd")").trace_id() == std::string("\x00\xff\xab\xcd", 4));
  CHECK(SpanOf(R"("traceId":"")").trace_id().empty());
  for (const char* none : {"12", "{}", "[]", "true"}) {
    const absl::Status refused = RefusalOf(absl::StrCat("\"traceId\":", none));
    INFO(none);
    CHECK(Reason(refused) == "VALIDATION_ERROR");
    CHECK(Field(refused) == "resourceSpans[0].scopeSpans[0].spans[0].traceId");
    CHECK_THAT(Message(refused), Catch::Contains("hexadecimal digits"));
  }
}

TEST_CASE("an id that is no hex digits becomes what is no id, and its span stays") {
  for (const char* none : {"0", "0g", "-1", "+1", " 1", "0x", "S/kv", "4bf92f3577b34da6a3ce929d0e0e473",
                           "4bf92f3577b34da6a3ce929d0e0e473g", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"}) {
    INFO(none);
    const Span span = SpanOf(absl::StrCat(R"("traceId":")", none, R"(","spanId":")", none,
                                          R"(","parentSpanId":")", none, R"(","name":"a")"));
    for (const std::string& id : {span.trace_id(), span.span_id(), span.parent_span_id()}) {
      CHECK(id == std::string(1, '\0'));
    }
    CHECK(span.name() == "a");
  }
}

TEST_CASE("64-bit integers are numbers or their digits, exactly") {
  for (const char* json : {"1780087759746000001", R"("1780087759746000001")"}) {
    CHECK(SpanOf(absl::StrCat("\"startTimeUnixNano\":", json)).start_time_unix_nano() ==
          1'780'087'759'746'000'001);
  }
  CHECK(SpanOf(R"("endTimeUnixNano":"18446744073709551615")").end_time_unix_nano() ==
        std::numeric_limits<uint64_t>::max());
  CHECK(ValueOf(R"({"intValue":"-9223372036854775808"})").int_value() == std::numeric_limits<int64_t>::min());
  CHECK(ValueOf(R"({"intValue":-7})").int_value() == -7);
  for (const char* none : {R"("")", R"(" 1")", R"("1 ")", R"("+1")", R"("0x1")", R"("01")", R"("NaN")",
                           R"("Infinity")", R"("1e20 ")", "true", "{}"}) {
    INFO(none);
    CHECK(Reason(RefusalOf(absl::StrCat("\"startTimeUnixNano\":", none))) == "VALIDATION_ERROR");
  }
}

TEST_CASE("a number that an integer cannot be leaves it unset") {
  // The first two are what JavaScript writes for 1e20 and Number.MAX_VALUE.
  for (const char* number : {"100000000000000000000", "1.7976931348623157e+308", "9223372036854775808",
                             "-9223372036854775809", "1.5", "-1e-1", "1e999"}) {
    INFO(number);
    CHECK(ValueOf(absl::StrCat("{\"intValue\":", number, "}")).value_case() == AnyValue::VALUE_NOT_SET);
    CHECK(ValueOf(absl::StrCat("{\"intValue\":\"", number, "\"}")).value_case() == AnyValue::VALUE_NOT_SET);
  }
  for (const char* time :
       {"-1", R"("-1")", "18446744073709551616", R"("18446744073709551616")", "1.5", R"("1.5")", "1e20"}) {
    INFO(time);
    const Span span =
        SpanOf(absl::StrCat(R"("name":"a","startTimeUnixNano":)", time, R"(,"endTimeUnixNano":)", time,
                            R"(,"events":[{"timeUnixNano":)", time, "}]"));
    CHECK(span.start_time_unix_nano() == 0);
    CHECK(span.end_time_unix_nano() == 0);
    CHECK(span.events(0).time_unix_nano() == 0);
    CHECK(span.name() == "a");
  }
}

TEST_CASE("numbers may be texts, and those that JSON lacks are") {
  CHECK(ValueOf(R"({"doubleValue":1})").double_value() == 1);
  CHECK(ValueOf(R"({"doubleValue":"-2.5e3"})").double_value() == -2500);
  CHECK(std::isnan(ValueOf(R"({"doubleValue":"NaN"})").double_value()));
  CHECK(ValueOf(R"({"doubleValue":"Infinity"})").double_value() == std::numeric_limits<double>::infinity());
  CHECK(ValueOf(R"({"doubleValue":"-Infinity"})").double_value() == -std::numeric_limits<double>::infinity());
  for (const char* none :
       {R"("nan")", R"("inf")", R"("+Infinity")", R"("")", "1e999", R"("1e999")", "false"}) {
    INFO(none);
    CHECK(Reason(RefusalOf(absl::StrCat(R"("attributes":[{"value":{"doubleValue":)", none, "}}]"))) ==
          "VALIDATION_ERROR");
  }
  CHECK(Reason(RefusalOf(R"("attributes":[{"value":{"boolValue":"true"}}])")) == "VALIDATION_ERROR");
  CHECK(Reason(RefusalOf(R"("attributes":[{"value":{"boolValue":1}}])")) == "VALIDATION_ERROR");
}

TEST_CASE("what is unknown is ignored, what is null is absent, and nothing stands twice") {
  CHECK(SpanOf(R"("trace_id":"x","traceId":null,"name":"a","attributes":null,"\u0000":[{"a\u0000":1}])")
            .name() == "a");
  CHECK(ValueOf(R"({"bytesValue":"AA==","stringValue":null})").value_case() == AnyValue::VALUE_NOT_SET);
  CHECK(ValueOf("null").value_case() == AnyValue::VALUE_NOT_SET);
  CHECK(Reason(RefusalOf(R"("name":"a","name":"b")")) == "DUPLICATE_KEY");
  CHECK(Reason(RefusalOf(R"("kind":1,"kind":1)")) == "DUPLICATE_KEY");
  CHECK(Reason(RefusalOf(R"("attributes":[null])")) == "VALIDATION_ERROR");
  ExportTraceServiceRequest request;
  CHECK(Read("{}", request).ok());
  CHECK(Reason(Read("[]", request)) == "VALIDATION_ERROR");
  CHECK(Reason(Read("", request)) == "INVALID_JSON");
}

TEST_CASE("U+0000 is the service's to judge") {
  CHECK(SpanOf(R"("name":"a\u0000b")").name() == std::string("a\0b", 3));
  CHECK(ValueOf(R"({"stringValue":"\u0000"})").string_value() == std::string(1, '\0'));
}

TEST_CASE("a lone surrogate's escape becomes U+FFFD's, and all else stays") {
  struct Case {
    const char* json;
    const char* text;  // what it says
  };
  constexpr Case kCases[] = {
      {R"(\ud83d)", "\uFFFD"},
      {R"(\uDC4D)", "\uFFFD"},
      {R"(a\ud83db)", "a\uFFFDb"},
      {R"(\uDBFF\n)", "\uFFFD\n"},
      {R"(\ud83d\ud83d\udc4d)", "\uFFFD\U0001F44D"},
      {R"(\udc4d\ud83d)", "\uFFFD\uFFFD"},
      {R"(\ud83d\u0041)", "\uFFFDA"},
      {R"(\ud83d\\udc4d)", "\uFFFD\\udc4d"},
      {R"(\\ud83d)", R"(\ud83d)"},
      {R"(\\\ud83d)", "\\\uFFFD"},
      {R"(\ud83d\udc4d)", "\U0001F44D"},
      {R"(\uD800\uDC00\uDBFF\uDFFF)", "\U00010000\U0010FFFF"},
      {R"(\ud7ff\ue000\ud7FF\uE000)", "\uD7FF\uE000\uD7FF\uE000"},
      {R"(\\\\)", R"(\\)"},
      {"ud83d", "ud83d"},
  };
  for (const auto& [json, text] : kCases) {
    INFO(json);
    CHECK(SpanOf(absl::StrCat(R"("name":")", json, "\"")).name() == text);
    CHECK(ValueOf(absl::StrCat(R"({"stringValue":")", json, "\"}")).string_value() == text);
    CHECK(SpanOf(absl::StrCat("\"", json, R"(":0,"name":"a")")).name() == "a");
  }
  for (const char* none :
       {R"(\ud83)", R"(\ud83g)", R"(\u)", R"(\ud83d\)", R"(\ud83d\u)", R"(\ud83d\udc4)", R"(\Ud83d)", "\\"}) {
    INFO(none);
    CHECK(Reason(RefusalOf(absl::StrCat(R"("name":")", none, "\""))) == "INVALID_JSON");
    std::string cut = none;  // an escape at the very end
    ReplaceLoneSurrogates(cut);
    CHECK(cut.size() == std::string_view(none).size());
  }
}

// An attribute's value that makes the body so deep in all.
std::string NestedTo(int depth) {
  const int outer = 10;  // down to the attribute's value, as ValueOf has it
  const std::string inner = std::string(static_cast<size_t>(depth - outer), '[');
  return R"({"kvlistValue":)" + inner + std::string(inner.size(), ']') + "}";
}

TEST_CASE("attributes may nest, down to 128") {
  CHECK(ValueOf(NestedTo(kOtlpDepthMax)).value_case() == AnyValue::VALUE_NOT_SET);
  const absl::Status deeper =
      RefusalOf(R"("attributes":[{"key":"k","value":)" + NestedTo(kOtlpDepthMax + 1) + "}]");
  CHECK(Reason(deeper) == "INVALID_JSON");
  CHECK_THAT(Message(deeper), Catch::Contains("deeper than 128"));
}

// So many of the element, with commas between them.
std::string Many(size_t count, std::string_view element) {
  std::string many(element);
  for (size_t i = 1; i < count; ++i) {
    many += ',';
    many += element;
  }
  return many;
}

TEST_CASE("a batch of 10,000 spans may have many members that are not read, and attributes that are") {
  ExportTraceServiceRequest request;
  std::string members = R"("attributes":[)" + Many(15, R"({"key":"k"})") + "]";
  for (int i = 0; i < 20; ++i) absl::StrAppend(&members, ",\"unread", i, "\":{\"a\":{},\"b\":[]}");
  REQUIRE(Read(WithSpans(Many(10'000, "{" + members + "}")), request).ok());
  CHECK(request.resource_spans(0).scope_spans(0).spans_size() == 10'000);
  CHECK(request.resource_spans(0).scope_spans(0).spans(9'999).attributes_size() == 15);
}

TEST_CASE("elements are bounded, and so are members of one object that are not read") {
  ExportTraceServiceRequest request;
  const size_t rest = kOtlpElementsMax - 2;  // the resource's and the scope's
  CHECK(Read(WithSpans(Many(rest, "{}")), request).ok());
  CHECK(Reason(Read(WithSpans(Many(rest + 1, "{}")), request)) == "BODY_TOO_LARGE");
  std::string unread = "\"a\":0";
  for (size_t i = 0; i < kOtlpElementsMax; ++i) absl::StrAppend(&unread, ",\"", i, "\":0");
  CHECK(Reason(RefusalOf(unread)) == "BODY_TOO_LARGE");
}

TEST_CASE("a batch costs CPU time as its length has it") {
  // Ten times what was measured.
  constexpr double kSecondsMax = test::kSanitized ? 10 : 1;
  const std::string attribute = R"({"key":"\u0061","value":{"intValue":"9223372036854775807"}})";
  const std::string span = R"({"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","attributes":[)" +
                           Many(9, attribute) + R"(],"kind":1,"flags":257,"links":[],"status":{"code":0}})";
  std::string surrogates;
  while (surrogates.size() < 1 << 20) surrogates += "\\ud83d";
  for (const std::string& body :
       {WithSpans(Many((1 << 20) / span.size(), span)),
        WithSpans(Many((1 << 20) / 40, R"({"attributes":[{"value":{"a":{}}}],"b":0})")),
        WithSpans(R"({"name":")" + surrogates + "\"}"),
        WithSpans(R"({"name":")" + std::string(1 << 20, '\\') + "\"}")}) {
    const double start = test::ThreadCpuSeconds();
    ExportTraceServiceRequest request;
    CHECK(Read(body, request).ok());
    const double seconds = test::ThreadCpuSeconds() - start;
    INFO(seconds << " s for " << body.size() << " bytes");
    CHECK(seconds < kSecondsMax);
  }
}

std::string ToOtlp(const google::protobuf::Message& message) {
  static JsonPlans plans;
  return ToJson(**plans.Make(*message.GetDescriptor(), JsonStyle::kOtlp), message);
}

TEST_CASE("an answer has what is set and no more, 64-bit integers as texts") {
  ExportTraceServiceResponse response;
  CHECK(ToOtlp(response) == "{}");
  response.mutable_partial_success();
  CHECK(ToOtlp(response) == R"({"partialSuccess":{}})");
  response.mutable_partial_success()->set_rejected_spans(3);
  response.mutable_partial_success()->set_error_message(std::string("a\0b", 3));
  CHECK(ToOtlp(response) == R"({"partialSuccess":{"rejectedSpans":"3","errorMessage":"a\u0000b"}})");

  Span span;
  span.set_span_id(std::string("\x00\xF0\x0a", 3));
  span.set_start_time_unix_nano(std::numeric_limits<uint64_t>::max());
  for (const double number : {std::nan(""), HUGE_VAL, -HUGE_VAL, 0.0}) {
    span.add_attributes()->mutable_value()->set_double_value(number);
  }
  CHECK(ToOtlp(span) == R"({"spanId":"00f00a","startTimeUnixNano":"18446744073709551615","attributes":[)"
                        R"({"value":{"doubleValue":"NaN"}},{"value":{"doubleValue":"Infinity"}},)"
                        R"({"value":{"doubleValue":"-Infinity"}},{"value":{"doubleValue":0}}]})");
}

TEST_CASE("hex is hex in our own JSON, too") {
  JsonPlans plans;
  const MessagePlan& plan = **plans.Make(*testing::Everything::descriptor());
  testing::Everything message;
  REQUIRE(ReadJson(plan, R"({"digits":"00FF"})", message).ok());
  CHECK(message.digits() == std::string("\x00\xFF", 2));
  CHECK_THAT(ToJson(plan, message), Catch::Contains(R"("digits":"00ff")"));
  // And a number is no text there.
  CHECK(Reason(ReadJson(plan, R"({"int64":"1"})", message)) == "VALIDATION_ERROR");
  CHECK(Reason(ReadJson(plan, R"({"number":"NaN"})", message)) == "VALIDATION_ERROR");
}

}  // namespace
}  // namespace verdict::gateway
