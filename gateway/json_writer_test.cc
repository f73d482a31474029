#include "gateway/json_writer.h"

#include <cmath>
#include <limits>
#include <map>

#include <catch2/catch.hpp>

#include "gateway/testing/codec_test_support.h"

namespace verdict::gateway {
namespace {

using testing::Everything;

TEST_CASE("an empty message shows what cannot be absent") {
  JsonPlans plans;
  CHECK(
      ToJson(**plans.Make(*Everything::descriptor()), Everything()) ==
      R"({"text":"","flag":false,"int32":0,"int64":0,"uint32":0,"uint64":0,"number":0,)"
      R"("texts":[],"int64s":[],"colours":[],"times":[],"children":[],"objects":[],"flags":[],"numbers":[],)"
      R"("epochs":[]})");
  CHECK(ToJson(**plans.Make(*testing::Empty::descriptor()), testing::Empty()) == "{}");
}

TEST_CASE("every kind of field is written") {
  JsonPlans plans;
  aggregator::v1::FeedbackItem item;
  item.set_kind(aggregator::v1::FEEDBACK_KIND_HUMAN_FEEDBACK);
  item.set_id("i");
  item.set_thumbs_up(false);
  item.set_reason("\"\\/\b\f\n\r\t\x01\x1f\x7f\xC3\xA9\xF0\x9F\x91\x8D");
  item.set_metadata(R"({"n": 1.10})");
  item.mutable_created_at()->set_seconds(1780088059);
  item.mutable_created_at()->set_nanos(746'999'999);
  item.mutable_created_by()->set_id("u");
  item.mutable_created_by()->set_name("");
  CHECK(ToJson(**plans.Make(*item.descriptor()), item) ==
        "{\"kind\":\"human_feedback\",\"id\":\"i\",\"thumbs_up\":false,"
        "\"reason\":\"\\\"\\\\/\\u0008\\u000c\\n\\r\\t\\u0001\\u001f\x7F\xC3\xA9\xF0\x9F\x91\x8D\","
        "\"metadata\":{\"n\": 1.10},\"created_at\":\"2026-05-29T20:54:19.746Z\",\"created_by\":{\"id\":\"u\","
        "\"name\":\"\"}}");
}

TEST_CASE("numbers are numbers, exactly") {
  JsonPlans plans;
  const MessagePlan& everything = **plans.Make(*Everything::descriptor());
  Everything message;
  message.set_int64(std::numeric_limits<int64_t>::min());
  message.set_uint64(std::numeric_limits<uint64_t>::max());
  for (const double number : {0.1, 3600.0, 1e22, -0.0, 5e-324, 1.7976931348623157e308})
    message.add_numbers(number);
  const std::string json = ToJson(everything, message);
  CHECK_THAT(json, Catch::Contains(R"("int64":-9223372036854775808,)"));
  CHECK_THAT(json, Catch::Contains(R"("uint64":18446744073709551615,)"));
  CHECK_THAT(json, Catch::Contains(R"("numbers":[0.1,3600,1e+22,-0,5e-324,1.7976931348623157e+308])"));
}

TEST_CASE("what JSON has no word for is left out") {
  JsonPlans plans;
  const MessagePlan& plan = **plans.Make(*Everything::descriptor());
  Everything message;
  message.set_colour(static_cast<testing::Colour>(77));
  message.set_maybe_number(std::numeric_limits<double>::quiet_NaN());
  message.set_number(std::numeric_limits<double>::infinity());
  message.set_object("");
  const std::string json = ToJson(plan, message);
  CHECK_THAT(json, !Catch::Contains("\"colour\":") && !Catch::Contains("number\":") &&
                       !Catch::Contains("\"object\":"));

  // The same behind the items of a stream.
  const RouteTable routes = TestRoutes();
  ResponseStream stream(*routes.Find("GET", "/things/t/parts").route);
  std::string streamed;
  CHECK(stream.Append(Everything().SerializeAsString(), streamed));
  CHECK(stream.Append(message.SerializeAsString(), streamed));
  stream.Finish(streamed);
  CHECK_THAT(streamed, Catch::EndsWith("\"children\":[]}"));
}

TEST_CASE("maps are sorted by key, whatever order they were filled in") {
  JsonPlans plans;
  const MessagePlan& plan = **plans.Make(*Everything::descriptor());
  Everything message;
  std::string expected;
  for (int i = 0; i < 100; ++i) {
    const std::string key = absl::StrCat(10 + (i * 37) % 90, i < 90 ? "" : "\xC3\xA9", i);
    (*message.mutable_words())[key] = "";
  }
  std::map<std::string, std::string> sorted(message.words().begin(), message.words().end());
  for (const auto& [key, value] : sorted)
    absl::StrAppend(&expected, expected.empty() ? "" : ",", "\"", key, "\":\"\"");
  CHECK_THAT(ToJson(plan, message), Catch::Contains("\"words\":{" + expected + "}"));
}

TEST_CASE("what is no message is refused") {
  JsonPlans plans;
  const MessagePlan& plan = **plans.Make(*Everything::descriptor());
  const auto is_written = [&](const std::string& bytes) {
    std::string json;
    return AppendJson(plan, bytes, json);
  };
  Everything message;
  message.set_text("a");
  message.add_numbers(1);
  message.mutable_child()->set_text("b");
  const std::string bytes = message.SerializeAsString();
  CHECK(is_written(bytes));
  for (size_t size = 1; size < bytes.size(); ++size) {
    Everything cut;
    INFO(size);
    CHECK(is_written(bytes.substr(0, size)) == cut.ParseFromString(bytes.substr(0, size)));
  }
  std::string no_utf8 = bytes;
  no_utf8[bytes.find('a')] = '\xFF';
  CHECK_FALSE(is_written(no_utf8));
  // As deep as protobuf goes, and deeper.
  Everything* innermost = &message;
  for (int depth = 1; depth <= 110; ++depth) {
    innermost = innermost->mutable_child();
    message.set_text(std::to_string(depth));
    const std::string nested = message.SerializeAsString();
    Everything parsed;
    INFO(depth);
    CHECK(is_written(nested) == parsed.ParseFromString(nested));
  }
}

TEST_CASE("what the contract does not know is passed over, and of what stands twice the last counts") {
  JsonPlans plans;
  const MessagePlan& plan = **plans.Make(*testing::Empty::descriptor());
  Everything message;
  message.set_text("a");
  message.set_number(1.5);
  std::string json;
  CHECK(AppendJson(plan, message.SerializeAsString(), json));
  CHECK(json == "{}");

  const MessagePlan& everything = **plans.Make(*Everything::descriptor());
  Everything later;
  later.set_text("b");
  later.add_texts("2");
  later.add_numbers(2);
  message.add_texts("1");
  message.add_numbers(1);
  json.clear();
  CHECK(AppendJson(everything, message.SerializeAsString() + later.SerializeAsString(), json));
  message.MergeFrom(later);
  CHECK(json == ToJson(everything, message));
}

TEST_CASE("a list that is the answer is a bare array") {
  const RouteTable routes = ContractRoutes();
  const Route& route = *routes.Find("POST", "/spans").route;
  feedback::v1::CreateSpansResponse response;
  std::string json;
  CHECK(AppendResponse(route, response.SerializeAsString(), json));
  CHECK(json == "[]");
  for (const char* id : {"a", "b"}) response.add_spans()->set_id(id);
  json.clear();
  CHECK(AppendResponse(route, response.SerializeAsString(), json));
  CHECK(json == R"([{"id":"a","trace_id":"","name":""},{"id":"b","trace_id":"","name":""}])");
}

TEST_CASE("the messages of a stream become lines, one an item") {
  const RouteTable routes = ContractRoutes();
  const Route& route = *routes.Find("GET", "/projects/p/feedback").route->alternative;
  ResponseStream stream(route);
  std::string json;
  aggregator::v1::ExportFeedbackResponse page;
  CHECK(stream.Append(page.SerializeAsString(), json));
  CHECK(json.empty());
  page.add_items()->set_id("1");
  page.add_items()->set_reason("a\nb");
  CHECK(stream.Append(page.SerializeAsString(), json));
  CHECK(stream.Append(page.SerializeAsString(), json));
  stream.Finish(json);
  const std::string lines = "{\"id\":\"1\"}\n{\"id\":\"\",\"reason\":\"a\\nb\"}\n";
  CHECK(json == lines + lines);
}

TEST_CASE("a stream whose response_body is its list is that array and nothing else") {
  const RouteTable routes = TestRoutes();
  const Route& route = *routes.Find("GET", "/children").route;
  Everything page;
  page.set_text("left out");
  std::string json;
  ResponseStream empty(route);
  CHECK(empty.Append(page.SerializeAsString(), json));
  empty.Finish(json);
  CHECK(json == "[]");

  json.clear();
  ResponseStream stream(route);
  CHECK(stream.Append(page.SerializeAsString(), json));
  page.set_maybe_text("left out, too");
  page.add_children()->set_text("a");
  page.add_children();
  CHECK(stream.Append(page.SerializeAsString(), json));
  page.clear_children();
  CHECK(stream.Append(page.SerializeAsString(), json));
  page.add_children()->set_text("b");
  CHECK(stream.Append(page.SerializeAsString(), json));
  stream.Finish(json);
  JsonPlans plans;
  const MessagePlan& plan = **plans.Make(*Everything::descriptor());
  const auto child = [&](const char* text) {
    Everything message;
    message.set_text(text);
    return ToJson(plan, message);
  };
  CHECK(json == "[" + child("a") + "," + child("") + "," + child("b") + "]");
}

TEST_CASE("a route shows its response_body") {
  const RouteTable routes = ContractRoutes();
  feedback::v1::PinPromptTagResponse response;
  response.mutable_tag()->set_tag("production");
  response.mutable_tag()->set_version(3);
  std::string json;
  CHECK(AppendResponse(*routes.Find("POST", "/projects/p/prompts/s/tags/production:pin").route,
                       response.SerializeAsString(), json));
  CHECK(json == R"({"tag":"production","version":3,"version_id":""})");

  token::v1::VerifyTokenResponse verified;
  verified.set_valid(true);
  verified.set_resource_type(types::v1::ENTITY_TYPE_EVAL_RUN);
  json.clear();
  CHECK(AppendResponse(*routes.Find("GET", "/api/v1/feedback/token").route, verified.SerializeAsString(),
                       json));
  CHECK(json == R"({"valid":true,"resource_type":"eval_run","resource_id":""})");
}

TEST_CASE("the messages of a stream become one object") {
  const RouteTable routes = ContractRoutes();
  const Route& route = *routes.Find("GET", "/projects/p/feedback/span/s").route;
  aggregator::v1::GetEntityFeedbackResponse head;
  head.set_entity_id("s");
  head.mutable_summary()->set_total(3);
  aggregator::v1::GetEntityFeedbackResponse page;
  page.add_items()->set_id("1");
  page.add_items()->set_id("2");
  aggregator::v1::GetEntityFeedbackResponse last;
  last.add_items()->set_id("3");
  const std::string summary =
      R"({"total":3,"human_feedback_count":0,"judge_evaluation_count":0,"thumbs_up_count":0,"thumbs_down_count":0})";

  SECTION("in several messages") {
    ResponseStream stream(route);
    std::string json;
    CHECK(stream.Append(head.SerializeAsString(), json));
    CHECK(stream.Append(page.SerializeAsString(), json));
    CHECK(stream.Append(aggregator::v1::GetEntityFeedbackResponse().SerializeAsString(), json));
    CHECK(stream.Append(last.SerializeAsString(), json));
    stream.Finish(json);
    CHECK(json ==
          R"({"entity_id":"s","summary":)" + summary + R"(,"items":[{"id":"1"},{"id":"2"},{"id":"3"}]})");
  }
  SECTION("in the first message alone, with items or without") {
    ResponseStream stream(route);
    std::string json;
    CHECK(stream.Append(head.SerializeAsString(), json));
    stream.Finish(json);
    CHECK(json == R"({"entity_id":"s","summary":)" + summary + R"(,"items":[]})");

    head.MergeFrom(last);
    ResponseStream with_items(route);
    json.clear();
    CHECK(with_items.Append(head.SerializeAsString(), json));
    CHECK(with_items.Append(page.SerializeAsString(), json));
    with_items.Finish(json);
    CHECK(json ==
          R"({"entity_id":"s","summary":)" + summary + R"(,"items":[{"id":"3"},{"id":"1"},{"id":"2"}]})");
  }
  SECTION("what a later message sets besides items follows them") {
    ResponseStream stream(route);
    std::string json;
    CHECK(stream.Append(page.SerializeAsString(), json));
    last.set_entity_type(types::v1::ENTITY_TYPE_SPAN);
    CHECK(stream.Append(last.SerializeAsString(), json));
    stream.Finish(json);
    CHECK(json == R"({"entity_id":"","items":[{"id":"1"},{"id":"2"},{"id":"3"}],"entity_type":"span"})");
  }
}

}  // namespace
}  // namespace verdict::gateway
