#include "gateway/call_carrier.h"

#include <algorithm>
#include <optional>

#include <boost/asio/post.hpp>
#include <grpcpp/client_context.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include "common/rpc/event.h"
#include "common/rpc/serialize.h"

namespace verdict::gateway {
namespace {

using std::chrono::steady_clock;

constexpr const char* kMethod = "/verdict.calls.v1.CallService/CarryCalls";

// Enough to reach several replicas, few enough that a message carries many calls.
constexpr std::size_t kStreams = 4;
// A server's connections last two minutes, and what is on them a minute longer. One is renewed at a time,
// while the others carry what comes, if there are others; none gets older than the maximum.
constexpr std::chrono::seconds kStreamAge{30};
constexpr std::chrono::seconds kStreamAgeMax{45};
// How long a service without CallService is not asked again.
constexpr std::chrono::seconds kUnsupportedPause{30};
// Bounds of one message, but for its last call; the server takes 1,024 calls and 768 KiB.
constexpr std::size_t kMessageCallsMax = 256;
constexpr std::size_t kMessageBytesMax = 512 << 10;
// Calls of one stream that have not been answered: fewer than those with which the server reads on, so that
// it always learns who is gone.
constexpr std::size_t kUnderWayMax = 1000;
// What may gather while every stream is busy sending, or full.
constexpr std::size_t kGatheredMax = 4096;
constexpr std::size_t kGatheredBytesMax = 4 << 20;

CarriedAnswer Failed(grpc::StatusCode code) {
  CarriedAnswer failed{.carriage = Carriage::kAnswered};
  failed.answer.mutable_status()->set_code(code);
  return failed;
}

}  // namespace

// One call of CallService/CarryCalls. All of it under the carrier's mutex, but for what is being read.
class CallCarrier::Stream {
 public:
  explicit Stream(CallCarrier& carrier)
      : carrier_(carrier), call_(carrier.stub_.PrepareCall(&context_, kMethod, carrier.queue_.get())) {
    call_->StartCall(&on_started_);
  }

  // It is open, and no message is on its way.
  bool can_send() const { return state_ == State::kOpen && !writing_; }
  // How many more calls it may have under way.
  std::size_t room() const { return kUnderWayMax - under_way_; }
  bool open() const { return state_ == State::kOpen; }
  // Takes calls, now or soon.
  bool usable() const { return state_ == State::kOpening || state_ == State::kOpen; }
  bool is_older_than(std::chrono::seconds age, Time now) const { return now - opened_at_ > age; }

  // Sends; only when it can, and has room for the calls.
  void Send(const calls::v1::CarryCallsRequest& message) {
    writing_ = true;
    under_way_ += static_cast<std::size_t>(message.calls_size());
    call_->Write(rpc::Serialize(message), &on_written_);
  }

  std::vector<std::uint64_t>& cancelled() { return cancelled_; }

  // Sends nothing any more, and ends when the answers under way have come.
  void End() {
    if (state_ == State::kOpening) return Abort();
    if (state_ != State::kOpen) return;
    state_ = State::kEnding;
    if (!writing_ && !std::exchange(half_closed_, true)) HalfClose();
  }
  void Abort() { context_.TryCancel(); }

 private:
  enum class State { kOpening, kOpen, kEnding };

  template <void (Stream::*handler)(bool)>
  using Handler = rpc::Handler<Stream, handler>;

  void HalfClose() {
    writing_ = true;
    call_->WritesDone(&on_written_);
  }

  void OnStarted(bool /*ok*/) { call_->Read(&bytes_, &on_read_); }

  void OnWritten(bool ok) {
    absl::MutexLock lock(&carrier_.mutex_);
    writing_ = false;
    if (!ok) {  // broken, as the read will tell, too: nothing more is sent by it
      state_ = State::kEnding;
      half_closed_ = true;
    }
    if (read_all_) {
      Finish();
    } else if (state_ == State::kOpen) {
      carrier_.SendBy(*this);
    } else if (!std::exchange(half_closed_, true)) {
      HalfClose();
    }
  }

  void OnRead(bool ok) {
    calls::v1::CarryCallsResponse response;
    grpc::ProtoBufferReader reader(&bytes_);
    const bool readable = ok && response.ParseFromZeroCopyStream(&reader);
    Answers answers;
    {
      absl::MutexLock lock(&carrier_.mutex_);
      if (!readable) {
        if (ok) Abort();
        state_ = State::kEnding;
        read_all_ = true;
        if (!writing_) Finish();
        return;
      }
      const bool took_none = state_ == State::kOpening || room() == 0;
      if (state_ == State::kOpening) state_ = State::kOpen;
      under_way_ -= std::min(under_way_, static_cast<std::size_t>(response.answers_size()));
      for (calls::v1::CarriedAnswer& answer : *response.mutable_answers()) {
        const auto waiting = carrier_.waiting_.find(answer.id());
        if (waiting == carrier_.waiting_.end() || waiting->second.stream != this) continue;  // given up
        carrier_.Add({Carriage::kAnswered, std::move(answer)}, std::move(waiting->second.done), answers);
        carrier_.waiting_.erase(waiting);
      }
      if (response.ending()) End();
      if (took_none || response.ending()) carrier_.SendGathered(answers);
    }
    Deliver(std::move(answers));
    call_->Read(&bytes_, &on_read_);  // from here on the stream may be gone
  }

  void Finish() { call_->Finish(&status_, &on_finished_); }

  void OnFinished(bool /*ok*/) {
    if (status_.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
      absl::MutexLock lock(&carrier_.mutex_);
      carrier_.unsupported_until_ = steady_clock::now() + kUnsupportedPause;
    }
    carrier_.Remove(*this);
  }

  CallCarrier& carrier_;
  const Time opened_at_ = steady_clock::now();
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  grpc::ByteBuffer bytes_;
  grpc::Status status_;
  State state_ = State::kOpening;
  std::vector<std::uint64_t> cancelled_;  // to be told
  std::size_t under_way_ = 0;             // calls sent, and not yet answered
  bool writing_ = false;                  // also while the end is
  bool half_closed_ = false;
  bool read_all_ = false;
  Handler<&Stream::OnStarted> on_started_{*this};
  Handler<&Stream::OnRead> on_read_{*this};
  Handler<&Stream::OnWritten> on_written_{*this};
  Handler<&Stream::OnFinished> on_finished_{*this};
};

CallCarrier::CallCarrier(const std::string& name, grpc::GenericStub& stub, CallQueue& queue,
                         metrics::Registry& registry)
    : stub_(stub), queue_(queue) {
  constexpr const char* kNames[] = {"answered", "not_sent", "lost"};
  for (std::size_t carriage = 0; carriage < calls_.size(); ++carriage) {
    calls_[carriage] = &registry.Counter("verdict_gateway_carried_calls_total",
                                         "Calls that were to be carried, by what became of them.",
                                         {{"backend", name}, {"outcome", kNames[carriage]}});
  }
}

CallCarrier::~CallCarrier() {
  absl::MutexLock lock(&mutex_);
  ending_ = true;
  for (const auto& stream : streams_) stream->Abort();
  const auto ended = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return streams_.empty(); };
  mutex_.Await(absl::Condition(&ended));
}

bool CallCarrier::has_open_stream() const {
  return std::ranges::any_of(streams_, [](const auto& stream) { return stream->open(); });
}

template <typename IsOver>
void CallCarrier::GiveUp(IsOver is_over, const CarriedAnswer& answer, Answers& answers) {
  absl::erase_if(waiting_, [&](auto& entry) {
    Waiting& call = entry.second;
    if (!is_over(call)) return false;
    if (call.stream != nullptr) call.stream->cancelled().push_back(entry.first);
    Add(answer, std::move(call.done), answers);
    return true;
  });
}

void CallCarrier::Maintain(Time now) {
  Answers answers;
  {
    absl::MutexLock lock(&mutex_);
    GiveUp([&](const Waiting& call) { return call.deadline <= now; },
           Failed(grpc::StatusCode::DEADLINE_EXCEEDED), answers);
    std::erase_if(gathered_, [this](const Gathered& gathered) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      if (waiting_.contains(gathered.call.id())) return false;
      gathered_bytes_ -= gathered.bytes;
      return true;
    });
    for (const auto& stream : streams_) {  // tells of those given up
      if (stream->can_send()) SendBy(*stream);
    }
    RenewStreams(now);
    SendGathered(answers);  // or, when the last open stream ended, not
  }
  Deliver(std::move(answers));
}

void CallCarrier::RenewStreams(Time now) {
  const auto usable = static_cast<std::size_t>(
      std::ranges::count_if(streams_, [](const auto& stream) { return stream->usable(); }));
  bool may_renew = usable >= kStreams;
  for (const auto& stream : streams_) {
    if (!stream->usable() || !stream->is_older_than(kStreamAge, now)) continue;
    if (std::exchange(may_renew, false) || stream->is_older_than(kStreamAgeMax, now)) stream->End();
  }
  if (ending_ || now < unsupported_until_) return;
  for (std::size_t i = usable; i < kStreams; ++i) streams_.push_back(std::make_unique<Stream>(*this));
}

void CallCarrier::Begin(calls::v1::CarriedCall call, const Executor& loop, Done done) {
  {
    const std::size_t bytes = call.ByteSizeLong();
    absl::MutexLock lock(&mutex_);
    if (!ending_ && gathered_.size() < kGatheredMax && gathered_bytes_ + bytes <= kGatheredBytesMax &&
        has_open_stream()) {
      const Time deadline = steady_clock::now() + std::chrono::milliseconds(call.timeout_ms());
      waiting_.try_emplace(call.id(), Waiting{.done = std::move(done), .deadline = deadline});
      gathered_.push_back({.call = std::move(call), .bytes = bytes});
      gathered_bytes_ += bytes;
      const void* context = &loop.context();
      if (flushing_.insert(context).second) asio::post(loop, [this, context] { Flush(context); });
      return;
    }
  }
  Answers answers;
  Add({.carriage = Carriage::kNotSent}, std::move(done), answers);
  Deliver(std::move(answers));
}

void CallCarrier::Flush(const void* loop) {
  Answers answers;
  {
    absl::MutexLock lock(&mutex_);
    flushing_.erase(loop);
    SendGathered(answers);
  }
  Deliver(std::move(answers));
}

void CallCarrier::SendGathered(Answers& answers) {
  for (std::size_t i = 0; i < streams_.size() && !gathered_.empty(); ++i) {
    Stream& stream = *streams_[next_stream_++ % streams_.size()];
    if (stream.can_send()) SendBy(stream);
  }
  if (gathered_.empty() || has_open_stream()) return;  // which sends the rest when it can
  gathered_.clear();
  gathered_bytes_ = 0;
  GiveUp([](const Waiting& call) { return call.stream == nullptr; }, {.carriage = Carriage::kNotSent},
         answers);
}

void CallCarrier::SendBy(Stream& stream) {
  calls::v1::CarryCallsRequest message;
  for (const std::uint64_t id : std::exchange(stream.cancelled(), {})) message.add_cancelled_ids(id);
  const Time now = steady_clock::now();
  const auto calls_max = static_cast<int>(std::min(kMessageCallsMax, stream.room()));
  std::size_t bytes = 0;
  while (!gathered_.empty() && message.calls_size() < calls_max && bytes < kMessageBytesMax) {
    Gathered& gathered = gathered_.front();
    if (const auto waiting = waiting_.find(gathered.call.id()); waiting != waiting_.end()) {
      waiting->second.stream = &stream;
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(waiting->second.deadline - now);
      gathered.call.set_timeout_ms(static_cast<std::uint32_t>(std::max<std::int64_t>(left.count(), 0)));
      bytes += gathered.bytes;
      *message.add_calls() = std::move(gathered.call);
    }
    gathered_bytes_ -= gathered.bytes;
    gathered_.pop_front();
  }
  if (message.calls_size() > 0 || message.cancelled_ids_size() > 0) stream.Send(message);
}

void CallCarrier::Cancel(std::uint64_t id) {
  Answers answers;
  {
    absl::MutexLock lock(&mutex_);
    const auto waiting = waiting_.find(id);
    if (waiting == waiting_.end()) return;
    if (Stream* stream = waiting->second.stream; stream != nullptr) {
      stream->cancelled().push_back(id);
      if (stream->can_send()) SendBy(*stream);
    }
    Add(Failed(grpc::StatusCode::CANCELLED), std::move(waiting->second.done), answers);
    waiting_.erase(waiting);
  }
  Deliver(std::move(answers));
}

void CallCarrier::Remove(Stream& stream) {
  Answers answers;
  {
    absl::MutexLock lock(&mutex_);
    GiveUp([&](const Waiting& call) { return call.stream == &stream; }, {.carriage = Carriage::kLost},
           answers);
    SendGathered(answers);
  }
  Deliver(std::move(answers));
  std::unique_ptr<Stream> removed;  // last of all: the carrier may be gone afterwards
  absl::MutexLock lock(&mutex_);
  const auto entry =
      std::ranges::find_if(streams_, [&](const auto& candidate) { return candidate.get() == &stream; });
  removed = std::move(*entry);
  streams_.erase(entry);
}

void CallCarrier::Add(CarriedAnswer answer, Done done, Answers& answers) {
  calls_[static_cast<std::size_t>(answer.carriage)]->Increment();
  answers.emplace_back(std::move(done), std::move(answer));
}

void CallCarrier::Deliver(Answers answers) {
  for (auto& [done, answer] : answers) done(std::move(answer));
}

}  // namespace verdict::gateway
