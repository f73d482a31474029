#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <random>
#include <set>

#include <catch2/catch.hpp>
#include <google/protobuf/util/message_differencer.h>

#include "gateway/json_values.h"
#include "gateway/testing/codec_test_support.h"

// What must hold of every message and every number, tried on random ones. A failure prints the seed.
namespace verdict::gateway {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using testing::Everything;

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  uint64_t Bits() { return engine_(); }
  int Below(int end) { return static_cast<int>(Bits() % static_cast<uint64_t>(end)); }
  bool Flip() { return (Bits() & 1) != 0; }

  // Texts of all lengths of UTF-8, without U+0000.
  std::string Text() {
    static constexpr const char* kPieces[] = {"a",    "Z9",       " ",        "\"",           "\\",
                                              "/",    "\n",       "\x01",     "\x1F",         "\x7F",
                                              "{}[]", "\xC3\xA9", "\u20AC",   "\U0001F44D",   "\xEF\xBF\xBF",
                                              "\t",   ":,",       "\xC2\x80", "\xE2\x80\xA8", "null"};
    std::string text;
    for (int i = Below(Flip() ? 4 : 60); i > 0; --i) text += kPieces[Below(std::size(kPieces))];
    return text;
  }

  double Double() {
    for (;;) {
      double number = 0;
      const uint64_t bits = Bits();
      std::memcpy(&number, &bits, sizeof number);
      if (std::isfinite(number)) return Flip() ? number : std::round(number);
    }
  }

  // A compact JSON value.
  void Json(int depth, std::string& out) {
    switch (Below(depth > 0 ? 6 : 4)) {
      case 0:
        return AppendJsonString(Text(), out);
      case 1:
        out += std::to_string(static_cast<int64_t>(Bits()));
        return;
      case 2:
        out += Flip() ? "true" : "null";
        return;
      case 3: {
        char text[32];
        out.append(text, std::to_chars(text, text + sizeof text, Double()).ptr);
        return;
      }
      case 4: {
        out += '[';
        const int size = Below(4);
        for (int i = 0; i < size; ++i) {
          if (i > 0) out += ',';
          Json(depth - 1, out);
        }
        out += ']';
        return;
      }
      default:
        return JsonObject(depth - 1, out);
    }
  }

  void JsonObject(int depth, std::string& out) {
    out += '{';
    const int size = Below(4);
    for (int i = 0; i < size; ++i) {
      if (i > 0) out += ',';
      AppendJsonString(Text() + std::to_string(i), out);
      out += ':';
      Json(depth, out);
    }
    out += '}';
  }

  // Fills a message with what its JSON can say.
  void Fill(Message& message, int depth) {
    const Descriptor& descriptor = *message.GetDescriptor();
    for (int i = 0; i < descriptor.field_count(); ++i) {
      const FieldDescriptor* field = descriptor.field(i);
      if (field->options().GetExtension(options::v1::field).output_only() || Below(3) == 0) continue;
      if (field->is_map()) {
        for (int entries = Below(3), n = 0; n < entries; ++n) {
          Message* entry = message.GetReflection()->AddMessage(&message, field);
          entry->GetReflection()->SetString(entry, entry->GetDescriptor()->map_key(),
                                            Text() + std::to_string(n));
          Set(*entry, entry->GetDescriptor()->map_value(), depth);
        }
      } else {
        for (int n = field->is_repeated() ? Below(4) : 1; n > 0; --n) Set(message, field, depth);
      }
    }
  }

 private:
  void Set(Message& message, const FieldDescriptor* field, int depth) {
    const Reflection& reflection = *message.GetReflection();
    const bool add = field->is_repeated();
    const auto put = [&](auto set, auto add_to, const auto& value) {
      add ? (reflection.*add_to)(&message, field, value) : (reflection.*set)(&message, field, value);
    };
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_BOOL:
        return put(&Reflection::SetBool, &Reflection::AddBool, Flip());
      case FieldDescriptor::CPPTYPE_INT32:
        return put(&Reflection::SetInt32, &Reflection::AddInt32, static_cast<int32_t>(Bits()));
      case FieldDescriptor::CPPTYPE_INT64:
        return put(&Reflection::SetInt64, &Reflection::AddInt64, static_cast<int64_t>(Bits()));
      case FieldDescriptor::CPPTYPE_UINT32:
        return put(&Reflection::SetUInt32, &Reflection::AddUInt32, static_cast<uint32_t>(Bits()));
      case FieldDescriptor::CPPTYPE_UINT64:
        return put(&Reflection::SetUInt64, &Reflection::AddUInt64, Bits());
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return put(&Reflection::SetDouble, &Reflection::AddDouble, Double());
      case FieldDescriptor::CPPTYPE_ENUM:
        return put(&Reflection::SetEnumValue, &Reflection::AddEnumValue,
                   field->enum_type()->value(1 + Below(field->enum_type()->value_count() - 1))->number());
      case FieldDescriptor::CPPTYPE_STRING: {
        std::string text;
        if (field->options().GetExtension(options::v1::field).json()) {
          JsonObject(4, text);
        } else {
          text = Text();
        }
        return put(&Reflection::SetString, &Reflection::AddString, text);
      }
      case FieldDescriptor::CPPTYPE_MESSAGE: {
        if (depth == 0 && !add && !message.GetDescriptor()->options().map_entry()) return;
        Message* inner =
            add ? reflection.AddMessage(&message, field) : reflection.MutableMessage(&message, field);
        if (auto* time = dynamic_cast<google::protobuf::Timestamp*>(inner)) {
          time->set_seconds(static_cast<int64_t>(Bits() % 315'537'897'600) - 62'135'596'800);
          time->set_nanos(Below(1000) * 1'000'000);
        } else if (depth > 0) {
          Fill(*inner, depth - 1);
        }
        return;
      }
      default:
        FAIL("a type without a JSON form: " << field->full_name());
    }
  }

  std::mt19937_64 engine_;
};

uint64_t NewSeed() { return std::random_device()(); }

TEST_CASE("parse(print(x)) = x for random messages of every type") {
  const uint64_t seed = NewSeed();
  INFO("seed " << seed);
  Random random(seed);
  std::set<const Descriptor*> types = {Everything::descriptor()};
  for (const auto* file :
       {token::v1::MintTokenRequest::descriptor()->file(), token::v1::Principal::descriptor()->file(),
        feedback::v1::RedeemTokenRequest::descriptor()->file(), feedback::v1::Prompt::descriptor()->file(),
        feedback::v1::Span::descriptor()->file(), feedback::v1::Judge::descriptor()->file(),
        feedback::v1::EvaluationInput::descriptor()->file(),
        aggregator::v1::FeedbackItem::descriptor()->file()}) {
    for (int i = 0; i < file->message_type_count(); ++i) types.insert(file->message_type(i));
  }
  JsonPlans plans;
  for (const Descriptor* type : types) {
    const MessagePlan& plan = **plans.Make(*type);
    const Message& prototype = *google::protobuf::MessageFactory::generated_factory()->GetPrototype(type);
    for (int i = 0; i < 50; ++i) {
      const std::unique_ptr<Message> message(prototype.New());
      random.Fill(*message, 3);
      const std::string json = ToJson(plan, *message);
      const std::unique_ptr<Message> read(prototype.New());
      const absl::Status status = ReadJson(plan, json, *read);
      INFO(type->full_name() << " " << json << " " << status);
      REQUIRE(status.ok());
      REQUIRE(google::protobuf::util::MessageDifferencer::Equals(*message, *read));
      REQUIRE(ToJson(plan, *read) == json);
    }
  }
}

TEST_CASE("an array that is an answer is one that is a body") {
  const uint64_t seed = NewSeed();
  INFO("seed " << seed);
  Random random(seed);
  const RouteTable routes = TestRoutes();
  Match match = routes.Find("POST", "/child/a");
  match.route = match.route->alternative.get();
  for (int i = 0; i < 100; ++i) {
    Everything sent;
    sent.set_text("a");
    for (int count = random.Below(5); count > 0; --count) random.Fill(*sent.add_children(), 1);
    std::string json;
    AppendResponse(*match.route, sent, json);
    INFO(json);
    Everything read;
    REQUIRE(ReadRequest(match, "", json, read).ok());
    REQUIRE(google::protobuf::util::MessageDifferencer::Equals(sent, read));
    json.resize(static_cast<size_t>(random.Below(static_cast<int>(json.size()))));
    CHECK(Reason(ReadRequest(match, "", json, read)) == "INVALID_JSON");
  }
}

TEST_CASE("a document cut short anywhere, or with a byte changed, is never an accident") {
  const uint64_t seed = NewSeed();
  INFO("seed " << seed);
  Random random(seed);
  JsonPlans plans;
  const MessagePlan& plan = **plans.Make(*Everything::descriptor());
  for (int i = 0; i < 100; ++i) {
    Everything message;
    random.Fill(message, 2);
    const std::string json = ToJson(plan, message);
    Everything read;
    const std::string cut = json.substr(0, static_cast<size_t>(random.Below(static_cast<int>(json.size()))));
    INFO(cut);
    CHECK(Reason(ReadJson(plan, cut, read)) == "INVALID_JSON");

    std::string changed = json;
    changed[static_cast<size_t>(random.Below(static_cast<int>(json.size())))] =
        static_cast<char>(random.Bits());
    read.Clear();
    if (ReadJson(plan, changed, read).ok()) {  // then it is a message like any other
      Everything again;
      REQUIRE(ReadJson(plan, ToJson(plan, read), again).ok());
      CHECK(google::protobuf::util::MessageDifferencer::Equals(read, again));
    }
  }
}

TEST_CASE("doubles are exact in both directions") {
  const uint64_t seed = NewSeed();
  INFO("seed " << seed);
  Random random(seed);
  JsonPlans plans;
  const MessagePlan& plan = **plans.Make(*Everything::descriptor());
  for (int i = 0; i < 20'000; ++i) {
    const double number = random.Double();
    char digits[64];
    std::snprintf(digits, sizeof digits, "%.17g", number);
    Everything read;
    REQUIRE(ReadJson(plan, std::string(R"({"number":)") + digits + "}", read).ok());
    REQUIRE(read.number() == std::strtod(digits, nullptr));
    REQUIRE(std::signbit(read.number()) == std::signbit(number));

    const std::string json = ToJson(plan, read);
    const size_t start = json.find(R"("number":)") + 9;
    REQUIRE(std::strtod(json.c_str() + start, nullptr) == number);
  }
}

TEST_CASE("integers are exact however they are written") {
  const uint64_t seed = NewSeed();
  INFO("seed " << seed);
  Random random(seed);
  for (int i = 0; i < 20'000; ++i) {
    const uint64_t magnitude = random.Bits() >> random.Below(64);
    const std::string digits = std::to_string(magnitude);
    // The same number, with the point and the exponent moved.
    const auto shift = static_cast<size_t>(random.Below(static_cast<int>(digits.size()) + 1));
    const std::string whole = shift == 0 ? "0" : digits.substr(0, shift);
    const std::string moved =
        whole + "." + digits.substr(shift) + "00e" + std::to_string(digits.size() - shift);
    INFO(moved);
    const auto integer = ParseInteger(moved);
    REQUIRE(integer);
    CHECK(integer->magnitude == magnitude);
  }
}

double CpuSeconds() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

std::string Repeat(std::string_view text, size_t bytes) {
  std::string repeated;
  while (repeated.size() < bytes) repeated += text;
  return repeated;
}

// Members of different names, `member(i)` after each.
template <typename Member>
std::string Members(size_t bytes, Member member) {
  std::string members;
  for (int i = 0; members.size() < bytes; ++i) {
    if (i > 0) members += ',';
    members += member(std::to_string(i));
  }
  return members;
}

TEST_CASE("no body costs more than CPU linear in its length") {
  constexpr size_t kBytes = 256 * 1024;
  // Measured: at most 30 ms in a debug build, for 85,000 messages. What is quadratic takes seconds.
  constexpr double kSecondsMax = 0.3;
  const auto object = [](const std::string& members) { return R"({"object":{)" + members + "}}"; };
  const auto number = [](const std::string& name, const std::string& text) {
    return "{\"" + name + "\":" + text + "}";
  };
  const std::string bodies[] = {
      std::string(200'000, '['),
      R"({"object":{"a":)" + std::string(200'000, '['),
      Repeat(R"({"child":)", kBytes),
      object(R"("a":[)" + Repeat("[[[[[[[[[[]]]]]]]]]],", kBytes) + "0]"),
      object(R"("a":[)" + Repeat(R"({"b":{"c":{"d":{}}}},)", kBytes) + "0]"),
      object(Members(kBytes, [](const auto& i) { return "\"" + i + "\":0"; })),
      object(Members(kBytes, [](const auto& i) { return "\"\\u0041" + i + "\":0"; })),
      object(Repeat(R"("a":0,)", kBytes) + R"("b":0)"),
      R"({"words":{)" + Members(kBytes, [](const auto& i) { return "\"" + i + "\":\"\""; }) + "}}",
      R"({"by_name":{)" + Members(kBytes, [](const auto& i) { return "\"" + i + "\":{}"; }) + "}}",
      "{" + Members(kBytes, [](const auto& i) { return "\"" + i + "\":0"; }) + "}",
      R"({"children":[)" + Repeat("{},", kBytes) + "{}]}",
      R"({"texts":[)" + Repeat(R"("",)", kBytes) + R"(""]})",
      R"({"int64s":[)" + Repeat("0,", kBytes) + "0]}",
      R"({"numbers":[)" + Repeat("2.2250738585072011e-308,", kBytes) + "0]}",
      number("number", std::string(kBytes, '9')),
      number("number", "0." + std::string(kBytes, '0') + "1"),
      number("number", "0." + std::string(kBytes, '9') + "e-300"),
      number("number", "1e" + std::string(kBytes, '9')),
      number("int64", std::string(kBytes, '9')),
      number("int64", "1" + std::string(kBytes, '0') + "e-" + std::to_string(kBytes)),
      number("int64", "0." + std::string(kBytes, '0') + "1e" + std::to_string(kBytes + 1)),
      number("text", "\"" + Repeat("\\n", kBytes) + "\""),
      number("text", "\"" + Repeat("\\ud83d\\udc4d", kBytes) + "\""),
      number("text", "\"" + Repeat("\xF0\x9F\x91\x8D", kBytes) + "\""),
      object("\"" + Repeat("\\u0041", kBytes) + "\":0"),
      object(R"("a":")" + Repeat("\\u001f", kBytes) + "\""),
      "{" + std::string(kBytes, ' ') + "}",
      "{\"" + std::string(kBytes, 'a') + "\":0}",
      "[" + Repeat("{},", kBytes) + "{}]",
      "[" + Repeat(R"({"number":0},)", kBytes) + "0]",
      "[{" + Members(kBytes, [](const auto& i) { return "\"" + i + "\":0"; }) + "}]",
      "[" + Repeat(R"({"a":[{"b":{}}]},)", kBytes) + "{}]",
      "[" + Repeat(R"({"epochs":[1795302271.0564847]},)", kBytes) + "{}]",
  };
  JsonPlans plans;
  const MessagePlan& plan = **plans.Make(*Everything::descriptor());
  const RouteTable routes = TestRoutes();
  const Match lenient = routes.Find("PUT", "/lenient/a");
  const Match array = routes.Find("POST", "/children");
  for (const std::string& body : bodies) {
    INFO(body.substr(0, 60));
    const double start = CpuSeconds();
    Everything strict_request;
    ReadJson(plan, body, strict_request).IgnoreError();
    const double strict = CpuSeconds() - start;
    Everything lenient_request;
    ReadRequest(lenient, "", body, lenient_request).IgnoreError();
    const double ignoring = CpuSeconds() - start - strict;
    Everything array_request;
    ReadRequest(array, "", body, array_request).IgnoreError();
    const double elements = CpuSeconds() - start - strict - ignoring;
    CHECK(strict < kSecondsMax);
    CHECK(ignoring < kSecondsMax);
    CHECK(elements < kSecondsMax);
  }
}

}  // namespace
}  // namespace verdict::gateway
