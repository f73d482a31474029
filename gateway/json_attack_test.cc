#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch.hpp>
#include <google/protobuf/arena.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include "common/status/macros.h"
#include "gateway/testing/codec_test_support.h"
#include "tests/support/sanitized.h"
#include "tests/support/usage.h"

// Bodies that are made to cost much: each gets its verdict for CPU time that grows with its length and no
// faster.
namespace verdict::gateway {
namespace {

using testing::Everything;

// Ten times what was measured: 25 ms for 256 KiB, 100 ms for 1 MiB. What else the machine does takes its
// part.
constexpr double kSecondsMax = 0.25;
constexpr double kIngestSecondsMax = 1;
constexpr double kSlowdown = test::kSanitized ? 10 : 1;

// The least of three: what else runs on the machine only ever adds.
double CpuSecondsOf(const std::function<void()>& work) {
  double least = 1e9;
  for (int i = 0; i < 3; ++i) {
    const double start = test::ThreadCpuSeconds();
    work();
    least = std::min(least, test::ThreadCpuSeconds() - start);
  }
  return least;
}

std::string Repeat(std::string_view text, size_t bytes) {
  std::string repeated;
  while (repeated.size() < bytes) repeated += text;
  return repeated;
}

// `member(i)` of different numbers, with commas between them.
template <typename Member>
std::string Members(size_t bytes, Member member) {
  std::string members;
  for (int i = 0; members.size() < bytes; ++i) {
    if (i > 0) members += ',';
    members += member(std::to_string(i));
  }
  return members;
}

// Different members, whose names begin with `prefix`, as JSON spells it.
std::string NamedMembers(size_t bytes, const std::string& prefix = "") {
  return Members(bytes, [&](const auto& i) { return "\"" + prefix + i + "\":0"; });
}

std::string Object(const std::string& members) { return R"({"object":{)" + members + "}}"; }
std::string List(const std::string& elements, const std::string& last = "0") {
  return Object(R"("a":[)" + elements + last + "]");
}
std::string Field(const std::string& name, const std::string& value) {
  return "{\"" + name + "\":" + value + "}";
}
std::string Text(const std::string& value) { return Field("maybe_text", "\"" + value + "\""); }
std::string Nested(size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

struct Attack {
  const char* name;
  // What a route says that refuses unknown fields, and one that ignores them, and takes an array where the
  // body is one: a reason, or "" when it takes the body.
  const char* strict;
  const char* lenient;
  std::function<std::string(size_t bytes)> body;
};

const std::vector<Attack>& Attacks() {
  static const auto& attacks = *new std::vector<Attack>{
      {"open brackets", "VALIDATION_ERROR", "VALIDATION_ERROR", [](size_t n) { return std::string(n, '['); }},
      {"open brackets in metadata", "INVALID_JSON", "INVALID_JSON",
       [](size_t n) { return R"({"object":{"a":)" + std::string(n, '['); }},
      {"open objects of no field", "UNKNOWN_FIELD", "INVALID_JSON",
       [](size_t n) { return Repeat(R"({"a":)", n); }},
      {"open objects of a field", "INVALID_JSON", "INVALID_JSON",
       [](size_t n) { return Repeat(R"({"child":)", n); }},
      {"one level too deep, after much", "INVALID_JSON", "INVALID_JSON",
       [](size_t n) { return List(Repeat("0,", n), Nested(30)); }},
      {"lists as deep as may be", "", "", [](size_t n) { return List(Repeat(Nested(29) + ",", n)); }},
      {"objects as deep as may be", "BODY_TOO_LARGE", "BODY_TOO_LARGE",
       [](size_t n) { return List(Repeat(Repeat(R"({"b":)", 145) + "0" + std::string(29, '}') + ",", n)); }},
      {"members of metadata", "BODY_TOO_LARGE", "BODY_TOO_LARGE",
       [](size_t n) { return Object(NamedMembers(n)); }},
      {"members of metadata with escapes", "", "",
       [](size_t n) { return Object(NamedMembers(n, "\\u0041")); }},
      {"members of metadata with long names that begin alike", "", "",
       [](size_t n) { return Object(NamedMembers(n, std::string(1000, 'a'))); }},
      {"one member of metadata, again and again", "DUPLICATE_KEY", "DUPLICATE_KEY",
       [](size_t n) { return Object(Repeat(R"("a":0,)", n) + R"("b":0)"); }},
      {"objects whose members have one name", "BODY_TOO_LARGE", "BODY_TOO_LARGE",
       [](size_t n) { return List(Repeat(R"({"a":0},)", n)); }},
      {"a member twice, the second time escaped, at the end", "DUPLICATE_KEY", "DUPLICATE_KEY",
       [](size_t n) { return Object(R"("a":0,)" + NamedMembers(n, "aaaa") + R"(,"\u0061":0)"); }},
      {"entries of a map", "", "",
       [](size_t n) {
         return Field("words", "{" + Members(n, [](const auto& i) { return "\"" + i + "\":\"\""; }) + "}");
       }},
      {"entries of a map of messages", "", "",
       [](size_t n) {
         return Field("by_name", "{" + Members(n, [](const auto& i) { return "\"" + i + "\":{}"; }) + "}");
       }},
      {"members of no field", "UNKNOWN_FIELD", "BODY_TOO_LARGE",
       [](size_t n) { return "{" + NamedMembers(n) + "}"; }},
      {"empty messages", "BODY_TOO_LARGE", "BODY_TOO_LARGE",
       [](size_t n) { return Field("children", "[" + Repeat("{},", n) + "{}]"); }},
      {"empty texts", "BODY_TOO_LARGE", "BODY_TOO_LARGE",
       [](size_t n) { return Field("texts", "[" + Repeat(R"("",)", n) + R"(""])"); }},
      {"integers", "BODY_TOO_LARGE", "BODY_TOO_LARGE",
       [](size_t n) { return Field("int64s", "[" + Repeat("0,", n) + "0]"); }},
      {"numbers that are hard to round", "", "",
       [](size_t n) { return Field("numbers", "[" + Repeat("2.2250738585072011e-308,", n) + "0]"); }},
      {"numbers of 400 digits", "", "",
       [](size_t n) {
         return Field("numbers", "[" + Repeat("0." + std::string(400, '7') + "e-300,", n) + "0]");
       }},
      {"a number of very many digits", "VALIDATION_ERROR", "VALIDATION_ERROR",
       [](size_t n) { return Field("number", std::string(n, '9')); }},
      {"a number far behind the point", "VALIDATION_ERROR", "VALIDATION_ERROR",
       [](size_t n) { return Field("number", "0." + std::string(n, '0') + "1"); }},
      {"very many digits that are a small number", "", "",
       [](size_t n) { return Field("number", "0." + std::string(n, '9') + "e-300"); }},
      {"an exponent of very many digits", "INVALID_JSON", "INVALID_JSON",
       [](size_t n) { return Field("number", "1e" + std::string(n, '9')); }},
      {"an integer of very many digits", "VALIDATION_ERROR", "VALIDATION_ERROR",
       [](size_t n) { return Field("int64", std::string(n, '9')); }},
      {"zeros that an exponent takes away", "", "",
       [](size_t n) { return Field("int64", "1" + std::string(n, '0') + "e-" + std::to_string(n)); }},
      {"an exponent that makes an integer of a fraction", "", "",
       [](size_t n) { return Field("int64", "0." + std::string(n, '0') + "1e" + std::to_string(n + 1)); }},
      {"an exponent that nobody can write out", "VALIDATION_ERROR", "VALIDATION_ERROR",
       [](size_t n) { return Field("int64s", "[" + Repeat("0e999999999,", n) + "1e999999999]"); }},
      {"a number that PostgreSQL would write out, in metadata", "VALIDATION_ERROR", "VALIDATION_ERROR",
       [](size_t n) { return List(Repeat("0,", n), "1e131000"); }},
      {"numbers of 400 digits in metadata", "VALIDATION_ERROR", "VALIDATION_ERROR",
       [](size_t n) { return List(Repeat("0,", n), std::string(400, '9')); }},
      {"a text of escapes", "", "", [](size_t n) { return Text(Repeat("\\n", n)); }},
      {"a text of escaped surrogates", "", "", [](size_t n) { return Text(Repeat("\\ud83d\\udc4d", n)); }},
      {"a text of four-byte characters", "", "",
       [](size_t n) { return Text(Repeat("\xF0\x9F\x91\x8D", n)); }},
      {"a text whose last byte is no UTF-8", "INVALID_JSON", "INVALID_JSON",
       [](size_t n) { return Text(std::string(n, 'a') + "\xFF"); }},
      {"a text with U+0000 at its end", "INVALID_TEXT", "INVALID_TEXT",
       [](size_t n) { return Text(std::string(n, 'a') + "\\u0000"); }},
      {"a name of escapes", "", "", [](size_t n) { return Object("\"" + Repeat("\\u0041", n) + "\":0"); }},
      {"escapes that are escaped again", "", "",
       [](size_t n) { return Object(R"("a":")" + Repeat("\\u001f", n) + "\""); }},
      {"spaces", "", "", [](size_t n) { return "{" + std::string(n, ' ') + "}"; }},
      {"a long name", "UNKNOWN_FIELD", "", [](size_t n) { return "{\"" + std::string(n, 'a') + "\":0}"; }},
      {"elements", "VALIDATION_ERROR", "BODY_TOO_LARGE",
       [](size_t n) { return "[" + Repeat("{},", n) + "{}]"; }},
      {"elements, the last one none", "VALIDATION_ERROR", "VALIDATION_ERROR",
       [](size_t n) { return "[" + Repeat(R"({"number":0},)", n) + "0]"; }},
      {"members of no field in an element", "VALIDATION_ERROR", "BODY_TOO_LARGE",
       [](size_t n) { return "[{" + NamedMembers(n) + "}]"; }},
      {"what no field takes, in every element", "VALIDATION_ERROR", "",
       [](size_t n) { return "[" + Repeat(R"({"a":[{"b":{}}]},)", n) + "{}]"; }},
      {"times in every element", "VALIDATION_ERROR", "",
       [](size_t n) { return "[" + Repeat(R"({"epochs":[1795302271.0564847]},)", n) + "{}]"; }},
  };
  return attacks;
}

// Reads a body for a route, as the transcoder does, into the bytes that would be sent.
absl::Status Read(const Match& match, const std::string& body) {
  google::protobuf::Arena arena;
  auto& request = *match.route->request->New(&arena);
  RETURN_IF_ERROR(ReadRequest(match, "", body, request));
  return request.SerializeAsString().empty() ? absl::InternalError("nothing was read") : absl::OkStatus();
}

// Whether twice the work costs more than its double, by far.
bool GrowsFaster(double seconds, double seconds_of_twice_as_much) {
  constexpr double kNoise = 0.01;
  return seconds_of_twice_as_much > kNoise + 3 * seconds;
}

TEST_CASE("an attack gets its verdict, for CPU time that is bounded and linear in its length") {
  constexpr size_t kBytes = 1024 * 1024;
  const RouteTable routes = TestRoutes();
  const Match strict = routes.Find("POST", "/everything/a");
  const Match lenient = routes.Find("PUT", "/lenient/a");
  const Match array = routes.Find("POST", "/children");
  for (const Attack& attack : Attacks()) {
    INFO(attack.name);
    const std::string whole = attack.body(kBytes);
    const std::string half = attack.body(kBytes / 2);
    for (const bool is_strict : {true, false}) {
      const Match& match = is_strict ? strict : whole.front() == '[' ? array : lenient;
      CHECK(Reason(Read(match, whole)) == (is_strict ? attack.strict : attack.lenient));
      double seconds = 0;
      double of_twice_as_much = 0;
      // What else the machine does may disturb one measurement, and hardly three.
      for (int i = 0; i == 0 || (i < 3 && GrowsFaster(seconds, of_twice_as_much)); ++i) {
        seconds = CpuSecondsOf([&] { Read(match, half).IgnoreError(); });
        of_twice_as_much = CpuSecondsOf([&] { Read(match, whole).IgnoreError(); });
      }
      INFO(seconds << " s, then " << of_twice_as_much << " s");
      CHECK_FALSE(GrowsFaster(seconds, of_twice_as_much));
      CHECK(of_twice_as_much < kIngestSecondsMax * kSlowdown);
    }
  }
}

TEST_CASE("protobuf's own reader, which no stranger reaches, would fail these tests") {
  const auto seconds_of = [](size_t bytes) {
    const std::string body = Field("a", Nested(bytes / 2));
    return CpuSecondsOf([&] {
      google::protobuf::Struct read;
      CHECK_FALSE(google::protobuf::util::JsonStringToMessage(body, &read).ok());
    });
  };
  const double seconds = seconds_of(5'000);
  const double of_twice_as_much = seconds_of(10'000);
  INFO(seconds << " s, then " << of_twice_as_much << " s");
  CHECK(GrowsFaster(seconds, of_twice_as_much));
  CHECK(of_twice_as_much > kSecondsMax);
}

// The least JSON of a value of the field, or of one element of it.
std::string Least(const FieldPlan& field) {
  switch (field.kind) {
    case FieldPlan::Kind::kBool:
      return "true";
    case FieldPlan::Kind::kString:
    case FieldPlan::Kind::kHex:
      return "\"\"";
    case FieldPlan::Kind::kEnum:
      return "\"" + std::string(field.enumeration->number_of.begin()->first) + "\"";
    case FieldPlan::Kind::kTimestamp:
      return "\"2026-05-29T20:54:19Z\"";
    case FieldPlan::Kind::kJson:
    case FieldPlan::Kind::kMessage:
      return "{}";
    default:
      return "0";
  }
}

// Values that fill a field, and its messages' fields, with as much as fits.
std::vector<std::string> Values(const FieldPlan& field, size_t bytes);

std::vector<std::string> Objects(const MessagePlan& plan, size_t bytes) {
  std::vector<std::string> objects = {"{" + NamedMembers(bytes) + "}", Repeat(R"({"a":)", bytes)};
  for (const FieldPlan& field : plan.fields) {
    for (const std::string& value : Values(field, bytes))
      objects.push_back(Field(std::string(field.name), value));
  }
  return objects;
}

std::vector<std::string> Values(const FieldPlan& field, size_t bytes) {
  if (field.is_map()) {
    const std::string least = Least(*field.map_value);
    return {"{" + Members(bytes, [&](const auto& i) { return "\"" + i + "\":" + least; }) + "}"};
  }
  if (field.is_list()) return {"[" + Repeat(Least(field) + ",", bytes) + Least(field) + "]"};
  switch (field.kind) {
    case FieldPlan::Kind::kMessage:
      return Objects(*field.message, bytes);
    case FieldPlan::Kind::kJson:
      return {"{" + NamedMembers(bytes) + "}", R"({"a":[)" + Repeat(Nested(29) + ",", bytes) + "0]}"};
    case FieldPlan::Kind::kString:
    case FieldPlan::Kind::kHex:
      return {"\"" + Repeat("\\u0041", bytes) + "\""};
    default:
      return {std::string(bytes, '9'), "\"" + std::string(bytes, 'a') + "\""};
  }
}

std::vector<std::string> Arrays(const MessagePlan& plan, size_t bytes) {
  std::vector<std::string> arrays = {"[" + Repeat("{},", bytes) + "{}]"};
  for (const FieldPlan& field : plan.fields) {
    std::string value = Least(field);
    if (field.is_map()) value = R"({"a":)" + Least(*field.map_value) + "}";
    if (field.is_list()) value = "[" + value + "]";
    arrays.push_back("[" + Repeat(Field(std::string(field.name), value) + ",", bytes) + "{}]");
    for (const std::string& large : Values(field, bytes)) {
      arrays.push_back("[" + Field(std::string(field.name), large) + "]");
    }
  }
  return arrays;
}

// Large bodies are those of ingestion, which have a sender with a key, and are read beside the others'
// threads.
TEST_CASE("no body costs more CPU time than its size is worth, whatever is in it") {
  constexpr size_t kBodyBytes = 256 * 1024;
  constexpr size_t kIngestBytes = 1024 * 1024;
  const RouteTable contract = ContractRoutes();
  int bodies = 0;
  for (const Route* route : contract.routes()) {
    if (!route->has_body) continue;
    Match match;
    match.route = route;
    match.variables.assign(route->variables.size(), "a");
    const MessagePlan& plan =
        route->body_field != nullptr ? *route->body_field->message : *route->request_plan;
    const size_t bytes = route->rest->ingest() ? kIngestBytes : kBodyBytes;
    const double seconds_max = (route->rest->ingest() ? kIngestSecondsMax : kSecondsMax) * kSlowdown;
    for (const std::string& body : route->takes_array() ? Arrays(plan, bytes) : Objects(plan, bytes)) {
      ++bodies;
      INFO(route->rpc << " " << body.substr(0, 60));
      CHECK(CpuSecondsOf([&] { Read(match, body).IgnoreError(); }) < seconds_max);
    }
  }
  CHECK(bodies > 100);
}

}  // namespace
}  // namespace verdict::gateway
