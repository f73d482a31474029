#include "gateway/openapi_responses.h"

#include <map>
#include <string>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include "absl/strings/str_cat.h"
#include "common/status/macros.h"

namespace verdict::gateway {
namespace {

namespace v1 = errors::v1;
using boost::json::array;
using boost::json::object;
using boost::json::value;

// What is refused before the route is looked for.
const std::set<Reason>& ReasonsOfAnyPath() {
  static const std::set<Reason> reasons = {v1::REASON_BAD_REQUEST, v1::REASON_REQUEST_TIMEOUT,
                                           v1::REASON_URI_TOO_LONG, v1::REASON_HEADERS_TOO_LARGE};
  return reasons;
}

// Of those, what is refused then and not later, too.
bool IsOfHeadAlone(Reason reason) {
  return reason == v1::REASON_URI_TOO_LONG || reason == v1::REASON_HEADERS_TOO_LARGE;
}

// The reasons for which a route refuses: those that follow from its rules, and those that the contract names.
absl::StatusOr<std::set<Reason>> ReasonsOf(const Route& route) {
  std::set<Reason> reasons = ReasonsOfAnyPath();
  // The last two also where no body is expected, and one comes.
  reasons.insert({v1::REASON_UNAUTHENTICATED, v1::REASON_INVALID_TEXT, v1::REASON_INTERNAL,
                  v1::REASON_UNIMPLEMENTED, v1::REASON_OVERLOADED, v1::REASON_UNAVAILABLE,
                  v1::REASON_DEADLINE_EXCEEDED, v1::REASON_BODY_TOO_LARGE,
                  v1::REASON_UNSUPPORTED_MEDIA_TYPE});
  if (!route.request_plan->fields.empty()) {
    reasons.insert({v1::REASON_VALIDATION_ERROR, v1::REASON_DUPLICATE_KEY});
  }
  if (!route.variables.empty()) reasons.insert(v1::REASON_ROUTE_NOT_FOUND);
  if (!route.rest->ignore_unknown_query() || (route.has_body && !route.rest->ignore_unknown_fields())) {
    reasons.insert(v1::REASON_UNKNOWN_FIELD);
  }
  if (route.has_body) reasons.insert(v1::REASON_INVALID_JSON);
  if (route.auth->has_scope()) {
    reasons.insert({v1::REASON_SCOPE_REQUIRED, v1::REASON_PERMISSION_DENIED, v1::REASON_RATE_LIMITED});
  }
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

// How an error of the reason looks; what the gateway itself would answer.
value ErrorExample(Reason reason, ErrorFormat format) {
  const Response response =
      ErrorResponse(MakeError(reason, RuleOf(reason).example()), "0190a0f1c5d87c3e8d0f4b6a7e9c2d11", format);
  return boost::json::parse(response.body);
}

array Codes(const std::set<Reason>& reasons) {
  array codes;
  for (const Reason reason : reasons) codes.emplace_back(ReasonName(reason));
  return codes;
}

std::string_view MediaType(const Route& route) {
  return route.answers_lines() ? "application/x-ndjson" : "application/json";
}

object Header(std::string_view description, object schema, bool required) {
  return {{"description", description}, {"required", required}, {"schema", std::move(schema)}};
}

void AddHeader(object& headers, std::string_view name) { headers[name] = HeaderRef(name); }

}  // namespace

object HeaderRef(std::string_view name) {
  return {{"$ref", absl::StrCat("#/components/headers/", std::string(name))}};
}

object ResponseSet::Headers() {
  const auto text = [](std::string_view pattern) { return object{{"type", "string"}, {"pattern", pattern}}; };
  const auto fixed = [](std::string_view word) { return object{{"type", "string"}, {"const", word}}; };
  return {
      {"X-Request-Id",
       Header("Names the request in logs and problem documents.", text("^[A-Za-z0-9._-]{1,64}$"), true)},
      {"ETag",
       Header("Changes with whatever the answer shows; for `If-None-Match`.", text("^\"[!#-~]+\"$"), true)},
      {"Idempotent-Replayed", Header("The answer is that of an earlier request.", fixed("true"), false)},
      {"Retry-After", Header("Seconds to wait before the request is repeated.",
                             {{"type", "integer"}, {"minimum", 1}}, true)},
      {"RateLimit", Header("What is left of the key's quota, and when it comes back.",
                           text("^\"key\";r=[0-9]+;t=[0-9]+$"), true)},
      {"RateLimit-Policy",
       Header("The key's quota, and the seconds that it is for.", text("^\"key\";q=[0-9]+;w=[0-9]+$"), true)},
      {"WWW-Authenticate", Header("The scheme of credentials.", fixed("Bearer"), true)},
      {"Cache-Control", Header("The answer is for the caller alone.", fixed("no-store"), true)},
      {"Referrer-Policy", Header("Links of the page do not tell its address.", fixed("no-referrer"), true)},
      {"Vary", Header("The request fields that the answer depends on.", {{"type", "string"}}, true)},
      {"Access-Control-Allow-Origin",
       Header("The origin that may read the answer, or `*`.", {{"type", "string"}}, false)},
      {"Access-Control-Expose-Headers",
       Header("The fields that a page may read.", {{"type", "string"}}, false)},
      {"Access-Control-Allow-Methods", Header("The path's methods.", {{"type", "string"}}, true)},
      {"Access-Control-Allow-Headers",
       Header("The fields that a page may send.", {{"type", "string"}}, true)},
      {"Access-Control-Max-Age",
       Header("Seconds for which this may be remembered.", {{"type", "integer"}, {"minimum", 1}}, true)},
  };
}

object ResponseSet::ProblemSchema() {
  array codes;
  const auto* reasons = v1::Reason_descriptor();
  for (int i = 0; i < reasons->value_count(); ++i) {
    const auto reason = static_cast<Reason>(reasons->value(i)->number());
    if (reason != v1::REASON_UNSPECIFIED) codes.emplace_back(ReasonName(reason));
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

object ResponseSet::StatusSchema() {
  const object text{{"type", "string"}};
  const object detail{{"type", "object"},
                      {"description",
                       "Of the type that `@type` names: a google.rpc.ErrorInfo, whose `reason` is "
                       "the stable code, and what else there is to say."},
                      {"properties", {{"@type", text}, {"reason", text}, {"domain", text}}},
                      {"required", {"@type"}}};
  return {{"type", "object"},
          {"description", "A google.rpc.Status, which errors are in OTLP."},
          {"properties",
           {{"code", {{"type", "integer"}, {"description", "A google.rpc.Code."}}},
            {"message", text},
            {"details", {{"type", "array"}, {"items", detail}}}}},
          {"required", {"code", "message", "details"}}};
}

object ResponseSet::AnswerSchema(const Route& route) const {
  if (route.answers_lines()) return schemas_.Ref(*route.items->message, SchemaUse::kAnswer);
  return route.response_body ? schemas_.OfField(*route.response_body, SchemaUse::kAnswer)
                             : schemas_.Ref(*route.response_plan, SchemaUse::kAnswer);
}

value ResponseSet::AnswerExample(const Route& route) const {
  if (route.answers_lines()) return examples_.OfMessage(*route.items->message, SchemaUse::kAnswer);
  return route.response_body ? examples_.OfField(*route.response_body, SchemaUse::kAnswer)
                             : examples_.OfMessage(*route.response_plan, SchemaUse::kAnswer);
}

// By media type.
object ResponseSet::Content(const Route& route) const {
  object content;
  object schema = AnswerSchema(route);
  object examples{{route.method->name(), {{"value", AnswerExample(route)}}}};
  if (const Route* other = route.alternative.get(); other != nullptr) {
    const object other_example{{"value", AnswerExample(*other)}};
    if (other->answers_lines()) {
      content[MediaType(*other)] = {{"schema", AnswerSchema(*other)},
                                    {"examples", {{other->method->name(), other_example}}}};
    } else {
      schema = {{"oneOf", {std::move(schema), AnswerSchema(*other)}}};
      examples[other->method->name()] = other_example;
    }
  }
  if (route.rest->otlp()) content["application/x-protobuf"] = object();
  content[MediaType(route)] = {{"schema", std::move(schema)}, {"examples", std::move(examples)}};
  return content;
}

object ResponseSet::Success(const Route& route) const {
  object headers;
  AddHeader(headers, "X-Request-Id");
  if (route.rest->idempotency_key()) AddHeader(headers, "Idempotent-Replayed");
  if (route.rest->etag()) AddHeader(headers, "ETag");
  if (route.rest->no_store()) {
    AddHeader(headers, "Cache-Control");
    AddHeader(headers, "Referrer-Policy");
  }
  if (route.rest->cors()) {
    AddHeader(headers, "Access-Control-Allow-Origin");
    AddHeader(headers, "Access-Control-Expose-Headers");
  }
  const bool varies = route.alternative != nullptr && route.alternative->answers_lines();
  if (varies || route.rest->cors()) AddHeader(headers, "Vary");
  object response{{"description", comments_.Of(*route.method->output_type())},
                  {"headers", std::move(headers)}};
  if (!route.answers_nothing()) response["content"] = Content(route);
  return response;
}

absl::StatusOr<object> ResponseSet::Of(const Route& route) {
  ASSIGN_OR_RETURN(std::set<Reason> reasons, ReasonsOf(route));
  if (route.alternative != nullptr) {
    ASSIGN_OR_RETURN(const std::set<Reason> more, ReasonsOf(*route.alternative));
    reasons.insert(more.begin(), more.end());
  }
  object responses{{route.answers_nothing() ? "204" : "200", Success(route)}};
  if (route.rest->etag()) {
    responses["304"] = {
        {"description", "The caller has this state already: `If-None-Match` names it."},
        {"headers", {{"X-Request-Id", HeaderRef("X-Request-Id")}, {"ETag", HeaderRef("ETag")}}}};
  }
  AddFailures(reasons, route.rest->otlp(), responses);
  return responses;
}

void ResponseSet::AddFailuresOfAnyPath(object& responses) {
  AddFailures(ReasonsOfAnyPath(), /*is_otlp=*/false, responses);
}

void ResponseSet::AddFailures(const std::set<Reason>& reasons, bool is_otlp, object& responses) {
  std::map<int, std::set<Reason>> by_status;
  for (const Reason reason : reasons) by_status[RuleOf(reason).http_status()].insert(reason);
  for (const auto& [status, of_status] : by_status) {
    responses[absl::StrCat(status)] = Failure(status, of_status, is_otlp);
  }
}

// Errors of OTLP are google.rpc.Status once the route is known, and problem documents before that.
object ResponseSet::Failure(int status, const std::set<Reason>& reasons, bool is_otlp) {
  std::string description;
  std::set<Reason> of_problems;
  std::set<Reason> of_statuses;
  for (const Reason reason : reasons) {
    const auto& rule = RuleOf(reason);
    absl::StrAppend(&description, description.empty() ? "" : "\n", "- `", std::string(ReasonName(reason)),
                    "`: ", rule.title(), ". ", rule.remedy());
    if (!is_otlp || ReasonsOfAnyPath().contains(reason)) of_problems.insert(reason);
    if (is_otlp && !IsOfHeadAlone(reason)) of_statuses.insert(reason);
  }
  object headers;
  AddHeader(headers, "X-Request-Id");
  if (status == 401) AddHeader(headers, "WWW-Authenticate");
  if (status == 429 || status == 503) AddHeader(headers, "Retry-After");
  if (status == 429) {
    AddHeader(headers, "RateLimit");
    AddHeader(headers, "RateLimit-Policy");
  }
  object content;
  if (!of_problems.empty()) content["application/problem+json"] = Problems(status, of_problems);
  if (!of_statuses.empty()) {
    content["application/json"] = Statuses(of_statuses);
    content["application/x-protobuf"] = object();
  }
  return {{"description", description}, {"headers", std::move(headers)}, {"content", std::move(content)}};
}

// Of problem documents' media type.
object ResponseSet::Problems(int status, const std::set<Reason>& reasons) {
  const object narrowed{
      {"properties", {{"status", {{"const", status}}}, {"code", {{"enum", Codes(reasons)}}}}}};
  return {{"schema", {{"allOf", {{{"$ref", "#/components/schemas/Problem"}}, narrowed}}}},
          {"examples", Examples(reasons, ErrorFormat::kProblem)}};
}

// Of the media type of google.rpc.Status.
object ResponseSet::Statuses(const std::set<Reason>& reasons) {
  const object with_reason{{"properties", {{"reason", {{"enum", Codes(reasons)}}}}},
                           {"required", {"reason"}}};
  const object narrowed{{"properties", {{"details", {{"contains", with_reason}}}}}};
  return {{"schema", {{"allOf", {{{"$ref", "#/components/schemas/Status"}}, narrowed}}}},
          {"examples", Examples(reasons, ErrorFormat::kStatusJson)}};
}

object ResponseSet::Examples(const std::set<Reason>& reasons, ErrorFormat format) {
  object examples;
  for (const Reason reason : reasons) {
    const std::string_view name = ReasonName(reason);
    const std::string component =
        absl::StrCat(format == ErrorFormat::kProblem ? "" : "STATUS_", std::string(name));
    examples[name] = {{"$ref", absl::StrCat("#/components/examples/", component)}};
    if (!errors_.contains(component)) {
      errors_[component] = {{"summary", RuleOf(reason).title()}, {"value", ErrorExample(reason, format)}};
    }
  }
  return examples;
}

}  // namespace verdict::gateway
