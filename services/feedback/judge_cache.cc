#include "services/feedback/judge_cache.h"

#include <utility>

namespace verdict::feedback {

std::shared_ptr<const JudgeRules> JudgeCache::Find(const JudgeKey& key) const {
  const Time now = clock_.Now();
  absl::ReaderMutexLock lock(&mutex_);
  const auto found = judges_.find(key);
  return found == judges_.end() || found->second.until <= now ? nullptr : found->second.judge;
}

void JudgeCache::Put(const JudgeKey& key, std::shared_ptr<const JudgeRules> judge, Time read_at) {
  absl::MutexLock lock(&mutex_);
  // Everything is forgotten within seconds anyway, so a full cache may as well start over.
  if (judges_.size() >= kJudgesMax) judges_.clear();
  Entry& entry = judges_[key];
  // It may have been changed here since this was read.
  if (entry.judge != nullptr && entry.judge->revision > judge->revision) return;
  entry = {std::move(judge), read_at + kLifetime};
}

}  // namespace verdict::feedback
