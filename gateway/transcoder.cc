#include "gateway/transcoder.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/this_coro.hpp>
#include <google/protobuf/arena.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/gzip/gzip.h"
#include "common/rpc/call_metadata.h"
#include "common/rpc/channel.h"
#include "common/status/error.h"
#include "common/status/grpc_status.h"
#include "common/status/macros.h"
#include "gateway/credential.h"
#include "gateway/errors.h"
#include "gateway/json_reader.h"
#include "gateway/json_writer.h"
#include "gateway/resumed.h"

namespace verdict::gateway {
namespace {

using google::protobuf::Message;

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kLines = "application/x-ndjson";
constexpr std::string_view kProtobuf = "application/x-protobuf";
constexpr std::size_t kEntityTagsMax = 1024;

// A large body takes up to 0.2 s, and so many wait for at most some seconds. Two threads: their number bounds
// what is in memory uncounted, while a body is inflated and parsed.
constexpr std::size_t kLargeBodyThreads = 2;
constexpr std::size_t kLargeBodiesMax = 64;

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

// version "-" trace id "-" parent id "-" flags, of version 00, neither id all zeros (W3C Trace Context).
bool IsTraceParent(std::string_view text) {
  if (text.size() != 55 || !text.starts_with("00-") || text[35] != '-' || text[52] != '-') return false;
  const auto is_hex = [&](std::size_t from, std::size_t count) {
    return text.substr(from, count).find_first_not_of("0123456789abcdef") == std::string_view::npos;
  };
  const auto is_zero = [&](std::size_t from, std::size_t count) {
    return text.substr(from, count).find_first_not_of('0') == std::string_view::npos;
  };
  return is_hex(3, 32) && is_hex(36, 16) && is_hex(53, 2) && !is_zero(3, 32) && !is_zero(36, 16);
}

// Whether the media type is the one, also with `charset=utf-8`.
bool IsType(std::string_view content_type, std::string_view type) {
  const std::vector<absl::string_view> parts = absl::StrSplit(View(content_type), ';');
  return !parts.empty() && absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(parts.front()), View(type)) &&
         std::all_of(parts.begin() + 1, parts.end(), [](absl::string_view parameter) {
           parameter = absl::StripAsciiWhitespace(parameter);
           return !absl::StartsWithIgnoreCase(parameter, "charset=") ||
                  absl::EqualsIgnoreCase(parameter, "charset=utf-8") ||
                  absl::EqualsIgnoreCase(parameter, "charset=\"utf-8\"");
         });
}

// How errors of the route look: OTLP's, also where there is no body, as the request's type has it.
ErrorFormat ErrorFormatOf(const RequestHead& head, const Match& match) {
  const bool is_otlp =
      match.route != nullptr ? match.route->rest->otlp() : match.path != nullptr && match.path->otlp;
  if (!is_otlp) return ErrorFormat::kProblem;
  const bool is_protobuf = IsType(head.Field("Content-Type").value_or(""), kProtobuf);
  return is_protobuf ? ErrorFormat::kStatusProtobuf : ErrorFormat::kStatusJson;
}

// Whether the request's body and its answer are protobuf.
bool IsProtobuf(const Exchange& exchange) { return exchange.error_format() == ErrorFormat::kStatusProtobuf; }

// Whether one of the header's fields Accept names the lines' media type, with whatever weight.
bool AcceptsLines(const RequestHead& head) {
  return std::ranges::any_of(head.fields, [](const auto& field) {
    if (!absl::EqualsIgnoreCase(View(field.first), "Accept")) return false;
    const std::vector<absl::string_view> ranges = absl::StrSplit(View(field.second), ',');
    return std::ranges::any_of(ranges, [](absl::string_view range) {
      const absl::string_view type = range.substr(0, range.find(';'));
      return absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(type), View(kLines));
    });
  });
}

bool IsArray(std::string_view json) {
  const std::size_t first = json.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && json[first] == '[';
}

bool IsGzip(const RequestHead& head) {
  return absl::EqualsIgnoreCase(View(head.Field("Content-Encoding").value_or("")), "gzip");
}

// As what the route's bodies are counted: only where it is open to all are they read before the key is
// checked.
Held BodyOf(const Route& route) { return route.auth->public_() ? Held::kStrangersBody : Held::kBody; }

// The body must be what the route reads. One without a type is taken for JSON, and refused when it is not.
absl::Status CheckContent(const RequestHead& head, const Route& route) {
  if (!head.has_body()) return absl::OkStatus();
  const bool takes_gzip = route.rest->ingest();
  if (const auto encoding = head.Field("Content-Encoding");
      encoding && *encoding != "identity" && !(takes_gzip && IsGzip(head))) {
    return MakeError(errors::v1::REASON_UNSUPPORTED_MEDIA_TYPE,
                     takes_gzip ? "The only Content-Encoding that this route takes is gzip."
                                : "This route takes no Content-Encoding.");
  }
  const bool takes_protobuf = route.rest->otlp();
  if (const auto type = head.Field("Content-Type");
      route.has_body && type && !IsType(*type, kJson) && !(takes_protobuf && IsType(*type, kProtobuf))) {
    return MakeError(errors::v1::REASON_UNSUPPORTED_MEDIA_TYPE,
                     takes_protobuf
                         ? "This route takes application/x-protobuf, and application/json in UTF-8."
                         : "This route takes application/json, in UTF-8.");
  }
  return absl::OkStatus();
}

// What of the HTTP request goes with the call: these, and nothing else that a client may have sent.
absl::StatusOr<std::vector<std::pair<const char*, std::string>>> MetadataOf(const Exchange& exchange,
                                                                            const Route& route,
                                                                            std::string authorization) {
  const RequestHead& head = exchange.head();
  std::vector<std::pair<const char*, std::string>> metadata;
  metadata.reserve(4);
  if (!authorization.empty()) metadata.emplace_back("authorization", std::move(authorization));
  metadata.emplace_back("x-request-id", exchange.request_id());
  if (const auto trace = head.Field("traceparent"); trace && IsTraceParent(*trace)) {
    metadata.emplace_back("traceparent", *trace);
  }
  if (const auto tags = head.Field("If-None-Match");
      tags && tags->size() <= kEntityTagsMax &&
      std::ranges::all_of(*tags, [](char c) { return c >= ' ' && c < '\x7f'; })) {
    metadata.emplace_back("if-none-match", *tags);
  }
  if (const auto key = head.Field("Idempotency-Key"); key && route.rest->idempotency_key()) {
    RETURN_IF_ERROR(rpc::CheckIdempotencyKey(*key));
    metadata.emplace_back("idempotency-key", *key);
  }
  return metadata;
}

// The HTTP field that an answer carries as metadata of that name, before its messages or after them.
void AddFieldOf(std::string_view key, std::string_view value, Exchange& exchange) {
  static constexpr std::pair<std::string_view, std::string_view> kFields[] = {
      {"etag", "ETag"},
      {"idempotent-replayed", "Idempotent-Replayed"},
      {"ratelimit", "RateLimit"},
      {"ratelimit-policy", "RateLimit-Policy"},
  };
  for (const auto& [name, field] : kFields) {
    if (key == name) exchange.AddField(field, value);
  }
}

void AddFieldsOfMetadata(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata,
                         Exchange& exchange) {
  for (const auto& [key, value] : metadata) {
    AddFieldOf({key.data(), key.size()}, {value.data(), value.size()}, exchange);
  }
}

// The error of a call that the service answered.
absl::Status ErrorOfService(const absl::Status& error, const Route& route) {
  const bool body_is_field = route.body_field != nullptr && !route.takes_array();
  return body_is_field ? AboutBody(error, route.body_field->name) : error;
}

// The error of a call that never reached the service, or whose answer never came.
absl::Status Unreachable(const Route& route, bool was_sent) {
  if (was_sent && route.verb != "GET") {
    return MakeError(errors::v1::REASON_OUTCOME_UNKNOWN,
                     "The connection to the service was lost. The write may or may not have been stored.");
  }
  return MakeError(errors::v1::REASON_UNAVAILABLE,
                   route.verb == "GET" ? "The service cannot be reached."
                                       : "The service cannot be reached. Nothing was stored.");
}

// The error of a call that failed without a word of the service.
absl::Status ErrorOfTransport(const absl::Status& error, const Route& route, bool was_sent) {
  const Reason reason = ReasonOf(error);
  // gRPC's own texts speak of sockets and addresses, and stay inside.
  if (reason == errors::v1::REASON_INTERNAL) return InternalError(error.message());
  if (reason != errors::v1::REASON_UNAVAILABLE) return MakeError(reason, RuleOf(reason).example());
  return Unreachable(route, was_sent);
}

absl::Status ErrorOf(const grpc::Status& status, const Route& route, const grpc::ClientContext& context) {
  const absl::Status error = FromGrpc(status);
  if (!status.error_details().empty()) return ErrorOfService(error, route);
  // Until a call has a connection its peer is the name that it was to find.
  const std::string peer = context.peer();
  return ErrorOfTransport(error, route, absl::StartsWith(peer, "ipv4:") || absl::StartsWith(peer, "ipv6:"));
}

grpc::ByteBuffer ToByteBuffer(std::string_view bytes) {
  const grpc::Slice slice(bytes.data(), bytes.size());
  return {&slice, 1};
}

// The message's bytes as they are, in one piece.
absl::StatusOr<grpc::Slice> SliceOf(const grpc::ByteBuffer& message) {
  grpc::Slice bytes;
  if (!message.DumpToSingleSlice(&bytes).ok()) return InternalError("The service's answer has no bytes.");
  return bytes;
}

std::string_view View(const grpc::Slice& bytes) {
  return {reinterpret_cast<const char*>(bytes.begin()), bytes.size()};
}

absl::Status NotAnAnswer(const Route& route) {
  return InternalError(absl::StrCat("The service's answer is not a ", route.response->GetTypeName(), "."));
}

// Counts what a read's answer takes until the client has it: the message, the next one, and the text that
// they become. Of a stream, its first two messages stand for all: the first may be the little that is no
// list, and those behind the second cannot be refused any more. Nor are answers to writes, which are small.
absl::Status HoldAnswer(Exchange& exchange, std::string_view message) {
  return exchange.HoldBytes(Held::kAnswer, 3 * message.size());
}

absl::Status NoMessage() { return InternalError("The service's stream has no message."); }

absl::Status MethodNotAllowed(std::string_view method) {
  return MakeError(errors::v1::REASON_METHOD_NOT_ALLOWED,
                   absl::StrCat("This path does not take ", std::string(method), "."));
}

Response ContentResponse(std::string body, int status = 200, std::string_view type = kJson) {
  Response response{.status = status, .body = std::move(body)};
  response.AddField("Content-Type", type);
  return response;
}

}  // namespace

Transcoder::Transcoder(const RouteTable& routes, Backends& backends, auth::Authenticator& authenticator,
                       CorsPolicy cors, std::string openapi, const TranscoderLimits& limits)
    : routes_(routes),
      backends_(backends),
      authenticator_(authenticator),
      cors_(std::move(cors)),
      openapi_(std::move(openapi)),
      limits_(limits),
      large_bodies_(kLargeBodyThreads, kLargeBodiesMax) {}

// Operators' and documentation's paths: they call nothing.
Awaitable<bool> Transcoder::HandleOperations(Exchange& exchange) const {
  const RequestHead& head = exchange.head();
  Response response;
  if (head.path == "/healthz") {
    response = ContentResponse(R"({"alive":true})");
  } else if (head.path == "/readyz") {
    const bool ready = backends_.ready();
    response = ContentResponse(backends_.StatesAsJson(), ready ? 200 : 503);
    if (!ready) response.AddField("Retry-After", "1");
  } else if (head.path == "/openapi.json") {
    response = ContentResponse("");
    response.lasting_body = openapi_;
  } else {
    co_return false;
  }
  exchange.set_route(head.path);
  if (head.method == "GET" || head.method == "HEAD") {
    co_await exchange.Send(std::move(response));
  } else {
    exchange.AddField("Allow", "GET, HEAD");
    co_await exchange.SendProblem(MethodNotAllowed(head.method));
  }
  co_return true;
}

Awaitable<void> Transcoder::Handle(Exchange& exchange) {
  if (co_await HandleOperations(exchange)) co_return;
  const RequestHead& head = exchange.head();
  if (!head.path.starts_with('/')) {  // OPTIONS * and CONNECT name no path
    exchange.AddField("Allow", "");
    co_return co_await exchange.SendProblem(MethodNotAllowed(head.method));
  }
  Match match = routes_.Find(head.method, head.path);
  exchange.set_error_format(ErrorFormatOf(head, match));
  if (match.path != nullptr && match.path->cors) {
    for (const auto& [name, value] : cors_.AnswerFields(head.Field("Origin"))) exchange.AddField(name, value);
    if (head.method == "OPTIONS") {
      co_return co_await exchange.Send(
          {.status = 204, .fields = CorsPolicy::PreflightFields(match.path->allow)});
    }
  }
  if (match.route != nullptr) {
    if (const Route* other = match.route->alternative.get(); other != nullptr && other->answers_lines()) {
      exchange.AddField("Vary", "Accept");
      if (AcceptsLines(head)) match.route = other;
    }
    exchange.set_route(match.route->path_template);
    if (match.route->rest->no_store()) {
      exchange.AddField("Cache-Control", "no-store");
      exchange.AddField("Referrer-Policy", "no-referrer");
    }
  } else if (match.path != nullptr) {
    exchange.AddField("Allow", match.path->allow);
  }
  if (!match.status.ok()) co_return co_await exchange.SendProblem(match.status);
  co_await HandleRoute(exchange, std::move(match));
}

// Reads the request into the message that the RPC takes. What may take long does so on another thread.
Awaitable<absl::StatusOr<std::string>> Transcoder::ReadMessage(Exchange& exchange, Match& match) {
  const options::v1::RestRule& rest = *match.route->rest;
  const bool is_ingest = rest.ingest();
  const bool takes_none = !match.route->has_body && !rest.ignore_unknown_fields();
  auto body = co_await exchange.ReadBody(BodyOf(*match.route), takes_none  ? 0
                                                               : is_ingest ? limits_.ingest_body_bytes
                                                                           : limits_.body_bytes);
  // Chunks may turn out to be no body at all, which all routes take.
  if (takes_none && ReasonOf(body.status()) == errors::v1::REASON_BODY_TOO_LARGE) co_return BodyUnexpected();
  if (!body.ok()) co_return body.status();
  const bool is_gzip = is_ingest && IsGzip(exchange.head());
  const auto make = [&] { return MakeMessage(exchange, match, *std::move(body), is_gzip); };
  if (!is_gzip && body->size() <= limits_.body_bytes) co_return make();
  auto message = co_await large_bodies_.Run(make);
  if (!message) co_return TooManyBodies();
  co_return *std::move(message);
}

// The body tells which RPC it is for, where one takes objects and another arrays. What the message was made
// from is gone when it is sent.
absl::StatusOr<std::string> Transcoder::MakeMessage(Exchange& exchange, Match& match, std::string body,
                                                    bool is_gzip) const {
  if (is_gzip) {
    ASSIGN_OR_RETURN(body, Gunzip(body, limits_.inflated_body_bytes));
    RETURN_IF_ERROR(exchange.HoldBytes(BodyOf(*match.route), body.size()));
  }
  if (IsProtobuf(exchange)) {  // the service's to read
    // It would inflate what is gzip still, past the limits here.
    if (body.starts_with(kGzipBegin)) {
      return BadBody(
          "The body is no protobuf; if it is gzip, Content-Encoding must say so, and once is enough.");
    }
    return body;
  }
  if (match.route->rest->otlp()) ReplaceLoneSurrogates(body);
  const Route* other = match.route->alternative.get();
  if (other != nullptr && other->takes_array() && IsArray(body)) match.route = other;
  google::protobuf::Arena arena;
  Message& request = *match.route->request->New(&arena);
  RETURN_IF_ERROR(ReadRequest(match, exchange.head().query, body, request));
  return request.SerializeAsString();
}

Awaitable<void> Transcoder::HandleRoute(Exchange& exchange, Match match) {
  const auto authorization = AuthorizationOf(exchange.head());
  absl::Status status = authorization.status();
  // A stranger's body is not read. Without a body there is nothing to gain over the service's own check.
  if (const bool is_public = match.route->auth->public_(); status.ok() && !is_public) {
    if (authorization->empty()) {
      status = auth::Unauthenticated();
    } else if (exchange.head().has_body()) {
      status = co_await CheckApiKey(authenticator_, *authorization,
                                    std::chrono::steady_clock::now() + limits_.unary_deadline);
    }
  }
  if (status.ok()) status = CheckContent(exchange.head(), *match.route);
  if (!status.ok()) co_return co_await exchange.SendProblem(status);
  const auto metadata = MetadataOf(exchange, *match.route, *std::move(authorization));
  if (!metadata.ok()) co_return co_await exchange.SendProblem(metadata.status());
  auto message = co_await ReadMessage(exchange, match);
  if (!message.ok()) co_return co_await exchange.SendProblem(message.status());

  const Route& route = *match.route;
  const google::protobuf::ServiceDescriptor& service = *route.method->service();
  const auto calls = backends_.Find(service.file()->package());
  if (!calls) {
    co_return co_await exchange.SendProblem(InternalError("No backend serves " + service.full_name() + "."));
  }
  const bool streamed = route.method->server_streaming();
  const std::chrono::milliseconds time = streamed ? limits_.stream_deadline : limits_.unary_deadline;
  const auto deadline = std::chrono::system_clock::now() + time;
  if (co_await CallCarried(exchange, route, *metadata, *message, time, calls->carrier)) co_return;

  grpc::ClientContext context;
  for (const auto& [key, value] : *metadata) context.AddMetadata(key, value);
  context.set_deadline(deadline);
  const grpc::ByteBuffer request = ToByteBuffer(*message);
  *message = {};
  if (streamed) {
    co_await CallStreamed(exchange, route, request, calls->stub, context);
  } else {
    co_await CallUnary(exchange, route, request, calls->stub, context);
  }
}

Awaitable<bool> Transcoder::CallCarried(Exchange& exchange, const Route& route, const Metadata& metadata,
                                        const std::string& message, std::chrono::milliseconds time,
                                        CallCarrier& carrier) {
  // Those of lines are long, as a rule.
  if (message.size() > CallCarrier::kRequestBytesMax || route.answers_lines()) co_return false;
  const std::uint64_t id = carrier.NewId();
  CarriedAnswer carried;
  bool gone = false;
  {
    const auto watch = exchange.OnClientGone([&] {
      gone = true;
      carrier.Cancel(id);
    });
    const Executor loop = co_await asio::this_coro::executor;
    carried = co_await Resumed<CarriedAnswer>([&](auto resume) {
      if (gone) return resume(CarriedAnswer());  // before there was a call to give up
      calls::v1::CarriedCall call;
      call.set_id(id);
      call.set_method(route.rpc.data() + 1, route.rpc.size() - 1);
      call.set_timeout_ms(static_cast<std::uint32_t>(time.count()));
      for (const auto& [key, value] : metadata) {
        calls::v1::CallMetadata& entry = *call.add_metadata();
        entry.set_key(key);
        entry.set_value(value);
      }
      call.set_request(message);
      carrier.Begin(std::move(call), loop, std::move(resume));
    });
  }
  const calls::v1::CarriedAnswer& answer = carried.answer;
  if (carried.carriage == Carriage::kNotSent || answer.too_large()) co_return false;
  if (carried.carriage == Carriage::kLost) {
    if (rpc::IsRetried(*route.method)) co_return false;
    co_await exchange.SendProblem(Unreachable(route, true));
    co_return true;
  }
  for (const calls::v1::CallMetadata& entry : answer.metadata()) {
    AddFieldOf(entry.key(), entry.value(), exchange);
  }
  if (answer.has_status()) {
    const absl::Status error = FromRpc(answer.status());
    co_await exchange.SendProblem(answer.status().details().empty()
                                      ? ErrorOfTransport(error, route, /*was_sent=*/true)
                                      : ErrorOfService(error, route));
  } else if (route.method->server_streaming()) {
    co_await AnswerStreamed(exchange, route, answer);
  } else if (answer.responses_size() == 1) {
    co_await AnswerUnary(exchange, route, answer.responses(0));
  } else {
    co_await exchange.SendProblem(InternalError("The service's answer has no message."));
  }
  co_return true;
}

Awaitable<void> Transcoder::CallUnary(Exchange& exchange, const Route& route, const grpc::ByteBuffer& request,
                                      grpc::GenericStub& stub, grpc::ClientContext& context) {
  grpc::ByteBuffer bytes;
  grpc::Status status;
  {
    const auto watch = exchange.OnClientGone([&context] { context.TryCancel(); });
    const auto call = stub.PrepareUnaryCall(&context, route.rpc, request, backends_.queue());
    call->StartCall();
    co_await Completed([&](void* tag) { call->Finish(&bytes, &status, tag); });
  }
  AddFieldsOfMetadata(context.GetServerInitialMetadata(), exchange);
  AddFieldsOfMetadata(context.GetServerTrailingMetadata(), exchange);
  if (!status.ok()) co_return co_await exchange.SendProblem(ErrorOf(status, route, context));
  const auto message = SliceOf(bytes);
  if (!message.ok()) co_return co_await exchange.SendProblem(message.status());
  co_await AnswerUnary(exchange, route, View(*message));
}

Awaitable<void> Transcoder::AnswerUnary(Exchange& exchange, const Route& route, std::string_view message) {
  if (route.answers_nothing()) co_return co_await exchange.Send({.status = 204});
  if (route.verb == "GET") {
    if (absl::Status held = HoldAnswer(exchange, message); !held.ok()) {
      co_return co_await exchange.SendProblem(held);
    }
  }
  if (IsProtobuf(exchange)) {
    co_return co_await exchange.Send(ContentResponse(std::string(message), 200, kProtobuf));
  }
  std::string json;
  if (!AppendResponse(route, message, json)) {
    co_return co_await exchange.SendProblem(NotAnAnswer(route));
  }
  co_await exchange.Send(ContentResponse(std::move(json)));
}

// All messages of a stream, as one answer.
Awaitable<void> Transcoder::AnswerStreamed(Exchange& exchange, const Route& route,
                                           const calls::v1::CarriedAnswer& answer) {
  if (answer.responses().empty()) {
    const bool unchanged =
        std::ranges::any_of(answer.metadata(), [](const auto& entry) { return entry.key() == "etag"; });
    if (unchanged) co_return co_await exchange.Send({.status = 304});
    co_return co_await exchange.SendProblem(NoMessage());
  }
  ResponseStream stream(route);
  std::string json;
  for (const std::string& message : answer.responses()) {
    absl::Status status = HoldAnswer(exchange, message);
    if (status.ok() && !stream.Append(message, json)) status = NotAnAnswer(route);
    if (!status.ok()) co_return co_await exchange.SendProblem(status);
  }
  stream.Finish(json);
  co_await exchange.Send(ContentResponse(std::move(json)));
}

// Reads one message ahead of what it writes: only the second one tells that the answer is a stream, and only
// the status behind the last one that it is whole. The next is read when the client has taken the one before.
Awaitable<void> Transcoder::CallStreamed(Exchange& exchange, const Route& route,
                                         const grpc::ByteBuffer& request, grpc::GenericStub& stub,
                                         grpc::ClientContext& context) {
  const auto watch = exchange.OnClientGone([&context] { context.TryCancel(); });
  const auto call = stub.PrepareCall(&context, route.rpc, backends_.queue());
  bool open = co_await Completed([&](void* tag) { call->StartCall(tag); });
  open = open && co_await Completed([&](void* tag) { call->WriteLast(request, grpc::WriteOptions(), tag); });

  const std::string_view type = route.answers_lines() ? kLines : kJson;
  ResponseStream stream(route);
  std::string json;  // made, and not yet sent
  std::size_t messages = 0;
  bool streaming = false;
  absl::Status failure;
  grpc::ByteBuffer bytes;
  while (open && co_await Completed([&](void* tag) { call->Read(&bytes, tag); })) {
    const auto part = SliceOf(bytes);
    if (failure = part.status(); !failure.ok()) break;
    if (++messages <= 2) {
      if (failure = HoldAnswer(exchange, View(*part)); !failure.ok()) break;
    }
    if (messages == 2) {
      AddFieldsOfMetadata(context.GetServerInitialMetadata(), exchange);
      streaming = true;
      open = co_await exchange.StartStream(ContentResponse("", 200, type));
      // Who asks for the head alone has all of it; what it would stand for need not be read.
      if (open && exchange.head().method == "HEAD") {
        context.TryCancel();
        grpc::Status ignored;
        co_await Completed([&](void* tag) { call->Finish(&ignored, tag); });
        co_return co_await exchange.EndStream();
      }
    }
    open = open && (!streaming || co_await exchange.SendPart(json));
    if (streaming) json.clear();
    if (!stream.Append(View(*part), json)) {
      failure = NotAnAnswer(route);
      break;
    }
  }
  if (!open || !failure.ok()) context.TryCancel();
  grpc::Status status;
  co_await Completed([&](void* tag) { call->Finish(&status, tag); });
  if (failure.ok() && !status.ok()) failure = ErrorOf(status, route, context);

  if (streaming) {
    if (!failure.ok()) co_return exchange.set_reason(ReasonOf(failure));
    stream.Finish(json);
    if (co_await exchange.SendPart(json)) co_await exchange.EndStream();
    co_return;
  }
  AddFieldsOfMetadata(context.GetServerInitialMetadata(), exchange);
  AddFieldsOfMetadata(context.GetServerTrailingMetadata(), exchange);
  if (!failure.ok()) co_return co_await exchange.SendProblem(failure);
  if (messages == 0 && !route.answers_lines()) {
    const bool unchanged = context.GetServerInitialMetadata().contains("etag") ||
                           context.GetServerTrailingMetadata().contains("etag");
    if (unchanged) co_return co_await exchange.Send({.status = 304});
    co_return co_await exchange.SendProblem(NoMessage());
  }
  stream.Finish(json);
  co_await exchange.Send(ContentResponse(std::move(json), 200, type));
}

}  // namespace verdict::gateway
