#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <boost/json/parse.hpp>
#include <google/protobuf/util/field_comparator.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>

#include "gateway/testing/codec_test_support.h"
#include "gateway/testing/random_message.h"
#include "gateway/url.h"
#include "tests/support/fuzz.h"

// Bodies of strangers, for every route and every type of message.
namespace verdict::gateway {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// What a body is read as: a route's request, or a message of a type.
struct Target {
  const Route* route = nullptr;
  const MessagePlan* plan = nullptr;
};

struct Targets {
  RouteTable contract = ContractRoutes();
  RouteTable tests = TestRoutes();
  JsonPlans plans;
  std::vector<Target> all;

  Targets() {
    for (const RouteTable* routes : {&contract, &tests}) {
      for (const Route* route : routes->routes()) {
        if (route->has_body) all.push_back({.route = route, .plan = route->request_plan});
      }
    }
    for (const auto* type : JsonTypes()) all.push_back({.plan = *plans.Make(*type, StyleOf(*type))});
    if (all.size() > 256) std::abort();  // one byte chooses
  }
};

const Targets& AllTargets() {
  static const auto& targets = *new Targets;
  return targets;
}

std::unique_ptr<Message> NewMessage(const MessagePlan& plan) {
  return std::unique_ptr<Message>(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(plan.descriptor)->New());
}

absl::Status Read(const Target& target, std::string_view body, Message& message) {
  if (target.route == nullptr) return ReadJson(*target.plan, body, message);
  Match match;
  match.route = target.route;
  match.variables.assign(target.route->variables.size(), "1");
  return ReadRequest(match, "", body, message);
}

// The control, by VERDICT_FUZZ_CONTROL: protobuf's own reader takes what is no JSON, and is caught at it.
absl::Status ReadCarelessly(std::string_view body, Message& message) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const auto status =
      google::protobuf::util::JsonStringToMessage({body.data(), body.size()}, &message, options);
  return status.ok() ? absl::OkStatus() : absl::InvalidArgumentError("");
}

// JSON shows no less than a millisecond.
class ToTheMillisecond : public google::protobuf::util::SimpleFieldComparator {
 public:
  ComparisonResult Compare(const Message& a, const Message& b, const FieldDescriptor* field, int index_a,
                           int index_b, const google::protobuf::util::FieldContext* context) override {
    if (field->full_name() != "google.protobuf.Timestamp.nanos") {
      return SimpleCompare(a, b, field, index_a, index_b, context);
    }
    const auto milliseconds = [field](const Message& time) {
      return time.GetReflection()->GetInt32(time, field) / 1'000'000;
    };
    return milliseconds(a) == milliseconds(b) ? SAME : DIFFERENT;
  }
};

bool AreEqual(const Message& a, const Message& b) {
  ToTheMillisecond comparator;
  comparator.set_treat_nan_as_equal(true);  // OTLP's
  google::protobuf::util::MessageDifferencer differencer;
  differencer.set_field_comparator(&comparator);
  return differencer.Compare(a, b);
}

// How many members the value's objects have; of two with one name a tree has one.
size_t CountMembers(const boost::json::value& value, JsonStyle style) {
  const auto check = [&](std::string_view text) {
    fuzz::Require(style == JsonStyle::kOtlp || text.find('\0') == std::string_view::npos,
                  "what is read has no U+0000, but in OTLP");
  };
  size_t count = 0;
  if (const auto* object = value.if_object()) {
    for (const auto& member : *object) {
      check({member.key().data(), member.key().size()});
      count += 1 + CountMembers(member.value(), style);
    }
  } else if (const auto* array = value.if_array()) {
    for (const auto& element : *array) count += CountMembers(element, style);
  } else if (const auto* text = value.if_string()) {
    check({text->data(), text->size()});
  }
  return count;
}

// The colons of well-formed JSON, but for those in texts.
size_t CountColons(std::string_view json) {
  size_t count = 0;
  for (size_t i = 0; i < json.size(); ++i) {
    if (json[i] == ':') ++count;
    if (json[i] == '"') {
      for (++i; json[i] != '"'; ++i) i += json[i] == '\\' ? 1 : 0;
    }
  }
  return count;
}

// Boost.JSON's own parser, which makes a tree of values, knows what JSON is.
boost::json::value ParseTree(std::string_view body, JsonStyle style, boost::json::error_code& error) {
  boost::json::parse_options options;
  options.max_depth = style == JsonStyle::kOtlp ? kOtlpDepthMax : kJsonDepthMax;
  return boost::json::parse(boost::json::string_view(body.data(), body.size()), error, {}, options);
}

boost::json::value CheckSyntax(std::string_view body, JsonStyle style, const absl::Status& read) {
  boost::json::error_code error;
  auto tree = ParseTree(body, style, error);
  if (read.ok()) fuzz::Require(!error, "what is read is JSON");
  if (Reason(read) == "INVALID_JSON") fuzz::Require(bool{error}, "what is refused as no JSON is none");
  return tree;
}

// The body as OTLP's routes read it.
std::string Mended(std::string_view body) {
  std::string mended(body);
  ReplaceLoneSurrogates(mended);
  boost::json::error_code error;
  ParseTree(body, JsonStyle::kOtlp, error);
  fuzz::Require(error || mended == body, "what is JSON stays as it is");
  fuzz::Require(mended.size() == body.size(), "what is replaced keeps its length");
  ParseTree(mended, JsonStyle::kOtlp, error);
  fuzz::Require(error != boost::json::error::illegal_leading_surrogate &&
                    error != boost::json::error::illegal_trailing_surrogate,
                "no lone surrogate is left");
  return mended;
}

void CheckMessage(const MessagePlan& plan, const Message& message) {
  const std::string json = ToJson(plan, message);
  fuzz::Require(IsUtf8(json) && json.find('\0') == std::string::npos, "what is printed is text");
  const auto again = NewMessage(plan);
  fuzz::Require(ReadJson(plan, json, *again).ok(), "what is printed can be read");
  fuzz::Require(AreEqual(message, *again), "parse(print(x)) == x");
  fuzz::Require(ToJson(plan, *again) == json, "print(parse(print(x))) == print(x)");
}

// The first byte says what the rest is read as.
std::vector<std::string> JsonSeeds() {
  Random random(1);
  std::vector<std::string> seeds;
  const auto& targets = AllTargets().all;
  for (size_t i = 0; i < targets.size(); ++i) {
    for (int depth = 0; depth < 2; ++depth) {
      const auto message = NewMessage(*targets[i].plan);
      random.Fill(*message, depth);
      std::string json = ToJson(*targets[i].plan, *message);
      if (targets[i].route != nullptr && targets[i].route->body_field != nullptr) {
        const auto& field = *targets[i].route->body_field;
        const auto body = NewMessage(*field.message);
        random.Fill(*body, depth);
        json = ToJson(*field.message, *body);
        if (field.is_list()) json = "[" + json + "]";
      }
      seeds.push_back(static_cast<char>(i) + json);
    }
  }
  for (const char* json :
       {R"({"time":"2026-05-29T20:54:19.746Z","epoch":1795302271.05,"number":-0.0})",
        R"({"object":{"a":[1e5,null,true,{"b":"\ud83d\udc4d"}]},"int64":36e2})",
        R"( {"words":{"a":"b"},"colour_of":{"c":"light_blue"},"child":null} )",
        R"({"object":{"a":1,"\u0061":2}})", R"({"words":{"a":"b","a":"c"}})", R"({"text":"\u0000"})",
        R"({"text":"\ud800"})", "{\"text\":\"\xFF\"}", R"({"object":{"a\u0000":"\u0000"}})",
        R"({"object":{"a":1e999}})", R"({"time":"9999-12-31T23:59:59.999-00:01"})",
        R"({"times":["0001-01-01T00:00:00+00:01"]})", R"({"epoch":253402300799.9999999})"}) {
    // The first of JsonTypes is the one with every kind of field.
    const auto everything = std::ranges::find(targets, nullptr, &Target::route);
    seeds.push_back(static_cast<char>(everything - targets.begin()) + std::string(json));
  }
  const auto otlp = std::ranges::find_if(
      targets, [](const Target& target) { return target.route && target.route->rest->otlp(); });
  if (otlp == targets.end()) std::abort();
  for (
      const char* span :
      {R"("traceId":"4BF92f3577b34da6a3ce929d0e0e4736","kind":1,"flags":257,"status":{"code":0})",
       R"("startTimeUnixNano":"1780087759746000000","endTimeUnixNano":1780087760000000000)",
       R"("attributes":[{"key":"\u0000","value":{"doubleValue":"NaN"}},{"value":{"doubleValue":-Infinity}}])",
       R"("attributes":[{"value":{"doubleValue":"-Infinity"}},{"value":{"intValue":"-1"}}])",
       R"("attributes":[{"value":{"arrayValue":{"values":[{"kvlistValue":{"values":[{"key":"a"}]}}]}}}])",
       R"("spanId":"0","name":null)", R"("name":"\ud83d\ud83d\udc4d \udc4d")",
       R"("name":"\ud83d\udc4d \\ud83d \\\\udc4d")",
       R"("startTimeUnixNano":1e20,"attributes":[{"value":{"intValue":100000000000000000000}}])",
       R"("traceId":"xy")", R"("traceId":"","traceId":"")"}) {
    seeds.push_back(static_cast<char>(otlp - targets.begin()) +
                    std::string(R"({"resourceSpans":[{"scopeSpans":[{"spans":[{)") + span + "}]}]}]}");
  }
  return seeds;
}

void TestJson(std::string_view input) {
  static const bool is_control = std::getenv("VERDICT_FUZZ_CONTROL") != nullptr;
  if (input.empty()) return;
  const auto& targets = AllTargets().all;
  const Target& target = targets[static_cast<uint8_t>(input.front()) % targets.size()];
  const bool is_otlp = target.plan->style == JsonStyle::kOtlp;
  const std::string body = is_otlp ? Mended(input.substr(1)) : std::string(input.substr(1));
  const auto message = NewMessage(*target.plan);
  const absl::Status read = is_control ? ReadCarelessly(body, *message) : Read(target, body, *message);
  if (body.empty()) return;
  const boost::json::value tree = CheckSyntax(body, target.plan->style, read);
  if (!read.ok() || is_control) return;
  fuzz::Require(CountMembers(tree, target.plan->style) == CountColons(body),
                "what is read has no member twice");
  CheckMessage(*target.plan, *message);
}

}  // namespace
}  // namespace verdict::gateway

std::vector<std::string> verdict::fuzz::Seeds() { return gateway::JsonSeeds(); }
void verdict::fuzz::Test(std::string_view input) { gateway::TestJson(input); }
