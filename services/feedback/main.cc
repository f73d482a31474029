#include <cstdlib>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

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
#include "services/feedback/evaluation_batch_store.h"
#include "services/feedback/evaluation_service.h"
#include "services/feedback/feedback_rpc.h"
#include "services/feedback/feedback_service.h"
#include "services/feedback/feedback_store.h"
#include "services/feedback/garbage_collector.h"
#include "services/feedback/garbage_store.h"
#include "services/feedback/idempotency_store.h"
#include "services/feedback/idempotent_calls.h"
#include "services/feedback/judge_cache.h"
#include "services/feedback/judge_rpc.h"
#include "services/feedback/judge_service.h"
#include "services/feedback/judge_store.h"
#include "services/feedback/metrics.h"
#include "services/feedback/pool_statements.h"
#include "services/feedback/prompt_cache.h"
#include "services/feedback/prompt_rpc.h"
#include "services/feedback/prompt_service.h"
#include "services/feedback/prompt_store.h"
#include "services/feedback/span_rpc.h"
#include "services/feedback/span_service.h"
#include "services/feedback/span_store.h"
#include "services/feedback/writers.h"

namespace verdict::feedback {
namespace {

constexpr char kName[] = "verdict-feedback";

int Main(int argc, char** argv) {
  process::ForbidCoreFiles();
  FeedbackConfig config;
  config::Parser parser(
      kName, "Takes feedback of people, evaluations of judges, and spans; keeps judges and prompts.");
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
                 .statements = PoolStatements(),
                 .application_name = kName,
                 .registry = &registry});
  PromptCache prompt_cache(clock);
  JudgeCache judge_cache(clock);
  FeedbackStore store(pool, prompt_cache);

  const pg::ConnectionOptions connection = {.dsn = config.database_dsn.value(), .application_name = kName};
  WriteQueueMetrics queue_metrics(registry, "feedback");
  FeedbackQueue queue(
      config.write_queue,
      MakeWriters<FeedbackQueue, BatchStore>(config.writers, connection, prompt_cache, judge_cache),
      queue_metrics);
  WriteQueueMetrics span_queue_metrics(registry, "spans");
  SpanQueue span_queue(config.span_queue, MakeWriters<SpanQueue, SpanStore>(config.span_writers, connection),
                       span_queue_metrics);
  WriteQueueMetrics evaluation_queue_metrics(registry, "evaluations");
  EvaluationQueue evaluation_queue(
      EvaluationService::QueueOptions(config.write_queue),
      MakeWriters<EvaluationQueue, EvaluationBatchStore>(config.writers, connection, judge_cache),
      evaluation_queue_metrics);

  RedemptionMetrics redemption_metrics(registry);
  FeedbackService feedback(store, queue, **keys, clock, redemption_metrics);
  const PromptStore prompt_store(pool);
  const PromptService prompts(prompt_store, clock);
  OtlpMetrics otlp_metrics(registry);
  SpanService spans(span_queue, clock, otlp_metrics);
  const JudgeStore judge_store(pool, judge_cache);
  const JudgeService judges(judge_store, clock);
  EvaluationService evaluations(evaluation_queue, clock);

  GarbageMetrics garbage_metrics(registry);
  const GarbageStore garbage_store(pool);
  GarbageCollector garbage_collector(config.garbage, garbage_store, garbage_metrics);
  const std::jthread garbage_thread([&](std::stop_token stop) { garbage_collector.Run(stop); });

  const auto token_service = rpc::NewChannel(config.token_address);
  auth::RemoteAuthenticator remote(token_service);
  auth::CachingAuthenticator authenticator(remote);
  rpc::Server server(config.service.ServerOptions(), authenticator, registry);
  const IdempotencyStore idempotency_store(pool);
  IdempotentCalls calls(idempotency_store, server.executor());
  RegisterFeedbackService(server, feedback);
  RegisterPromptService(server, calls, prompts);
  RegisterSpanService(server, calls, spans);
  RegisterTraceService(server, spans);
  RegisterJudgeService(server, calls, judges);
  RegisterEvaluationService(server, calls, evaluations);
  return rpc::Serve(config.service, server, registry, signals, [&]() -> absl::Status {
    if (token_service->GetState(/*try_to_connect=*/true) != GRPC_CHANNEL_READY) {
      return error::TokenServiceAway();
    }
    // Connecting prepares every statement, so any answer shows that the schema is there.
    return prompt_store.ListPrompts(Uuid{}, Uuid{}, 1).status();
  });
}

}  // namespace
}  // namespace verdict::feedback

int main(int argc, char** argv) { return verdict::feedback::Main(argc, argv); }
