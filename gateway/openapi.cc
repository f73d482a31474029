#include "gateway/openapi.h"

#include <algorithm>
#include <set>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status/macros.h"
#include "gateway/contract_comments.h"
#include "gateway/openapi_example.h"
#include "gateway/openapi_responses.h"
#include "gateway/openapi_schema.h"

namespace verdict::gateway {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

constexpr std::string_view kDescription =
    "Stores what people and judges think of the output of LLM applications, and gives it back per span, "
    "trace and session.\n\n"
    "Texts are UTF-8 without U+0000; `maxLength` counts characters and `x-max-bytes`, which is the limit, "
    "bytes. A member that is null equals an absent one. Bodies nest at most 32 deep, and have at most "
    "100,000 "
    "elements of lists and maps. Numbers in objects that are kept as they are (`metadata`, `filter`) have at "
    "most 32 characters, and count as many bytes as they have when written out. Answers leave out what has "
    "no value, and may gain members.\n\n"
    "Every error is a problem document (RFC 9457) whose `code` is stable; where OTLP is spoken, it is a "
    "google.rpc.Status, once the route is known. Every answer carries "
    "`X-Request-Id`, the caller's own where it sends a sane one.\n\n"
    "HEAD is answered as GET is, without the body. Other methods than a path has here get 405 "
    "`METHOD_NOT_ALLOWED` with `Allow`, other paths 404 `ROUTE_NOT_FOUND`.";

constexpr std::string_view kBody = "At most 256 KiB.";
constexpr std::string_view kIngestBody =
    "At most 4 MiB. `Content-Encoding: gzip` is taken too, of what is at most 16 MiB when inflated.";

constexpr std::string_view kOtlpBody =
    " `application/x-protobuf` is the message itself. `application/json` is OTLP's mapping of it: "
    "`traceId` and its like in hex, 64-bit integers as numbers or strings, and what is unknown is ignored. "
    "It "
    "nests at most 128 deep, with at most 200,000 elements of lists, and may have U+0000. Answers, errors "
    "among them, come in the request's type.";

constexpr std::string_view kOperations = "Operations";

object SecuritySchemes() {
  return {{"api_key", {{"type", "http"}, {"scheme", "bearer"}, {"description", "An API key."}}},
          {"x_api_key",
           {{"type", "apiKey"}, {"in", "header"}, {"name", "x-api-key"}, {"description", "An API key."}}},
          {"feedback_token",
           {{"type", "http"},
            {"scheme", "bearer"},
            {"description", "A feedback token, as minting answered it."}}}};
}

// Header fields that requests may carry.
object Parameters() {
  const auto header = [](std::string_view name, std::string_view description, object schema,
                         std::string_view example) {
    return object{{"name", name},
                  {"in", "header"},
                  {"required", false},
                  {"description", description},
                  {"schema", std::move(schema)},
                  {"example", example}};
  };
  return {
      {"X-Request-Id",
       header("X-Request-Id", "Names the request; another name than 1 to 64 of [A-Za-z0-9._-] is replaced.",
              {{"type", "string"}}, "checkout-7f3a")},
      {"Idempotency-Key",
       header("Idempotency-Key",
              "Of the caller's choice. The same key and body again get the same answer again, for 24 hours.",
              {{"type", "string"}, {"pattern", "^[!-~]{1,255}$"}}, "order-17-feedback")},
      {"If-None-Match",
       header("If-None-Match", "The ETag of an answer that the caller has: 304 when it would be the same.",
              {{"type", "string"}}, "\"5d41402abc4b2a76\"")},
  };
}

object ParameterRef(std::string_view name) {
  return {{"$ref", absl::StrCat("#/components/parameters/", std::string(name))}};
}

class Document {
 public:
  Document(const RouteTable& routes, const ContractComments& comments)
      : routes_(routes),
        comments_(comments),
        schemas_(comments),
        examples_(routes),
        responses_(comments, examples_, schemas_) {}

  absl::StatusOr<std::string> Make() {
    std::set<const Route*> alternatives;
    for (const Route* route : routes_.routes()) alternatives.insert(route->alternative.get());
    array tags;
    const google::protobuf::ServiceDescriptor* service = nullptr;
    for (const Route* route : routes_.routes()) {
      if (route->method->service() != service) {
        service = route->method->service();
        tags.push_back(object{{"name", service->name()}, {"description", comments_.Of(*service)}});
      }
      if (alternatives.contains(route)) continue;
      ASSIGN_OR_RETURN(object operation, Operation(*route));
      Add(route->path_template, absl::AsciiStrToLower(std::string(route->verb)), std::move(operation));
      if (route->rest->cors()) Add(route->path_template, "options", Preflight());
    }
    tags.push_back(object{{"name", kOperations}, {"description", "For operators and tools."}});
    AddOperations();
    object schemas = schemas_.components();
    schemas["Problem"] = ResponseSet::ProblemSchema();
    schemas["Status"] = ResponseSet::StatusSchema();
    const object document{
        {"openapi", "3.1.0"},
        {"info", {{"title", "Verdict"}, {"version", VERDICT_VERSION}, {"description", kDescription}}},
        {"tags", std::move(tags)},
        {"paths", std::move(paths_)},
        {"components",
         {{"schemas", std::move(schemas)},
          {"examples", responses_.errors()},
          {"headers", ResponseSet::Headers()},
          {"parameters", Parameters()},
          {"securitySchemes", SecuritySchemes()}}}};
    return boost::json::serialize(document);
  }

 private:
  void Add(std::string_view path, std::string_view verb, object operation) {
    value& methods = paths_[path];
    if (methods.is_null()) methods = object();
    methods.as_object()[verb] = std::move(operation);
  }

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
    for (const FieldPath& path : route.variables) parameters.push_back(Parameter(route, path, "path", true));
    if (!route.has_body) AddQuery(route, *route.request_plan, {}, true, parameters);
    if (route.rest->idempotency_key()) {
      parameters.push_back(ParameterRef("Idempotency-Key"));
    }
    if (route.rest->etag()) parameters.push_back(ParameterRef("If-None-Match"));
    parameters.push_back(ParameterRef("X-Request-Id"));
    operation["parameters"] = std::move(parameters);
    if (route.has_body) {
      const bool is_otlp = route.rest->otlp();
      object content{{"application/json", Body(route)}};
      if (is_otlp) content["application/x-protobuf"] = object();
      operation["requestBody"] = {
          {"required", true},
          {"description", absl::StrCat(std::string(route.rest->ingest() ? kIngestBody : kBody),
                                       std::string(is_otlp ? kOtlpBody : ""))},
          {"content", std::move(content)}};
    }
    ASSIGN_OR_RETURN(operation["responses"], responses_.Of(route));
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

  object Parameter(const Route& route, const FieldPath& path, std::string_view in, bool required) {
    object schema = schemas_.OfField(*path.back(), SchemaUse::kParameter);
    object parameter{{"name", ToString(path)}, {"in", in}, {"required", required}};
    parameter["description"] = std::move(schema["description"]);
    const Route* other = route.alternative.get();
    if (in == "query" && other != nullptr && !ResolvePath(*other->request_plan, ToString(path))) {
      parameter["description"].as_string() += " Not with `Accept: application/x-ndjson`.";
    }
    schema.erase("description");
    schema.erase("examples");
    parameter["schema"] = std::move(schema);
    parameter["example"] = examples_.OfField(*path.back(), SchemaUse::kParameter);
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
        parameters.push_back(Parameter(route, path, "query", is_required));
      }
    }
  }

  // Of a request's media type.
  object Body(const Route& route) {
    object schema = schemas_.OfBody(route);
    object examples{{route.method->name(), {{"value", examples_.OfBody(route)}}}};
    if (const Route* other = route.alternative.get(); other != nullptr) {
      schema = {{"oneOf", {std::move(schema), schemas_.OfBody(*other)}}};
      examples[other->method->name()] = {{"value", examples_.OfBody(*other)}};
    }
    return {{"schema", std::move(schema)}, {"examples", std::move(examples)}};
  }

  // What a browser asks before a page of another origin may send its request.
  object Preflight() {
    object headers;
    for (const char* name :
         {"X-Request-Id", "Vary", "Access-Control-Allow-Origin", "Access-Control-Allow-Methods",
          "Access-Control-Allow-Headers", "Access-Control-Max-Age"}) {
      headers[name] = HeaderRef(name);
    }
    object responses{{"204", {{"description", "What may be sent."}, {"headers", std::move(headers)}}}};
    responses_.AddFailuresOfAnyPath(responses);
    return {{"operationId", "Preflight"},
            {"tags", {kOperations}},
            {"summary", "Answers a browser's preflight request (CORS)"},
            {"description", "Answers a browser's preflight request (CORS)."},
            {"security", array()},
            {"parameters", {ParameterRef("X-Request-Id")}},
            {"responses", std::move(responses)}};
  }

  // The paths that call no RPC.
  void AddOperations() {
    const object text{{"type", "string"}};
    const object alive{{"alive", true}};
    const object ready{
        {"ready", true},
        {"backends", {{"token", "serving"}, {"feedback", "serving"}, {"aggregator", "serving"}}}};
    const object ready_schema{{"type", "object"},
                              {"properties",
                               {{"ready", {{"type", "boolean"}}},
                                {"backends", {{"type", "object"}, {"additionalProperties", text}}}}},
                              {"required", {"ready", "backends"}}};
    AddOperation(
        "/healthz", "GetHealth", "Says that the gateway is alive",
        {{"type", "object"}, {"properties", {{"alive", {{"const", true}}}}}, {"required", {"alive"}}}, alive);
    AddOperation("/readyz", "GetReadiness",
                 "Says whether every service has been serving once, and the gateway is not draining",
                 ready_schema, ready);
    object not_ready = paths_["/readyz"].at("get").at("responses").at("200").as_object();
    not_ready["description"] = "Not ready.";
    not_ready["headers"].as_object()["Retry-After"] = HeaderRef("Retry-After");
    not_ready["content"].at("application/json").at("example").as_object()["ready"] = false;
    paths_["/readyz"].at("get").at("responses").as_object()["503"] = std::move(not_ready);
    AddOperation("/openapi.json", "GetOpenApi", "Answers this document",
                 {{"type", "object"}, {"properties", {{"openapi", text}}}, {"required", {"openapi"}}},
                 {{"openapi", "3.1.0"}});
  }

  void AddOperation(std::string_view path, std::string_view id, std::string_view summary, object schema,
                    object example) {
    object responses{
        {"200",
         {{"description", "It is so."},
          {"headers", {{"X-Request-Id", HeaderRef("X-Request-Id")}}},
          {"content",
           {{"application/json", {{"schema", std::move(schema)}, {"example", std::move(example)}}}}}}}};
    responses_.AddFailuresOfAnyPath(responses);
    Add(path, "get",
        {{"operationId", id},
         {"tags", {kOperations}},
         {"summary", summary},
         {"description", absl::StrCat(std::string(summary), ".")},
         {"security", array()},
         {"parameters", {ParameterRef("X-Request-Id")}},
         {"responses", std::move(responses)}});
  }

  const RouteTable& routes_;
  const ContractComments& comments_;
  SchemaSet schemas_;
  ExampleSet examples_;
  ResponseSet responses_;
  object paths_;
};

}  // namespace

absl::StatusOr<std::string> MakeOpenApi(const RouteTable& routes) {
  ASSIGN_OR_RETURN(const ContractComments comments, ContractComments::Load());
  return Document(routes, comments).Make();
}

}  // namespace verdict::gateway
