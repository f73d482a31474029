#include "gateway/testing/gateway.h"

#include <array>
#include <utility>

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_builder.h>

#include "absl/strings/str_cat.h"
#include "common/status/error.h"

namespace verdict::gateway {
namespace {

std::map<std::string, std::string> MetadataOf(const grpc::ServerContext& context) {
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : context.client_metadata()) {
    metadata.emplace(std::string(key.data(), key.size()), std::string(value.data(), value.size()));
  }
  return metadata;
}

RouteTable Routes() {
  const std::array services = {MintTokenRequest::descriptor()->file()->service(0),
                               RedeemTokenRequest::descriptor()->file()->service(0),
                               CreateSpansRequest::descriptor()->file()->service(0),
                               ExportTraceServiceRequest::descriptor()->file()->service(0),
                               RecordEvaluationRequest::descriptor()->file()->service(0),
                               GetEntityFeedbackRequest::descriptor()->file()->service(0),
                               ListSpansRequest::descriptor()->file()->service(0)};
  auto routes = RouteTable::Build(services);
  REQUIRE(routes.ok());
  return *std::move(routes);
}

}  // namespace

TestBackend::TestBackend(Carry carry)
    : mint([](auto&, const MintTokenRequest& request, MintTokenResponse& response) {
        response.set_token("fbt1.token");
        response.set_id(request.resource_id());
        return grpc::Status::OK;
      }),
      redeem([](auto&, const RedeemTokenRequest& request, RedeemTokenResponse& response) {
        response.mutable_feedback()->set_thumbs_up(request.thumbs_up());
        return grpc::Status::OK;
      }),
      record([](const RecordEvaluationRequest& request, RecordEvaluationResponse& response) {
        response.mutable_evaluation()->set_span_id(request.evaluation().span_id());
        return grpc::Status::OK;
      }),
      export_traces([](auto&, auto&, auto&) { return grpc::Status::OK; }),
      carry_(std::move(carry)) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(static_cast<token::v1::TokenService::Service*>(this));
  builder.SetMaxReceiveMessageSize(17 << 20);  // as the feedback service
  builder.RegisterService(static_cast<feedback::v1::FeedbackService::Service*>(this));
  builder.RegisterService(static_cast<feedback::v1::SpanService::Service*>(this));
  builder.RegisterService(static_cast<feedback::v1::EvaluationService::Service*>(this));
  builder.RegisterService(static_cast<TraceService::Service*>(this));
  builder.RegisterService(static_cast<aggregator::v1::AggregatorService::Service*>(this));
  builder.RegisterService(static_cast<aggregator::v1::TopologyService::Service*>(this));
  builder.RegisterService(static_cast<calls::v1::CallService::Service*>(this));
  server_ = builder.BuildAndStart();
  REQUIRE(server_ != nullptr);
  address_ = absl::StrCat("127.0.0.1:", port);
}

void TestBackend::SetServing(bool serving) { server_->GetHealthCheckService()->SetServingStatus(serving); }

void TestBackend::Stop() { server_->Shutdown(std::chrono::system_clock::now()); }

grpc::Status TestBackend::MintToken(grpc::ServerContext* context, const MintTokenRequest* request,
                                    MintTokenResponse* response) {
  metadata = MetadataOf(*context);
  return mint(*context, *request, *response);
}

grpc::Status TestBackend::RevokeToken(grpc::ServerContext*, const token::v1::RevokeTokenRequest*,
                                      token::v1::RevokeTokenResponse*) {
  return grpc::Status::OK;
}

grpc::Status TestBackend::RedeemToken(grpc::ServerContext* context, const RedeemTokenRequest* request,
                                      RedeemTokenResponse* response) {
  metadata = MetadataOf(*context);
  return redeem(*context, *request, *response);
}

grpc::Status TestBackend::GetEntityFeedback(grpc::ServerContext* context,
                                            const GetEntityFeedbackRequest* request,
                                            grpc::ServerWriter<GetEntityFeedbackResponse>* writer) {
  metadata = MetadataOf(*context);
  return read(*context, *request, *writer);
}

grpc::Status TestBackend::ListFeedback(grpc::ServerContext*,
                                       const aggregator::v1::ListFeedbackRequest* request,
                                       aggregator::v1::ListFeedbackResponse* response) {
  response->set_next_cursor(request->cursor());
  return grpc::Status::OK;
}

grpc::Status TestBackend::ExportFeedback(grpc::ServerContext* context, const ExportFeedbackRequest* request,
                                         grpc::ServerWriter<ExportFeedbackResponse>* writer) {
  return export_feedback(*context, *request, *writer);
}

grpc::Status TestBackend::CreateSpans(grpc::ServerContext* context, const CreateSpansRequest* request,
                                      CreateSpansResponse* response) {
  metadata = MetadataOf(*context);
  *response->mutable_spans() = request->spans();
  return grpc::Status::OK;
}

grpc::Status TestBackend::Export(grpc::ServerContext* context, const ExportTraceServiceRequest* request,
                                 ExportTraceServiceResponse* response) {
  metadata = MetadataOf(*context);
  return export_traces(*context, *request, *response);
}

grpc::Status TestBackend::ListSpans(grpc::ServerContext*, const ListSpansRequest* request,
                                    grpc::ServerWriter<ListSpansResponse>* writer) {
  return list_spans(*request, *writer);
}

grpc::Status TestBackend::RecordEvaluation(grpc::ServerContext*, const RecordEvaluationRequest* request,
                                           RecordEvaluationResponse* response) {
  return record(*request, *response);
}

grpc::Status TestBackend::RecordEvaluations(grpc::ServerContext*, const RecordEvaluationsRequest* request,
                                            RecordEvaluationsResponse* response) {
  for (const auto& evaluation : request->evaluations()) response->add_results()->set_id(evaluation.span_id());
  return grpc::Status::OK;
}

grpc::Status TestBackend::CarryCalls(
    grpc::ServerContext*,
    grpc::ServerReaderWriter<calls::v1::CarryCallsResponse, calls::v1::CarryCallsRequest>* stream) {
  if (!carry_) return {grpc::StatusCode::UNIMPLEMENTED, ""};
  stream->Write({});
  calls::v1::CarryCallsRequest message;
  while (stream->Read(&message)) {
    calls::v1::CarryCallsResponse response;
    for (const auto& call : message.calls()) {
      auto answer = carry_(call);
      if (!answer) return {grpc::StatusCode::UNAVAILABLE, ""};
      answer->set_id(call.id());
      *response.add_answers() = *std::move(answer);
    }
    stream->Write(response);
  }
  return grpc::Status::OK;
}

void TestAuthenticator::Authenticate(const auth::Credential& credential, auth::Deadline /*deadline*/,
                                     auth::AuthenticateDone done) {
  if (credential.secret == "refused") return done(auth::Unauthenticated());
  if (credential.secret == "away") return done(MakeError(errors::v1::REASON_UNAVAILABLE, "Away."));
  if (credential.secret == "waits") {
    waiting = std::move(done);
    return asked.Notify();
  }
  done(std::make_shared<const auth::Principal>());
}

TestGateway::TestGateway(const Options& options)
    : backend(options.carry),
      routes(Routes()),
      backends({{.name = "token", .packages = {"verdict.token.v1"}, .address = backend.address()},
                {.name = "feedback",
                 .packages = {"verdict.feedback.v1", "opentelemetry.proto.collector.trace.v1"},
                 .address = backend.address()},
                {.name = "aggregator", .packages = {"verdict.aggregator.v1"}, .address = backend.address()}},
               registry, std::chrono::milliseconds(10)),
      transcoder(routes, backends, authenticator, *CorsPolicy::Parse(options.origins), options.openapi,
                 options.limits) {
  auto started = HttpServer::Start("127.0.0.1:0", 2, options.http, transcoder, metrics);
  REQUIRE(started.ok());
  server = *std::move(started);
}

std::string Request(const std::string& method, const std::string& path, const std::string& fields,
                    const std::string& body) {
  const std::string length = body.empty() ? "" : absl::StrCat("Content-Length: ", body.size(), "\r\n");
  return absl::StrCat(method, " ", path, " HTTP/1.1\r\nHost: a\r\n", fields, length, "\r\n", body);
}

std::string Mint(const std::string& fields, const std::string& body) {
  return Request("POST", "/api/v1/feedback/token", fields, body);
}

std::string PostSpans(const std::string& body, const std::string& fields) {
  return Request("POST", "/spans", kKey + fields, body);
}

std::string Redeem(const std::string& fields, const std::string& body) {
  return Request("POST", "/api/v1/feedback", fields, body);
}

std::string CodeOf(const TestResponse& response) {
  return std::string(boost::json::parse(response.body).at("code").as_string());
}

std::string FieldOf(const TestResponse& response) {
  return std::string(boost::json::parse(response.body).at("errors").at(0).at("field").as_string());
}

}  // namespace verdict::gateway
