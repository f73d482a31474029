#include "services/feedback/prompt_cache.h"

namespace verdict::feedback {

std::optional<Uuid> PromptCache::Find(const Uuid& project_id, std::string_view slug) const {
  const Time now = clock_.Now();
  absl::ReaderMutexLock lock(&mutex_);
  const auto found = prompts_.find(std::pair(project_id, std::string(slug)));
  if (found == prompts_.end() || found->second.until <= now) return std::nullopt;
  return found->second.prompt_id;
}

void PromptCache::Put(const Uuid& project_id, std::string_view slug, const Uuid& prompt_id) {
  const Time until = clock_.Now() + kLifetime;
  absl::MutexLock lock(&mutex_);
  // Everything is forgotten within a minute anyway, so a full cache may as well start over.
  if (prompts_.size() >= kPromptsMax) prompts_.clear();
  prompts_.insert_or_assign(std::pair(project_id, std::string(slug)), Entry{prompt_id, until});
}

}  // namespace verdict::feedback
