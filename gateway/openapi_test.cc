#include "gateway/openapi.h"

#include <algorithm>
#include <functional>
#include <set>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <catch2/catch.hpp>

#include "absl/strings/ascii.h"
#include "gateway/testing/codec_test_support.h"

namespace verdict::gateway {
namespace {

using boost::json::object;
using boost::json::value;

// The document of the contracts.
const value& Contract() {
  static const value document = boost::json::parse(*MakeOpenApi(ContractRoutes()));
  return document;
}

const value& At(std::string_view pointer) { return Contract().at_pointer(pointer); }

value Names(std::initializer_list<std::string_view> names) {
  boost::json::array array;
  for (const std::string_view name : names) array.emplace_back(name);
  return array;
}

// Calls `visit` with every object of the document.
void ForEachObject(const value& node, const std::function<void(const object&)>& visit) {
  if (const auto* array = node.if_array()) {
    for (const value& element : *array) ForEachObject(element, visit);
  } else if (const auto* members = node.if_object()) {
    visit(*members);
    for (const auto& member : *members) ForEachObject(member.value(), visit);
  }
}

TEST_CASE("every RPC with a route is an operation of the document, with all that its caller needs") {
  const RouteTable routes = ContractRoutes();
  REQUIRE(routes.routes().size() == 26);
  std::set<const Route*> alternatives;
  for (const Route* route : routes.routes()) alternatives.insert(route->alternative.get());
  REQUIRE(alternatives.size() == 3);  // two, and none
  std::set<std::string> ids;
  for (const Route* route : routes.routes()) {
    if (alternatives.contains(route)) continue;  // described with the one whose route it shares
    INFO(route->rpc);
    const auto& path = Contract().at("paths").at(route->path_template).as_object();
    const auto& operation = path.at(absl::AsciiStrToLower(std::string(route->verb))).as_object();
    CHECK(ids.insert(std::string(operation.at("operationId").as_string())).second);
    CHECK_FALSE(operation.at("description").as_string().empty());
    CHECK(operation.at("description").as_string().starts_with(operation.at("summary").as_string()));
    CHECK(operation.contains("requestBody") == route->has_body);
    CHECK_FALSE(operation.at("security").as_array().empty());
    const auto& responses = operation.at("responses").as_object();
    CHECK(responses.contains(route->answers_nothing() ? "204" : "200"));
    for (const char* status : {"400", "401", "429", "500", "503", "504"}) CHECK(responses.contains(status));
    CHECK(responses.contains("403") == route->auth->has_scope());
    CHECK(responses.contains("413") == route->has_body);
    for (const FieldPath& variable : route->variables) {
      size_t count = 0;
      for (const value& parameter : operation.at("parameters").as_array()) {
        const bool is_it =
            parameter.at("in") == "path" && parameter.at("name").as_string() == ToString(variable);
        if (is_it) CHECK(parameter.at("required") == true);
        count += is_it ? 1 : 0;
      }
      CHECK(count == 1);
    }
  }
}

TEST_CASE("every reference resolves") {
  size_t count = 0;
  ForEachObject(Contract(), [&](const object& node) {
    const auto* ref = node.if_contains("$ref");
    if (!ref) return;
    const std::string_view pointer = ref->as_string();
    INFO(std::string(pointer));
    REQUIRE(pointer.substr(0, 2) == "#/");
    boost::json::error_code ec;
    CHECK(Contract().find_pointer(pointer.substr(1), ec));
    ++count;
  });
  CHECK(count > 50);
}

TEST_CASE("everything has a description, and every example is one") {
  ForEachObject(Contract(), [](const object& node) {
    INFO(node);
    if (const auto* description = node.if_contains("description"); description && description->is_string()) {
      CHECK_FALSE(description->as_string().empty());
    }
    if (const auto* fallback = node.if_contains("default")) CHECK_FALSE(fallback->is_null());
    if (const auto* examples = node.if_contains("examples"); examples && examples->is_array()) {
      CHECK_FALSE(examples->as_array().at(0).is_null());
    }
  });
}

TEST_CASE("schemas say what the contract says of the fields") {
  const std::string submit =
      "/paths/~1v1~1prompts~1{prompt_slug}~1completions~1{completion_id}~1feedback/post";
  const auto& body = At(submit + "/requestBody/content/application~1json/schema");
  CHECK(body.at("required") == Names({"thumbs_up"}));
  CHECK(body.at("additionalProperties") == false);
  const auto& properties = body.at("properties").as_object();
  CHECK_FALSE(properties.contains("prompt_slug"));  // in the path
  CHECK(properties.at("thumbs_up").at("type") == "boolean");
  CHECK(properties.at("reason").at("maxLength") == 65536);
  CHECK(properties.at("reason").at("x-max-bytes") == 65536);
  CHECK(properties.at("reason").at("description") == "Why, at most 64 KiB.");
  CHECK(properties.at("reason").at("examples").at(0) == "Response was too vague");
  CHECK(properties.at("metadata").at("type") == "object");
  CHECK(properties.at("metadata").at("x-max-bytes") == 16384);
  CHECK(properties.at("judge_id").at("format") == "uuid");
  CHECK(properties.at("expected_score").at("type") == "number");
  CHECK(properties.at("score_direction").at("$ref") == "#/components/schemas/ScoreDirection");
  CHECK(properties.at("criteria_feedback").at("additionalProperties").at("$ref") ==
        "#/components/schemas/CriterionFeedback");
  CHECK(At("/components/schemas/ScoreDirection/enum") == Names({"too_high", "too_low"}));
  CHECK(At("/components/schemas/Person/required") == Names({"id"}));
  CHECK(At("/components/schemas/Person/additionalProperties") == false);

  const auto& mint =
      At("/paths/~1api~1v1~1feedback~1token/post/requestBody/content/application~1json/schema");
  CHECK(mint.at("required") == Names({"resource_type", "resource_id"}));
  const auto& expires_in = mint.at("properties").at("expires_in_seconds");
  CHECK(expires_in.at("type") == "integer");
  CHECK(expires_in.at("minimum") == 1);
  CHECK(expires_in.at("maximum") == 86400);
  CHECK(expires_in.at("default") == 3600);

  const auto& item = At("/components/schemas/FeedbackItem");
  CHECK(item.at("required") == Names({"id"}));
  CHECK(item.at("properties").at("created_at").at("format") == "date-time");
  CHECK_FALSE(item.as_object().contains("additionalProperties"));
  CHECK(At("/components/schemas/GetEntityFeedbackResponse/required") == Names({"entity_id", "items"}));
}

TEST_CASE("a body may be an array, and either where two RPCs share a route") {
  const auto& spans = At("/paths/~1spans/post/requestBody");
  CHECK_THAT(std::string(spans.at("description").as_string()),
             Catch::Contains("4 MiB") && Catch::Contains("gzip"));
  const auto& array = spans.at("content").at("application/json").at("schema");
  CHECK(array.at("type") == "array");
  CHECK(array.at("items").at("$ref") == "#/components/schemas/Span");
  CHECK(At("/components/schemas/Span/required") == Names({"trace_id", "name", "started_at"}));
  CHECK(At("/paths/~1spans/post/responses/200/content/application~1json/schema/type") == "array");

  const std::string record = "/paths/~1projects~1{project_id}~1judges~1{judge_id}~1evaluations/post";
  CHECK(At(record + "/operationId") == "RecordEvaluation");
  CHECK_THAT(std::string(At(record + "/description").as_string()),
             Catch::Contains("\n\nWith an array: Records up to 1,000 evaluations"));
  const auto& bodies = At(record + "/requestBody/content/application~1json/schema/oneOf").as_array();
  REQUIRE(bodies.size() == 2);
  CHECK(bodies[0].at("$ref") == "#/components/schemas/EvaluationInput");
  CHECK(bodies[1].at("items").at("$ref") == "#/components/schemas/EvaluationInput");
  const auto& answers = At(record + "/responses/200/content/application~1json/schema/oneOf").as_array();
  REQUIRE(answers.size() == 2);
  CHECK(answers[0].at("$ref") == "#/components/schemas/Evaluation");
  CHECK(answers[1].at("$ref") == "#/components/schemas/RecordEvaluationsResponse");
  CHECK(At(record + "/responses/404/content").as_object().size() == 1);

  CHECK(At("/paths/~1signals~1projects~1{project_id}~1automations~1{automation_id}/patch/operationId") ==
        "UpdateJudge");
}

TEST_CASE("an answer may be lines where two RPCs share a route") {
  const std::string list = "/paths/~1projects~1{project_id}~1feedback/get";
  CHECK(At(list + "/operationId") == "ListFeedback");
  CHECK_THAT(std::string(At(list + "/description").as_string()),
             Catch::Contains("\n\nWith `Accept: application/x-ndjson`: Streams"));
  const auto& content = At(list + "/responses/200/content").as_object();
  REQUIRE(content.size() == 2);
  CHECK(content.at("application/json").at("schema").at("$ref") ==
        "#/components/schemas/ListFeedbackResponse");
  CHECK(content.at("application/x-ndjson").at("schema").at("$ref") == "#/components/schemas/FeedbackItem");
}

TEST_CASE("a time that may be a number is both, and maps may be absent") {
  const auto& started = At("/components/schemas/Span/properties/started_at/oneOf").as_array();
  REQUIRE(started.size() == 2);
  CHECK(started[0].at("format") == "date-time");
  CHECK(started[1].at("type") == "number");
  CHECK(At("/components/schemas/Span/properties/started_at/description") == "When it started.");
  const auto& required = At("/components/schemas/Evaluation/required").as_array();
  CHECK(std::ranges::find(required, value("evaluation_result")) != required.end());
  CHECK(std::ranges::find(required, value("criteria_scores")) == required.end());
}

TEST_CASE("parameters stand in path, query and header") {
  const auto& parameters =
      At("/paths/~1v1~1prompts~1{prompt_slug}~1completions~1{completion_id}~1feedback/get/parameters")
          .as_array();
  REQUIRE(parameters.size() == 4);
  CHECK(parameters[2].at("name") == "created_by.id");
  CHECK(parameters[2].at("in") == "query");
  CHECK(parameters[2].at("required") == false);
  CHECK(parameters[3].at("name") == "judge_id");
  const auto& token = At("/paths/~1api~1v1~1feedback~1token/get/parameters/0");
  CHECK(token.at("name") == "token");
  CHECK(token.at("in") == "query");
  CHECK(token.at("required") == true);
  CHECK(At("/paths/~1api~1v1~1feedback~1token/post/parameters/0/name") == "Idempotency-Key");
}

TEST_CASE("credentials are those of the auth rule") {
  CHECK(At("/paths/~1api~1v1~1feedback~1token/post/security/0/api_key/0") == "token");
  CHECK(At("/paths/~1api~1v1~1feedback~1token/post/security/1/x_api_key/0") == "token");
  const auto& peek = At("/paths/~1api~1v1~1feedback/get/security").as_array();
  REQUIRE(peek.size() == 1);
  CHECK(peek[0].as_object().contains("feedback_token"));
  CHECK(At("/paths/~1api~1v1~1feedback/post/security").as_array().size() == 2);
}

TEST_CASE("errors are listed by status, each reason with its problem document") {
  const auto& gone = At("/paths/~1api~1v1~1feedback/post/responses/410");
  const auto& content = gone.at("content").at("application/problem+json");
  CHECK(content.at("schema").at("$ref") == "#/components/schemas/Problem");
  const auto& examples = content.at("examples").as_object();
  CHECK(examples.size() == 3);
  CHECK(examples.at("TOKEN_USED").at("$ref") == "#/components/examples/TOKEN_USED");
  const auto& used = At("/components/examples/TOKEN_USED/value");
  CHECK(used.at("status") == 410);
  CHECK(used.at("code") == "TOKEN_USED");
  for (const value& name : At("/components/schemas/Problem/required").as_array()) {
    CHECK(used.as_object().contains(name.as_string()));
  }
  CHECK(used.as_object().size() == At("/components/schemas/Problem/properties").as_object().size());
  CHECK(At("/paths/~1api~1v1~1feedback/post/responses/503/headers").as_object().contains("Retry-After"));
}

TEST_CASE("a reason that does not exist stops the gateway") {
  const auto* service = testing::Everything::descriptor()->file()->FindServiceByName("WithUnknownReason");
  const RouteTable routes = *RouteTable::Build({{service}});
  const auto document = MakeOpenApi(routes);
  REQUIRE_FALSE(document.ok());
  CHECK_THAT(Message(document.status()), Catch::Contains("NO_SUCH_REASON is no reason"));
}

}  // namespace
}  // namespace verdict::gateway
