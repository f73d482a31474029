#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>

#include "common/metrics/metrics.h"
#include "gateway/call_carrier.h"
#include "gateway/call_queue.h"

namespace verdict::gateway {

// A service behind the gateway.
struct BackendAddress {
  std::string name;                   // "token", for people
  std::vector<std::string> packages;  // of its contracts: "verdict.token.v1"
  std::string address;                // HOST:PORT, or any name that gRPC resolves
};

// The services behind the gateway, and what they say of their health, which a thread asks time and again.
// Thread-safe.
class Backends {
 public:
  Backends(const std::vector<BackendAddress>& addresses, metrics::Registry& registry,
           std::chrono::milliseconds check_interval = std::chrono::milliseconds(500),
           std::size_t queue_threads = 2);
  ~Backends();
  Backends(const Backends&) = delete;
  Backends& operator=(const Backends&) = delete;

  // The ways to call a service.
  struct Calls {
    grpc::GenericStub& stub;  // each by itself
    CallCarrier& carrier;     // many in one message
  };

  // Calls the RPCs of a package; nullopt when no service has it.
  std::optional<Calls> Find(std::string_view package) const;
  // Where calls by a stub are to complete.
  grpc::CompletionQueue* queue() { return queue_.get(); }

  // Every service has been serving at some time, and we are not draining. One that fails later makes its own
  // routes fail, and is no reason to take the others' away.
  bool ready() const;
  void SetDraining() { draining_ = true; }

  // {"ready":true,"backends":{"token":"serving",…}}, with each one's state at present: unknown (not asked
  // yet), serving, not_serving or unreachable.
  std::string StatesAsJson() const;

 private:
  struct Backend;

  void CheckHealth(std::stop_token stop);

  CallQueue queue_;
  std::vector<std::unique_ptr<Backend>> backends_;
  const std::chrono::milliseconds check_interval_;
  std::atomic<bool> draining_ = false;
  grpc::CompletionQueue health_queue_;
  std::jthread health_thread_;
};

}  // namespace verdict::gateway
