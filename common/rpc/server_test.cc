#include "common/rpc/server.h"

#include <latch>
#include <map>
#include <string>
#include <utility>

#include <catch2/catch.hpp>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include "common/gzip/test_gzip.h"
#include "common/rpc/channel.h"
#include "common/rpc/test_server.h"
#include "common/status/error.h"
#include "common/status/grpc_status.h"
#include "tests/support/await.h"
#include "tests/support/sanitized.h"
#include "tests/support/usage.h"
#include "verdict/token/v1/identity_service.grpc.pb.h"

namespace verdict::rpc {
namespace {

using namespace std::chrono_literals;

TEST_CASE("only a good key with the method's scope gets through") {
  TestServer f;
  CHECK(f.Mint({}).ok());
  CHECK(ReasonOf(f.Mint({.key = ""})) == errors::v1::REASON_UNAUTHENTICATED);
  CHECK(ReasonOf(f.Mint({.key = "wrong"})) == errors::v1::REASON_UNAUTHENTICATED);
  CHECK(ReasonOf(f.Mint({.key = std::string(300, 'x')})) == errors::v1::REASON_UNAUTHENTICATED);
  CHECK(ReasonOf(f.Mint({.key = "read"})) == errors::v1::REASON_SCOPE_REQUIRED);
  const absl::Status away = f.Mint({.key = "away"});
  CHECK(ReasonOf(away) == errors::v1::REASON_UNAVAILABLE);
  CHECK(DetailsOf(away).retry_after == 1s);
}

TEST_CASE("the key may come as x-api-key, and two that differ are none") {
  TestServer f;
  const auto reason = [&](const std::string& bearer, const std::string& key) {
    return ReasonOf(f.Mint({.key = bearer, .metadata = {{"x-api-key", key}}}));
  };
  CHECK(reason("", "token") == errors::v1::REASON_UNSPECIFIED);
  CHECK(reason("token", "token") == errors::v1::REASON_UNSPECIFIED);
  CHECK(reason("", "wrong") == errors::v1::REASON_UNAUTHENTICATED);
  CHECK(reason("", "read") == errors::v1::REASON_SCOPE_REQUIRED);
  CHECK(reason("token", "read") == errors::v1::REASON_UNAUTHENTICATED);
  CHECK(reason("read", "token") == errors::v1::REASON_UNAUTHENTICATED);
  CHECK(reason("token", "") == errors::v1::REASON_UNAUTHENTICATED);
}

TEST_CASE("an admin key passes for a project that it names, and on admin methods") {
  TestServer f;
  CHECK(ReasonOf(f.Mint({.key = "admin"})) == errors::v1::REASON_PERMISSION_DENIED);
  CHECK(f.Mint({.key = "admin", .metadata = {{"verdict-project", kProject}}}).ok());

  RevokeAllTokensRequest request;
  request.set_project_id(kProject);
  RevokeAllTokensResponse response;
  for (const auto& [key, reason] : {std::pair{"admin", errors::v1::REASON_UNSPECIFIED},
                                    {"token", errors::v1::REASON_PERMISSION_DENIED}}) {
    grpc::ClientContext context;
    TestServer::Prepare(context, {.key = key});
    CHECK(ReasonOf(FromGrpc(f.tokens->RevokeAllTokens(&context, request, &response))) == reason);
  }
}

TEST_CASE("a project that is not the key's own is refused, whether it exists or not") {
  TestServer f;
  GetEntityFeedbackRequest request;
  request.set_entity_type(types::v1::ENTITY_TYPE_SPAN);
  request.set_entity_id("0");
  std::vector<absl::Status> refusals;
  for (const char* project : {"01900000-0000-7000-8000-000000000002", "not-a-uuid", ""}) {
    request.set_project_id(project);
    grpc::ClientContext context;
    TestServer::Prepare(context, {.key = "read"});
    refusals.push_back(FromGrpc(f.aggregator->GetEntityFeedback(&context, request)->Finish()));
    CHECK(ReasonOf(refusals.back()) == errors::v1::REASON_PERMISSION_DENIED);
    CHECK(refusals.back() == refusals.front());
  }
}

TEST_CASE("a project that need not be named is the key's own") {
  TestServer f;
  const auto reason = [&](const std::optional<std::string>& project) {
    aggregator::v1::ListSpansRequest request;
    if (project) request.set_project_id(*project);
    grpc::ClientContext context;
    TestServer::Prepare(context, {.key = "read"});
    return ReasonOf(FromGrpc(f.topology->ListSpans(&context, request)->Finish()));
  };
  CHECK(reason(std::nullopt) == errors::v1::REASON_UNSPECIFIED);
  CHECK(reason(kProject) == errors::v1::REASON_UNSPECIFIED);
  for (const char* project : {"01900000-0000-7000-8000-000000000002", "not-a-uuid", ""}) {
    CHECK(reason(project) == errors::v1::REASON_PERMISSION_DENIED);
  }
}

TEST_CASE("a request that breaks its fields' rules never reaches the handler") {
  TestServer f;
  bool reached = false;
  f.mint = [&](Context&, const MintTokenRequest&) {
    reached = true;
    return MintTokenResponse();
  };
  const absl::Status status = f.Mint({}, MintTokenRequest());
  CHECK(ReasonOf(status) == errors::v1::REASON_VALIDATION_ERROR);
  CHECK(DetailsOf(status).violations.size() == 2);
  CHECK_FALSE(reached);
}

TEST_CASE("the handler sees request id, idempotency key and principal, and can say that it replayed") {
  TestServer f;
  std::string request_id;
  std::optional<std::string> key;
  f.mint = [&](Context& context, const MintTokenRequest&) {
    request_id = context.request_id();
    key = context.idempotency_key();
    CHECK(context.principal().project_id.ToString() == kProject);
    context.SetReplayed();
    return MintTokenResponse();
  };
  REQUIRE(f.Mint({.metadata = {{"x-request-id", "req-1"}, {"idempotency-key", "k1"}}}).ok());
  CHECK(request_id == "req-1");
  CHECK(key == "k1");
  CHECK(f.trailers.at("idempotent-replayed") == "true");

  REQUIRE(f.Mint({.metadata = {{"x-request-id", "bad id!"}}}).ok());
  CHECK(Uuid::Parse(request_id).has_value());
  CHECK_FALSE(key.has_value());
  CHECK(ReasonOf(f.Mint({.metadata = {{"idempotency-key", ""}}})) == errors::v1::REASON_VALIDATION_ERROR);
  CHECK(ReasonOf(f.Mint({.metadata = {{"idempotency-key", std::string(256, 'k')}}})) ==
        errors::v1::REASON_VALIDATION_ERROR);
}

TEST_CASE("an internal error's cause does not leave, another error's message does") {
  TestServer f;
  f.mint = [](Context&, const MintTokenRequest&) { return InternalError("relation x does not exist"); };
  const absl::Status internal = f.Mint({});
  CHECK(ReasonOf(internal) == errors::v1::REASON_INTERNAL);
  CHECK(internal.message() == "An internal error occurred.");
  f.mint = [](Context&, const MintTokenRequest&) {
    return MakeError(errors::v1::REASON_TOKEN_USED, "The feedback token has been used.");
  };
  CHECK(f.Mint({}).message() == "The feedback token has been used.");
  CHECK(f.registry_.Text().find(
            R"(verdict_rpc_total{method="verdict.token.v1.TokenService/MintToken",reason="TOKEN_USED"} 1)") !=
        std::string::npos);
}

TEST_CASE("a key's rate limit answers RATE_LIMITED with a time to come back") {
  TestServer f({.rate_limit = {.per_second = 1, .burst = 2}});
  CHECK(f.Mint({}).ok());
  CHECK(f.Mint({}).ok());
  const absl::Status status = f.Mint({});
  CHECK(ReasonOf(status) == errors::v1::REASON_RATE_LIMITED);
  CHECK(DetailsOf(status).retry_after > 0ms);
  CHECK(f.trailers.at("ratelimit-policy") == "\"key\";q=2;w=2");
  CHECK(f.trailers.at("ratelimit") == "\"key\";r=0;t=1");
}

TEST_CASE("a call whose time is over before it begins is refused") {
  TestServer f;
  REQUIRE(f.Mint({}).ok());  // connected
  bool reached = false;
  f.mint = [&](Context&, const MintTokenRequest&) {
    reached = true;
    return MintTokenResponse();
  };
  CHECK(f.Mint({.deadline = 15ms}).code() == absl::StatusCode::kDeadlineExceeded);
  CHECK_FALSE(reached);
}

TEST_CASE("blocking work that exceeds the executor's bound is refused as OVERLOADED") {
  TestServer f({.executor_threads = 1, .executor_waiting_max = 0});
  VerifyTokenRequest request;
  request.set_token("t");
  VerifyTokenResponse response;
  grpc::ClientContext context;
  TestServer::Prepare(context, {});
  CHECK(ReasonOf(FromGrpc(f.tokens->VerifyToken(&context, request, &response))) ==
        errors::v1::REASON_OVERLOADED);
}

TEST_CASE("a handler learns that its caller is gone, and the server waits for it when it ends") {
  TestServer f;
  grpc::ClientContext context;
  TestServer::Prepare(context, {});
  std::jthread caller([&] {
    VerifyTokenRequest request;
    request.set_token("t");
    VerifyTokenResponse response;
    CHECK(f.tokens->VerifyToken(&context, request, &response).error_code() == grpc::StatusCode::CANCELLED);
  });
  f.verifying.wait();
  context.TryCancel();
  caller.join();
  std::jthread shutdown([&] { f.server_.Shutdown(0ms); });
  f.release.count_down();
  shutdown.join();
  CHECK(f.ended_cancelled);
}

TEST_CASE("a method that the server does not have is UNIMPLEMENTED") {
  TestServer f;
  const auto identities = token::v1::IdentityService::NewStub(NewChannel(f.server_.address()));
  token::v1::AuthenticateRequest request;
  token::v1::AuthenticateResponse response;
  grpc::ClientContext context;
  TestServer::Prepare(context, {});
  CHECK(ReasonOf(FromGrpc(identities->Authenticate(&context, request, &response))) ==
        errors::v1::REASON_UNIMPLEMENTED);
}

TEST_CASE("async handlers answer from their own threads") {
  TestServer f;
  RevokeTokenRequest request;
  request.set_id(kProject);
  RevokeTokenResponse response;
  grpc::ClientContext context;
  TestServer::Prepare(context, {});
  CHECK(f.tokens->RevokeToken(&context, request, &response).ok());
}

TEST_CASE("a streamed RPC delivers every message in order") {
  TestServer f;
  for (const int count : {0, 1, 500}) {
    GetEntityFeedbackRequest request;
    request.set_project_id(kProject);
    request.set_entity_type(types::v1::ENTITY_TYPE_SPAN);
    request.set_entity_id(std::to_string(count));
    grpc::ClientContext context;
    TestServer::Prepare(context, {.key = "read"});
    const auto reader = f.aggregator->GetEntityFeedback(&context, request);
    GetEntityFeedbackResponse response;
    int received = 0;
    while (reader->Read(&response)) {
      REQUIRE(response.items(0).id() == std::to_string(received));
      ++received;
    }
    CHECK(reader->Finish().ok());
    CHECK(received == count);
  }
}

TEST_CASE("a streamed RPC names its state before its first message, and sends none to whoever has it") {
  TestServer f;
  GetEntityFeedbackRequest request;
  request.set_project_id(kProject);
  request.set_entity_type(types::v1::ENTITY_TYPE_SPAN);
  const auto [tags, count, messages] =
      GENERATE(table<const char*, const char*, int>({{nullptr, "2", 2},
                                                     {nullptr, "0", 0},
                                                     {"\"8\"", "2", 2},
                                                     {"", "1", 1},
                                                     {"\"7\"", "2", 0},
                                                     {"\"8\", W/\"7\"", "2", 0},
                                                     {"*", "2", 0}}));
  request.set_entity_id(count);
  grpc::ClientContext context;
  TestServer::Prepare(context, {.key = "read"});
  if (tags != nullptr) context.AddMetadata("if-none-match", tags);
  const auto reader = f.aggregator->GetEntityFeedback(&context, request);
  reader->WaitForInitialMetadata();
  const auto& metadata = context.GetServerInitialMetadata();
  REQUIRE(metadata.count("etag") == 1);
  CHECK(metadata.find("etag")->second == "\"7\"");
  GetEntityFeedbackResponse response;
  int received = 0;
  while (reader->Read(&response)) ++received;
  CHECK(reader->Finish().ok());
  CHECK(received == messages);
}

TEST_CASE("a streamed RPC may be answered at once, with a message or without, or streamed after all") {
  TestServer f;
  const auto call = [&](const std::string& span_id) {
    grpc::ClientContext context;
    TestServer::Prepare(context, {.key = "read"});
    const auto reader = f.aggregator->ListSpanEvaluations(&context, SpanRequest(span_id));
    SpanAnswer answer = {.span_id = span_id, .messages = {}, .etag = ""};
    for (ListSpanEvaluationsResponse response; reader->Read(&response);) {
      answer.messages.push_back(response.span_id());
    }
    answer.reason = ReasonOf(FromGrpc(reader->Finish()));
    const auto& metadata = context.GetServerInitialMetadata();
    if (const auto tag = metadata.find("etag"); tag != metadata.end()) {
      answer.etag = {tag->second.data(), tag->second.size()};
    }
    return answer;
  };
  for (const SpanAnswer& expected : kSpanAnswers) {
    CAPTURE(expected.span_id);
    const SpanAnswer answer = call(expected.span_id);
    CHECK(answer.messages == expected.messages);
    CHECK(answer.etag == expected.etag);
    CHECK(answer.reason == expected.reason);
  }
  // What was streamed already stays, and the end says that it is not all.
  const SpanAnswer broken = call("stream, and fail");
  CHECK(broken.messages.size() == 2);
  CHECK(broken.reason == errors::v1::REASON_OVERLOADED);
  // Each counts once.
  const auto counted = [&](const std::string& reason, int count) {
    return f.registry_.Text().find(
               R"(verdict_rpc_total{method="verdict.aggregator.v1.AggregatorService/ListSpanEvaluations",reason=")" +
               reason + "\"} " + std::to_string(count)) != std::string::npos;
  };
  CHECK(counted("OK", 3));
  CHECK(counted("JUDGE_NOT_FOUND", 1));
  CHECK(counted("OVERLOADED", 1));
}

TEST_CASE("what is answered at once needs no thread of the executor, and what has to be streamed does") {
  TestServer f({.executor_threads = 1, .executor_waiting_max = 0});
  for (const auto& [span_id, reason] :
       {std::pair("whole", errors::v1::REASON_UNSPECIFIED), {"stream", errors::v1::REASON_OVERLOADED}}) {
    grpc::ClientContext context;
    TestServer::Prepare(context, {.key = "read"});
    const auto reader = f.aggregator->ListSpanEvaluations(&context, SpanRequest(span_id));
    for (ListSpanEvaluationsResponse response; reader->Read(&response);) {
    }
    CHECK(ReasonOf(FromGrpc(reader->Finish())) == reason);
  }
}

TEST_CASE("a caller that does not read holds a stream no longer than its deadline") {
  TestServer f({.stream_deadline = 300ms});
  GetEntityFeedbackRequest request;
  request.set_project_id(kProject);
  request.set_entity_type(types::v1::ENTITY_TYPE_SPAN);
  request.set_entity_id("1000000");
  grpc::ClientContext context;
  TestServer::Prepare(context, {.key = "read", .deadline = 20s});
  const auto reader = f.aggregator->GetEntityFeedback(&context, request);
  f.server_.Shutdown(10s);  // ends once the stream has, well before 10 s
  CHECK_FALSE(reader->Finish().ok());
}

TEST_CASE("callers who do not read share a part of the threads, and leave the others to those who do") {
  TestServer f({.executor_threads = 8});  // one slow reader a caller
  GetEntityFeedbackRequest request;
  request.set_project_id(kProject);
  request.set_entity_type(types::v1::ENTITY_TYPE_SPAN);
  request.set_entity_id("1000000");
  grpc::ClientContext first;
  grpc::ClientContext second;
  for (grpc::ClientContext* context : {&first, &second}) {
    TestServer::Prepare(*context, {.key = "read", .deadline = 60s});
  }
  const auto readers = {f.aggregator->GetEntityFeedback(&first, request),
                        f.aggregator->GetEntityFeedback(&second, request)};
  test::Await("one of two to be cut", [&] {
    return f.registry_.Text().find("verdict_rpc_slow_readers_cut_total 1") != std::string::npos;
  });

  request.set_entity_id("1");
  grpc::ClientContext quick;
  TestServer::Prepare(quick, {.key = "read"});
  const auto reader = f.aggregator->GetEntityFeedback(&quick, request);
  GetEntityFeedbackResponse response;
  CHECK(reader->Read(&response));
  CHECK(reader->Finish().ok());

  first.TryCancel();
  second.TryCancel();
  for (const auto& ended : readers) CHECK_FALSE(ended->Finish().ok());
}

// What becomes of a MintToken whose message is these bytes.
absl::Status MintBytes(const std::string& address, const grpc::ByteBuffer& message, const std::string& key,
                       grpc_compression_algorithm compression = GRPC_COMPRESS_NONE) {
  grpc::GenericStub stub(NewChannel(address));
  grpc::ClientContext context;
  TestServer::Prepare(context, {.key = key, .deadline = 60s});
  context.set_compression_algorithm(compression);
  grpc::ByteBuffer response;
  grpc::CompletionQueue queue;
  grpc::Status status;
  const auto call =
      stub.PrepareUnaryCall(&context, "/verdict.token.v1.TokenService/MintToken", message, &queue);
  call->StartCall();
  call->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  return FromGrpc(status);
}

grpc::ByteBuffer Bytes(const std::string& text) {
  const grpc::Slice slice(text);
  return {&slice, 1};
}

TEST_CASE("a message is looked at when its sender is known, and never before") {
  TestServer f;
  for (const auto& [message, reason] :
       {std::pair(std::string("no message"), errors::v1::REASON_VALIDATION_ERROR),
        {"\x1f\x8b no gzip", errors::v1::REASON_BAD_REQUEST},
        {Gzip("no message"), errors::v1::REASON_VALIDATION_ERROR},
        {Gzip(std::string((1 << 20) + 1, 'x')), errors::v1::REASON_BODY_TOO_LARGE}}) {
    const auto answer = [&](const std::string& key) {
      return ReasonOf(MintBytes(f.server_.address(), Bytes(message), key));
    };
    CHECK(answer("wrong") == errors::v1::REASON_UNAUTHENTICATED);
    CHECK(answer("read") == errors::v1::REASON_SCOPE_REQUIRED);
    CHECK(answer("token") == reason);
  }
}

TEST_CASE("a message may be compressed with gzip, and with nothing else") {
  TestServer f;
  std::string resource;
  f.mint = [&](Context&, const MintTokenRequest& request) {
    resource = request.resource_id();
    return MintTokenResponse();
  };
  MintTokenRequest request = TestServer::ValidMint();
  request.set_resource_id(std::string(200, 'r'));
  const grpc::ByteBuffer bytes = Bytes(request.SerializeAsString());
  CHECK(MintBytes(f.server_.address(), bytes, "token", GRPC_COMPRESS_GZIP).ok());
  CHECK(resource == request.resource_id());
  CHECK(MintBytes(f.server_.address(), bytes, "token", GRPC_COMPRESS_DEFLATE).code() ==
        absl::StatusCode::kUnimplemented);
}

// How much memory it takes a server to get a message of a few hundred KiB that inflates to 256 MiB.
std::size_t BombMiB(const std::string& address, const std::string& key, const absl::StatusCode refusal) {
  constexpr std::size_t kMiB = 1 << 20;
  const grpc::ByteBuffer bomb = Bytes(std::string(256 * kMiB, '\0'));
  test::ResetPeak();
  const std::int64_t before = test::PeakBytes();
  CHECK(MintBytes(address, bomb, key, GRPC_COMPRESS_GZIP).code() == refusal);
  return static_cast<std::size_t>(test::PeakBytes() - before) / kMiB;
}

TEST_CASE("a message that inflates to more than is allowed takes no memory, whoever sent it") {
  constexpr std::size_t kMiBMax = 50;
  TestServer f;
  const std::size_t stranger = BombMiB(f.server_.address(), "wrong", absl::StatusCode::kUnauthenticated);
  const std::size_t caller = BombMiB(f.server_.address(), "token", absl::StatusCode::kInvalidArgument);

  // Control: gRPC's own servers inflate the whole of it, to find it too large.
  token::v1::TokenService::Service service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  const std::size_t unbounded =
      BombMiB("127.0.0.1:" + std::to_string(port), "token", absl::StatusCode::kResourceExhausted);
  WARN("256 MiB: a stranger's take " << stranger << " MiB, a caller's " << caller
                                     << ", and gRPC's own server " << unbounded);
  CHECK((test::kSanitized || (stranger < kMiBMax && caller < kMiBMax)));
  CHECK((test::kSanitized || unbounded > 200));
}

TEST_CASE("a port in use is an error") {
  TestServer f;
  metrics::Registry registry;
  NamedKeys keys;
  Server second({.listen = f.server_.address()}, keys, registry);
  CHECK_FALSE(second.Start().ok());
}

}  // namespace
}  // namespace verdict::rpc
