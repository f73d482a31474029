#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <google/protobuf/arena.h>
#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/byte_buffer.h>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/call.h"
#include "common/rpc/event.h"
#include "verdict/calls/v1/call_service.grpc.pb.h"

namespace verdict::rpc {

using CallService = calls::v1::CallService::WithRawMethod_CarryCalls<calls::v1::CallService::Service>;

class CallStream;

// Calls that came in one message.
struct CallBatch {
  google::protobuf::Arena arena;
  calls::v1::CarryCallsRequest* message;
};

// A call that a stream brought. Owns itself: it ends with its answer.
class CarriedCall final : public Call {
 public:
  // `call` is of the batch.
  CarriedCall(Server& server, Method& method, CallStream& stream, std::shared_ptr<const CallBatch> batch,
              const calls::v1::CarriedCall& call);

  // Keeps the message for the answer. False when the caller is gone, or what is written is more than an
  // answer carries: then the call is handed back.
  bool Write(std::string_view message) override;

 private:
  friend class CallStream;

  std::optional<std::string_view> Metadata(std::string_view key) const override;
  std::size_t message_bytes() const override { return call_->request().size(); }
  absl::Status Parse() override;
  void AddTrailingMetadata(const std::string& key, const std::string& value) override;
  bool HandBack(const absl::Status& status) override;
  void Send(const absl::Status& status, std::unique_ptr<google::protobuf::Message> response) override;

  CallStream& stream_;
  std::shared_ptr<const CallBatch> batch_;  // until the message is parsed
  const calls::v1::CarriedCall* call_;      // of the batch
  calls::v1::CarriedAnswer answer_;
  std::size_t answer_bytes_ = 0;
};

// One call of CallService/CarryCalls, from before it arrives until its last answer has left. Owns itself, as
// GrpcCall does.
class CallStream {
 public:
  // Waits for the next stream.
  static void Await(Server& server, CallService& service, std::size_t queue);

  // Tells the caller to end the stream.
  void End();

  CallStream(const CallStream&) = delete;
  CallStream& operator=(const CallStream&) = delete;

 private:
  friend class CarriedCall;

  CallStream(Server& server, CallService& service, std::size_t queue);
  ~CallStream();

  void OnRequest(bool ok);
  void OnRead(bool ok);
  void OnWritten(bool ok);
  void OnFlush(bool ok);
  void OnFinished(bool ok);
  void OnDone(bool ok);
  void Release();

  absl::StatusOr<std::shared_ptr<const CallBatch>> ReadBatch();
  void BeginCalls(const std::shared_ptr<const CallBatch>& batch);
  void BeginCall(const std::shared_ptr<const CallBatch>& batch, const calls::v1::CarriedCall& call);
  // Sends a call's answer, which ends the call.
  void Answer(calls::v1::CarriedAnswer answer);
  // Whether so much waits to be sent that answers that can be had again should be.
  bool IsFull() const;
  // Begins what can begin now: a write, a read, the end.
  void Proceed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Server& server_;
  CallService& service_;
  const std::size_t queue_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer> stream_;
  grpc::ByteBuffer incoming_;

  mutable absl::Mutex mutex_;
  absl::flat_hash_map<std::uint64_t, CarriedCall*> calls_ ABSL_GUARDED_BY(mutex_);  // under way
  calls::v1::CarryCallsResponse outgoing_ ABSL_GUARDED_BY(mutex_);
  std::size_t outgoing_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool beginning_ ABSL_GUARDED_BY(mutex_) = false;    // the calls of the last message
  bool has_outgoing_ ABSL_GUARDED_BY(mutex_) = true;  // the first message is empty
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool read_all_ ABSL_GUARDED_BY(mutex_) = false;  // the caller has ended its side, or is gone
  // Answers become ready one by one, as when a batch was committed. They leave a moment later, together, by a
  // thread of the queue.
  grpc::Alarm flush_;
  bool flush_due_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;  // nothing can be sent any more
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status status_ ABSL_GUARDED_BY(mutex_);  // of the stream

  // What must end before the stream may: three events of one that arrived, request, done and finished; reads
  // and writes; and the calls.
  std::atomic<int> pending_ = 3;
  Handler<CallStream, &CallStream::OnRequest> on_request_{*this};
  Handler<CallStream, &CallStream::OnRead> on_read_{*this};
  Handler<CallStream, &CallStream::OnWritten> on_written_{*this};
  Handler<CallStream, &CallStream::OnFlush> on_flush_{*this};
  Handler<CallStream, &CallStream::OnFinished> on_finished_{*this};
  Handler<CallStream, &CallStream::OnDone> on_done_{*this};
};

}  // namespace verdict::rpc
