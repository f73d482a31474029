#include "gateway/openapi.h"

#include <map>
#include <set>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "common/status/macros.h"
#include "gateway/contract_comments.h"
#include "gateway/openapi_schema.h"
#include "gateway/problem.h"

namespace verdict::gateway {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;
using errors::v1::Reason;

constexpr std::string_view kDescription =
    "Stores what people and judges think of the output of LLM applications, and gives it back per span, "
    "trace "
    "and session.\n\n"
    "Texts are UTF-8 without U+0000; `x-max-bytes` limits their length in bytes. A member that is null "
    "equals "
    "an absent one. Bodies nest at most 32 deep, and have at most 100,000 elements of lists and maps. "
    "Answers "
    "leave out what has no value, and may gain "
    "members.\n\n"
    "Every error is a problem document (RFC 9457) whose `code` is stable. Every answer carries "
    "`X-Request-Id`, "
    "the caller's own where it sends a sane one.";

constexpr std::string_view kBody = "At most 256 KiB.";
constexpr std::string_view kIngestBody =
    "At most 4 MiB. `Content-Encoding: gzip` is taken too, of what is at most 16 MiB when inflated.";

// How a reason's problem document looks; what the gateway itself would answer.
value ProblemExample(Reason reason) {
  const Response response =
      ProblemResponse(MakeError(reason, RuleOf(reason).example()), "0190a0f1c5d87c3e8d0f4b6a7e9c2d11");
  return boost::json::parse(response.body);
}

object ProblemSchema() {
  array codes;
  const auto* reasons = errors::v1::Reason_descriptor();
  for (int i = 0; i < reasons->value_count(); ++i) {
    const auto reason = static_cast<Reason>(reasons->value(i)->number());
    if (reason != errors::v1::REASON_UNSPECIFIED) codes.emplace_back(ReasonName(reason));
  }
  const object text{{"type", "string"}};
  const object violation{{"type", "object"},
                         {"properties", {{"field", text}, {"message", text}}},
                         {"required", {"field", "message"}}};
  const object error{{"type", "object"},
                     {"description", "The same for clients of EvalGuard."},
                     {"properties", {{"code", text}, {"message", text}, {"requestId", text}}},
                     {"required", {"code", "message", "requestId"}}};
  return {
      {"type", "object"},
      {"description", "A problem document, RFC 9457."},
      {"properties",
       {{"type", {{"type", "string"}, {"format", "uri"}}},
        {"title", text},
        {"status", {{"type", "integer"}}},
        {"detail", text},
        {"instance", {{"type", "string"}, {"format", "uri"}, {"description", "Names the request."}}},
        {"code",
         {{"type", "string"}, {"enum", std::move(codes)}, {"description", "The reason. Never renamed."}}},
        {"errors",
         {{"type", "array"}, {"items", violation}, {"description", "The fields to correct, if that is it."}}},
        {"success", {{"const", false}}},
        {"error", error}}},
      {"required", {"type", "title", "status", "detail", "instance", "code", "errors", "success", "error"}}};
}

object SecuritySchemes() {
  return {{"api_key", {{"type", "http"}, {"scheme", "bearer"}, {"description", "An API key."}}},
          {"x_api_key",
           {{"type", "apiKey"}, {"in", "header"}, {"name", "x-api-key"}, {"description", "An API key."}}},
          {"feedback_token",
           {{"type", "http"},
            {"scheme", "bearer"},
            {"description", "A feedback token, as minting answered it."}}}};
}

object Header(std::string_view description, std::string_view type = "string") {
  return {{"description", description}, {"schema", {{"type", type}}}};
}

// The reasons for which a route refuses: those that follow from its rules, and those that the contract names.
absl::StatusOr<std::set<Reason>> ReasonsOf(const Route& route) {
  namespace v1 = errors::v1;
  std::set<Reason> reasons = {
      v1::REASON_BAD_REQUEST,  v1::REASON_UNAUTHENTICATED,   v1::REASON_REQUEST_TIMEOUT,
      v1::REASON_URI_TOO_LONG, v1::REASON_HEADERS_TOO_LARGE, v1::REASON_RATE_LIMITED,
      v1::REASON_INTERNAL,     v1::REASON_UNIMPLEMENTED,     v1::REASON_OVERLOADED,
      v1::REASON_UNAVAILABLE,  v1::REASON_DEADLINE_EXCEEDED};
  if (!route.request_plan->fields.empty()) {
    reasons.insert({v1::REASON_VALIDATION_ERROR, v1::REASON_INVALID_TEXT, v1::REASON_DUPLICATE_KEY});
  }
  if (!route.variables.empty()) reasons.insert(v1::REASON_ROUTE_NOT_FOUND);
  if (!route.rest->ignore_unknown_query() || (route.has_body && !route.rest->ignore_unknown_fields())) {
    reasons.insert(v1::REASON_UNKNOWN_FIELD);
  }
  if (route.has_body) {
    reasons.insert({v1::REASON_INVALID_JSON, v1::REASON_BODY_TOO_LARGE, v1::REASON_UNSUPPORTED_MEDIA_TYPE});
  }
  if (route.auth->has_scope()) reasons.insert({v1::REASON_SCOPE_REQUIRED, v1::REASON_PERMISSION_DENIED});
  if (route.rest->idempotency_key()) {
    reasons.insert({v1::REASON_IDEMPOTENCY_IN_PROGRESS, v1::REASON_IDEMPOTENCY_MISMATCH});
  }
  for (const std::string& name : route.rest->reasons()) {
    Reason reason;
    if (!v1::Reason_Parse("REASON_" + name, &reason)) {
      return InternalError(absl::StrCat(route.method->full_name(), ": ", name, " is no reason"));
    }
    reasons.insert(reason);
  }
  return reasons;
}

class Document {
 public:
  Document(const RouteTable& routes, const ContractComments& comments)
      : routes_(routes), comments_(comments), schemas_(comments) {}

  absl::StatusOr<std::string> Make() {
    std::set<const Route*> alternatives;
    for (const Route* route : routes_.routes()) {
      schemas_.AddRequest(*route);
      alternatives.insert(route->alternative.get());
    }
    object paths;
    array tags;
    const google::protobuf::ServiceDescriptor* service = nullptr;
    for (const Route* route : routes_.routes()) {
      if (route->method->service() != service) {
        service = route->method->service();
        tags.push_back(object{{"name", service->name()}, {"description", comments_.Of(*service)}});
      }
      if (alternatives.contains(route)) continue;
      ASSIGN_OR_RETURN(object operation, Operation(*route));
      value& path = paths[route->path_template];
      if (path.is_null()) path = object();
      path.as_object()[absl::AsciiStrToLower(std::string(route->verb))] = std::move(operation);
    }
    object schemas = schemas_.components();
    schemas["Problem"] = ProblemSchema();
    const object document{
        {"openapi", "3.1.0"},
        {"info", {{"title", "Verdict"}, {"version", VERDICT_VERSION}, {"description", kDescription}}},
        {"tags", std::move(tags)},
        {"paths", std::move(paths)},
        {"components",
         {{"schemas", std::move(schemas)},
          {"examples", std::move(examples_)},
          {"headers",
           {{"X-Request-Id", Header("Names the request in logs and problem documents.")},
            {"Idempotent-Replayed", Header("`true`: the answer of an earlier request with this key.")},
            {"Retry-After", Header("Seconds to wait before the request is repeated.", "integer")},
            {"WWW-Authenticate", Header("`Bearer`.")}}},
          {"securitySchemes", SecuritySchemes()}}}};
    return boost::json::serialize(document);
  }

 private:
  absl::StatusOr<object> Operation(const Route& route) {
    const std::string comment = comments_.Of(*route.method);
    std::string description = comment;
    if (const Route* other = route.alternative.get(); other != nullptr) {
      absl::StrAppend(
          &description,
          other->answers_lines() ? "\n\nWith `Accept: application/x-ndjson`: " : "\n\nWith an array: ",
          comments_.Of(*other->method));
    }
    object operation{{"operationId", route.method->name()},
                     {"tags", {route.method->service()->name()}},
                     {"summary", comment.substr(0, comment.find(". "))},
                     {"description", description},
                     {"security", Security(route)}};
    array parameters;
    for (const FieldPath& path : route.variables) parameters.push_back(Parameter(path, "path", true));
    if (!route.has_body) AddQuery(route, *route.request_plan, {}, true, parameters);
    if (route.rest->idempotency_key()) {
      parameters.push_back(object{
          {"name", "Idempotency-Key"},
          {"in", "header"},
          {"description", "Of the caller's choice. The same key and body again get the same answer again."},
          {"schema", {{"type", "string"}}}});
    }
    if (!parameters.empty()) operation["parameters"] = std::move(parameters);
    if (route.has_body) {
      operation["requestBody"] = {{"required", true},
                                  {"description", route.rest->ingest() ? kIngestBody : kBody},
                                  {"content", {{"application/json", {{"schema", BodySchema(route)}}}}}};
    }
    ASSIGN_OR_RETURN(operation["responses"], Responses(route));
    return operation;
  }

  // Any one of the array's elements will do.
  static array Security(const Route& route) {
    if (route.auth->has_scope()) {
      const array scopes = {absl::AsciiStrToLower(
          options::v1::Scope_Name(route.auth->scope()).substr(std::string_view("SCOPE_").size()))};
      return {object{{"api_key", scopes}}, object{{"x_api_key", scopes}}};
    }
    array security = {object{{"feedback_token", array()}}};
    if (route.has_body) security.push_back(object());  // the token may stand in the body
    return security;
  }

  object Parameter(const FieldPath& path, std::string_view in, bool required) {
    object schema = schemas_.OfField(*path.back());
    object parameter{{"name", ToString(path)}, {"in", in}, {"required", required}};
    parameter["description"] = std::move(schema["description"]);
    schema.erase("description");
    parameter["schema"] = std::move(schema);
    return parameter;
  }

  // Adds a parameter for each field that a query can set, and that the path does not.
  void AddQuery(const Route& route, const MessagePlan& message, const FieldPath& outer, bool outer_required,
                array& parameters) {
    for (const FieldPlan& field : message.fields) {
      FieldPath path = outer;
      path.push_back(&field);
      const bool is_required = outer_required && field.rule->required();
      const bool is_bound = std::ranges::find(route.variables, path) != route.variables.end();
      if (field.kind == FieldPlan::Kind::kMessage && !field.field->is_repeated()) {
        AddQuery(route, *field.message, path, is_required, parameters);
      } else if (!is_bound && ResolvePath(*route.request_plan, ToString(path))) {
        parameters.push_back(Parameter(path, "query", is_required));
      }
    }
  }

  object BodySchema(const Route& route) {
    object schema = schemas_.OfBody(route);
    if (route.alternative == nullptr) return schema;
    return {{"oneOf", {std::move(schema), schemas_.OfBody(*route.alternative)}}};
  }

  object AnswerSchema(const Route& route) {
    if (route.answers_lines()) return schemas_.Ref(*route.items->message);
    return route.response_body ? schemas_.OfField(*route.response_body) : schemas_.Ref(*route.response_plan);
  }

  // By media type.
  object AnswerContent(const Route& route) {
    object content;
    object schema = AnswerSchema(route);
    const Route* other = route.alternative.get();
    if (other != nullptr && other->answers_lines()) {
      content["application/x-ndjson"] = {{"schema", AnswerSchema(*other)}};
    } else if (other != nullptr) {
      schema = {{"oneOf", {std::move(schema), AnswerSchema(*other)}}};
    }
    content[route.answers_lines() ? "application/x-ndjson" : "application/json"] = {
        {"schema", std::move(schema)}};
    return content;
  }

  object Success(const Route& route) {
    object headers{{"X-Request-Id", HeaderRef("X-Request-Id")}};
    if (route.rest->idempotency_key()) headers["Idempotent-Replayed"] = HeaderRef("Idempotent-Replayed");
    object response{{"description", comments_.Of(*route.method->output_type())},
                    {"headers", std::move(headers)}};
    if (!route.answers_nothing()) response["content"] = AnswerContent(route);
    return response;
  }

  absl::StatusOr<object> Responses(const Route& route) {
    ASSIGN_OR_RETURN(std::set<Reason> reasons, ReasonsOf(route));
    if (route.alternative != nullptr) {
      ASSIGN_OR_RETURN(const std::set<Reason> more, ReasonsOf(*route.alternative));
      reasons.insert(more.begin(), more.end());
    }
    std::map<int, std::set<Reason>> by_status;
    for (const Reason reason : reasons) by_status[RuleOf(reason).http_status()].insert(reason);
    object responses{{route.answers_nothing() ? "204" : "200", Success(route)}};
    for (const auto& [status, of_status] : by_status) {
      responses[absl::StrCat(status)] = Failure(status, of_status);
    }
    return responses;
  }

  object Failure(int status, const std::set<Reason>& reasons) {
    std::string description;
    object examples;
    for (const Reason reason : reasons) {
      const auto& rule = RuleOf(reason);
      const std::string_view name = ReasonName(reason);
      absl::StrAppend(&description, description.empty() ? "" : "\n", "- `", std::string(name),
                      "`: ", rule.title(), ". ", rule.remedy());
      examples[name] = {{"$ref", absl::StrCat("#/components/examples/", std::string(name))}};
      if (!examples_.contains(name)) {
        examples_[name] = {{"summary", rule.title()}, {"value", ProblemExample(reason)}};
      }
    }
    object headers{{"X-Request-Id", HeaderRef("X-Request-Id")}};
    if (status == 401) headers["WWW-Authenticate"] = HeaderRef("WWW-Authenticate");
    if (status == 429 || status == 503) headers["Retry-After"] = HeaderRef("Retry-After");
    return {
        {"description", description},
        {"headers", std::move(headers)},
        {"content",
         {{"application/problem+json",
           {{"schema", {{"$ref", "#/components/schemas/Problem"}}}, {"examples", std::move(examples)}}}}}};
  }

  static object HeaderRef(std::string_view name) {
    return {{"$ref", absl::StrCat("#/components/headers/", std::string(name))}};
  }

  const RouteTable& routes_;
  const ContractComments& comments_;
  SchemaSet schemas_;
  object examples_;
};

}  // namespace

absl::StatusOr<std::string> MakeOpenApi(const RouteTable& routes) {
  ASSIGN_OR_RETURN(const ContractComments comments, ContractComments::Load());
  return Document(routes, comments).Make();
}

}  // namespace verdict::gateway
