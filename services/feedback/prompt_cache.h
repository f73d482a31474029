#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "common/ids/uuid.h"

namespace verdict::feedback {

// Remembers for a minute which prompts there are, so that a write does not look its slug up. Slugs that do
// not exist are not remembered: a prompt can be used as soon as it is created. Thread-safe.
class PromptCache {
 public:
  explicit PromptCache(const Clock& clock) : clock_(clock) {}

  std::optional<Uuid> Find(const Uuid& project_id, std::string_view slug) const;
  void Put(const Uuid& project_id, std::string_view slug, const Uuid& prompt_id);

 private:
  static constexpr size_t kPromptsMax = 10'000;
  static constexpr std::chrono::minutes kLifetime{1};

  struct Entry {
    Uuid prompt_id;
    Time until;
  };

  const Clock& clock_;
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<std::pair<Uuid, std::string>, Entry> prompts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace verdict::feedback
