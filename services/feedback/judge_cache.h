#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "common/ids/uuid.h"
#include "services/feedback/judge_rules.h"

namespace verdict::feedback {

// A judge of a project.
struct JudgeKey {
  Uuid project_id = {};
  Uuid judge_id = {};

  friend bool operator==(const JudgeKey&, const JudgeKey&) = default;
  template <typename H>
  friend H AbslHashValue(H hash, const JudgeKey& key) {
    return H::combine(std::move(hash), key.project_id, key.judge_id);
  }
};

// Remembers judges for five seconds, so that a write does not look its judge up: a change of a judge counts
// here at once when it was made in this process, and within five seconds when in another. Judges that do not
// exist are not remembered: one can be used as soon as it is created. Thread-safe.
class JudgeCache {
 public:
  explicit JudgeCache(const Clock& clock) : clock_(clock) {}

  // What Put needs to know: taken before the judge is read.
  Time Now() const { return clock_.Now(); }

  // Null when it has to be looked up.
  std::shared_ptr<const JudgeRules> Find(const JudgeKey& key) const;

  // Remembers what was read of a judge at `read_at` or later, unless a later revision of it is known.
  void Put(const JudgeKey& key, std::shared_ptr<const JudgeRules> judge, Time read_at);

 private:
  static constexpr size_t kJudgesMax = 10'000;
  static constexpr std::chrono::seconds kLifetime{5};

  struct Entry {
    std::shared_ptr<const JudgeRules> judge;
    Time until;
  };

  const Clock& clock_;
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<JudgeKey, Entry> judges_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace verdict::feedback
