#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/auth/caching_authenticator.h"
#include "common/auth/remote_authenticator.h"
#include "common/clock.h"
#include "common/config/config.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/pg/pool.h"
#include "common/process/process.h"
#include "common/rpc/channel.h"
#include "common/rpc/serve.h"
#include "common/token/key_ring.h"
#include "services/feedback/batch_store.h"
#include "services/feedback/config.h"
#include "services/feedback/errors.h"
#include "services/feedback/feedback_rpc.h"
#include "services/feedback/feedback_service.h"
#include "services/feedback/feedback_store.h"
#include "services/feedback/metrics.h"
#include "services/feedback/prompt_cache.h"
#include "services/feedback/prompt_service.h"

namespace verdict::feedback {
namespace {

constexpr char kName[] = "verdict-feedback";

int Main(int argc, char** argv) {
  FeedbackConfig config;
  config::Parser parser(kName,
                        "Takes feedback of people, with an API key or a feedback token; keeps the prompts.");
  config.AddTo(parser);
  if (const std::optional<int> exit_code = parser.Parse(argc, argv)) return *exit_code;
  process::Signals signals;
  config.service.process.InitLog("feedback", parser);

  const SystemClock clock;
  metrics::Registry registry;
  const auto keys = token::KeyRing::Open(config.keyset_dir, registry);
  if (!keys.ok()) {
    log::Error("cannot start", {{"why", std::string(keys.status().message())}});
    return EXIT_FAILURE;
  }
  pg::Pool pool({.dsn = config.database_dsn.value(),
                 .size = config.database_connections,
                 .statements = FeedbackStore::Statements(),
                 .application_name = kName,
                 .registry = &registry});
  PromptCache prompt_cache(clock);
  FeedbackStore store(pool, prompt_cache);

  std::vector<FeedbackQueue::StoreBatch> writers;
  for (size_t i = 0; i < config.writers; ++i) {
    auto writer = std::make_shared<BatchStore>(
        pg::ConnectionOptions{.dsn = config.database_dsn.value(), .application_name = kName}, prompt_cache);
    writers.emplace_back([writer](auto batch) { return writer->Store(batch); });
  }
  WriteQueueMetrics queue_metrics(registry, "feedback");
  FeedbackQueue queue(config.write_queue, std::move(writers), queue_metrics);

  RedemptionMetrics redemption_metrics(registry);
  FeedbackService feedback(store, queue, **keys, clock, redemption_metrics);
  const PromptService prompts(store, clock);

  const auto token_service = rpc::NewChannel(config.token_address);
  auth::RemoteAuthenticator remote(token_service);
  auth::CachingAuthenticator authenticator(remote);
  rpc::Server server(config.service.ServerOptions(), authenticator, registry);
  RegisterFeedbackService(server, feedback);
  RegisterPromptService(server, prompts);
  return rpc::Serve(config.service, server, registry, signals, [&]() -> absl::Status {
    if (token_service->GetState(/*try_to_connect=*/true) != GRPC_CHANNEL_READY) {
      return error::TokenServiceAway();
    }
    // Connecting prepares every statement, so any answer shows that the schema is there.
    return store.ListPrompts(Uuid{}, Uuid{}, 1).status();
  });
}

}  // namespace
}  // namespace verdict::feedback

int main(int argc, char** argv) { return verdict::feedback::Main(argc, argv); }
