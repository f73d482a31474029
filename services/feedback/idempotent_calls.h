#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <google/protobuf/message.h>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/crypto/crypto.h"
#include "common/ids/uuid.h"
#include "common/rpc/executor.h"
#include "services/feedback/idempotency_store.h"
#include "services/feedback/write_call.h"

namespace verdict::feedback {

// SHA-256 of a request, which says which RPC it is for. Equal messages have equal hashes.
crypto::Digest RequestHash(const google::protobuf::Message& request);

// The ids of what one request makes. Under an Idempotency-Key they follow from it and the request, so that a
// request that runs again makes nothing twice.
class MadeIds {
 public:
  MadeIds(const WriteCall& call, const google::protobuf::Message& request, Time now);
  Uuid Next();

 private:
  const Time now_;
  std::optional<std::string> seed_ = {};
  size_t made_ = 0;
};

// Idempotency-Keys for RPCs that do no harm when they run twice: an equal request gets the first one's
// answer, another one under the same key IDEMPOTENCY_MISMATCH, one that comes while the first is running
// IDEMPOTENCY_IN_PROGRESS. A request that fails gives its key back. Requests are equal when they are of one
// RPC and their messages are the same.
//
// Not once and only once: a request runs again when its process died before the answer was kept (a minute
// later, that is how long the key stays claimed), and when the answer is longer than kKeptBytesMax, which is
// not kept, only the request's hash. So what a request makes must follow from it and its key alone (MadeIds),
// and a request that runs again that late puts back what it says over what has been written since.
//
// The RPCs' registration is in idempotent_rpc.h. Thread-safe.
class IdempotentCalls {
 public:
  static constexpr size_t kKeptBytesMax = 1 << 20;

  // Both outlive this, and all calls.
  IdempotentCalls(const IdempotencyStore& store, rpc::Executor& executor)
      : store_(store), executor_(executor) {}

  template <typename Response>
  struct Answer {
    absl::StatusOr<Response> response;
    bool replayed = false;
  };

  // Whether an answer may be given again for a day, instead of running the request again.
  template <typename Response>
  using WorthKeeping = bool (*)(const Response& response);

  // Answers `call`: by `body`, or by what an equal request was answered. Blocks on the database.
  template <typename Response>
  Answer<Response> Run(const WriteCall& call, const google::protobuf::Message& request,
                       absl::FunctionRef<absl::StatusOr<Response>()> body,
                       WorthKeeping<Response> worth_keeping = nullptr) {
    if (!call.idempotency_key) return {body()};
    const Claim claim = ClaimOf(call, request);
    Response kept;
    const absl::StatusOr<bool> replayed = Begin(claim, kept);
    if (!replayed.ok()) return {replayed.status()};
    if (*replayed) return {std::move(kept), true};
    absl::StatusOr<Response> response = body();
    End(claim, Kept<Response>(response, worth_keeping));
    return {std::move(response)};
  }

  // The same for a body that answers later and from any thread, and must not wait: does not block either, all
  // waiting is the executor's. `request` lives until `done` is called.
  template <typename Response>
  void RunAsync(const WriteCall& call, const google::protobuf::Message& request,
                absl::AnyInvocable<void(absl::AnyInvocable<void(absl::StatusOr<Response>)>)> body,
                WriteDone<Response> done, WorthKeeping<Response> worth_keeping = nullptr) {
    if (!call.idempotency_key) {
      return body([done = std::move(done)](absl::StatusOr<Response> response) mutable {
        done(std::move(response), false);
      });
    }
    // Shared by whoever has the call now and the task that it submits, which the executor may refuse.
    struct Running {
      WriteCall call;
      const google::protobuf::Message& request;
      absl::AnyInvocable<void(absl::AnyInvocable<void(absl::StatusOr<Response>)>)> body;
      WriteDone<Response> done;
      Claim claim = {};
      absl::StatusOr<Response> response = Response();
    };
    auto running = std::make_shared<Running>(call, request, std::move(body), std::move(done));
    const bool taken = executor_.Submit([this, running, worth_keeping] {
      if (const absl::Status expired = CheckDeadline(running->call); !expired.ok()) {
        return running->done(expired, false);
      }
      running->claim = ClaimOf(running->call, running->request);  // takes its time on a large request
      const absl::StatusOr<bool> replayed = Begin(running->claim, *running->response);
      if (!replayed.ok()) return running->done(replayed.status(), false);
      if (*replayed) return running->done(std::move(running->response), true);
      auto run = std::move(running->body);
      run([this, running, worth_keeping](absl::StatusOr<Response> response) {
        running->response = std::move(response);
        const auto end = [this, running, worth_keeping] {
          End(running->claim, Kept<Response>(running->response, worth_keeping));
          running->done(std::move(running->response), false);
        };
        // What cannot be kept now is answered all the same, and claimed for a minute.
        if (!executor_.Submit(end)) running->done(std::move(running->response), false);
      });
    });
    if (!taken) running->done(TooMuchWork(), false);
  }

 private:
  struct Claim {
    Uuid project_id = {};
    IdempotencyClaim key = {};
  };

  static Claim ClaimOf(const WriteCall& call, const google::protobuf::Message& request);
  static absl::Status CheckDeadline(const WriteCall& call);
  static absl::Status TooMuchWork();

  // The answer, if it is one to keep.
  template <typename Response>
  static const google::protobuf::Message* Kept(const absl::StatusOr<Response>& response,
                                               WorthKeeping<Response> worth_keeping) {
    if (!response.ok()) return nullptr;
    return worth_keeping == nullptr || worth_keeping(*response) ? &*response : nullptr;
  }

  // Claims the key; true when `kept` is the answer already.
  absl::StatusOr<bool> Begin(const Claim& claim, google::protobuf::Message& kept) const;
  // Keeps the answer; releases the key where there is none to keep.
  void End(const Claim& claim, const google::protobuf::Message* response) const;

  const IdempotencyStore& store_;
  rpc::Executor& executor_;
};

}  // namespace verdict::feedback
