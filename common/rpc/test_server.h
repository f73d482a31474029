#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <latch>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>
#include <grpcpp/client_context.h>

#include "common/rpc/call_metadata.h"
#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "common/status/error.h"
#include "common/status/grpc_status.h"
#include "tests/support/await.h"
#include "verdict/aggregator/v1/aggregator_service.grpc.pb.h"
#include "verdict/aggregator/v1/topology_service.grpc.pb.h"
#include "verdict/token/v1/token_service.grpc.pb.h"

namespace verdict::rpc {
using aggregator::v1::AggregatorService;
using aggregator::v1::GetEntityFeedbackRequest;
using aggregator::v1::GetEntityFeedbackResponse;
using aggregator::v1::ListSpanEvaluationsRequest;
using aggregator::v1::ListSpanEvaluationsResponse;
using aggregator::v1::TopologyService;
using token::v1::MintTokenRequest;
using token::v1::MintTokenResponse;
using token::v1::RevokeAllTokensRequest;
using token::v1::RevokeAllTokensResponse;
using token::v1::RevokeTokenRequest;
using token::v1::RevokeTokenResponse;
using token::v1::TokenService;
using token::v1::VerifyTokenRequest;
using token::v1::VerifyTokenResponse;

inline const std::string kProject = "01900000-0000-7000-8000-000000000001";

// Keys by name: token, read, admin (for kProject when it is named), away.
class NamedKeys final : public auth::Authenticator {
 public:
  void Authenticate(const auth::Credential& credential, auth::Deadline /*deadline*/,
                    auth::AuthenticateDone done) override {
    auth::Principal principal;
    principal.project_id = *Uuid::Parse(kProject);
    principal.key_id.bytes[0] = 1;
    if (credential.secret == "token") {
      principal.AddScope(options::v1::SCOPE_TOKEN);
    } else if (credential.secret == "read") {
      principal.AddScope(options::v1::SCOPE_READ);
    } else if (credential.secret == "admin") {
      principal = {};
      principal.admin = true;
      if (credential.project == kProject) principal.project_id = *Uuid::Parse(kProject);
    } else if (credential.secret == "away") {
      return done(
          MakeError(errors::v1::REASON_UNAVAILABLE, "Away.", {.retry_after = std::chrono::seconds(1)}));
    } else {
      return done(MakeError(errors::v1::REASON_UNAUTHENTICATED, "No."));
    }
    done(std::make_shared<const auth::Principal>(principal));
  }
};

// What ListSpanEvaluations of the TestServer answers, by the span: messages, their tag, and the end.
struct SpanAnswer {
  std::string span_id;
  std::vector<std::string> messages;
  std::string etag;
  Reason reason = errors::v1::REASON_UNSPECIFIED;
};
inline const std::vector<SpanAnswer> kSpanAnswers = {
    {.span_id = "whole", .messages = {"whole"}, .etag = "\"8\""},
    {.span_id = "unchanged", .messages = {}, .etag = "\"8\""},
    {.span_id = "stream", .messages = {"first", "second"}, .etag = "\"9\""},
    {.span_id = "refused", .messages = {}, .etag = "", .reason = errors::v1::REASON_JUDGE_NOT_FOUND},
};
inline ListSpanEvaluationsRequest SpanRequest(const std::string& span_id) {
  ListSpanEvaluationsRequest request;
  request.set_project_id(kProject);
  request.set_span_id(span_id);
  return request;
}

struct CallOptions {
  std::string key = "token";
  std::vector<std::pair<std::string, std::string>> metadata = {};
  std::chrono::milliseconds deadline = std::chrono::seconds(5);
};

// A server whose MintToken answers what `mint` says, and a client of it.
class TestServer {
 public:
  explicit TestServer(ServerOptions options = {}) : server_(std::move(options), keys_, registry_) {
    server_.Inline<MintTokenRequest, MintTokenResponse>(
        "verdict.token.v1.TokenService/MintToken",
        [this](Context& context, const MintTokenRequest& request) { return mint(context, request); });
    server_.Blocking<VerifyTokenRequest, VerifyTokenResponse>(
        "verdict.token.v1.TokenService/VerifyToken",
        [this](Context& context, const VerifyTokenRequest&) -> absl::StatusOr<VerifyTokenResponse> {
          verifying.count_down();
          release.wait();
          test::Await("the call to be cancelled", [&] { return context.cancelled(); });
          ended_cancelled = true;
          return VerifyTokenResponse();
        });
    server_.Async<RevokeTokenRequest, RevokeTokenResponse>(
        "verdict.token.v1.TokenService/RevokeToken",
        [](Context&, const RevokeTokenRequest&, Done<RevokeTokenResponse> done) {
          std::jthread([done = std::move(done)]() mutable { done(RevokeTokenResponse()); }).detach();
        });
    server_.Inline<RevokeAllTokensRequest, RevokeAllTokensResponse>(
        "verdict.token.v1.TokenService/RevokeAllTokens",
        [](Context&, const RevokeAllTokensRequest&) { return RevokeAllTokensResponse(); });
    server_.Stream<GetEntityFeedbackRequest, GetEntityFeedbackResponse>(
        "verdict.aggregator.v1.AggregatorService/GetEntityFeedback",
        [this](Context& context, const GetEntityFeedbackRequest& request,
               Writer<GetEntityFeedbackResponse>& writer) {
          if (reading_on_release) release.wait();
          context.SetETag("\"7\"");
          if (context.if_none_match() && HasETag(*context.if_none_match(), "\"7\"")) return absl::OkStatus();
          const int count = std::stoi(request.entity_id());
          for (int i = 0; i < count; ++i) {
            GetEntityFeedbackResponse response;
            response.add_items()->set_id(std::to_string(i));
            // What is long is to fill the transport's buffers soon.
            if (count > 1'000) response.mutable_items(0)->set_reason(std::string(10'000, 'r'));
            if (!writer.Write(response)) break;
          }
          return absl::OkStatus();
        });
    server_.AtOnceOrStream<ListSpanEvaluationsRequest, ListSpanEvaluationsResponse>(
        "verdict.aggregator.v1.AggregatorService/ListSpanEvaluations",
        [](Context& context, const ListSpanEvaluationsRequest& request,
           Done<AtOnce<ListSpanEvaluationsResponse>> done) {
          std::jthread([&context, &request, done = std::move(done)]() mutable {
            AnswerAtOnce(context, request.span_id(), std::move(done));
          }).detach();
        },
        [](Context& context, const ListSpanEvaluationsRequest& request,
           Writer<ListSpanEvaluationsResponse>& writer) -> absl::Status {
          context.SetETag("\"9\"");
          for (const char* part : {"first", "second"}) {
            ListSpanEvaluationsResponse response;
            response.set_span_id(part);
            writer.Write(response);
          }
          if (request.span_id() != "stream") return MakeError(errors::v1::REASON_OVERLOADED, "Too much.");
          return absl::OkStatus();
        });
    Register<verdict::aggregator::v1::ListFeedbackRequest, verdict::aggregator::v1::ListFeedbackResponse>(
        "ListFeedback");
    Register<verdict::aggregator::v1::ExportFeedbackRequest, verdict::aggregator::v1::ExportFeedbackResponse>(
        "ExportFeedback");
    Register<verdict::aggregator::v1::GetFeedbackRequest, verdict::aggregator::v1::GetFeedbackResponse>(
        "GetFeedback");
    Register<verdict::aggregator::v1::ListJudgeEvaluationsRequest,
             verdict::aggregator::v1::ListJudgeEvaluationsResponse>("ListJudgeEvaluations");
    Stream<verdict::aggregator::v1::ListSpansRequest, verdict::aggregator::v1::ListSpansResponse>(
        "ListSpans");
    Stream<verdict::aggregator::v1::ListTracesRequest, verdict::aggregator::v1::ListTracesResponse>(
        "ListTraces");
    Stream<verdict::aggregator::v1::ListSessionsRequest, verdict::aggregator::v1::ListSessionsResponse>(
        "ListSessions");
    REQUIRE(server_.Start().ok());
    const auto channel = NewChannel(server_.address());
    tokens = TokenService::NewStub(channel);
    aggregator = AggregatorService::NewStub(channel);
    topology = TopologyService::NewStub(channel);
  }

  static void Prepare(grpc::ClientContext& context, const CallOptions& options) {
    context.set_deadline(std::chrono::system_clock::now() + options.deadline);
    context.set_wait_for_ready(true);
    if (!options.key.empty()) context.AddMetadata("authorization", "bearer " + options.key);
    for (const auto& [name, value] : options.metadata) context.AddMetadata(name, value);
  }

  absl::Status Mint(const CallOptions& options, const MintTokenRequest& request = ValidMint()) {
    grpc::ClientContext context;
    Prepare(context, options);
    MintTokenResponse response;
    absl::Status status = FromGrpc(tokens->MintToken(&context, request, &response));
    trailers.clear();
    for (const auto& [name, value] : context.GetServerTrailingMetadata()) {
      trailers[{name.data(), name.size()}] = {value.data(), value.size()};
    }
    return status;
  }

  // How many calls of "token.v1.TokenService/MintToken" were answered OK.
  std::size_t Answered(const std::string& method) const {
    const std::string text = registry_.Text();
    const std::string line = "\nverdict_rpc_total{method=\"verdict." + method + "\",reason=\"OK\"} ";
    const std::size_t begin = text.find(line);
    return begin == std::string::npos ? 0 : std::stoul(text.substr(begin + line.size()));
  }

  static MintTokenRequest ValidMint() {
    MintTokenRequest request;
    request.set_resource_type(types::v1::ENTITY_TYPE_TRACE);
    request.set_resource_id("t");
    return request;
  }

  std::function<absl::StatusOr<MintTokenResponse>(Context&, const MintTokenRequest&)> mint =
      [](Context&, const MintTokenRequest&) { return MintTokenResponse(); };
  std::latch verifying{1};
  std::latch release{1};
  std::atomic<bool> reading_on_release = false;  // whether GetEntityFeedback, too, waits for it
  std::atomic<bool> ended_cancelled = false;
  std::map<std::string, std::string> trailers;  // of the last Mint
  metrics::Registry registry_;
  std::unique_ptr<TokenService::Stub> tokens;
  std::unique_ptr<AggregatorService::Stub> aggregator;
  std::unique_ptr<TopologyService::Stub> topology;

 private:
  // A method that is never called: a server starts with all handlers only.
  template <typename Request, typename Response>
  void Register(const std::string& method) {
    server_.Inline<Request, Response>("verdict.aggregator.v1.AggregatorService/" + method,
                                      [](Context&, const Request&) { return Response(); });
  }

  // "whole" has a message, "unchanged" only a tag, "refused" an error; the others have to be streamed.
  static void AnswerAtOnce(Context& context, const std::string& span_id,
                           Done<AtOnce<ListSpanEvaluationsResponse>> done) {
    AtOnce<ListSpanEvaluationsResponse> answer = {.whole = span_id == "whole" || span_id == "unchanged"};
    if (answer.whole) context.SetETag("\"8\"");
    if (span_id == "whole") {
      answer.response = std::make_unique<ListSpanEvaluationsResponse>();
      answer.response->set_span_id(span_id);
    }
    if (span_id == "refused") return done(MakeError(errors::v1::REASON_JUDGE_NOT_FOUND, "None."));
    done(std::move(answer));
  }

  // A streamed method that answers nothing.
  template <typename Request, typename Response>
  void Stream(const std::string& method) {
    server_.Stream<Request, Response>(
        "verdict.aggregator.v1.TopologyService/" + method,
        [](Context&, const Request&, Writer<Response>&) { return absl::OkStatus(); });
  }

  NamedKeys keys_;

 public:
  Server server_;
};

}  // namespace verdict::rpc
