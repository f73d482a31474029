#include <algorithm>
#include <array>
#include <string>
#include <thread>
#include <utility>

#include <google/protobuf/descriptor.h>
#include <sys/resource.h>

#include "absl/status/status.h"
#include "common/admin/admin_server.h"
#include "common/auth/caching_authenticator.h"
#include "common/auth/remote_authenticator.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/process/process.h"
#include "common/rpc/channel.h"
#include "common/status/macros.h"
#include "gateway/backends.h"
#include "gateway/config.h"
#include "gateway/cors.h"
#include "gateway/http_server.h"
#include "gateway/metrics.h"
#include "gateway/openapi.h"
#include "gateway/route_table.h"
#include "gateway/transcoder.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb.h"
#include "verdict/aggregator/v1/aggregator_service.pb.h"
#include "verdict/aggregator/v1/topology_service.pb.h"
#include "verdict/feedback/v1/evaluation_service.pb.h"
#include "verdict/feedback/v1/feedback_service.pb.h"
#include "verdict/feedback/v1/judge_service.pb.h"
#include "verdict/feedback/v1/prompt_service.pb.h"
#include "verdict/feedback/v1/span_service.pb.h"
#include "verdict/token/v1/token_service.pb.h"

namespace verdict::gateway {
namespace {

// Lets the process open as many files as it may, and warns when that is too few for its connections.
void RaiseFileLimit(std::size_t connections_max) {
  rlimit files = {};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_cur < connections_max) {
    log::Warn("fewer open files are allowed than connections-max",
              {{"open_files", files.rlim_cur}, {"connections_max", connections_max}});
  }
}

absl::Status Run(const GatewayConfig& config, process::Signals& signals) {
  const std::array services = {
      token::v1::MintTokenRequest::descriptor()->file()->service(0),
      feedback::v1::RedeemTokenRequest::descriptor()->file()->service(0),
      feedback::v1::GetPromptRequest::descriptor()->file()->service(0),
      feedback::v1::CreateSpansRequest::descriptor()->file()->service(0),
      feedback::v1::GetJudgeRequest::descriptor()->file()->service(0),
      feedback::v1::RecordEvaluationRequest::descriptor()->file()->service(0),
      opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest::descriptor()->file()->service(0),
      aggregator::v1::GetEntityFeedbackRequest::descriptor()->file()->service(0),
      aggregator::v1::ListSpansRequest::descriptor()->file()->service(0),
  };
  ASSIGN_OR_RETURN(const RouteTable routes, RouteTable::Build(services));
  ASSIGN_OR_RETURN(std::string openapi, MakeOpenApi(routes));
  ASSIGN_OR_RETURN(CorsPolicy cors, CorsPolicy::Parse(config.cors_origins));

  metrics::Registry registry;
  Metrics metrics(registry);
  Backends backends(
      {{.name = "token", .packages = {"verdict.token.v1"}, .address = config.token_address},
       {.name = "feedback",
        .packages = {"verdict.feedback.v1", "opentelemetry.proto.collector.trace.v1"},
        .address = config.feedback_address},
       {.name = "aggregator", .packages = {"verdict.aggregator.v1"}, .address = config.aggregator_address}},
      registry);
  auth::RemoteAuthenticator token_service(rpc::NewChannel(config.token_address));
  auth::CachingAuthenticator authenticator(token_service);
  Transcoder transcoder(routes, backends, authenticator, std::move(cors), std::move(openapi));
  const std::size_t threads =
      config.threads > 0 ? config.threads : std::max(1U, std::thread::hardware_concurrency());
  ASSIGN_OR_RETURN(const auto server,
                   HttpServer::Start(config.process.listen, threads,
                                     {.connections = config.connections_max,
                                      .connections_per_address = config.connections_per_address_max},
                                     transcoder, metrics));
  ASSIGN_OR_RETURN(const auto admin,
                   AdminServer::Start(
                       config.process.admin_listen, registry, [&] { return backends.ready(); },
                       [&] { return backends.StatesAsJson(); }));
  RETURN_IF_ERROR(process::WriteAddressFile(config.process.address_file,
                                            {{"listen", server->address()}, {"admin", admin->address()}}));
  log::Info("serving", {{"listen", server->address()}, {"admin", admin->address()}});

  signals.Wait();
  log::Info("draining");
  backends.SetDraining();
  server->Drain(config.process.drain_timeout);
  log::Info("ended");
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  process::ForbidCoreFiles();
  process::Signals signals;
  GatewayConfig config;
  config::Parser parser("verdict-gateway", "Serves the REST API over HTTP, by calling the gRPC services.");
  config.AddTo(parser);
  if (const auto exit_code = parser.Parse(argc, argv)) return *exit_code;
  config.process.InitLog("gateway", parser);

  RaiseFileLimit(config.connections_max);
  if (absl::Status status = Run(config, signals); !status.ok()) {
    log::Error("cannot start", {{"why", std::string(status.message())}});
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace verdict::gateway

int main(int argc, char** argv) { return verdict::gateway::Main(argc, argv); }
