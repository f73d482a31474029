#include "gateway/route_table.h"

#include <catch2/catch.hpp>

#include "gateway/testing/codec_test_support.h"

namespace verdict::gateway {
namespace {

std::string NameOf(const Match& match) { return match.route ? match.route->method->name() : ""; }

TEST_CASE("a request finds the RPC of its method and path") {
  const RouteTable routes = ContractRoutes();
  struct Case {
    const char* method;
    const char* path;
    const char* rpc;
  };
  const Case cases[] = {
      {"POST", "/api/v1/feedback/token", "MintToken"},
      {"GET", "/api/v1/feedback/token", "VerifyToken"},
      {"HEAD", "/api/v1/feedback/token", "VerifyToken"},
      {"DELETE", "/api/v1/feedback/token/0190", "RevokeToken"},
      {"POST", "/api/v1/feedback", "RedeemToken"},
      {"GET", "/api/v1/feedback", "PeekToken"},
      {"POST", "/v1/prompts/bot/completions/c1/feedback", "SubmitCompletionFeedback"},
      {"GET", "/v1/prompts/bot/completions/c1/feedback", "GetCompletionFeedback"},
      {"DELETE", "/v1/prompts/bot/completions/c1/feedback", "WithdrawCompletionFeedback"},
      {"GET", "/v1/prompts/bot", "GetPrompt"},
      {"GET", "/projects/p/feedback/span/s", "GetEntityFeedback"},
      {"GET", "/projects/p/feedback/0190", "GetFeedback"},
      {"DELETE", "/projects/p/feedback/0190", "DeleteFeedback"},
      {"GET", "/projects/p/feedback", "ListFeedback"},
      {"DELETE", "/projects/p/users/u%2F1", "EraseUser"},
      {"POST", "/spans", "CreateSpans"},
      {"POST", "/projects/p/judges/j/evaluations", "RecordEvaluation"},
      {"GET", "/projects/p/judges/j/evaluations", "ListJudgeEvaluations"},
      {"GET", "/projects/p/judges/j/criteria", "GetJudgeCriteria"},
      {"GET", "/projects/p/spans/s/evaluations", "ListSpanEvaluations"},
      {"POST", "/signals/projects/p/automations", "CreateJudge"},
      {"PATCH", "/signals/projects/p/automations/j", "UpdateJudge"},
      {"POST", "/signals/projects/p/prompts/q/judges/j/link", "LinkJudge"},
      {"POST", "/v1/traces", "Export"},
      {"GET", "/traces", "ListTraces"},
      {"GET", "/spans", "ListSpans"},
      {"POST", "/projects/p/prompts/s/tags/production:pin", "PinPromptTag"},
  };
  for (const Case& test : cases) {
    INFO(test.method << " " << test.path);
    const Match match = routes.Find(test.method, test.path);
    CHECK(match.status.ok());
    CHECK(NameOf(match) == test.rpc);
  }
}

TEST_CASE("a route knows what the contract says of it") {
  const RouteTable routes = ContractRoutes();
  const Match match = routes.Find("POST", "/v1/prompts/bot/completions/c1/feedback");
  REQUIRE(match.route);
  const Route& route = *match.route;
  CHECK(route.rpc == "/verdict.feedback.v1.FeedbackService/SubmitCompletionFeedback");
  CHECK(route.verb == "POST");
  CHECK(route.has_body);
  CHECK(route.auth->scope() == options::v1::SCOPE_WRITE);
  CHECK(route.rest->idempotency_key());
  REQUIRE(route.response_body);
  CHECK(route.response_body->name == "feedback");
  CHECK_FALSE(route.answers_nothing());
  REQUIRE(route.variables.size() == 2);
  CHECK(ToString(route.variables[1]) == "completion_id");

  CHECK(routes.Find("DELETE", "/v1/prompts/bot/completions/c1/feedback").route->answers_nothing());
  CHECK(routes.Find("GET", "/projects/p/feedback/span/s").route->items->name == "items");
}

TEST_CASE("two RPCs share a route when the request tells which is meant") {
  const RouteTable contract = ContractRoutes();
  const Route& record = *contract.Find("POST", "/projects/p/judges/j/evaluations").route;
  CHECK(record.body_field->name == "evaluation");
  REQUIRE(record.alternative);
  CHECK(record.alternative->method->name() == "RecordEvaluations");
  CHECK(record.alternative->takes_array());
  CHECK(record.alternative->variables.size() == 2);

  const PathRoutes& feedback = *contract.Find("GET", "/projects/p/feedback").path;
  CHECK(feedback.allow == "GET, HEAD");
  REQUIRE(feedback.routes.size() == 1);
  REQUIRE(feedback.routes[0]->alternative);
  CHECK(feedback.routes[0]->alternative->method->name() == "ExportFeedback");
  CHECK(feedback.routes[0]->alternative->answers_lines());
  CHECK(feedback.routes[0]->alternative->items->name == "items");

  // Whichever of the two the contract names first.
  const RouteTable routes = TestRoutes();
  const Route& child = *routes.Find("POST", "/child/a").route;
  CHECK(child.method->name() == "PutChild");
  REQUIRE(child.alternative);
  CHECK(child.alternative->method->name() == "PutChildren");
}

TEST_CASE("variables are split from the encoded path and decoded one by one") {
  const RouteTable routes = ContractRoutes();
  const Match match = routes.Find("GET", "/v1/prompts/support%20bot%2F%C3%A9+x/completions/%2e%2e/feedback");
  REQUIRE(match.status.ok());
  REQUIRE(match.variables.size() == 2);
  CHECK(match.variables[0] == "support bot/\xC3\xA9+x");
  CHECK(match.variables[1] == "..");
}

TEST_CASE("decoded variables survive a move of the match") {
  const RouteTable routes = ContractRoutes();
  const std::string path = "/v1/prompts/a%62";
  Match match = routes.Find("GET", path);
  const Match moved = std::move(match);
  CHECK(moved.variables[0] == "ab");
}

TEST_CASE("paths are not normalised") {
  const RouteTable routes = ContractRoutes();
  for (const char* path : {
           "",
           "/",
           "//",
           "api/v1/feedback",
           "/api/v1/feedback/",
           "/api//v1/feedback",
           "//api/v1/feedback",
           "/api/v1/./feedback",
           "/api/v1/x/../feedback",
           "/API/v1/feedback",
           "/api/v1/feedbac%6B",
           "/api/v1/feedback/token/",
           "/v1/prompts//completions/c/feedback",
           "/v1/prompts/../completions/c/feedback",
           "/v1/prompts/./completions/c/feedback",
           "/v1/prompts/bot/completions/c/feedback/more",
           "/projects/{project_id}",
       }) {
    INFO(path);
    const Match match = routes.Find("GET", path);
    CHECK(Reason(match.status) == "ROUTE_NOT_FOUND");
    CHECK_FALSE(match.path);
    CHECK_FALSE(match.route);
    CHECK(match.variables.empty());
  }
}

TEST_CASE("what a segment decodes to must be text") {
  const RouteTable routes = ContractRoutes();
  struct Case {
    const char* path;
    const char* reason;
  };
  const Case cases[] = {
      {"/v1/prompts/a%00b", "INVALID_TEXT"}, {"/v1/prompts/a%", "BAD_REQUEST"},
      {"/v1/prompts/a%2", "BAD_REQUEST"},    {"/v1/prompts/a%2G", "BAD_REQUEST"},
      {"/v1/prompts/a%G2", "BAD_REQUEST"},   {"/v1/prompts/%FF", "BAD_REQUEST"},
      {"/v1/prompts/%C0%AF", "BAD_REQUEST"}, {"/v1/prompts/%ED%A0%80", "BAD_REQUEST"},
      {"/v1/prompts/\xFF", "BAD_REQUEST"},   {"/v1/prompts/%F4%90%80%80", "BAD_REQUEST"},
      {"/v1/prompts/%E2%82", "BAD_REQUEST"}, {"/v1/prompts/%u0041", "BAD_REQUEST"},
  };
  for (const Case& test : cases) {
    INFO(test.path);
    const Match match = routes.Find("GET", test.path);
    CHECK(Reason(match.status) == test.reason);
    CHECK(Field(match.status) == "slug");
  }
  CHECK(routes.Find("GET", "/v1/prompts/\xC3\xA9").variables[0] == "\xC3\xA9");
  CHECK(routes.Find("GET", "/v1/prompts/%F0%9F%91%8D").variables[0] == "\xF0\x9F\x91\x8D");
}

TEST_CASE("another method of a known path is told which it takes") {
  const RouteTable routes = ContractRoutes();
  const Match match = routes.Find("PUT", "/v1/prompts/bot/completions/c1/feedback");
  CHECK(Reason(match.status) == "METHOD_NOT_ALLOWED");
  REQUIRE(match.path);
  CHECK(match.path->allow == "DELETE, GET, HEAD, POST");
  CHECK_FALSE(match.path->cors);
  CHECK(DetailsOf(match.status).metadata.at("allow") == match.path->allow);

  const Match redemption = routes.Find("OPTIONS", "/api/v1/feedback");
  CHECK(Reason(redemption.status) == "METHOD_NOT_ALLOWED");
  REQUIRE(redemption.path);
  CHECK(redemption.path->cors);
  CHECK(redemption.path->allow == "GET, HEAD, OPTIONS, POST");

  CHECK(Reason(routes.Find("get", "/api/v1/feedback").status) == "METHOD_NOT_ALLOWED");
}

TEST_CASE("literal segments win over variables, and give way where they lead nowhere") {
  const RouteTable routes = TestRoutes();
  CHECK(NameOf(routes.Find("GET", "/things/mine")) == "GetMine");
  CHECK(NameOf(routes.Find("GET", "/things/yours")) == "GetThing");
  CHECK(NameOf(routes.Find("GET", "/things/mine%20")) == "GetThing");
  CHECK(Reason(routes.Find("DELETE", "/things/mine").status) == "METHOD_NOT_ALLOWED");
  const Match parts = routes.Find("GET", "/things/mine/parts");
  CHECK(NameOf(parts) == "ListParts");
  REQUIRE(parts.variables.size() == 1);
  CHECK(parts.variables[0] == "mine");
}

TEST_CASE("a verb behind the last variable is no part of it, as long as it is spelled as it is") {
  const RouteTable contract = ContractRoutes();
  const auto tag_of = [&](const char* segment) {
    const std::string path = "/projects/p/prompts/s/tags/" + std::string(segment);
    const Match match = contract.Find("POST", path);
    return match.route ? std::string(match.variables.at(2)) : Reason(match.status);
  };
  CHECK(tag_of("production:pin") == "production");
  CHECK(tag_of("a:pin:pin") == "a:pin");
  CHECK(tag_of("a%3Apin:pin") == "a:pin");
  CHECK(tag_of(".:pin") == ".");
  for (const char* other : {"production", "production%3Apin", "production:", "production:PIN",
                            "production:pin:", ":pin", "pin", "production:pin/", "production:%70in"}) {
    INFO(other);
    CHECK(tag_of(other) == "ROUTE_NOT_FOUND");
  }
  const Match put = contract.Find("PUT", "/projects/p/prompts/s/tags/production:pin");
  CHECK(Reason(put.status) == "METHOD_NOT_ALLOWED");
  CHECK(put.path->allow == "POST");

  // Where the variable alone is a path, too, the verb decides.
  const RouteTable routes = TestRoutes();
  CHECK(NameOf(routes.Find("POST", "/things/mine:pin")) == "PinThing");
  CHECK(Reason(routes.Find("GET", "/things/a:pin").status) == "METHOD_NOT_ALLOWED");
  CHECK(routes.Find("GET", "/things/a%3Apin").variables[0] == "a:pin");
  CHECK(routes.Find("GET", "/things/a:b").variables[0] == "a:b");
  CHECK(routes.Find("GET", "/things/:pin").variables[0] == ":pin");
  CHECK(NameOf(routes.Find("GET", "/things/a:pin/parts")) == "ListParts");
}

TEST_CASE("a path variable may set a field of an inner message") {
  const RouteTable routes = TestRoutes();
  const Match match = routes.Find("PATCH", "/nested/a/7");
  REQUIRE(match.status.ok());
  testing::Everything request;
  REQUIRE(ReadRequest(match, "", R"({"child":{"flag":true}})", request).ok());
  CHECK(request.child().text() == "a");
  CHECK(request.child().int32() == 7);
  CHECK(request.child().flag());

  const absl::Status twice = ReadRequest(match, "", R"({"child":{"text":"b"}})", request);
  CHECK(Reason(twice) == "UNKNOWN_FIELD");
  CHECK(Field(twice) == "child.text");
  CHECK(ReadRequest(match, "", R"({"text":"b","child":{"child":{"text":"c"}}})", request).ok());
}

TEST_CASE("a contract that cannot be served stops the gateway") {
  struct Case {
    const char* service;
    const char* why;
  };
  const Case cases[] = {
      {"WithoutAuth", "who may call it"},
      {"WithEmptyAuth", "who may call it"},
      {"WithAdminRoute", "admin RPC has no route"},
      {"WithConflict", "its route is that of verdict.gateway.testing.WithConflict.Get"},
      {"WithUnknownVariable", "{nothing} is not a field"},
      {"WithRepeatedVariable", "{texts} is not a field"},
      {"WithVariableTwice", "{text} is not a field"},
      {"WithWildcard", "{text=**} is not a field"},
      {"WithEmptySegment", "its path has a segment"},
      {"WithAdditionalBinding", "more than one route"},
      {"WithUnknownResponseBody", "response_body is no field"},
      {"WithStreamIntoNothing", "neither stream_into nor ndjson names its list"},
      {"WithTwoObjects", "its route is that of verdict.gateway.testing.WithTwoObjects.Put"},
      {"WithTwoArrays", "its route is that of verdict.gateway.testing.WithTwoArrays.Put"},
      {"WithThreeBodies", "its route is that of verdict.gateway.testing.WithThreeBodies.Put"},
      {"WithArrayOrNothing", "its route is that of verdict.gateway.testing.WithArrayOrNothing.Put"},
      {"WithTwoScopes", "its route is that of verdict.gateway.testing.WithTwoScopes.Put"},
      {"WithTwoLimits", "its route is that of verdict.gateway.testing.WithTwoLimits.Put"},
      {"WithLinesOfPost", "its route is that of verdict.gateway.testing.WithLinesOfPost.Put"},
      {"WithLinesOfText", "its lines would be no objects"},
      {"WithLinesOfNothing", "neither stream_into nor ndjson names its list"},
      {"WithLinesOfOneMessage", "only streams have lines"},
      {"WithBodyOfNothing", "neither * nor a message"},
      {"WithBodyOfText", "neither * nor a message"},
      {"WithBodyOfTime", "neither * nor a message"},
      {"WithBodyOfMap", "neither * nor a message"},
      {"WithBodyInPath", "its path sets what its body is"},
      {"WithStreamedRequests", "requests cannot be streamed"},
      {"WithVerbInside", "its path has a segment"},
      {"WithVerbOfLiteral", "its path has a segment"},
      {"WithEmptyVerb", "its path has a segment"},
      {"WithVerbTwice", "its route is that of verdict.gateway.testing.WithVerbTwice.Get"},
      {"WithOtherResponseBody", "its response_body is not what it streams into"},
      {"WithOtlpInPath", "OTLP's bodies are whole messages"},
      {"WithOtlpAndQuery", "OTLP's bodies are whole messages"},
      {"WithOtlpOfEnums", "HasEnum.colour: enum has no JSON form"},
      {"WithBytes", "HasBytes.data: bytes has no JSON form"},
      {"WithNumberedMap", "HasNumberedMap.words: message has no JSON form"},
  };
  for (const Case& test : cases) {
    INFO(test.service);
    const auto* service = testing::Everything::descriptor()->file()->FindServiceByName(test.service);
    REQUIRE(service);
    const auto table = RouteTable::Build({{service}});
    REQUIRE_FALSE(table.ok());
    CHECK_THAT(Message(table.status()), Catch::Contains(test.why));
  }
}

}  // namespace
}  // namespace verdict::gateway
