#include "gateway/credential.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "common/rpc/call_metadata.h"
#include "common/status/error.h"

namespace verdict::gateway {
namespace {

// No credential is longer: a feedback token has at most so many characters, a key fewer.
constexpr std::size_t kCredentialMax = 2048;

// gRPC metadata is bounded and visible ASCII. What no credential can be stays so here, and the service
// refuses it like any other false one.
std::string Sanitized(std::string_view credential) {
  std::string text(credential.substr(0, kCredentialMax));
  std::ranges::replace_if(text, [](char c) { return c <= ' ' || c >= '\x7f'; }, '?');
  if (credential.size() > kCredentialMax) text.back() = '?';
  return text;
}

}  // namespace

absl::Status ApiKeyRequired() {
  return MakeError(errors::v1::REASON_UNAUTHENTICATED, "The API key is missing or not valid.");
}

absl::StatusOr<std::string> AuthorizationOf(const RequestHead& head) {
  const auto authorization = head.Field("Authorization");
  const auto bearer = authorization ? rpc::BearerOf(*authorization) : std::nullopt;
  const auto key = head.Field("X-Api-Key");
  if (bearer && key && *bearer != *key) return ApiKeyRequired();
  const std::string_view credential = bearer ? *bearer : key.value_or("");
  if (credential.empty()) return std::string();
  return absl::StrCat("Bearer ", Sanitized(credential));
}

}  // namespace verdict::gateway
