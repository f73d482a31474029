#include "gateway/credential.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/call_metadata.h"
#include "gateway/resumed.h"

namespace verdict::gateway {
namespace {

// No credential is longer: a feedback token has at most so many characters, a key fewer.
constexpr std::size_t kCredentialMax = 2048;
constexpr char kBearer[] = "Bearer ";

// gRPC metadata is bounded and visible ASCII. What no credential can be stays so here, and the service
// refuses it like any other false one.
std::string Sanitized(std::string_view credential) {
  std::string text(credential.substr(0, kCredentialMax));
  std::ranges::replace_if(text, [](char c) { return c <= ' ' || c >= '\x7f'; }, '?');
  if (credential.size() > kCredentialMax) text.back() = '?';
  return text;
}

}  // namespace

absl::StatusOr<std::string> AuthorizationOf(const RequestHead& head) {
  const auto credential = rpc::CredentialOf(head.Field("Authorization"), head.Field("X-Api-Key"));
  if (!credential) return auth::Unauthenticated();
  if (credential->empty()) return std::string();
  return absl::StrCat(kBearer, Sanitized(*credential));
}

Awaitable<absl::Status> CheckApiKey(auth::Authenticator& authenticator, const std::string& authorization,
                                    auth::Deadline deadline) {
  const std::string secret = authorization.substr(sizeof(kBearer) - 1);
  if (secret.size() > auth::kCredentialBytesMax) co_return auth::Unauthenticated();
  // Known, as a rule, and then said at once.
  struct Answer {
    absl::Mutex mutex;
    std::optional<absl::Status> status;
    absl::AnyInvocable<void(absl::Status)> resume;
  };
  const auto answer = std::make_shared<Answer>();
  authenticator.Authenticate({.secret = secret}, deadline, [answer](const auto& principal) {
    absl::MutexLock lock(&answer->mutex);
    if (answer->resume) return answer->resume(principal.status());
    answer->status = principal.status();
  });
  {
    absl::MutexLock lock(&answer->mutex);
    if (answer->status) co_return *answer->status;
  }
  co_return co_await Resumed<absl::Status>([&](auto resume) {
    absl::MutexLock lock(&answer->mutex);
    if (answer->status) return resume(*answer->status);
    answer->resume = std::move(resume);
  });
}

}  // namespace verdict::gateway
