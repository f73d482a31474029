#include "common/auth/caching_authenticator.h"

#include <optional>
#include <utility>

#include <openssl/sha.h>

namespace verdict::auth {

CachingAuthenticator::CachingAuthenticator(Authenticator& source, CacheOptions options)
    : source_(source), options_(std::move(options)) {}

CachingAuthenticator::~CachingAuthenticator() {
  const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return waiting_.empty(); };
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&idle));
}

CachingAuthenticator::Key CachingAuthenticator::KeyOf(const Credential& credential) {
  // The project has no NUL: it comes from gRPC metadata.
  const std::string text = credential.project + '\0' + credential.secret;
  Key key;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), key.data());
  return key;
}

void CachingAuthenticator::Authenticate(const Credential& credential, Deadline /*deadline*/,
                                        AuthenticateDone done) {
  const Key key = KeyOf(credential);
  const Deadline now = options_.now();
  std::optional<Answer> answer;
  bool look_up = false;
  {
    absl::MutexLock lock(&mutex_);
    for (const Entries* entries : {&known_, &refused_}) {
      const auto entry = entries->find(key);
      if (entry == entries->end() || now - entry->second.asked_at >= options_.lifetime) continue;
      answer = entry->second.answer;
      look_up = answer->ok() && now - entry->second.asked_at >= options_.refresh_after;
      break;
    }
    if (!answer || look_up) {
      const auto [waiters, first] = waiting_.try_emplace(key);
      if (!answer) waiters->second.push_back(std::move(done));
      look_up = first;
    }
  }
  // Others may come to wait for the same look-up, so its time is not that of the first.
  if (look_up) LookUp(key, credential, now + options_.lookup_timeout);
  // Moved only without an answer. NOLINTNEXTLINE(bugprone-use-after-move)
  if (answer) done(*std::move(answer));
}

void CachingAuthenticator::LookUp(const Key& key, const Credential& credential, Deadline deadline) {
  const Deadline asked_at = options_.now();
  source_.Authenticate(credential, deadline, [this, key, asked_at](const Answer& answer) {
    std::vector<AuthenticateDone> waiters;
    {
      absl::MutexLock lock(&mutex_);
      const absl::StatusCode code = answer.status().code();
      if (answer.ok()) {
        refused_.erase(key);
        Remember(known_, options_.known_max, key, {answer, asked_at});
      } else if (code == absl::StatusCode::kUnauthenticated || code == absl::StatusCode::kPermissionDenied) {
        known_.erase(key);
        Remember(refused_, options_.refused_max, key, {answer, asked_at});
      }
      const auto waiting = waiting_.find(key);
      waiters = std::move(waiting->second);
      waiting_.erase(waiting);
    }
    for (AuthenticateDone& done : waiters) done(answer);
  });
}

void CachingAuthenticator::Remember(Entries& entries, std::size_t max, const Key& key, Entry entry) {
  if (entries.size() >= max) {
    const Deadline oldest = options_.now() - options_.lifetime;
    absl::erase_if(entries, [&](const auto& item) { return item.second.asked_at <= oldest; });
    if (entries.size() >= max) entries.erase(entries.begin());
  }
  entries.insert_or_assign(key, std::move(entry));
}

}  // namespace verdict::auth
