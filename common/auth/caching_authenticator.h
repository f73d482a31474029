#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/auth/authenticator.h"

namespace verdict::auth {

// How long and how much is remembered. A revoked key is refused everywhere within 5 s: an answer counts
// from the *start* of the look-up that got it, and there is no other cache behind this one.
struct CacheOptions {
  std::chrono::milliseconds lifetime = std::chrono::seconds(4);
  std::chrono::milliseconds refresh_after = std::chrono::seconds(3);
  std::size_t known_max = 65'536;   // principals remembered
  std::size_t refused_max = 1'024;  // refusals remembered; apart, so that garbage cannot evict good keys
  std::chrono::milliseconds lookup_timeout = std::chrono::seconds(2);
  std::function<Deadline()> now = [] { return std::chrono::steady_clock::now(); };
};

// Remembers what another authenticator answered, keyed by SHA-256 of the credential. One look-up per
// credential runs at a time; an answer older than refresh_after is renewed beside the calls that use it.
class CachingAuthenticator final : public Authenticator {
 public:
  // `source` outlives this object.
  explicit CachingAuthenticator(Authenticator& source, CacheOptions options = {});
  // Waits for the look-ups that are under way: some have no call that waits for them.
  ~CachingAuthenticator() override;

  void Authenticate(const Credential& credential, Deadline deadline, AuthenticateDone done) override;

 private:
  using Key = std::array<std::uint8_t, 32>;
  using Answer = absl::StatusOr<std::shared_ptr<const Principal>>;
  struct Entry {
    Answer answer;
    Deadline asked_at;
  };
  using Entries = absl::flat_hash_map<Key, Entry>;

  static Key KeyOf(const Credential& credential);
  void LookUp(const Key& key, const Credential& credential, Deadline deadline);
  void Remember(Entries& entries, std::size_t max, const Key& key, Entry entry)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Authenticator& source_;
  const CacheOptions options_;
  absl::Mutex mutex_;
  Entries known_ ABSL_GUARDED_BY(mutex_);
  Entries refused_ ABSL_GUARDED_BY(mutex_);
  // Look-ups under way, with the calls that wait for them.
  absl::flat_hash_map<Key, std::vector<AuthenticateDone>> waiting_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace verdict::auth
