#include <chrono>
#include <utility>

#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "gateway/errors.h"
#include "gateway/json_reader.h"
#include "gateway/testing/codec_test_support.h"

// Bodies that are a field of the request rather than the request, times as numbers, and values of queries.
namespace verdict::gateway {
namespace {

using testing::Everything;

struct Bad {
  std::string body;
  const char* reason;
  const char* field;
};

void CheckAll(const Match& match, std::initializer_list<Bad> cases) {
  for (const Bad& test : cases) {
    INFO(test.body);
    Everything request;
    const absl::Status status = ReadRequest(match, "", test.body, request);
    CHECK(Reason(status) == test.reason);
    CHECK(Field(status) == test.field);
  }
}

TEST_CASE("what is only looked into is no reason to refuse a body") {
  const RouteTable routes = TestRoutes();
  const Match match = routes.Find("POST", "/child/a");
  const auto loose = [&](const std::string& value) {
    Everything request;
    REQUIRE(ReadRequest(match, "", R"({"loose":)" + value + R"(,"text":"b"})", request).ok());
    CHECK(request.child().text() == "b");
    return request.child().has_loose() ? request.child().loose() : "absent";
  };
  CHECK(loose(R"({"a":[1.50,{"b":"x"}]})") == R"({"a":[1.50,{"b":"x"}]})");
  CHECK(loose(R"({"a":123456789012345678901234567890123,"b":[1e400,2]})") == R"({"a":0,"b":[0,2]})");
  for (const char* other : {"null", "7", "1e400", "true", R"("{}")", "[]", R"([{"a":[1,1e400]}])"}) {
    CHECK(loose(other) == "absent");
  }
}

Match Array(const RouteTable& routes) {
  Match match = routes.Find("POST", "/child/a");
  match.route = match.route->alternative.get();
  return match;
}

TEST_CASE("a body may be one message of the request") {
  const RouteTable routes = TestRoutes();
  const Match match = routes.Find("POST", "/child/a");
  Everything request;
  REQUIRE(ReadRequest(match, "", R"( {"text":"b","child":{"text":"c"},"texts":["x"]} )", request).ok());
  CHECK(request.text() == "a");
  CHECK(request.child().text() == "b");  // not the one that the path sets
  CHECK(request.child().child().text() == "c");

  request.Clear();
  REQUIRE(ReadRequest(match, "", "{}", request).ok());
  CHECK(request.has_child());
  CheckAll(match, {
                      {R"({"flag":1})", "VALIDATION_ERROR", "flag"},
                      {R"({"child":{"flag":1}})", "VALIDATION_ERROR", "child.flag"},
                      {R"({"flag":true,"flag":true})", "DUPLICATE_KEY", "flag"},
                      {R"({"nothing":1})", "UNKNOWN_FIELD", "nothing"},
                      {"null", "VALIDATION_ERROR", "The body"},
                      {"7", "VALIDATION_ERROR", "The body"},
                      {"[{}]", "VALIDATION_ERROR", "The body"},
                      {"", "INVALID_JSON", ""},
                      {"{}{}", "INVALID_JSON", ""},
                  });
  CHECK(Reason(ReadRequest(match, "flag=true", "{}", request)) == "UNKNOWN_FIELD");
}

TEST_CASE("a body may be a list of messages of the request") {
  const RouteTable routes = TestRoutes();
  const Match match = Array(routes);
  Everything request;
  REQUIRE(ReadRequest(match, "", R"( [{"text":"b","children":[{}]},{},{"text":"c"}] )", request).ok());
  CHECK(request.text() == "a");
  REQUIRE(request.children_size() == 3);
  CHECK(request.children(0).text() == "b");
  CHECK(request.children(0).children_size() == 1);
  CHECK(request.children(2).text() == "c");

  request.Clear();
  REQUIRE(ReadRequest(match, "", "[]", request).ok());
  CHECK(request.children_size() == 0);
}

TEST_CASE("what is wrong in an array is named by field and place") {
  const RouteTable routes = TestRoutes();
  const Match match = Array(routes);
  CheckAll(match,
           {
               {"[null]", "VALIDATION_ERROR", "children[0]"},
               {"[{},7]", "VALIDATION_ERROR", "children[1]"},
               {"[{},\"x\"]", "VALIDATION_ERROR", "children[1]"},
               {"[[]]", "VALIDATION_ERROR", "children[0]"},
               {R"([{},{},{},{"time":"then"}])", "VALIDATION_ERROR", "children[3].time"},
               {R"([{"children":[{},{"flag":0}]}])", "VALIDATION_ERROR", "children[0].children[1].flag"},
               {R"([{},{"flag":true,"flag":true}])", "DUPLICATE_KEY", "children[1].flag"},
               {R"([{},{"nothing":1}])", "UNKNOWN_FIELD", "children[1].nothing"},
               {R"([{"text":"\u0000"}])", "INVALID_TEXT", "children[0].text"},
               {R"([{"\u0000":1}])", "INVALID_TEXT", "A member's name in children[0]"},
               {"{}", "VALIDATION_ERROR", "The body"},
               {"null", "VALIDATION_ERROR", "The body"},
               {"\"[]\"", "VALIDATION_ERROR", "The body"},
               {"", "INVALID_JSON", ""},
               {"[", "INVALID_JSON", ""},
               {"[{}", "INVALID_JSON", ""},
               {"[{},]", "INVALID_JSON", ""},
               {"[{}] []", "INVALID_JSON", ""},
               {"[{}]]", "INVALID_JSON", ""},
           });
  Everything request;
  CHECK(Message(ReadRequest(match, "", "{}", request)) == "The body must be a JSON array.");
  CHECK(Message(ReadRequest(match, "", "", request)) == "The body is empty; it must be a JSON array.");
  CHECK(Message(ReadRequest(match, "", "[1]", request)) == "children[0] must be an object.");

  std::string deep = "{}";
  for (int depth = 2; depth <= kJsonDepthMax; ++depth) deep = R"({"child":)" + deep + "}";
  CHECK_THAT(Message(ReadRequest(match, "", "[" + deep + "]", request)),
             Catch::Contains("nesting deeper than 32"));
  CHECK(ReadRequest(match, "", "[" + deep.substr(9, deep.size() - 10) + "]", request).ok());
}

TEST_CASE("elements of an array are lenient where their route is") {
  const RouteTable routes = TestRoutes();
  const Match match = routes.Find("POST", "/children");
  Everything request;
  REQUIRE(ReadRequest(match, "", R"([{"tags":{"a":[1]},"text":"b","input_data":null},{"tags":{}}])", request)
              .ok());
  REQUIRE(request.children_size() == 2);
  CHECK(request.children(0).text() == "b");
  CheckAll(match, {{R"([{"tags":1,"tags":2}])", "DUPLICATE_KEY", "children[0].tags"},
                   {R"([{"tags":{"a":1,"a":2}}])", "DUPLICATE_KEY", "children[0].tags.a"}});
}

TEST_CASE("a body has so many elements and no more, wherever they stand") {
  const RouteTable routes = TestRoutes();
  const Match match = routes.Find("POST", "/children");
  const auto elements = [](size_t count) {
    std::string json = "{}";
    for (size_t i = 1; i < count; ++i) json += ",{}";
    return json;
  };
  Everything request;
  CHECK(ReadRequest(match, "", "[" + elements(kJsonElementsMax) + "]", request).ok());
  const std::string many = elements(kJsonElementsMax + 1);
  for (const std::string& body : {"[" + many + "]", "[{\"children\":[" + many + "]}]"}) {
    request.Clear();
    CHECK(Reason(ReadRequest(match, "", body, request)) == "BODY_TOO_LARGE");
  }
  // What is not kept costs nothing, but the names of one element must all be known until it ends.
  const auto members = [](size_t count) {
    std::string text = R"({"other":{)";
    for (size_t i = 0; i < count; ++i) text += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":0";
    return text + "}}";
  };
  request.Clear();
  CHECK(Reason(ReadRequest(match, "", "[" + members(kJsonElementsMax) + "]", request)) == "BODY_TOO_LARGE");
  request.Clear();
  const std::string most = members(kJsonElementsMax - 1);
  CHECK(ReadRequest(match, "", "[" + most + "," + most + "]", request).ok());
  CHECK(request.children_size() == 2);
  request.Clear();
  CHECK(ReadRequest(match, "", "[{\"other\":[" + many + "]}]", request).ok());
}

TEST_CASE("a time may be seconds since 1970 where the contract says so") {
  const RouteTable routes = TestRoutes();
  const Match match = routes.Find("POST", "/everything/a");
  Everything request;
  REQUIRE(ReadRequest(match, "",
                      R"({"epoch":1795302271.0564847,"epochs":[0,"1970-01-01T00:00:01Z",1e3,-1.5]})", request)
              .ok());
  CHECK(request.epoch().seconds() == 1795302271);
  CHECK(request.epoch().nanos() == 56'485'000);
  REQUIRE(request.epochs_size() == 4);
  CHECK(request.epochs(1).seconds() == 1);
  CHECK(request.epochs(2).seconds() == 1000);
  CHECK(request.epochs(3).seconds() == -2);
  CHECK(request.epochs(3).nanos() == 500'000'000);
  CheckAll(match, {
                      {R"({"epoch":253402300800})", "VALIDATION_ERROR", "epoch"},
                      {R"({"epoch":-62135596801})", "VALIDATION_ERROR", "epoch"},
                      {R"({"epoch":1795302271056})", "VALIDATION_ERROR", "epoch"},
                      {R"({"epoch":1e400})", "VALIDATION_ERROR", "epoch"},
                      {R"({"epoch":"1795302271"})", "VALIDATION_ERROR", "epoch"},
                      {R"({"epoch":true})", "VALIDATION_ERROR", "epoch"},
                      {R"({"epochs":[0,"now"]})", "VALIDATION_ERROR", "epochs[1]"},
                      {R"({"time":0})", "VALIDATION_ERROR", "time"},
                      {R"({"epoch":"2026-01-01"})", "VALIDATION_ERROR", "epoch"},
                  });
  CHECK(Message(ReadRequest(match, "", R"({"epoch":[]})", request)) ==
        "epoch must be a time such as 2026-05-29T20:54:19.746Z, or seconds since 1970.");
}

TEST_CASE("queries say times, dates and truth as clients write them") {
  const RouteTable routes = TestRoutes();
  const Match match = routes.Find("GET", "/things/a");
  const auto seconds = [&](const std::string& time) {
    Everything request;
    const absl::Status status = ReadRequest(match, absl::StrCat("time=", time), std::nullopt, request);
    INFO(status);
    CHECK(status.ok());
    return request.time().seconds();
  };
  CHECK(seconds("2026-01-01T00:00:00Z") == 1767225600);
  CHECK(seconds("2026-01-01T00%3A00%3A00Z") == 1767225600);
  CHECK(seconds("2026-01-01") == 1767225600);
  CHECK(seconds("2026-01-01T00:00:00+01:00") == 1767222000);
  CHECK(seconds("2026-01-01T00%3A00%3A00%2B01:00") == 1767222000);
  CHECK(seconds("2026-01-01T00:00:00-01:00") == 1767229200);
  for (const char* time : {"2026-01-01%2000:00:00Z", "2026-01-01T00:00:00%2001:00", "2026-01", "2026-02-30",
                           "0", "", "2026-01-01+"}) {
    INFO(time);
    Everything request;
    CHECK(Field(ReadRequest(match, absl::StrCat("time=", time), std::nullopt, request)) == "time");
  }

  for (const auto& [text, value] :
       {std::pair("true", true), {"True", true}, {"false", false}, {"False", false}}) {
    Everything request;
    CHECK(ReadRequest(match, absl::StrCat("maybe_flag=", text), std::nullopt, request).ok());
    CHECK(request.has_maybe_flag());
    CHECK(request.maybe_flag() == value);
  }
  for (const char* text : {"TRUE", "tRue", "1", "yes", "False%20", ""}) {
    INFO(text);
    Everything request;
    CHECK(Field(ReadRequest(match, absl::StrCat("maybe_flag=", text), std::nullopt, request)) ==
          "maybe_flag");
  }
}

TEST_CASE("the documented filters are read") {
  const RouteTable routes = ContractRoutes();
  aggregator::v1::GetEntityFeedbackRequest request;
  REQUIRE(ReadRequest(routes.Find("GET", "/projects/p/feedback/trace/t"),
                      "kind=human_feedback&thumbs_up=true&created_after=2026-01-01T00:00:00+01:00&limit=10&"
                      "user_id=u%2F1&created_before=2026-02-01",
                      std::nullopt, request)
              .ok());
  CHECK(request.kind() == aggregator::v1::FEEDBACK_KIND_HUMAN_FEEDBACK);
  CHECK(request.thumbs_up());
  CHECK(request.limit() == 10);
  CHECK(request.created_after().seconds() == 1767222000);
  CHECK(request.created_before().seconds() == 1769904000);

  aggregator::v1::ListJudgeEvaluationsRequest evaluations;
  REQUIRE(ReadRequest(routes.Find("GET", "/projects/p/judges/j/evaluations"),
                      "limit=100&offset=0&start_date=2025-01-01T00%3A00%3A00Z&end_date=2025-02-01&"
                      "evaluation_result=False&feedback_state=without_user_feedback&other=1",
                      std::nullopt, evaluations)
              .ok());
  CHECK(evaluations.has_offset());
  CHECK(evaluations.has_evaluation_result());
  CHECK_FALSE(evaluations.evaluation_result());
  CHECK(evaluations.feedback_state() == aggregator::v1::FEEDBACK_STATE_WITHOUT_USER_FEEDBACK);
  CHECK(evaluations.end_date().seconds() == 1738368000);
  const absl::Status pending = ReadRequest(routes.Find("GET", "/projects/p/judges/j/evaluations"),
                                           "feedback_state=pending", std::nullopt, evaluations);
  CHECK(Reason(pending) == "VALIDATION_ERROR");
  CHECK(Field(pending) == "feedback_state");
}

TEST_CASE("spans are read as ZeroEval's clients send them") {
  const RouteTable routes = ContractRoutes();
  const Match match = routes.Find("POST", "/spans");
  feedback::v1::CreateSpansRequest request;
  REQUIRE(ReadRequest(
              match, "",
              R"([{"id":"c2d3","session_id":"s","trace_id":"t","parent_span_id":null,"name":"n","kind":"llm",
                           "started_at":1795302271.0564847,"ended_at":null,"duration_ms":1.5,"attributes":{"a":{}},
                           "tags":{},"session":{"id":"s","name":"chat","tags":{"x":"y"}},"ab_choices":[]},
                          {"trace_id":"t","name":"m","started_at":"2026-11-21T22:24:31.056Z","error_stack":""}])",
              request)
              .ok());
  REQUIRE(request.spans_size() == 2);
  CHECK(request.spans(0).started_at().seconds() == 1795302271);
  CHECK_FALSE(request.spans(0).has_parent_span_id());
  CHECK(request.spans(0).session().name() == "chat");
  CHECK(request.spans(1).started_at().nanos() == 56'000'000);

  const absl::Status status = ReadRequest(match, "", R"([{},{},{},{"started_at":[1795302271]}])", request);
  CHECK(Reason(status) == "VALIDATION_ERROR");
  CHECK(Field(status) == "spans[3].started_at");
}

TEST_CASE("a service's error names what is in the body as the body does") {
  const absl::Status error =
      MakeError(errors::v1::REASON_VALIDATION_ERROR,
                "evaluation.score is required. evaluation.score_min is none. project_id: see evaluation.",
                {.violations = {{"evaluation.score", "evaluation.score is required."},
                                {"evaluation.evaluation.x", "evaluation.evaluation.x is none."},
                                {"evaluation", "evaluation is required."},
                                {"project_id", "project_id: see evaluation."}},
                 .retry_after = std::chrono::seconds(2),
                 .metadata = {{"k", "v"}}});
  const absl::Status renamed = AboutBody(error, "evaluation");
  CHECK(Reason(renamed) == "VALIDATION_ERROR");
  CHECK(Message(renamed) == "score is required. score_min is none. project_id: see evaluation.");
  const ErrorDetails details = DetailsOf(renamed);
  REQUIRE(details.violations.size() == 4);
  CHECK(details.violations[0].field == "score");
  CHECK(details.violations[0].message == "score is required.");
  CHECK(details.violations[1].field == "evaluation.x");
  CHECK(details.violations[1].message == "evaluation.x is none.");
  CHECK(details.violations[2].field == "evaluation");
  CHECK(details.violations[3].message == "project_id: see evaluation.");
  CHECK(details.retry_after == std::chrono::seconds(2));
  CHECK(details.metadata.at("k") == "v");
}

}  // namespace
}  // namespace verdict::gateway
