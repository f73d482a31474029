#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include <google/protobuf/io/zero_copy_stream.h>
#include <google/protobuf/message.h>
#include <grpcpp/impl/codegen/proto_utils.h>  // protobuf messages as gRPC messages
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/byte_buffer.h>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/context.h"

namespace verdict::rpc {

class Server;
struct Method;

// Where a completion queue's event goes.
class Event {
 public:
  virtual ~Event() = default;
  virtual void Complete(bool ok) = 0;
};

// One call of one RPC, from before it arrives until its answer has left. Owns itself: it ends with its
// last event. Stages: request id, deadline, credential, scope, rate limit, message, tenant, field rules,
// handler.
class Call {
 public:
  // Waits for the next call of `method`.
  static void Await(Server& server, Method& method, std::size_t queue);

  Context& context() { return context_; }
  const google::protobuf::Message& request() const { return *request_; }

  // Answers the call, once, from any thread. `response` is needed with an OK status of a unary RPC.
  void Finish(const absl::Status& status, std::unique_ptr<google::protobuf::Message> response = nullptr);

  // Sends one message of a streamed RPC and waits until the transport took it. False when the caller
  // is gone, or does not read: until the deadline, or beside too many of its kind (SlowReaders).
  bool Write(const google::protobuf::Message& message);

  // The error of a call whose time is over or whose caller is gone, if it is.
  absl::Status Expired() const;

 private:
  // Binds an event to a member function.
  template <void (Call::*handler)(bool)>
  class Handler final : public Event {
   public:
    explicit Handler(Call& call) : call_(call) {}
    void Complete(bool ok) override { (call_.*handler)(ok); }

   private:
    Call& call_;
  };

  Call(Server& server, Method& method, std::size_t queue);

  void OnRequest(bool ok);
  void OnDone(bool ok);
  void OnWritten(bool ok);
  void OnFinished(bool ok);
  void Release();

  absl::Status Receive();
  void Authenticate();
  void Authorize(const absl::StatusOr<std::shared_ptr<const auth::Principal>>& principal);
  absl::Status Admit();  // whatever can be said without the message
  absl::Status CheckCaller() const;
  absl::Status Parse();
  absl::Status ParseFrom(google::protobuf::io::ZeroCopyInputStream& counted,
                         google::protobuf::io::ZeroCopyInputStream& parsed);
  absl::Status CheckTenant() const;
  absl::Status RateLimited(std::chrono::nanoseconds retry_after);
  std::optional<std::string_view> Metadata(const char* key) const;
  void AddETag();  // to the metadata that goes out before the first message
  void Report(const absl::Status& status);

  Server& server_;
  Method& method_;
  const std::size_t queue_;

  grpc::ServerContext server_context_;
  grpc::ByteBuffer bytes_;
  grpc::ServerAsyncResponseWriter<google::protobuf::Message> unary_;
  grpc::ServerAsyncWriter<google::protobuf::Message> stream_;

  Context context_;
  std::unique_ptr<google::protobuf::Message> request_;
  std::unique_ptr<google::protobuf::Message> response_;
  std::chrono::steady_clock::time_point arrived_;

  std::atomic<int> events_ = 3;  // those still to come once it arrived: request, done, finished
  Handler<&Call::OnRequest> on_request_{*this};
  Handler<&Call::OnDone> on_done_{*this};
  Handler<&Call::OnWritten> on_written_{*this};
  Handler<&Call::OnFinished> on_finished_{*this};

  bool slow_ = false;  // counted among the server's slow readers
  absl::Mutex write_mutex_;
  std::optional<bool> written_ ABSL_GUARDED_BY(write_mutex_);  // the outcome of the write under way
};

}  // namespace verdict::rpc
