#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <grpcpp/completion_queue.h>
#include <grpcpp/server.h>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/auth/authenticator.h"
#include "common/metrics/metrics.h"
#include "common/rpc/call.h"
#include "common/rpc/call_stream.h"
#include "common/rpc/context.h"
#include "common/rpc/executor.h"
#include "common/rpc/field_rules.h"
#include "common/rpc/rate_limiter.h"
#include "common/rpc/service.h"
#include "common/rpc/slow_readers.h"
#include "common/status/error.h"

namespace verdict::rpc {

struct ServerOptions {
  std::string listen = "127.0.0.1:0";
  std::size_t queues = 1;                             // completion queues, two threads each
  std::size_t executor_threads = 8;                   // for Blocking and Stream handlers
  std::size_t executor_waiting_max = 1'024;           // more are refused with OVERLOADED
  std::chrono::milliseconds unary_deadline{4'500};    // at most, whatever the caller allows
  std::chrono::milliseconds stream_deadline{60'000};  // the same of streamed RPCs
  RateLimit rate_limit = {};                          // of each API key
  bool reflection = false;                            // grpc.reflection.v1alpha
};

// Answers an async call, once, from any thread.
template <typename Response>
using Done = absl::AnyInvocable<void(absl::StatusOr<Response>)>;

// Sends the messages of a streamed RPC.
template <typename Response>
class Writer {
 public:
  explicit Writer(Call& call) : call_(call) {}
  // Waits until the transport took the message; false when the caller is gone or the deadline has passed.
  bool Write(const Response& response) { return Write(response.SerializeAsString()); }
  // The same of a response in its wire format.
  bool Write(std::string_view response) { return call_.Write(response); }

 private:
  Call& call_;
};

// How a streamed RPC is answered at once, if it is.
template <typename Response>
struct AtOnce {
  bool whole = false;                            // else it has to be streamed
  std::unique_ptr<Response> response = nullptr;  // of one that is whole; null: there is no message
};

// What a method takes of one message: 1 MiB, or what a body of 16 MiB becomes where REST takes those.
inline std::size_t MessageBytesMax(const options::v1::RestRule& rest) {
  return static_cast<std::size_t>(rest.ingest() ? 17 << 20 : 1 << 20);
}

// One RPC of a server.
struct Method {
  struct Metrics {
    prometheus::Gauge* in_flight;
    prometheus::Histogram* seconds;
  };

  const google::protobuf::MethodDescriptor* descriptor;
  const google::protobuf::Message* request;  // prototype
  options::v1::AuthRule auth;
  options::v1::RestRule rest;
  const google::protobuf::FieldDescriptor* tenant;  // the field that must name the principal's project
  FieldRules rules;
  bool streamed;
  DescribedService* service;
  int index;  // in the service
  std::function<void(Call&)> run;
  Metrics metrics;
  std::array<std::atomic<prometheus::Counter*>, errors::v1::Reason_ARRAYSIZE> answers;
};

// A gRPC server on completion queues, whose handlers are plain functions. Every call passes the same
// stages before its handler sees it (Call), by what its contract says of it: a handler gets a verified
// principal and a request that keeps its fields' rules. Register all handlers, then Start.
//
//   rpc::Server server(options, authenticator, metrics);
//   server.Blocking<GetPromptRequest, GetPromptResponse>(
//       "verdict.feedback.v1.PromptService/GetPrompt",
//       [&](rpc::Context& context, const auto& request) { return prompts.Get(context.principal(), request);
//       });
//   RETURN_IF_ERROR(server.Start());
class Server {
 public:
  // `authenticator` and `registry` outlive the server.
  Server(ServerOptions options, auth::Authenticator& authenticator, metrics::Registry& registry);
  // Shuts down at once, if Shutdown was not called.
  ~Server();

  // Registers the handler of "package.Service/Method", by the way it works. CHECK-fails when the method
  // does not exist, has other types, or says not who may call it.
  //
  // Inline: StatusOr<Response>(Context&, const Request&), on a queue's thread; it must not block.
  template <typename Request, typename Response, typename Handler>
  void Inline(std::string_view method, Handler handler) {
    Register<Request, Response>(method, [handler = std::move(handler)](Call& call) {
      Answer<Response>(call, handler(call.context(), static_cast<const Request&>(call.request())));
    });
  }

  // Blocking: the same, on the executor.
  template <typename Request, typename Response, typename Handler>
  void Blocking(std::string_view method, Handler handler) {
    Register<Request, Response>(method, [this, handler = std::move(handler)](Call& call) {
      Execute(call, [&call, &handler] {
        Answer<Response>(call, handler(call.context(), static_cast<const Request&>(call.request())));
      });
    });
  }

  // Async: void(Context&, const Request&, Done<Response>), on a queue's thread; it must not block. Context
  // and request live until `done` is called.
  template <typename Request, typename Response, typename Handler>
  void Async(std::string_view method, Handler handler) {
    Register<Request, Response>(method, [handler = std::move(handler)](Call& call) {
      handler(call.context(), static_cast<const Request&>(call.request()),
              Done<Response>([&call](absl::StatusOr<Response> response) {
                Answer<Response>(call, std::move(response));
              }));
    });
  }

  // Stream: Status(Context&, const Request&, Writer<Response>&), on the executor.
  template <typename Request, typename Response, typename Handler>
  void Stream(std::string_view method, Handler handler) {
    Register<Request, Response>(method, [this, handler = std::move(handler)](Call& call) {
      RunStream<Request, Response>(call, handler);
    });
  }

  // Stream, where most answers are short: first tries `at_once`, which is Async's with
  // Done<AtOnce<Response>>, and only streams what has to be.
  template <typename Request, typename Response, typename AtOnceHandler, typename Handler>
  void AtOnceOrStream(std::string_view method, AtOnceHandler at_once, Handler handler) {
    Register<Request, Response>(
        method, [this, at_once = std::move(at_once), handler = std::move(handler)](Call& call) {
          at_once(call.context(), static_cast<const Request&>(call.request()),
                  Done<AtOnce<Response>>([this, &call, &handler](absl::StatusOr<AtOnce<Response>> answer) {
                    if (!answer.ok()) return call.Finish(answer.status());
                    if (answer->whole) return call.Finish(absl::OkStatus(), std::move(answer->response));
                    RunStream<Request, Response>(call, handler);
                  }));
        });
  }

  // Listens and serves. An error when the address cannot be bound, or a method of a service has no handler.
  absl::Status Start();

  // Where it listens, HOST:PORT; after Start.
  const std::string& address() const { return address_; }

  // What grpc.health.v1 says for "" and "readiness"; "liveness" is always SERVING. False until set.
  void SetReady(bool ready);

  // Refuses new calls, lets those under way finish until the deadline, then cancels them.
  void Shutdown(std::chrono::milliseconds drain_timeout);

  // For work of the server's own, such as local authentication. See Executor::Submit.
  Executor& executor() { return executor_; }

 private:
  friend class Call;
  friend class CallStream;
  friend class CarriedCall;
  friend class GrpcCall;

  template <typename Response>
  static void Answer(Call& call, absl::StatusOr<Response> response) {
    if (!response.ok()) return call.Finish(response.status());
    call.Finish(absl::OkStatus(), std::make_unique<Response>(*std::move(response)));
  }

  template <typename Request, typename Response, typename Handler>
  void RunStream(Call& call, const Handler& handler) {
    Execute(call, [&call, &handler] {
      Writer<Response> writer(call);
      call.Finish(handler(call.context(), static_cast<const Request&>(call.request()), writer));
    });
  }

  template <typename Request, typename Response>
  void Register(std::string_view method, std::function<void(Call&)> run) {
    Register(method, Request::default_instance(), Response::descriptor(), std::move(run));
  }
  void Register(std::string_view name, const google::protobuf::Message& request,
                const google::protobuf::Descriptor* response, std::function<void(Call&)> run);
  // Runs `work` on the executor, unless too much waits or the call's time is over by then.
  void Execute(Call& call, Executor::Task work);
  // Null when the server has no "package.Service/Method".
  Method* FindMethod(std::string_view name);
  // The streams that carry calls, for as long as they last. False, and it is not added, when the server ends.
  bool Add(CallStream& stream);
  void Remove(CallStream& stream);
  // Counts what must end before the queues may. The server may be gone after Leave.
  void Enter() {
    absl::MutexLock lock(&calls_mutex_);
    ++calls_;
  }
  void Leave() {
    absl::MutexLock lock(&calls_mutex_);
    --calls_;
  }
  void CountAnswer(Method& method, Reason reason, const std::string& name);

  const ServerOptions options_;
  auth::Authenticator& authenticator_;
  metrics::Registry& registry_;
  RateLimiter limiter_;
  SlowReaders slow_readers_;
  std::map<std::string, std::unique_ptr<DescribedService>> services_;
  absl::flat_hash_map<std::string, std::unique_ptr<Method>> methods_;
  CallService call_service_;
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  absl::Mutex calls_mutex_;
  int calls_ ABSL_GUARDED_BY(calls_mutex_) = 0;  // arrived and not yet ended
  std::atomic<bool> ending_ = false;             // Shutdown has begun
  absl::Mutex streams_mutex_;
  absl::flat_hash_set<CallStream*> streams_ ABSL_GUARDED_BY(streams_mutex_);
  Executor executor_;
  std::vector<std::jthread> threads_;
};

}  // namespace verdict::rpc
