#include "common/rpc/server.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/server_builder.h>

#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "common/rpc/grpc_call.h"
#include "common/status/error.h"

namespace verdict::rpc {
namespace {

constexpr int kThreadsPerQueue = 2;
// Calls that may arrive before a queue's thread asks for the next.
constexpr int kAwaitedPerMethod = 8;
constexpr int kMetadataBytesMax = 16 << 10;
constexpr int kConcurrentStreamsMax = 128;
// gRPC finds new replicas only when it reconnects, so connections end; long streams may finish first.
constexpr int kConnectionAgeMs = 120'000;
constexpr int kConnectionAgeGraceMs = 60'000;

// Linking the reflection library adds its plugin to every server: this takes it out again.
class WithoutReflection final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments* /*arguments*/) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    const std::string name = grpc::reflection::ProtoServerReflectionPlugin().name();
    std::erase_if(*plugins, [&](const auto& plugin) { return plugin->name() == name; });
  }
};

// A mistake in our own registration: there is no way to serve.
[[noreturn]] void Die(std::string_view why, std::string_view method) {
  log::Error("bad registration", {{"why", why}, {"method", method}});
  std::abort();
}

}  // namespace

Server::Server(ServerOptions options, auth::Authenticator& authenticator, metrics::Registry& registry)
    : options_(std::move(options)),
      authenticator_(authenticator),
      registry_(registry),
      limiter_(options_.rate_limit),
      slow_readers_(options_.executor_threads, registry),
      executor_(options_.executor_threads, options_.executor_waiting_max) {}

Server::~Server() { Shutdown(std::chrono::milliseconds(0)); }

void Server::Register(std::string_view name, const google::protobuf::Message& request,
                      const google::protobuf::Descriptor* response, std::function<void(Call&)> run) {
  std::string full_name(name);
  std::ranges::replace(full_name, '/', '.');
  const auto* method = google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(full_name);
  if (method == nullptr || method->input_type() != request.GetDescriptor() ||
      method->output_type() != response) {
    Die("no such method, or of other types", name);
  }
  const auto& auth = method->options().GetExtension(options::v1::auth);
  if (auth.caller_case() == options::v1::AuthRule::CALLER_NOT_SET) Die("no auth option", name);

  auto& service = services_[method->service()->full_name()];
  if (service == nullptr) service = std::make_unique<DescribedService>(method->service());
  const metrics::Labels labels = {{"method", std::string(name)}};
  methods_[std::string(name)] = std::unique_ptr<Method>(new Method{
      .descriptor = method,
      .request = &request,
      .auth = auth,
      .rest = method->options().GetExtension(options::v1::rest),
      .tenant = TenantField(request.GetDescriptor()),
      .rules = FieldRules(request.GetDescriptor()),
      .streamed = method->server_streaming(),
      .service = service.get(),
      .index = method->index(),
      .run = std::move(run),
      .metrics = {.in_flight = &registry_.Gauge("verdict_rpc_in_flight", "Calls under way.", labels),
                  .seconds = &registry_.Histogram("verdict_rpc_seconds",
                                                  "Seconds from a call's arrival to its answer.",
                                                  metrics::LatencyBuckets(), labels)},
      .answers = {}});
}

absl::Status Server::Start() {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options_.listen, grpc::InsecureServerCredentials(), &port);
  std::size_t message_bytes_max = 0;
  for (const auto& [name, method] : methods_) {
    message_bytes_max = std::max(message_bytes_max, MessageBytesMax(method->rest));
  }
  builder.SetMaxReceiveMessageSize(static_cast<int>(message_bytes_max));
  builder.SetMaxSendMessageSize(64 << 20);
  // gRPC would inflate a message without a bound, whoever sent it: 1 MiB becomes 1 GiB. So it leaves them
  // as they are, and Call inflates gzip once it knows the sender; what says to be of another kind is refused.
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMetadataBytesMax);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kConcurrentStreamsMax);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, kConnectionAgeMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, kConnectionAgeGraceMs);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a port in use is an error, not a partner
  if (!options_.reflection) builder.SetOption(std::make_unique<WithoutReflection>());
  for (const auto& [name, service] : services_) {
    const auto* descriptor = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    for (int i = 0; i < descriptor->method_count(); ++i) {
      const std::string method = absl::StrCat(name, "/", descriptor->method(i)->name());
      if (!methods_.contains(method)) Die("method without a handler", method);
    }
    builder.RegisterService(service.get());
  }
  builder.RegisterService(&call_service_);
  for (std::size_t i = 0; i < options_.queues; ++i) queues_.push_back(builder.AddCompletionQueue());
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port == 0) {
    return MakeError(errors::v1::REASON_UNAVAILABLE, absl::StrCat("Cannot listen on ", options_.listen, "."));
  }
  address_ = absl::StrCat(options_.listen.substr(0, options_.listen.rfind(':')), ":", port);
  server_->GetHealthCheckService()->SetServingStatus("liveness", true);
  SetReady(false);

  for (std::size_t queue = 0; queue < queues_.size(); ++queue) {
    for (const auto& [name, method] : methods_) {
      for (int i = 0; i < kAwaitedPerMethod; ++i) GrpcCall::Await(*this, *method, queue);
    }
    for (int i = 0; i < kAwaitedPerMethod; ++i) CallStream::Await(*this, call_service_, queue);
    for (int i = 0; i < kThreadsPerQueue; ++i) {
      threads_.emplace_back([completions = queues_[queue].get()] {
        void* tag = nullptr;
        bool ok = false;
        while (completions->Next(&tag, &ok)) static_cast<Event*>(tag)->Complete(ok);
      });
    }
  }
  return absl::OkStatus();
}

void Server::SetReady(bool ready) {
  for (const char* service : {"", "readiness"}) {
    server_->GetHealthCheckService()->SetServingStatus(service, ready);
  }
}

void Server::Shutdown(std::chrono::milliseconds drain_timeout) {
  if (server_ == nullptr || ending_.exchange(true)) return;
  {
    absl::MutexLock lock(&streams_mutex_);
    for (CallStream* stream : streams_) stream->End();
  }
  server_->Shutdown(std::chrono::system_clock::now() + drain_timeout);
  // Cancelled calls still answer, and need the queues for it.
  {
    const auto none = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(calls_mutex_) { return calls_ == 0; };
    absl::MutexLock lock(&calls_mutex_, absl::Condition(&none));
  }
  for (const auto& queue : queues_) queue->Shutdown();
  threads_.clear();
}

Method* Server::FindMethod(std::string_view name) {
  const auto method = methods_.find(absl::string_view(name.data(), name.size()));
  return method == methods_.end() ? nullptr : method->second.get();
}

bool Server::Add(CallStream& stream) {
  absl::MutexLock lock(&streams_mutex_);
  if (ending_) return false;
  streams_.insert(&stream);
  return true;
}

void Server::Remove(CallStream& stream) {
  absl::MutexLock lock(&streams_mutex_);
  streams_.erase(&stream);
}

void Server::Execute(Call& call, Executor::Task work) {
  const bool taken = executor_.Submit([&call, work = std::move(work)]() mutable {
    if (absl::Status expired = call.Expired(); !expired.ok()) return call.Finish(expired);
    work();
  });
  if (!taken) {
    call.Finish(MakeError(errors::v1::REASON_OVERLOADED, "Too much work is waiting. Nothing was stored.",
                          {.retry_after = std::chrono::seconds(1)}));
  }
}

void Server::CountAnswer(Method& method, Reason reason, const std::string& name) {
  std::atomic<prometheus::Counter*>& counter = method.answers[reason];
  if (counter.load(std::memory_order_relaxed) == nullptr) {
    counter = &registry_.Counter(
        "verdict_rpc_total", "Calls answered, by reason (OK when there is none).",
        {{"method", absl::StrCat(method.descriptor->service()->full_name(), "/", method.descriptor->name())},
         {"reason", name}});
  }
  counter.load(std::memory_order_relaxed)->Increment();
}

}  // namespace verdict::rpc
