#include "gateway/route_table.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/error.h"
#include "common/status/macros.h"
#include "gateway/url.h"
#include "google/api/annotations.pb.h"

namespace verdict::gateway {
namespace {

using google::api::HttpRule;
using google::protobuf::Message;
using google::protobuf::MessageFactory;
using google::protobuf::MethodDescriptor;

absl::Status Unservable(const MethodDescriptor& method, const std::string& why) {
  return InternalError(absl::StrCat(method.full_name(), ": ", why));
}

bool HasCaller(const options::v1::AuthRule& auth) {
  return auth.scope() != options::v1::SCOPE_UNSPECIFIED || auth.public_() || auth.admin();
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// Whether the text can stand in a path as it is.
bool IsLiteral(std::string_view text) {
  return !text.empty() && text.find_first_of("/{}*:%") == std::string_view::npos;
}

std::pair<std::string_view, const std::string*> VerbAndTemplate(const HttpRule& rule) {
  switch (rule.pattern_case()) {
    case HttpRule::kGet:
      return {"GET", &rule.get()};
    case HttpRule::kPut:
      return {"PUT", &rule.put()};
    case HttpRule::kPost:
      return {"POST", &rule.post()};
    case HttpRule::kDelete:
      return {"DELETE", &rule.delete_()};
    case HttpRule::kPatch:
      return {"PATCH", &rule.patch()};
    default:
      return {"", nullptr};
  }
}

// Protobuf's bytes pass through as they are, so that nothing else of a request can go into the message.
bool IsServableOtlp(const Route& route, const HttpRule& rule) {
  const bool takes_message = rule.body() == "*" && route.path_template.find('{') == std::string::npos;
  const bool answers_message = route.response_body == nullptr && !route.method->server_streaming();
  return takes_message && answers_message && route.rest->ignore_unknown_fields() &&
         route.rest->ignore_unknown_query();
}

// Fills what stands in the contract but for the path.
absl::StatusOr<std::unique_ptr<Route>> MakeRoute(const MethodDescriptor& method, const HttpRule& rule,
                                                 JsonPlans& plans) {
  auto route = std::make_unique<Route>();
  const auto [verb, path_template] = VerbAndTemplate(rule);
  if (path_template == nullptr) return Unservable(method, "its route has no verb");
  if (rule.additional_bindings_size() > 0) return Unservable(method, "it has more than one route");
  route->method = &method;
  route->rpc = absl::StrCat("/", method.service()->full_name(), "/", method.name());
  route->verb = verb;
  route->path_template = *path_template;
  route->auth = &method.options().GetExtension(options::v1::auth);
  route->rest = &method.options().GetExtension(options::v1::rest);
  route->request = MessageFactory::generated_factory()->GetPrototype(method.input_type());
  route->response = MessageFactory::generated_factory()->GetPrototype(method.output_type());
  const JsonStyle style = route->rest->otlp() ? JsonStyle::kOtlp : JsonStyle::kOurs;
  ASSIGN_OR_RETURN(route->request_plan, plans.Make(*method.input_type(), style));
  ASSIGN_OR_RETURN(route->response_plan, plans.Make(*method.output_type(), style));
  route->has_body = !rule.body().empty();
  if (route->has_body && rule.body() != "*") {
    route->body_field = route->request_plan->Find(rule.body());
    if (route->body_field == nullptr || route->body_field->kind != FieldPlan::Kind::kMessage ||
        route->body_field->is_map()) {
      return Unservable(method, "its body is neither * nor a message nor a list of them");
    }
  }
  if (!rule.response_body().empty()) {
    route->response_body = route->response_plan->Find(rule.response_body());
    if (route->response_body == nullptr) return Unservable(method, "its response_body is no field");
  }
  if (method.client_streaming()) return Unservable(method, "requests cannot be streamed");
  if (route->answers_lines() && !method.server_streaming())
    return Unservable(method, "only streams have lines");
  if (method.server_streaming()) {
    route->items = route->response_plan->Find(route->answers_lines() ? route->rest->ndjson()
                                                                     : route->rest->stream_into());
    if (route->items == nullptr || !route->items->is_list()) {
      return Unservable(method, "neither stream_into nor ndjson names its list");
    }
    if (route->response_body != nullptr && (route->answers_lines() || route->response_body != route->items)) {
      return Unservable(method, "its response_body is not what it streams into");
    }
    if (route->answers_lines() && route->items->kind != FieldPlan::Kind::kMessage) {
      return Unservable(method, "its lines would be no objects");
    }
  }
  if (route->rest->otlp() && !IsServableOtlp(*route, rule)) {
    return Unservable(method, "OTLP's bodies are whole messages, and nothing else of a request is read");
  }
  return route;
}

// The one of two that takes objects, or answers documents.
bool IsPlain(const Route& route) { return !route.takes_array() && !route.answers_lines(); }

// What is looked at before it is known which of two routes a request is for.
std::string EarlyRules(const Route& route) {
  options::v1::RestRule rest = *route.rest;
  for (auto* later : {rest.mutable_stream_into(), rest.mutable_ndjson()}) later->clear();
  rest.clear_reasons();
  return absl::StrCat(route.auth->SerializeAsString(), "/", rest.SerializeAsString());
}

// Whether each request for one of the two, which have the same verb and path, can be told from those for the
// other.
bool AreDistinct(const Route& a, const Route& b) {
  if (a.alternative || b.alternative || IsPlain(a) == IsPlain(b)) return false;
  const Route& other = IsPlain(a) ? b : a;
  const bool by_body = other.takes_array() && a.has_body && b.has_body;
  const bool by_accept = other.answers_lines() && a.verb == "GET" && !a.has_body && !b.has_body;
  return by_body != by_accept && EarlyRules(a) == EarlyRules(b);
}

absl::Status AddToPath(std::unique_ptr<Route> route, PathRoutes& path) {
  path.cors = path.cors || route->rest->cors();
  path.otlp = path.otlp || route->rest->otlp();
  const auto known =
      std::ranges::find(path.routes, route->verb, [](const auto& other) { return other->verb; });
  if (known == path.routes.end()) {
    path.routes.push_back(std::move(route));
  } else if (!AreDistinct(*route, **known)) {
    return Unservable(*route->method, absl::StrCat("its route is that of ", (*known)->method->full_name()));
  } else {
    if (IsPlain(*route)) std::swap(route, *known);
    (*known)->alternative = std::move(route);
  }

  std::set<std::string_view> verbs;
  for (const auto& each : path.routes) verbs.insert(each->verb);
  if (verbs.contains("GET")) verbs.insert("HEAD");
  if (path.cors) verbs.insert("OPTIONS");
  path.allow.clear();
  for (const std::string_view verb : verbs) {
    if (!path.allow.empty()) path.allow += ", ";
    path.allow += verb;
  }
  return absl::OkStatus();
}

bool NeedsDecoding(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return c == '%' || c <= '\0'; });
}

}  // namespace

// A prefix of paths: what may follow it, and what a path that ends here leads to.
struct RouteTable::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
  std::unique_ptr<Node> variable;
  std::optional<PathRoutes> path;
  std::map<std::string, PathRoutes, std::less<>> verbs;  // of a variable: what ends in ":verb" leads to
};

RouteTable::RouteTable() : root_(std::make_unique<Node>()) {}
RouteTable::RouteTable(RouteTable&&) noexcept = default;
RouteTable& RouteTable::operator=(RouteTable&&) noexcept = default;
RouteTable::~RouteTable() = default;

absl::StatusOr<RouteTable> RouteTable::Build(
    std::span<const google::protobuf::ServiceDescriptor* const> services) {
  RouteTable table;
  for (const auto* service : services) {
    for (int i = 0; i < service->method_count(); ++i) RETURN_IF_ERROR(table.Add(*service->method(i)));
  }
  return table;
}

absl::Status RouteTable::Add(const MethodDescriptor& method) {
  const auto& auth = method.options().GetExtension(options::v1::auth);
  if (!HasCaller(auth)) return Unservable(method, "it has no rule who may call it");
  if (!method.options().HasExtension(google::api::http)) return absl::OkStatus();
  if (auth.admin()) return Unservable(method, "an admin RPC has no route");

  ASSIGN_OR_RETURN(std::unique_ptr<Route> route,
                   MakeRoute(method, method.options().GetExtension(google::api::http), plans_));
  if (route->path_template.empty() || route->path_template[0] != '/') {
    return Unservable(method, "its path does not begin with /");
  }
  Node* node = root_.get();
  std::set<FieldPath> bound;
  std::string_view path = std::string_view(route->path_template).substr(1);
  std::string_view verb;
  if (const size_t end = path.rfind("}:"); end != std::string_view::npos && IsLiteral(path.substr(end + 2))) {
    verb = path.substr(end + 2);
    path = path.substr(0, end + 1);
  }
  for (const std::string_view segment : Split(path, '/')) {
    std::unique_ptr<Node>* next = nullptr;
    if (segment.size() > 2 && segment.front() == '{' && segment.back() == '}') {
      const auto field = ResolvePath(*route->request_plan, segment.substr(1, segment.size() - 2));
      if (!field || !bound.insert(*field).second) {
        return Unservable(method, absl::StrCat(std::string(segment), " is not a field that a path can set"));
      }
      if (field->front() == route->body_field) return Unservable(method, "its path sets what its body is");
      route->variables.push_back(*field);
      next = &node->variable;
    } else if (!IsLiteral(segment)) {
      return Unservable(method, "its path has a segment that is neither {field} nor plain text");
    } else {
      next = &node->literals[std::string(segment)];
    }
    if (!*next) *next = std::make_unique<Node>();
    node = next->get();
  }

  if (verb.empty() && !node->path) node->path.emplace();
  routes_.push_back(route.get());
  return AddToPath(std::move(route), verb.empty() ? *node->path : node->verbs[std::string(verb)]);
}

const PathRoutes* RouteTable::Search(const Node& node, std::string_view rest, Match& match) {
  if (rest.empty()) return node.path ? &*node.path : nullptr;
  if (rest.front() != '/') return nullptr;
  const std::string_view segment = rest.substr(1, rest.find('/', 1) - 1);
  rest.remove_prefix(1 + segment.size());
  if (const auto literal = node.literals.find(segment); literal != node.literals.end()) {
    if (const PathRoutes* found = Search(*literal->second, rest, match); found != nullptr) return found;
  }
  if (!node.variable || segment.empty() || segment == "." || segment == "..") return nullptr;
  if (const size_t colon = segment.rfind(':');
      rest.empty() && colon != 0 && colon != std::string_view::npos) {
    const auto verb = node.variable->verbs.find(segment.substr(colon + 1));
    if (verb != node.variable->verbs.end()) {
      match.variables.push_back(segment.substr(0, colon));
      return &verb->second;
    }
  }
  match.variables.push_back(segment);
  const PathRoutes* found = Search(*node.variable, rest, match);
  if (found == nullptr) match.variables.pop_back();
  return found;
}

Match RouteTable::Find(std::string_view method, std::string_view raw_path) const {
  Match match;
  match.path = Search(*root_, raw_path, match);
  if (match.path == nullptr) {
    match.status = MakeError(errors::v1::REASON_ROUTE_NOT_FOUND, "No route matches this path.");
    return match;
  }
  const std::string_view verb = method == "HEAD" ? "GET" : method;
  for (const auto& route : match.path->routes) {
    if (route->verb == verb) match.route = route.get();
  }
  if (match.route == nullptr) {
    match.status =
        MakeError(errors::v1::REASON_METHOD_NOT_ALLOWED, "This path takes " + match.path->allow + " only.",
                  {.metadata = {{"allow", match.path->allow}}});
    return match;
  }
  for (size_t i = 0; i < match.variables.size() && match.status.ok(); ++i) {
    std::string_view& variable = match.variables[i];
    if (!NeedsDecoding(variable)) continue;
    std::string& decoded = *match.decoded.emplace_back(std::make_unique<std::string>());
    match.status =
        AppendPercentDecoded(variable, PlusSign::kIsPlus, ToString(match.route->variables[i]), decoded);
    variable = decoded;
  }
  return match;
}

}  // namespace verdict::gateway
