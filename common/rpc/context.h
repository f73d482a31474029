#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/auth/principal.h"

namespace verdict::rpc {

// What a handler knows of its call beyond the request message.
class Context {
 public:
  // Whom the call acts for; a default Principal for a public RPC.
  const auth::Principal& principal() const { return *principal_; }
  // The bearer credential as sent; empty when there is none. Only public RPCs look at it.
  std::string_view bearer() const { return bearer_; }
  // Names the call in logs and answers: [A-Za-z0-9._-]{1,64}.
  std::string_view request_id() const { return request_id_; }
  // When the answer must have left.
  std::chrono::steady_clock::time_point deadline() const { return deadline_; }
  // The Idempotency-Key, 1 to 255 bytes; only on RPCs that honour it.
  const std::optional<std::string>& idempotency_key() const { return idempotency_key_; }
  // If-None-Match as sent (RFC 9110, 13.1.2); for HasETag.
  const std::optional<std::string>& if_none_match() const { return if_none_match_; }
  // The caller went away: work that is not yet done need not be.
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

  // Says that the answer is that of an earlier, equal request.
  void SetReplayed() { replayed_ = true; }
  // Names the state that the answer shows, in quotes: `"7"`. To be called before the first message is
  // written. A caller that has this state (HasETag) gets OK and no message.
  void SetETag(std::string etag) { etag_ = std::move(etag); }

 private:
  friend class Call;

  std::shared_ptr<const auth::Principal> principal_ = std::make_shared<const auth::Principal>();
  std::string bearer_;
  std::string request_id_;
  std::chrono::steady_clock::time_point deadline_;
  std::optional<std::string> idempotency_key_;
  std::optional<std::string> if_none_match_;
  std::string etag_;
  std::atomic<bool> cancelled_ = false;
  bool replayed_ = false;
};

}  // namespace verdict::rpc
