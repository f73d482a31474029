#include "common/rpc/call_stream.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include "absl/strings/str_cat.h"
#include "common/rpc/message_parts.h"
#include "common/rpc/serialize.h"
#include "common/rpc/server.h"
#include "common/status/error.h"
#include "common/status/grpc_status.h"

namespace verdict::rpc {
namespace {

constexpr std::size_t kCallsMax = 1024;  // under way, when more are read, and in one message
constexpr std::size_t kMessageBytesMax = 768 << 10;
// Of 1,024 calls, each with more metadata than there is.
constexpr std::size_t kMessagePartsMax = 16 * kCallsMax;
// Answers that are larger have a stream of their own. A thousand pieces of feedback fit.
constexpr std::size_t kAnswerBytesMax = 512 << 10;
// What may wait for a caller that reads slowly.
constexpr std::size_t kOutgoingBytesMax = 8 << 20;

}  // namespace

CarriedCall::CarriedCall(Server& server, Method& method, CallStream& stream,
                         std::shared_ptr<const CallBatch> batch, const calls::v1::CarriedCall& call)
    : Call(server, method), stream_(stream), batch_(std::move(batch)), call_(&call) {
  answer_.set_id(call.id());
}

std::optional<std::string_view> CarriedCall::Metadata(std::string_view key) const {
  const auto entry = std::ranges::find(call_->metadata(), key, &calls::v1::CallMetadata::key);
  if (entry == call_->metadata().end()) return std::nullopt;
  return entry->value();
}

absl::Status CarriedCall::Parse() {
  const std::string& bytes = call_->request();
  const int size = static_cast<int>(bytes.size());
  google::protobuf::io::ArrayInputStream counted(bytes.data(), size);
  google::protobuf::io::ArrayInputStream parsed(bytes.data(), size);
  absl::Status status = ParseFrom(counted, parsed, bytes.size());
  call_ = nullptr;
  batch_.reset();
  return status;
}

void CarriedCall::AddTrailingMetadata(const std::string& key, const std::string& value) {
  calls::v1::CallMetadata& entry = *answer_.add_metadata();
  entry.set_key(key);
  entry.set_value(value);
}

bool CarriedCall::Write(std::string_view message) {
  if (answer_.too_large() || context().cancelled()) return false;
  answer_bytes_ += message.size();
  if (answer_bytes_ <= kAnswerBytesMax) {
    *answer_.add_responses() = message;
    return true;
  }
  answer_.clear_responses();
  answer_.set_too_large(true);
  return false;
}

bool CarriedCall::HandBack(const absl::Status& status) {
  // What was read can be read again; what was written is answered.
  if (status.ok() && method_.auth.scope() == options::v1::SCOPE_READ && stream_.IsFull()) {
    answer_.set_too_large(true);
  }
  return answer_.too_large();
}

void CarriedCall::Send(const absl::Status& status, std::unique_ptr<google::protobuf::Message> response) {
  if (answer_.too_large()) {
    answer_.clear_responses();
  } else if (status.ok()) {
    if (const std::string etag = TakeETag(); !etag.empty()) AddTrailingMetadata("etag", etag);
    if (response != nullptr) response->SerializeToString(answer_.add_responses());
  } else {
    *answer_.mutable_status() = ToRpc(StripInternal(status));
  }
  stream_.Answer(std::move(answer_));
  delete this;
}

void CallStream::Await(Server& server, CallService& service, std::size_t queue) {
  auto* stream = new CallStream(server, service, queue);  // ends itself, in Release
  grpc::ServerCompletionQueue* completions = server.queues_[queue].get();
  service.RequestCarryCalls(&stream->context_, &stream->stream_, completions, completions,
                            &stream->on_request_);
}

CallStream::CallStream(Server& server, CallService& service, std::size_t queue)
    : server_(server), service_(service), queue_(queue), stream_(&context_) {
  context_.AsyncNotifyWhenDone(&on_done_);
}

CallStream::~CallStream() { server_.Remove(*this); }

void CallStream::Release() {
  if (pending_.fetch_sub(1) != 1) return;
  Server& server = server_;
  delete this;
  server.Leave();
}

void CallStream::OnRequest(bool ok) {
  if (!ok) return delete this;  // the server is shutting down; no other event comes
  server_.Enter();
  if (!server_.ending_) Await(server_, service_, queue_);
  if (!server_.Add(*this)) End();
  {
    absl::MutexLock lock(&mutex_);
    Proceed();
  }
  Release();
}

void CallStream::End() {
  absl::MutexLock lock(&mutex_);
  outgoing_.set_ending(true);
  has_outgoing_ = true;
  Proceed();
}

void CallStream::Proceed() {
  if (broken_) {  // nobody gets it any more, and it shall not keep the end from being read
    outgoing_.Clear();
    outgoing_bytes_ = 0;
    has_outgoing_ = false;
  }
  if (!writing_ && !finishing_ && has_outgoing_ && !beginning_) {
    const grpc::ByteBuffer bytes = Serialize(outgoing_);
    outgoing_.Clear();
    outgoing_bytes_ = 0;
    has_outgoing_ = false;
    writing_ = true;
    ++pending_;
    stream_.Write(bytes, &on_written_);
  }
  if (!reading_ && !read_all_ && !beginning_ && calls_.size() < kCallsMax &&
      outgoing_bytes_ < kOutgoingBytesMax) {
    reading_ = true;
    ++pending_;
    stream_.Read(&incoming_, &on_read_);
  }
  if (!finishing_ && read_all_ && calls_.empty() && !beginning_ && !writing_ && !has_outgoing_) {
    finishing_ = true;
    stream_.Finish(status_, &on_finished_);
  }
}

absl::StatusOr<std::shared_ptr<const CallBatch>> CallStream::ReadBatch() {
  if (incoming_.Length() > kMessageBytesMax) {
    return MakeError(errors::v1::REASON_BODY_TOO_LARGE,
                     absl::StrCat("A message of calls has at most ", kMessageBytesMax, " bytes."));
  }
  auto batch = std::make_shared<CallBatch>();
  batch->message = google::protobuf::Arena::CreateMessage<calls::v1::CarryCallsRequest>(&batch->arena);
  grpc::ProtoBufferReader counted(&incoming_);
  grpc::ProtoBufferReader parsed(&incoming_);
  if (HasMoreParts(*batch->message->GetDescriptor(), counted, kMessagePartsMax) ||
      !batch->message->ParseFromZeroCopyStream(&parsed) ||
      static_cast<std::size_t>(batch->message->calls_size()) > kCallsMax) {
    return MakeError(errors::v1::REASON_VALIDATION_ERROR,
                     absl::StrCat("The message is no CarryCallsRequest of at most ", kCallsMax, " calls."));
  }
  return batch;
}

void CallStream::OnRead(bool ok) {
  absl::StatusOr<std::shared_ptr<const CallBatch>> batch = nullptr;
  if (ok) batch = ReadBatch();
  {
    absl::MutexLock lock(&mutex_);
    reading_ = false;
    if (!batch.ok()) status_ = ToGrpc(batch.status());
    if (!ok || !batch.ok()) read_all_ = true;
    // Answers that come at once leave together.
    beginning_ = !read_all_;
    Proceed();
  }
  if (ok && batch.ok()) {
    BeginCalls(*batch);
    absl::MutexLock lock(&mutex_);
    beginning_ = false;
    Proceed();
  }
  Release();
}

void CallStream::BeginCalls(const std::shared_ptr<const CallBatch>& batch) {
  for (const calls::v1::CarriedCall& call : batch->message->calls()) BeginCall(batch, call);
  absl::MutexLock lock(&mutex_);
  for (const std::uint64_t id : batch->message->cancelled_ids()) {
    if (const auto call = calls_.find(id); call != calls_.end()) call->second->SetCancelled();
  }
}

void CallStream::BeginCall(const std::shared_ptr<const CallBatch>& batch,
                           const calls::v1::CarriedCall& call) {
  Method* method = server_.FindMethod(call.method());
  CarriedCall* carried = method == nullptr ? nullptr : new CarriedCall(server_, *method, *this, batch, call);
  ++pending_;
  {
    absl::MutexLock lock(&mutex_);
    if (!calls_.try_emplace(call.id(), carried).second) {
      // Whose answer would be whose? Nothing of it is begun.
      read_all_ = true;
      status_ = {grpc::StatusCode::INVALID_ARGUMENT, "Calls of a stream have ids of their own."};
      delete carried;
      --pending_;
      return;
    }
    if (broken_ && carried != nullptr) carried->SetCancelled();
  }
  if (carried != nullptr) {
    return carried->Begin(std::chrono::milliseconds(call.timeout_ms()));
  }
  calls::v1::CarriedAnswer answer;
  answer.set_id(call.id());
  *answer.mutable_status() =
      ToRpc(MakeError(errors::v1::REASON_UNIMPLEMENTED, RuleOf(errors::v1::REASON_UNIMPLEMENTED).example()));
  Answer(std::move(answer));
}

void CallStream::Answer(calls::v1::CarriedAnswer answer) {
  {
    absl::MutexLock lock(&mutex_);
    calls_.erase(answer.id());
    outgoing_bytes_ += answer.ByteSizeLong();
    *outgoing_.add_answers() = std::move(answer);
    has_outgoing_ = true;
    if (!flush_due_ && !writing_ && !beginning_) {
      flush_due_ = true;
      ++pending_;
      flush_.Set(server_.queues_[queue_].get(), gpr_time_0(GPR_CLOCK_MONOTONIC), &on_flush_);
    }
  }
  Release();
}

bool CallStream::IsFull() const {
  absl::MutexLock lock(&mutex_);
  return outgoing_bytes_ >= kOutgoingBytesMax;
}

void CallStream::OnWritten(bool ok) {
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    broken_ = broken_ || !ok;
    Proceed();
  }
  Release();
}

void CallStream::OnFlush(bool /*ok*/) {
  {
    absl::MutexLock lock(&mutex_);
    flush_due_ = false;
    Proceed();
  }
  Release();
}

void CallStream::OnDone(bool /*ok*/) {
  {
    absl::MutexLock lock(&mutex_);
    if (context_.IsCancelled()) {
      broken_ = true;
      for (const auto& [id, call] : calls_) {
        if (call != nullptr) call->SetCancelled();
      }
      Proceed();
    }
  }
  Release();
}

void CallStream::OnFinished(bool /*ok*/) { Release(); }

}  // namespace verdict::rpc
