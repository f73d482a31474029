#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <google/protobuf/io/zero_copy_stream.h>
#include <google/protobuf/message.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/rpc/context.h"

namespace verdict::rpc {

class Server;
struct Method;

// One call of one RPC, whatever brought it. Stages: request id, deadline, credential, scope, rate limit,
// message, tenant, field rules, handler.
class Call {
 public:
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  Context& context() { return context_; }
  const google::protobuf::Message& request() const { return *request_; }

  // Answers the call, once, from any thread. `response` is needed with an OK status of a unary RPC; of a
  // streamed one it is the last message, if there is one. The call may be gone afterwards.
  void Finish(const absl::Status& status, std::unique_ptr<google::protobuf::Message> response = nullptr);

  // Sends one message of a streamed RPC, in its wire format. False when it cannot be sent, and no other can:
  // the handler may return, with whatever status.
  virtual bool Write(std::string_view message) = 0;

  // The error of a call whose time is over or whose caller is gone, if it is.
  absl::Status Expired() const;

 protected:
  Call(Server& server, Method& method) : server_(server), method_(method) {}
  virtual ~Call() = default;

  // Passes the call, which has arrived, through its stages; its caller waits so long. The call may be gone
  // afterwards.
  void Begin(std::chrono::nanoseconds patience);
  void SetCancelled() { context_.cancelled_ = true; }
  const Uuid& key_id() const { return context_.principal().key_id; }
  // Empty, or what names the state that the answer shows. Once.
  std::string TakeETag() { return std::exchange(context_.etag_, {}); }
  bool replayed() const { return context_.replayed_; }
  // Reads what both streams, which have the same bytes, hold.
  absl::Status ParseFrom(google::protobuf::io::ZeroCopyInputStream& counted,
                         google::protobuf::io::ZeroCopyInputStream& parsed, std::size_t bytes);

  Server& server_;
  Method& method_;

 private:
  virtual std::optional<std::string_view> Metadata(std::string_view key) const = 0;
  virtual std::size_t message_bytes() const = 0;
  virtual absl::Status Parse() = 0;
  virtual void AddTrailingMetadata(const std::string& key, const std::string& value) = 0;
  // Whether the call is not answered so at all, but handed back to be made by itself. Asked once.
  virtual bool HandBack(const absl::Status& /*status*/) { return false; }
  virtual void Send(const absl::Status& status, std::unique_ptr<google::protobuf::Message> response) = 0;

  absl::Status Receive(std::chrono::nanoseconds patience);
  void Authenticate();
  void Authorize(const absl::StatusOr<std::shared_ptr<const auth::Principal>>& principal);
  absl::Status Admit();  // whatever can be said without the message
  absl::Status CheckCaller() const;
  absl::Status CheckTenant() const;
  absl::Status RateLimited(std::chrono::nanoseconds retry_after);
  void Report(const absl::Status& status);

  Context context_;
  std::unique_ptr<google::protobuf::Message> request_;
  std::chrono::steady_clock::time_point arrived_;
};

}  // namespace verdict::rpc
