#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <google/protobuf/message.h>
#include <grpcpp/impl/codegen/proto_utils.h>  // protobuf messages as gRPC messages
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/byte_buffer.h>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/call.h"
#include "common/rpc/event.h"

namespace verdict::rpc {

// A call that came by itself, from before it arrives until its answer has left. Owns itself: it ends with
// its last event.
class GrpcCall final : public Call {
 public:
  // Waits for the next call of `method`.
  static void Await(Server& server, Method& method, std::size_t queue);

  // Waits until the transport took the message. False when the caller is gone, or does not read: until the
  // deadline, or beside too many of its kind (SlowReaders).
  bool Write(std::string_view message) override;

 private:
  GrpcCall(Server& server, Method& method, std::size_t queue);

  void OnRequest(bool ok);
  void OnDone(bool ok);
  void OnWritten(bool ok);
  void OnFinished(bool ok);
  void Release();

  std::optional<std::string_view> Metadata(std::string_view key) const override;
  std::size_t message_bytes() const override { return bytes_.Length(); }
  absl::Status Parse() override;
  void AddTrailingMetadata(const std::string& key, const std::string& value) override {
    server_context_.AddTrailingMetadata(key, value);
  }
  void Send(const absl::Status& status, std::unique_ptr<google::protobuf::Message> response) override;
  void AddETag();  // to the metadata that goes out before the first message

  const std::size_t queue_;
  grpc::ServerContext server_context_;
  grpc::ByteBuffer bytes_;
  grpc::ServerAsyncResponseWriter<google::protobuf::Message> unary_;
  grpc::ServerAsyncWriter<grpc::ByteBuffer> stream_;
  std::unique_ptr<google::protobuf::Message> response_;

  std::atomic<int> events_ = 3;  // those still to come once it arrived: request, done, finished
  Handler<GrpcCall, &GrpcCall::OnRequest> on_request_{*this};
  Handler<GrpcCall, &GrpcCall::OnDone> on_done_{*this};
  Handler<GrpcCall, &GrpcCall::OnWritten> on_written_{*this};
  Handler<GrpcCall, &GrpcCall::OnFinished> on_finished_{*this};

  bool slow_ = false;  // counted among the server's slow readers
  absl::Mutex write_mutex_;
  std::optional<bool> written_ ABSL_GUARDED_BY(write_mutex_);  // the outcome of the write under way
};

}  // namespace verdict::rpc
