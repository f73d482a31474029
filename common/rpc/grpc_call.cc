#include "common/rpc/grpc_call.h"

#include <algorithm>
#include <utility>

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include "common/gzip/gzip.h"
#include "common/rpc/serialize.h"
#include "common/rpc/server.h"
#include "common/rpc/service.h"
#include "common/status/grpc_status.h"
#include "common/status/macros.h"

namespace verdict::rpc {
namespace {

using std::chrono::steady_clock;

// A caller that takes longer for a message does not read as fast as we write.
constexpr std::chrono::milliseconds kReaderPatience{100};

// Whether a message is compressed, as its first byte tells.
bool IsGzip(grpc::ByteBuffer& message) {
  grpc::ProtoBufferReader reader(&message);
  const void* data = nullptr;
  int size = 0;
  return reader.Next(&data, &size) && size > 0 && *static_cast<const char*>(data) == kGzipBegin;
}

}  // namespace

void GrpcCall::Await(Server& server, Method& method, std::size_t queue) {
  auto* call = new GrpcCall(server, method, queue);  // ends itself, in Release
  grpc::ServerCompletionQueue* completions = server.queues_[queue].get();
  if (method.streamed) {
    method.service->AwaitStreamed(method.index, call->server_context_, call->bytes_, call->stream_,
                                  completions, &call->on_request_);
  } else {
    method.service->AwaitUnary(method.index, call->server_context_, call->bytes_, call->unary_, completions,
                               &call->on_request_);
  }
}

GrpcCall::GrpcCall(Server& server, Method& method, std::size_t queue)
    : Call(server, method), queue_(queue), unary_(&server_context_), stream_(&server_context_) {
  // Tells when the caller is gone. The event comes only for calls that arrive.
  server_context_.AsyncNotifyWhenDone(&on_done_);
}

void GrpcCall::Release() {
  if (events_.fetch_sub(1) != 1) return;
  Server& server = server_;
  delete this;
  server.Leave();
}

void GrpcCall::OnRequest(bool ok) {
  if (!ok) return delete this;  // the server is shutting down; no other event comes
  server_.Enter();
  if (!server_.ending_) Await(server_, method_, queue_);
  // gRPC gives the deadline by the system's clock; "none" is infinitely far.
  Begin(server_context_.deadline() - std::chrono::system_clock::now());
  Release();
}

std::optional<std::string_view> GrpcCall::Metadata(std::string_view key) const {
  const auto& metadata = server_context_.client_metadata();
  const auto entry = metadata.find({key.data(), key.size()});
  if (entry == metadata.end()) return std::nullopt;
  return std::string_view(entry->second.data(), entry->second.size());
}

absl::Status GrpcCall::Parse() {
  if (IsGzip(bytes_)) {
    grpc::Slice compressed;
    bytes_.DumpToSingleSlice(&compressed);
    ASSIGN_OR_RETURN(const std::string inflated,
                     Gunzip({reinterpret_cast<const char*>(compressed.begin()), compressed.size()},
                            MessageBytesMax(method_.rest)));
    const int size = static_cast<int>(inflated.size());
    google::protobuf::io::ArrayInputStream counted(inflated.data(), size);
    google::protobuf::io::ArrayInputStream parsed(inflated.data(), size);
    RETURN_IF_ERROR(ParseFrom(counted, parsed, inflated.size()));
  } else {
    grpc::ProtoBufferReader counted(&bytes_);
    grpc::ProtoBufferReader parsed(&bytes_);
    RETURN_IF_ERROR(ParseFrom(counted, parsed, bytes_.Length()));
  }
  bytes_.Clear();
  return absl::OkStatus();
}

void GrpcCall::AddETag() {
  if (const std::string etag = TakeETag(); !etag.empty()) {
    server_context_.AddInitialMetadata("etag", etag);
  }
}

bool GrpcCall::Write(std::string_view message) {
  AddETag();
  const grpc::Slice slice(message.data(), message.size());
  const auto written = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_) { return written_.has_value(); };
  absl::MutexLock lock(&write_mutex_);
  written_.reset();
  stream_.Write(grpc::ByteBuffer(&slice, 1), &on_written_);
  const auto wait_for = [&](std::chrono::nanoseconds time) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_) {
    return write_mutex_.AwaitWithTimeout(absl::Condition(&written), absl::FromChrono(time));
  };
  const auto left = [this] { return context().deadline() - steady_clock::now(); };
  bool taken = wait_for(std::min<std::chrono::nanoseconds>(kReaderPatience, left()));
  if (!taken) {
    slow_ = slow_ || server_.slow_readers_.Enter(key_id());
    taken = slow_ && wait_for(left());
  }
  if (!taken) {
    // Cancelling completes the write, whose event comes still.
    server_context_.TryCancel();
    write_mutex_.Await(absl::Condition(&written));
  }
  return *written_ && !context().cancelled();
}

void GrpcCall::OnWritten(bool ok) {
  absl::MutexLock lock(&write_mutex_);
  written_ = ok;
}

void GrpcCall::Send(const absl::Status& status, std::unique_ptr<google::protobuf::Message> response) {
  if (slow_) server_.slow_readers_.Leave(key_id());
  response_ = std::move(response);
  if (status.ok()) AddETag();
  const grpc::Status answer = ToGrpc(StripInternal(status));
  if (method_.streamed && response_ != nullptr) {
    stream_.WriteAndFinish(Serialize(*response_), grpc::WriteOptions(), answer, &on_finished_);
  } else if (method_.streamed) {
    stream_.Finish(answer, &on_finished_);
  } else if (status.ok()) {
    unary_.Finish(*response_, answer, &on_finished_);
  } else {
    unary_.FinishWithError(answer, &on_finished_);
  }
}

void GrpcCall::OnDone(bool /*ok*/) {
  if (server_context_.IsCancelled()) SetCancelled();
  Release();
}

void GrpcCall::OnFinished(bool /*ok*/) { Release(); }

}  // namespace verdict::rpc
