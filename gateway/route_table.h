#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gateway/json_plan.h"
#include "verdict/options/v1/options.pb.h"

namespace verdict::gateway {

// One REST route: a binding of `google.api.http` on an RPC. Lives as long as its RouteTable.
struct Route {
  const google::protobuf::MethodDescriptor* method = nullptr;
  std::string rpc = {};                   // "/verdict.token.v1.TokenService/MintToken", as gRPC spells it
  std::string_view verb = {};             // GET, POST, PUT, PATCH or DELETE
  std::string path_template = {};         // as in the contract
  std::vector<FieldPath> variables = {};  // what the path's variables set, in their order
  bool has_body = false;
  const FieldPlan* body_field = nullptr;  // what the body is; null: the message, but for what the path sets
  const FieldPlan* response_body = nullptr;  // what the answer shows; null: the whole message
  const FieldPlan* items = nullptr;          // of a streamed RPC: the list that its messages add to
  const options::v1::AuthRule* auth = nullptr;
  const options::v1::RestRule* rest = nullptr;
  const google::protobuf::Message* request = nullptr;  // prototypes: `request->New(arena)`
  const google::protobuf::Message* response = nullptr;
  const MessagePlan* request_plan = nullptr;
  const MessagePlan* response_plan = nullptr;
  // Has the same verb and path, and takes the array bodies while this one takes objects, or answers lines of
  // JSON to those who accept them while this one answers a document. Both have the same rules otherwise.
  std::unique_ptr<Route> alternative = {};

  // The body is an array of objects, rather than an object.
  bool takes_array() const { return body_field != nullptr && body_field->is_list(); }
  // The answer is a stream of objects, a line each, rather than one document.
  bool answers_lines() const { return !rest->ndjson().empty(); }
  // Answered with 204: the response has nothing to show.
  bool answers_nothing() const { return response_plan->fields.empty(); }
};

// The routes of one path, and what is true of all of them.
struct PathRoutes {
  std::vector<std::unique_ptr<Route>> routes = {};  // one per verb, and their alternatives
  std::string allow = {};                           // for the header Allow: "DELETE, GET, HEAD, POST"
  bool cors = false;                                // one of the routes answers browsers of other origins
  bool otlp = false;                                // or answers as OTLP has it
};

// What a method and a path lead to. Views into the path that was searched for, which must outlive it.
struct Match {
  Match() = default;
  Match(Match&&) noexcept = default;
  Match& operator=(Match&&) noexcept = default;
  ~Match() = default;

  // OK exactly when there is a route and its variables could be decoded. Else ROUTE_NOT_FOUND,
  // METHOD_NOT_ALLOWED, BAD_REQUEST or INVALID_TEXT.
  absl::Status status = {};
  const PathRoutes* path = nullptr;                         // null: no route has this path
  const Route* route = nullptr;                             // null: nor this method
  absl::InlinedVector<std::string_view, 4> variables = {};  // decoded, as Route::variables
  std::vector<std::unique_ptr<std::string>> decoded = {};   // owns those that had escapes
};

// Finds routes. Templates are those of google.api.http as far as segments go that are {field} or plain, and
// the last one may be {field}:verb. Immutable, and safe to use from all threads.
class RouteTable {
 public:
  // Collects the routes of the services' RPCs. INTERNAL, with a message for the developer, when the contract
  // cannot be served: an RPC without an auth rule, an admin RPC with a route, two routes that a request could
  // not tell apart (but for an object or array body, or a document or lines), a template, body or type that
  // is not supported.
  static absl::StatusOr<RouteTable> Build(
      std::span<const google::protobuf::ServiceDescriptor* const> services);

  RouteTable(RouteTable&&) noexcept;
  RouteTable& operator=(RouteTable&&) noexcept;
  ~RouteTable();

  // Finds the route of a request. `raw_path` is the request target up to the query, undecoded: it is split at
  // '/' and each segment decoded by itself, so "%2F" is data. Nothing is normalised: a path with "//", with
  // "." or ".." as a segment, or with a trailing slash has no route. HEAD finds GET's. A literal
  // wins over a variable, and a variable with a verb over one without.
  Match Find(std::string_view method, std::string_view raw_path) const;

  // All routes, in the order of the contract.
  std::span<const Route* const> routes() const { return routes_; }

 private:
  struct Node;

  RouteTable();
  absl::Status Add(const google::protobuf::MethodDescriptor& method);
  static const PathRoutes* Search(const Node& node, std::string_view rest, Match& match);

  JsonPlans plans_;
  std::unique_ptr<Node> root_;
  std::vector<const Route*> routes_;
};

}  // namespace verdict::gateway
