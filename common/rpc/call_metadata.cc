#include "common/rpc/call_metadata.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/status/error.h"

namespace verdict::rpc {
namespace {

constexpr std::size_t kRequestIdBytesMax = 64;
constexpr std::size_t kIdempotencyKeyBytesMax = 255;

}  // namespace

bool IsRequestId(std::string_view text) {
  return !text.empty() && text.size() <= kRequestIdBytesMax && std::ranges::all_of(text, [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
  });
}

bool IsVisibleAscii(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) { return absl::ascii_isgraph(c); });
}

absl::Status CheckIdempotencyKey(std::string_view key) {
  if (!key.empty() && key.size() <= kIdempotencyKeyBytesMax && IsVisibleAscii(key)) return absl::OkStatus();
  return ValidationError({{"Idempotency-Key", "Idempotency-Key must be 1 to 255 visible ASCII characters."}});
}

bool HasETag(std::string_view if_none_match, std::string_view etag) {
  // A comma may stand inside a tag, but not in one of ours, and no part of another's has two quotes around
  // it.
  for (absl::string_view tag :
       absl::StrSplit(absl::string_view(if_none_match.data(), if_none_match.size()), ',')) {
    tag = absl::StripAsciiWhitespace(tag);
    if (tag == "*") return true;
    absl::ConsumePrefix(&tag, "W/");
    if (tag == absl::string_view(etag.data(), etag.size())) return true;
  }
  return false;
}

std::optional<std::string_view> BearerOf(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer";
  const std::string_view scheme = authorization.substr(0, authorization.find(' '));
  if (!absl::EqualsIgnoreCase({scheme.data(), scheme.size()}, {kScheme.data(), kScheme.size()})) {
    return std::nullopt;
  }
  authorization.remove_prefix(scheme.size());
  authorization.remove_prefix(std::min(authorization.find_first_not_of(' '), authorization.size()));
  return authorization;
}

std::optional<std::string_view> CredentialOf(std::optional<std::string_view> authorization,
                                             std::optional<std::string_view> api_key) {
  const auto bearer = authorization ? BearerOf(*authorization) : std::nullopt;
  if (bearer && api_key && *bearer != *api_key) return std::nullopt;
  return bearer ? *bearer : api_key.value_or("");
}

}  // namespace verdict::rpc
