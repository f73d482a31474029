#include "gateway/openapi.h"

#include <algorithm>
#include <functional>
#include <set>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <catch2/catch.hpp>

#include "absl/strings/ascii.h"
#include "gateway/openapi_schema.h"
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

// The member of an object schema, through references; null when it has none of the name.
const value* Property(const value& schema, std::string_view name) {
  const auto& object = schema.as_object();
  if (const auto* ref = object.if_contains("$ref")) {
    const std::string_view pointer = ref->as_string();
    return Property(At(pointer.substr(1)), name);
  }
  const auto* properties = object.if_contains("properties");
  return properties != nullptr ? properties->as_object().if_contains(name) : nullptr;
}

// Whether an array of names has the name.
bool Has(const value& names, std::string_view name) {
  return std::ranges::find(names.as_array(), value(name)) != names.as_array().end();
}

const object& OperationOf(const Route& route) {
  return Contract()
      .at("paths")
      .at(route.path_template)
      .at(absl::AsciiStrToLower(std::string(route.verb)))
      .as_object();
}

// The parameter of the name, through references; null when there is none, or more than one.
const object* ParameterOf(const Route& route, std::string_view name) {
  const object* found = nullptr;
  for (const value& parameter : OperationOf(route).at("parameters").as_array()) {
    const auto* ref = parameter.as_object().if_contains("$ref");
    const value& itself = ref != nullptr ? At(std::string_view(ref->as_string()).substr(1)) : parameter;
    if (itself.at("name").as_string() != name) continue;
    if (found != nullptr) return nullptr;
    found = &itself.as_object();
  }
  return found;
}

// Checks that the schema has every limit of the field's rule.
void CheckLimits(const FieldPlan& field, const value& schema) {
  const auto& rule = *field.rule;
  if (rule.max_bytes() > 0) CHECK(schema.at("x-max-bytes") == rule.max_bytes());
  if (rule.max_bytes() > 0 && field.kind == FieldPlan::Kind::kString) {
    CHECK(schema.at("maxLength") == rule.max_bytes());
  }
  if ((rule.required() || rule.min_bytes() > 0) && field.kind == FieldPlan::Kind::kString)
    CHECK(schema.at("minLength") == 1);
  if (rule.has_min()) CHECK(schema.at("minimum").to_number<double>() == rule.min());
  if (rule.has_max()) CHECK(schema.at("maximum").to_number<double>() == rule.max());
  if (rule.max_items() > 0) {
    CHECK(schema.at(field.is_map() ? "maxProperties" : "maxItems") == rule.max_items());
  }
}

// Checks the schema of a message in a body, and those within: every field, what it takes, and whether it must
// be there.
void CheckBody(const MessagePlan& message, const value& schema, bool is_strict, const Route* body_of) {
  const value& whole = schema.as_object().contains("$ref")
                           ? At(std::string_view(schema.at("$ref").as_string()).substr(1))
                           : schema;
  CHECK(whole.at("additionalProperties") == !is_strict);
  for (const FieldPlan& field : message.fields) {
    INFO(field.field->full_name());
    const value* property = Property(whole, field.name);
    if (body_of != nullptr && IsSetByPath(*body_of, field)) {
      CHECK(property == nullptr);
      continue;
    }
    REQUIRE(property != nullptr);
    CheckLimits(field, *property);
    const auto* required = whole.as_object().if_contains("required");
    CHECK((required != nullptr && Has(*required, field.name)) == field.rule->required());
    const value* choices = property->as_object().if_contains("oneOf");
    const value* type = property->as_object().if_contains("type");
    const bool may_be_null = choices != nullptr ? choices->as_array().back() == value{{"type", "null"}}
                                                : type != nullptr && type->is_array();
    CHECK(may_be_null == !field.rule->required());
    if (field.is_list() && field.message != nullptr) {
      CheckBody(*field.message, property->at("items"), is_strict, nullptr);
    }
  }
}

// Checks that there is an example of a media type's content, for each RPC.
void CheckExamples(const value& media, size_t count) {
  const auto& examples = media.at("examples").as_object();
  CHECK(examples.size() == count);
  for (const auto& example : examples) {
    INFO(example.value());
    CHECK(boost::json::serialize(example.value()).find("null") == std::string::npos);
  }
}

TEST_CASE("every RPC with a route is an operation of the document, with all that its caller needs") {
  const RouteTable routes = ContractRoutes();
  REQUIRE(routes.routes().size() == 38);
  std::set<const Route*> alternatives;
  for (const Route* route : routes.routes()) alternatives.insert(route->alternative.get());
  REQUIRE(alternatives.size() == 3);  // two, and none
  std::set<std::string> ids;
  for (const Route* route : routes.routes()) {
    if (alternatives.contains(route)) continue;  // described with the one whose route it shares
    INFO(route->rpc);
    const object& operation = OperationOf(*route);
    CHECK(ids.insert(std::string(operation.at("operationId").as_string())).second);
    CHECK_FALSE(operation.at("description").as_string().empty());
    CHECK(operation.at("description").as_string().starts_with(operation.at("summary").as_string()));
    CHECK(operation.contains("requestBody") == route->has_body);
    CHECK_FALSE(operation.at("security").as_array().empty());
  }
}

TEST_CASE("every parameter is documented, with its limits and an example") {
  const RouteTable routes = ContractRoutes();
  for (const Route* route : routes.routes()) {
    for (const FieldPlan& field : route->request_plan->fields) {
      INFO(route->rpc << " " << field.name);
      const bool is_in_path = IsSetByPath(*route, field);
      if (route->has_body && !is_in_path) continue;
      const bool is_message = field.kind == FieldPlan::Kind::kMessage;
      const FieldPlan& leaf = is_message ? field.message->fields[0] : field;
      const std::string name = is_message ? ToString({&field, &leaf}) : std::string(field.name);
      const object* parameter = ParameterOf(*route, name);
      REQUIRE(parameter != nullptr);
      CHECK(parameter->at("in") == (is_in_path ? "path" : "query"));
      CHECK(parameter->at("required") == (field.rule->required() && (!is_message || leaf.rule->required())));
      CHECK_FALSE(parameter->at("example").is_null());
      CheckLimits(leaf, parameter->at("schema"));
    }
    CHECK((ParameterOf(*route, "Idempotency-Key") != nullptr) == route->rest->idempotency_key());
    CHECK((ParameterOf(*route, "If-None-Match") != nullptr) == route->rest->etag());
    CHECK(ParameterOf(*route, "X-Request-Id") != nullptr);
  }
}

TEST_CASE("every field of a body is documented, with its limits and an example") {
  const RouteTable routes = ContractRoutes();
  size_t count = 0;
  for (const Route* route : routes.routes()) {
    if (!route->has_body) continue;
    INFO(route->rpc);
    const value& media = OperationOf(*route).at("requestBody").at("content").at("application/json");
    const auto* choices = media.at("schema").as_object().if_contains("oneOf");
    const bool is_strict = !route->rest->ignore_unknown_fields();
    CheckExamples(media, choices != nullptr ? 2 : 1);
    const value& schema =
        choices != nullptr ? choices->as_array()[route->takes_array() ? 1 : 0] : media.at("schema");
    if (route->body_field == nullptr) {
      CheckBody(*route->request_plan, schema, is_strict, route);
    } else {
      CheckBody(*route->body_field->message, route->takes_array() ? schema.at("items") : schema, is_strict,
                nullptr);
    }
    if (route->takes_array()) CheckLimits(*route->body_field, schema);
    ++count;
  }
  CHECK(count == 12);
}

TEST_CASE("every answer is documented: its fields, headers and example, and every reason to refuse") {
  const RouteTable routes = ContractRoutes();
  for (const Route* route : routes.routes()) {
    INFO(route->rpc);
    const auto& responses = OperationOf(*route).at("responses").as_object();
    const value& success = responses.at(route->answers_nothing() ? "204" : "200");
    CHECK(success.at("headers").as_object().contains("X-Request-Id"));
    CHECK(success.at("headers").as_object().contains("ETag") == route->rest->etag());
    CHECK(responses.contains("304") == route->rest->etag());
    if (!route->answers_nothing()) {
      const value& media =
          success.at("content").at(route->answers_lines() ? "application/x-ndjson" : "application/json");
      const auto* choices = media.at("schema").as_object().if_contains("oneOf");
      CheckExamples(media, choices != nullptr ? 2 : 1);
      const MessagePlan* shown = route->answers_lines() ? route->items->message
                                 : route->response_body ? route->response_body->message
                                                        : route->response_plan;
      const value& schema =
          choices != nullptr ? choices->as_array()[route->takes_array() ? 1 : 0] : media.at("schema");
      const bool is_list = route->response_body != nullptr && route->response_body->is_list();
      for (const FieldPlan& field : shown->fields) {
        INFO(field.name);
        CHECK(Property(is_list ? schema.at("items") : schema, field.name) != nullptr);
      }
    }
    for (const char* status : {"400", "401", "408", "413", "414", "415", "431", "500", "503", "504"}) {
      CHECK(responses.contains(status));
    }
    CHECK(responses.contains("403") == route->auth->has_scope());
    CHECK(responses.contains("429") == route->auth->has_scope());
    CHECK(responses.contains("422") == route->rest->idempotency_key());
    for (const std::string& name : route->rest->reasons()) {
      INFO(name);
      errors::v1::Reason reason;
      REQUIRE(errors::v1::Reason_Parse("REASON_" + name, &reason));
      const bool is_otlp = route->rest->otlp();
      const value& error = responses.at(std::to_string(RuleOf(reason).http_status()))
                               .at("content")
                               .at(is_otlp ? "application/json" : "application/problem+json");
      const value& narrowed = error.at("schema").at("allOf").at(1);
      const char* names =
          is_otlp ? "/properties/details/contains/properties/reason/enum" : "/properties/code/enum";
      CHECK(Has(narrowed.at_pointer(names), name));
      CHECK(error.at("examples").as_object().contains(name));
    }
  }
}

TEST_CASE("the paths that call no RPC are documented") {
  for (const char* path : {"/healthz", "/readyz", "/openapi.json"}) {
    CHECK(Contract().at("paths").at(path).at("get").at("responses").as_object().contains("200"));
  }
  CHECK(At("/paths/~1readyz/get/responses").as_object().contains("503"));
  CHECK(At("/paths/~1api~1v1~1feedback/options/responses").as_object().contains("204"));
  CHECK_FALSE(At("/paths/~1spans").as_object().contains("options"));
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
  CHECK(properties.at("reason").at("type") == Names({"string", "null"}));
  CHECK(properties.at("reason").at("maxLength") == 65536);
  CHECK(properties.at("reason").at("x-max-bytes") == 65536);
  CHECK(properties.at("reason").at("description") == "Why, at most 64 KiB.");
  CHECK(properties.at("reason").at("examples").at(0) == "Response was too vague");
  CHECK(properties.at("metadata").at("type") == Names({"object", "null"}));
  CHECK(properties.at("metadata").at("x-max-bytes") == 16384);
  CHECK(properties.at("judge_id").at("format") == "uuid");
  CHECK(properties.at("expected_score").at("type") == Names({"number", "null"}));
  CHECK(properties.at("score_direction").at("oneOf").at(0).at("$ref") ==
        "#/components/schemas/ScoreDirection");
  CHECK(properties.at("criteria_feedback").at("additionalProperties").at("oneOf").at(0).at("$ref") ==
        "#/components/schemas/CriterionFeedbackInput");
  CHECK(At("/components/schemas/ScoreDirection/enum") == Names({"too_high", "too_low"}));
  CHECK(At("/components/schemas/Person/required") == Names({"id"}));
  CHECK_FALSE(At("/components/schemas/Person").as_object().contains("additionalProperties"));
  CHECK(At("/components/schemas/PersonInput/additionalProperties") == false);

  const auto& mint =
      At("/paths/~1api~1v1~1feedback~1token/post/requestBody/content/application~1json/schema");
  CHECK(mint.at("required") == Names({"resource_type", "resource_id"}));
  const auto& expires_in = mint.at("properties").at("expires_in_seconds");
  CHECK(expires_in.at("type") == Names({"integer", "null"}));
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
  CHECK(array.at("items").at("$ref") == "#/components/schemas/SpanInput");
  CHECK(array.at("maxItems") == 10000);
  CHECK(At("/components/schemas/SpanInput/required") == Names({"trace_id", "name", "started_at"}));
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

TEST_CASE("OTLP is documented in both its encodings, and its errors in both of theirs") {
  const std::string post = "/paths/~1v1~1traces/post";
  const auto& content = At(post + "/requestBody/content").as_object();
  REQUIRE(content.size() == 2);
  CHECK(content.at("application/x-protobuf") == object());
  const auto& schema = content.at("application/json").at("schema");
  CHECK(schema.at("additionalProperties") == true);
  CHECK(schema.at("properties").at("resourceSpans").at("items").at("$ref") ==
        "#/components/schemas/ResourceSpansInput");
  CHECK(content.at("application/json").at("examples").at("Export").at("value").as_object().size() == 1);

  // Three packages have a Span.
  const auto& span = At("/components/schemas/TraceSpanInput/properties");
  CHECK(span.at("traceId").at("type") == boost::json::array({"string", "null"}));
  const auto& time = span.at("startTimeUnixNano").at("oneOf").as_array();
  REQUIRE(time.size() == 3);
  CHECK(time[0].at("type") == "number");  // one that is none of 64 bits is absent
  CHECK(time[1].at("pattern") == "^(0|[1-9][0-9]{0,18})$");
  CHECK(time[2].at("type") == "null");
  CHECK(At("/components/schemas/SpanInput/properties").as_object().contains("started_at"));
  CHECK(At("/components/schemas/AggregatorSpan/properties").as_object().contains("project_id"));
  const auto& value_of = At("/components/schemas/AnyValueInput/properties").as_object();
  CHECK(value_of.at("doubleValue").at("oneOf").at(1).at("type") == "string");
  CHECK(value_of.at("intValue").at("oneOf").at(0).at("type") == "number");

  const auto& answer = At(post + "/responses/200/content").as_object();
  REQUIRE(answer.size() == 2);
  const auto& success = At("/components/schemas/ExportTracePartialSuccess");
  CHECK(success.at("properties").at("rejectedSpans").at("type") == "string");
  CHECK_FALSE(success.as_object().contains("required"));
  CHECK_FALSE(boost::json::serialize(answer.at("application/json").at("examples")).empty());

  const auto types = [&](const char* status) {
    std::set<std::string> names;
    for (const auto& type : At(post + "/responses/" + status + "/content").as_object())
      names.emplace(type.key());
    return names;
  };
  using Names = std::set<std::string>;
  for (const char* status : {"401", "403", "413", "415", "429", "500", "503", "504"}) {
    CHECK(types(status) == Names{"application/json", "application/x-protobuf"});
  }
  for (const char* status : {"400", "408"}) {  // also before the route is known
    CHECK(types(status) == Names{"application/json", "application/x-protobuf", "application/problem+json"});
  }
  for (const char* status : {"414", "431"}) CHECK(types(status) == Names{"application/problem+json"});
  const auto& status = At("/components/examples/STATUS_UNAUTHENTICATED/value");
  CHECK(status.at("code") == 16);
  CHECK(status.at("details").at(0).at("@type") == "type.googleapis.com/google.rpc.ErrorInfo");
  CHECK(status.at("details").at(0).at("reason") == "UNAUTHENTICATED");
  CHECK(At(post + "/responses/401/headers").as_object().contains("WWW-Authenticate"));
  CHECK(At(post + "/responses/429/headers").as_object().contains("RateLimit"));
}

TEST_CASE("an answer that is streamed may be an array, and a path may end in a verb") {
  for (const char* path : {"/paths/~1spans", "/paths/~1traces", "/paths/~1sessions"}) {
    const auto& schema = At(std::string(path) + "/get/responses/200/content/application~1json/schema");
    CHECK(schema.at("type") == "array");
    CHECK_FALSE(schema.as_object().contains("maxItems"));
  }
  const std::string pin = "/paths/~1projects~1{project_id}~1prompts~1{slug}~1tags~1{tag}:pin/post";
  CHECK(At(pin + "/operationId") == "PinPromptTag");
  CHECK(At(pin + "/parameters/2/name") == "tag");
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
  const auto& started = At("/components/schemas/SpanInput/properties/started_at/oneOf").as_array();
  REQUIRE(started.size() == 2);
  CHECK(started[0].at("format") == "date-time");
  CHECK(started[1].at("type") == "number");
  CHECK(At("/components/schemas/SpanInput/properties/started_at/description") == "When it started.");
  const auto& required = At("/components/schemas/Evaluation/required").as_array();
  CHECK(std::ranges::find(required, value("evaluation_result")) != required.end());
  CHECK(std::ranges::find(required, value("criteria_scores")) == required.end());
}

TEST_CASE("parameters stand in path, query and header") {
  const auto& parameters =
      At("/paths/~1v1~1prompts~1{prompt_slug}~1completions~1{completion_id}~1feedback/get/parameters")
          .as_array();
  REQUIRE(parameters.size() == 5);
  CHECK(parameters[2].at("name") == "created_by.id");
  CHECK(parameters[2].at("in") == "query");
  CHECK(parameters[2].at("required") == false);
  CHECK(parameters[3].at("name") == "judge_id");
  const auto& token = At("/paths/~1api~1v1~1feedback~1token/get/parameters/0");
  CHECK(token.at("name") == "token");
  CHECK(token.at("in") == "query");
  CHECK(token.at("required") == true);
  CHECK(At("/paths/~1api~1v1~1feedback~1token/post/parameters/0/$ref") ==
        "#/components/parameters/Idempotency-Key");
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
  CHECK(content.at("schema").at("allOf").at(0).at("$ref") == "#/components/schemas/Problem");
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
