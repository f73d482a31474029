#include <memory>
#include <string>

#include <catch2/catch.hpp>
#include <google/protobuf/util/message_differencer.h>

#include "gateway/json_values.h"
#include "gateway/testing/codec_test_support.h"
#include "gateway/testing/random_message.h"
#include "tests/support/seed.h"

// What must hold of every message and every number, tried on random ones.
namespace verdict::gateway {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::Message;
using testing::Everything;

TEST_CASE("parse(print(x)) = x for random messages of every type") {
  Random random(NewSeed("json round trip"));
  JsonPlans plans;
  for (const Descriptor* type : JsonTypes()) {
    const MessagePlan& plan = **plans.Make(*type, StyleOf(*type));
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
  Random random(NewSeed("json arrays"));
  const RouteTable routes = TestRoutes();
  Match match = routes.Find("POST", "/child/a");
  match.route = match.route->alternative.get();
  for (int i = 0; i < 100; ++i) {
    Everything sent;
    sent.set_text("a");
    for (int count = random.Below(5); count > 0; --count) random.Fill(*sent.add_children(), 1);
    std::string json;
    REQUIRE(AppendResponse(*match.route, sent.SerializeAsString(), json));
    INFO(json);
    Everything read;
    REQUIRE(ReadRequest(match, "", json, read).ok());
    REQUIRE(google::protobuf::util::MessageDifferencer::Equals(sent, read));
    json.resize(static_cast<size_t>(random.Below(static_cast<int>(json.size()))));
    CHECK(Reason(ReadRequest(match, "", json, read)) == "INVALID_JSON");
  }
}

TEST_CASE("a document cut short anywhere, or with a byte changed, is never an accident") {
  Random random(NewSeed("json cut short"));
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

TEST_CASE("integers are exact however they are written") {
  Random random(NewSeed("json integers"));
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

}  // namespace
}  // namespace verdict::gateway
