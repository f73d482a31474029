#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/auth/caching_authenticator.h"
#include "common/auth/remote_authenticator.h"
#include "common/config/config.h"
#include "common/metrics/metrics.h"
#include "common/pg/pool.h"
#include "common/process/process.h"
#include "common/rpc/channel.h"
#include "common/rpc/serve.h"
#include "services/aggregator/aggregator_rpc.h"
#include "services/aggregator/aggregator_service.h"
#include "services/aggregator/aggregator_store.h"
#include "services/aggregator/config.h"
#include "services/aggregator/entity_reader.h"
#include "services/aggregator/errors.h"
#include "services/aggregator/evaluation_store.h"
#include "services/aggregator/metrics.h"
#include "services/aggregator/statements.h"
#include "services/aggregator/topology_rpc.h"
#include "services/aggregator/topology_service.h"
#include "services/aggregator/topology_store.h"

namespace verdict::aggregator {
namespace {

constexpr char kName[] = "verdict-aggregator";

int Main(int argc, char** argv) {
  process::ForbidCoreFiles();
  AggregatorConfig config;
  config::Parser parser(kName, "Gives back what people and judges thought.");
  config.AddTo(parser);
  if (const std::optional<int> exit_code = parser.Parse(argc, argv)) return *exit_code;
  process::Signals signals;
  config.service.process.InitLog("aggregator", parser);

  metrics::Registry registry;
  const std::vector<pg::Statement> statements = Statements();
  pg::Pool reads({.dsn = config.database_dsn.value(),
                  .size = config.read_connections,
                  .statements = statements,
                  .application_name = kName,
                  .name = "reads",
                  .registry = &registry});
  // A transaction has one statement_timeout, and in that of a stream the caller takes its time to read.
  const rpc::ServerOptions server_options = config.service.ServerOptions();
  pg::Pool streams({.dsn = config.database_dsn.value(),
                    .size = config.stream_connections,
                    .statements = statements,
                    .application_name = kName,
                    .statement_timeout = server_options.stream_deadline,
                    .name = "streams",
                    .registry = &registry});
  const AggregatorStore store(reads, streams);
  const EvaluationStore evaluations(reads, streams);
  const TopologyStore topology_store(reads, streams);
  Metrics metrics(registry);
  std::vector<EntityReader::ReadSeveral> readers;
  for (std::size_t i = 0; i < config.entity_readers; ++i) {
    readers.push_back(
        AggregatorStore::NewSeveralReader({.dsn = config.database_dsn.value(), .application_name = kName}));
  }
  EntityReader entities(config.entity_reader, std::move(readers), metrics);
  const AggregatorService service(store, entities, evaluations, metrics);
  const TopologyService topology(topology_store);

  const auto token_service = rpc::NewChannel(config.token_address);
  auth::RemoteAuthenticator remote(token_service);
  auth::CachingAuthenticator authenticator(remote);
  rpc::Server server(server_options, authenticator, registry);
  RegisterAggregatorRpcs(server, service);
  RegisterTopologyRpcs(server, topology);
  return rpc::Serve(config.service, server, registry, signals, [&]() -> absl::Status {
    if (token_service->GetState(/*try_to_connect=*/true) != GRPC_CHANNEL_READY) {
      return error::TokenServiceAway();
    }
    return store.Check();
  });
}

}  // namespace
}  // namespace verdict::aggregator

int main(int argc, char** argv) { return verdict::aggregator::Main(argc, argv); }
