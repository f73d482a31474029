#include "gateway/backends.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <utility>

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/byte_buffer.h>

#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "common/rpc/channel.h"

namespace verdict::gateway {
namespace {

constexpr std::chrono::milliseconds kHealthDeadline{1000};

enum class State { kUnknown, kServing, kNotServing, kUnreachable };

std::string_view NameOf(State state) {
  switch (state) {
    case State::kServing:
      return "serving";
    case State::kNotServing:
      return "not_serving";
    case State::kUnreachable:
      return "unreachable";
    case State::kUnknown:
      break;
  }
  return "unknown";
}

// grpc.health.v1.Health/Check about the whole server: an empty request, and an answer whose only field is
// `status = 1`, SERVING being 1. Debian has the contract's text in no package.
constexpr const char* kHealthCheck = "/grpc.health.v1.Health/Check";
constexpr std::string_view kServingBytes = "\x08\x01";

struct HealthCheck {
  grpc::ClientContext context = {};
  grpc::ByteBuffer answer = {};
  grpc::Status status = {};
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> call = {};

  State Result() const {
    if (!status.ok()) return State::kUnreachable;
    grpc::Slice bytes;
    if (!answer.DumpToSingleSlice(&bytes).ok()) return State::kUnreachable;
    const std::string_view text(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
    return text == kServingBytes ? State::kServing : State::kNotServing;
  }
};

}  // namespace

struct Backends::Backend {
  Backend(const BackendAddress& address, CallQueue& queue, metrics::Registry& registry)
      : name(address.name),
        packages(address.packages),
        stub(rpc::NewChannel(address.address)),
        carrier(name, stub, queue, registry),
        serving(registry.Gauge("verdict_gateway_backend_serving", "1 while the backend says that it serves.",
                               {{"backend", name}})) {}

  void Set(State now) {
    if (state.exchange(now) == now) return;
    if (now == State::kServing) has_served = true;
    serving.Set(now == State::kServing ? 1 : 0);
    log::Info("backend", {{"backend", name}, {"state", NameOf(now)}});
  }

  const std::string name;
  const std::vector<std::string> packages;
  grpc::GenericStub stub;
  CallCarrier carrier;
  metrics::Gauge& serving;
  std::atomic<State> state = State::kUnknown;
  std::atomic<bool> has_served = false;
};

Backends::Backends(const std::vector<BackendAddress>& addresses, metrics::Registry& registry,
                   std::chrono::milliseconds check_interval, std::size_t queue_threads)
    : queue_(queue_threads), check_interval_(check_interval) {
  for (const BackendAddress& address : addresses) {
    backends_.push_back(std::make_unique<Backend>(address, queue_, registry));
  }
  health_thread_ = std::jthread([this](const std::stop_token& stop) { CheckHealth(stop); });
}

Backends::~Backends() {
  health_thread_.request_stop();
  health_thread_.join();
  health_queue_.Shutdown();
}

std::optional<Backends::Calls> Backends::Find(std::string_view package) const {
  const auto found = std::ranges::find_if(backends_, [&](const auto& backend) {
    return std::ranges::find(backend->packages, package) != backend->packages.end();
  });
  if (found == backends_.end()) return std::nullopt;
  return Calls{.stub = (*found)->stub, .carrier = (*found)->carrier};
}

bool Backends::ready() const {
  return !draining_ &&
         std::ranges::all_of(backends_, [](const auto& backend) { return backend->has_served.load(); });
}

std::string Backends::StatesAsJson() const {
  std::string json = absl::StrCat("{\"ready\":", ready() ? "true" : "false", ",\"backends\":{");
  std::string_view separator;
  for (const auto& backend : backends_) {
    absl::StrAppend(&json, std::string(separator), "\"", backend->name, "\":\"",
                    std::string(NameOf(backend->state)), "\"");
    separator = ",";
  }
  return json + "}}";
}

void Backends::CheckHealth(std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any pause;
  std::unique_lock lock(mutex);
  const grpc::Slice no_bytes;
  const grpc::ByteBuffer request(&no_bytes, 1);
  do {
    std::vector<std::unique_ptr<HealthCheck>> checks;
    for (const auto& backend : backends_) {
      HealthCheck& check = *checks.emplace_back(std::make_unique<HealthCheck>());
      check.context.set_deadline(std::chrono::system_clock::now() + kHealthDeadline);
      check.call = backend->stub.PrepareUnaryCall(&check.context, kHealthCheck, request, &health_queue_);
      check.call->StartCall();
      check.call->Finish(&check.answer, &check.status, backend.get());
    }
    void* tag = nullptr;
    bool ok = false;
    for (std::size_t ended = 0; ended < checks.size(); ++ended) health_queue_.Next(&tag, &ok);
    for (std::size_t i = 0; i < checks.size(); ++i) backends_[i]->Set(checks[i]->Result());
    for (const auto& backend : backends_) backend->carrier.Maintain(std::chrono::steady_clock::now());
  } while (!pause.wait_for(lock, stop, check_interval_, [&] { return stop.stop_requested(); }));
}

}  // namespace verdict::gateway
