#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <grpcpp/generic/generic_stub.h>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "common/metrics/metrics.h"
#include "gateway/asio.h"
#include "gateway/call_queue.h"
#include "verdict/calls/v1/call_service.pb.h"

namespace verdict::gateway {

// What became of a call that was to be carried.
enum class Carriage {
  kAnswered,
  kNotSent,  // nothing left: the call is to be made by itself
  kLost,     // it was sent, and whether it was received is not known
};

struct CarriedAnswer {
  Carriage carriage = Carriage::kNotSent;
  calls::v1::CarriedAnswer answer = {};  // once answered
};

// Makes calls of one service, many in one message (verdict.calls.v1.CallService), which costs a fraction of
// making each by itself. There is no timer: what a loop's connections have to say at one time leaves
// together. Several streams, so that all replicas of the service get calls. Thread-safe.
class CallCarrier {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Done = absl::AnyInvocable<void(CarriedAnswer)>;

  // Larger requests are not for it.
  static constexpr std::size_t kRequestBytesMax = 64 << 10;

  // Calls of the backend `name`; what else is given outlives the carrier.
  CallCarrier(const std::string& name, grpc::GenericStub& stub, CallQueue& queue,
              metrics::Registry& registry);
  // Ends the streams; calls under way are lost. No `done` is called afterwards.
  ~CallCarrier();
  CallCarrier(const CallCarrier&) = delete;
  CallCarrier& operator=(const CallCarrier&) = delete;

  // Opens streams that are missing, ends those that are old, and gives up calls whose time is over. To be
  // called time and again, every two seconds at least; until it was, nothing is carried.
  void Maintain(Time now);

  // A call's name, by which it can be given up.
  std::uint64_t NewId() { return ++last_id_; }

  // Begins a call, whose `id` is new, and which has `timeout_ms` from now; `done` gets its answer, from any
  // thread. `loop` is the caller's, which sends what has gathered when it has done what it has to do now. It
  // runs, or is gone with what was posted to it, before the carrier ends.
  void Begin(calls::v1::CarriedCall call, const Executor& loop, Done done);

  // Gives a call up, as CANCELLED, of which the service is told. Nothing when it has been answered.
  void Cancel(std::uint64_t id);

 private:
  class Stream;
  struct Waiting {
    Done done;
    Time deadline;
    Stream* stream = nullptr;  // null: not sent yet
  };
  struct Gathered {
    calls::v1::CarriedCall call;
    std::size_t bytes;
  };

  using Answers = std::vector<std::pair<Done, CarriedAnswer>>;

  // Sends what has gathered.
  void Flush(const void* loop);
  // The same. What no stream can take any more is among the answers.
  void SendGathered(Answers& answers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // By this stream, as much as it takes in one message.
  void SendBy(Stream& stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends those that are old, and opens those that are missing.
  void RenewStreams(Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool has_open_stream() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Answers all calls for which `is_over(waiting)`; the service is to be told of those that it has.
  template <typename IsOver>
  void GiveUp(IsOver is_over, const CarriedAnswer& answer, Answers& answers)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Counts the answer, and puts it among those to be delivered.
  void Add(CarriedAnswer answer, Done done, Answers& answers);
  // To be called without the mutex.
  static void Deliver(Answers answers);
  void Remove(Stream& stream);

  grpc::GenericStub& stub_;
  CallQueue& queue_;
  std::array<metrics::Counter*, 3> calls_;  // by Carriage
  std::atomic<std::uint64_t> last_id_ = 0;
  absl::Mutex mutex_;
  std::vector<std::unique_ptr<Stream>> streams_ ABSL_GUARDED_BY(mutex_);
  std::size_t next_stream_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<Gathered> gathered_ ABSL_GUARDED_BY(mutex_);  // not sent yet; some may be given up
  std::size_t gathered_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<std::uint64_t, Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<const void*> flushing_ ABSL_GUARDED_BY(mutex_);  // loops that will flush
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  Time unsupported_until_ ABSL_GUARDED_BY(mutex_) = Time::min();
};

}  // namespace verdict::gateway
