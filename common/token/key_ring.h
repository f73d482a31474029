#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "common/crypto/secret_bytes.h"
#include "common/metrics/metrics.h"

namespace verdict::token {

// The keys derived from one root: one for each purpose.
struct Key {
  crypto::SecretBytes mac;             // signs tokens
  crypto::SecretBytes idempotency;     // derives the ids of idempotently minted tokens
  std::optional<Time> not_after = {};  // verifies nothing from then on
};

// What a keyset directory holds: `keyset.json`,
//   {"primary": "k2", "keys": {"k1": {"state": "verify", "not_after": "2026-06-01T00:00:00Z"},
//                              "k2": {"state": "active"}, "k3": {"state": "next"}}}
// and beside it one file per key, named by its id and holding its 32 bytes. New tokens are signed with
// the primary, which must be active; each key verifies what was signed with it. `next` is a key that
// every process should know before it becomes primary, `verify` one that was.
struct KeySet {
  std::map<std::string, Key, std::less<>> keys;
  std::string primary;  // one of `keys`

  // Reads a directory. The error's message tells the operator which file to mend: missing, malformed, larger
  // than 64 KiB or no regular file, a member that stands twice, an id that is not [a-z0-9]{1,8}, no active
  // primary, a key that is not exactly 32 bytes or that everybody can read or write.
  static absl::StatusOr<KeySet> Load(const std::filesystem::path& directory);

  const Key& Primary() const { return keys.find(primary)->second; }

  // The key of this id, if it still verifies at `now`; else null.
  const Key* Find(std::string_view kid, Time now) const;
};

// The key set of a directory, kept up to date while the process runs: a change is seen at once where
// the file system tells (also the swap of `..data` by which Kubernetes updates a mounted secret), else
// within 10 s. A directory that has become bad changes nothing but verdict_keyset_reload_failures_total.
// Thread-safe.
class KeyRing {
 public:
  // Fails as KeySet::Load does. `registry` must outlive the ring.
  static absl::StatusOr<std::unique_ptr<KeyRing>> Open(std::filesystem::path directory,
                                                       metrics::Registry& registry);
  ~KeyRing();

  // The present set, never null. Shared because it may be replaced while the caller uses it.
  std::shared_ptr<const KeySet> keys() const;

  // Reads the directory again, now.
  absl::Status Reload();

 private:
  KeyRing(std::filesystem::path directory, metrics::Registry& registry);

  void Watch(const std::stop_token& stop);
  void WatchDirectory() const;

  const std::filesystem::path directory_;
  metrics::Registry& registry_;
  metrics::Counter& reload_failures_;
  const int inotify_;      // -1 where the system has none left: polling remains
  const int wake_;         // an eventfd that ends the watcher's wait
  absl::Mutex reloading_;  // or who read first could have the last word
  mutable absl::Mutex mutex_;
  std::shared_ptr<const KeySet> keys_ ABSL_GUARDED_BY(mutex_);
  std::jthread watcher_;  // last: it uses all of the above
};

}  // namespace verdict::token
