#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <grpcpp/server.h>

#include "absl/synchronization/notification.h"
#include "common/auth/authenticator.h"
#include "common/metrics/metrics.h"
#include "gateway/backends.h"
#include "gateway/http_server.h"
#include "gateway/metrics.h"
#include "gateway/route_table.h"
#include "gateway/testing/http_client.h"
#include "gateway/transcoder.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.grpc.pb.h"
#include "verdict/aggregator/v1/aggregator_service.grpc.pb.h"
#include "verdict/aggregator/v1/topology_service.grpc.pb.h"
#include "verdict/calls/v1/call_service.grpc.pb.h"
#include "verdict/feedback/v1/evaluation_service.grpc.pb.h"
#include "verdict/feedback/v1/feedback_service.grpc.pb.h"
#include "verdict/feedback/v1/span_service.grpc.pb.h"
#include "verdict/token/v1/token_service.grpc.pb.h"

// A gateway on a real socket, with the services played by a gRPC server in the test's own process.
namespace verdict::gateway {

using aggregator::v1::ExportFeedbackRequest;
using aggregator::v1::ExportFeedbackResponse;
using aggregator::v1::GetEntityFeedbackRequest;
using aggregator::v1::GetEntityFeedbackResponse;
using aggregator::v1::ListSpansRequest;
using aggregator::v1::ListSpansResponse;
using feedback::v1::CreateSpansRequest;
using feedback::v1::CreateSpansResponse;
using feedback::v1::RecordEvaluationRequest;
using feedback::v1::RecordEvaluationResponse;
using feedback::v1::RecordEvaluationsRequest;
using feedback::v1::RecordEvaluationsResponse;
using feedback::v1::RedeemTokenRequest;
using feedback::v1::RedeemTokenResponse;
using opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
using opentelemetry::proto::collector::trace::v1::ExportTraceServiceResponse;
using opentelemetry::proto::collector::trace::v1::TraceService;
using token::v1::MintTokenRequest;
using token::v1::MintTokenResponse;

// Plays all three services: a few methods, by hand.
class TestBackend final : public token::v1::TokenService::Service,
                          public feedback::v1::FeedbackService::Service,
                          public feedback::v1::SpanService::Service,
                          public feedback::v1::EvaluationService::Service,
                          public TraceService::Service,
                          public aggregator::v1::AggregatorService::Service,
                          public aggregator::v1::TopologyService::Service,
                          public calls::v1::CallService::Service {
 public:
  // Answers a carried call. Nullopt: its stream breaks.
  using Carry = std::function<std::optional<calls::v1::CarriedAnswer>(const calls::v1::CarriedCall&)>;

  // Without `carry` it carries no calls, and all come by themselves.
  explicit TestBackend(Carry carry = {});
  ~TestBackend() override { Stop(); }

  const std::string& address() const { return address_; }
  void SetServing(bool serving);
  void Stop();

  // What the handlers do; set before the request.
  std::function<grpc::Status(grpc::ServerContext&, const MintTokenRequest&, MintTokenResponse&)> mint;
  std::function<grpc::Status(grpc::ServerContext&, const RedeemTokenRequest&, RedeemTokenResponse&)> redeem;
  std::function<grpc::Status(grpc::ServerContext&, const GetEntityFeedbackRequest&,
                             grpc::ServerWriter<GetEntityFeedbackResponse>&)>
      read;
  std::function<grpc::Status(grpc::ServerContext&, const ExportFeedbackRequest&,
                             grpc::ServerWriter<ExportFeedbackResponse>&)>
      export_feedback;
  std::function<grpc::Status(const RecordEvaluationRequest&, RecordEvaluationResponse&)> record;
  std::function<grpc::Status(grpc::ServerContext&, const ExportTraceServiceRequest&,
                             ExportTraceServiceResponse&)>
      export_traces;
  std::function<grpc::Status(const ListSpansRequest&, grpc::ServerWriter<ListSpansResponse>&)> list_spans;
  // What the latest call of any of them carried.
  std::map<std::string, std::string> metadata;

 private:
  grpc::Status MintToken(grpc::ServerContext* context, const MintTokenRequest* request,
                         MintTokenResponse* response) override;
  grpc::Status RevokeToken(grpc::ServerContext* context, const token::v1::RevokeTokenRequest* request,
                           token::v1::RevokeTokenResponse* response) override;
  grpc::Status RedeemToken(grpc::ServerContext* context, const RedeemTokenRequest* request,
                           RedeemTokenResponse* response) override;
  grpc::Status GetEntityFeedback(grpc::ServerContext* context, const GetEntityFeedbackRequest* request,
                                 grpc::ServerWriter<GetEntityFeedbackResponse>* writer) override;

  grpc::Status ListFeedback(grpc::ServerContext* context, const aggregator::v1::ListFeedbackRequest* request,
                            aggregator::v1::ListFeedbackResponse* response) override;
  grpc::Status ExportFeedback(grpc::ServerContext* context, const ExportFeedbackRequest* request,
                              grpc::ServerWriter<ExportFeedbackResponse>* writer) override;
  // Answers the spans of the request.
  grpc::Status CreateSpans(grpc::ServerContext* context, const CreateSpansRequest* request,
                           CreateSpansResponse* response) override;
  grpc::Status RecordEvaluation(grpc::ServerContext* context, const RecordEvaluationRequest* request,
                                RecordEvaluationResponse* response) override;
  grpc::Status Export(grpc::ServerContext* context, const ExportTraceServiceRequest* request,
                      ExportTraceServiceResponse* response) override;
  grpc::Status ListSpans(grpc::ServerContext* context, const ListSpansRequest* request,
                         grpc::ServerWriter<ListSpansResponse>* writer) override;
  grpc::Status CarryCalls(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<calls::v1::CarryCallsResponse, calls::v1::CarryCallsRequest>* stream) override;
  // Answers the spans' ids as the evaluations'.
  grpc::Status RecordEvaluations(grpc::ServerContext* context, const RecordEvaluationsRequest* request,
                                 RecordEvaluationsResponse* response) override;

  const Carry carry_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

// Knows every key but `refused`, cannot tell of `away`, and leaves the answer about `waits` to the test.
class TestAuthenticator final : public auth::Authenticator {
 public:
  void Authenticate(const auth::Credential& credential, auth::Deadline deadline,
                    auth::AuthenticateDone done) override;

  absl::Notification asked;
  auth::AuthenticateDone waiting;  // once `asked`
};

// The gateway, in front of the backend.
struct TestGateway {
  struct Options {
    std::string origins = "*";
    std::string openapi = R"({"openapi":"3.1.0"})";
    TranscoderLimits limits = {};
    HttpLimits http = {};
    TestBackend::Carry carry = {};
  };

  TestGateway() : TestGateway(Options()) {}
  explicit TestGateway(const Options& options);

  TestClient Connect() { return TestClient(server->address()); }
  // Sends one request on a connection of its own.
  TestResponse Exchange(const std::string& request) { return Connect().Exchange(request); }

  TestBackend backend;
  metrics::Registry registry;
  Metrics metrics{registry};
  RouteTable routes;
  Backends backends;
  TestAuthenticator authenticator;
  Transcoder transcoder;
  std::unique_ptr<HttpServer> server;
};

inline constexpr const char* kKey = "Authorization: Bearer key\r\n";
inline constexpr const char* kMintBody = R"({"resource_type":"eval_run","resource_id":"run-42"})";
inline constexpr const char* kListPath = "/projects/0190c0de-0000-7000-8000-000000000000/feedback";
inline constexpr const char* kRecordPath = "/projects/p/judges/j/evaluations";
inline constexpr const char* kReadPath = "/projects/0190c0de-0000-7000-8000-000000000000/feedback/span/s1";

// The bytes of a request; `fields` are whole lines.
std::string Request(const std::string& method, const std::string& path, const std::string& fields = "",
                    const std::string& body = "");
std::string Mint(const std::string& fields = kKey, const std::string& body = kMintBody);
std::string PostSpans(const std::string& body, const std::string& fields = "");
std::string Redeem(const std::string& fields = "", const std::string& body = R"({"thumbs_up":true})");

// The `code` of a problem document, and the field that its first violation names.
std::string CodeOf(const TestResponse& response);
std::string FieldOf(const TestResponse& response);

}  // namespace verdict::gateway
