#include "services/feedback/prompt_service.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "common/crypto/crypto.h"
#include "common/status/macros.h"
#include "services/feedback/errors.h"
#include "services/feedback/metadata.h"
#include "services/feedback/prompt_content.h"

namespace verdict::feedback {
namespace {

constexpr int kPageSizeDefault = 100;

std::string HexOf(const crypto::Digest& digest) {
  const std::string_view bytes = crypto::AsText(digest);
  return absl::BytesToHexString({bytes.data(), bytes.size()});
}

// The bytes of a SHA-256 in hex.
std::optional<std::string> ParseHash(const std::string& hex) {
  const bool valid =
      hex.size() == 2 * crypto::Digest().size() && std::ranges::all_of(hex, absl::ascii_isxdigit);
  return valid ? std::optional(absl::HexStringToBytes(hex)) : std::nullopt;
}

bool IsTag(std::string_view tag) {
  return tag != kLatestTag && !tag.empty() && std::ranges::all_of(tag, [](char c) {
           return absl::ascii_islower(static_cast<unsigned char>(c)) ||
                  absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '-';
         });
}

}  // namespace

absl::StatusOr<v1::CreatePromptResponse> PromptService::Create(const auth::Principal& principal,
                                                               const v1::CreatePromptRequest& request) const {
  const Time now = clock_.Now();
  v1::CreatePromptResponse response;
  ASSIGN_OR_RETURN(*response.mutable_prompt(),
                   store_.InsertPrompt(principal.project_id, NewUuidV7(now), request.slug(), now));
  return response;
}

absl::StatusOr<v1::ListPromptsResponse> PromptService::List(const auth::Principal& principal,
                                                            const v1::ListPromptsRequest& request) const {
  // A page's token is the id of its last prompt.
  const std::optional<Uuid> after = request.page_token().empty() ? Uuid{} : Uuid::Parse(request.page_token());
  if (!after) return error::BadPageToken();
  const int page_size = request.page_size() == 0 ? kPageSizeDefault : request.page_size();
  // One more than the page holds shows whether there is another.
  ASSIGN_OR_RETURN(std::vector<v1::Prompt> prompts,
                   store_.ListPrompts(principal.project_id, *after, page_size + 1));
  v1::ListPromptsResponse response;
  if (prompts.size() > static_cast<size_t>(page_size)) {
    prompts.pop_back();
    response.set_next_page_token(prompts.back().id());
  }
  for (v1::Prompt& prompt : prompts) *response.add_prompts() = std::move(prompt);
  return response;
}

absl::StatusOr<v1::GetPromptResponse> PromptService::Get(const auth::Principal& principal,
                                                         const v1::GetPromptRequest& request) const {
  const auto find = [&] {
    if (request.has_version()) {
      return store_.FindVersion(principal.project_id, request.slug(), request.version());
    }
    if (!request.has_tag() || request.tag() == kLatestTag) {
      return store_.FindLatestVersion(principal.project_id, request.slug());
    }
    return store_.FindTaggedVersion(principal.project_id, request.slug(), request.tag());
  };
  v1::GetPromptResponse response;
  ASSIGN_OR_RETURN(*response.mutable_prompt_version(), find());
  return response;
}

absl::StatusOr<v1::GetLatestPromptVersionResponse> PromptService::GetLatestVersion(
    const auth::Principal& principal, const v1::GetLatestPromptVersionRequest& request) const {
  v1::GetLatestPromptVersionResponse response;
  ASSIGN_OR_RETURN(*response.mutable_prompt_version(),
                   store_.FindLatestVersion(principal.project_id, request.slug()));
  return response;
}

absl::StatusOr<v1::EnsurePromptVersionResponse> PromptService::EnsureVersion(
    const auth::Principal& principal, const v1::EnsurePromptVersionRequest& request) const {
  const std::string content = NormalizedContent(request.content());
  if (content.empty()) return error::EmptyContent();
  const Time now = clock_.Now();
  NewPromptVersion version = {
      .prompt_id = NewUuidV7(now), .id = NewUuidV7(now), .content = content, .created_at = now};
  if (request.has_model_id()) version.model_id = request.model_id();
  if (request.has_metadata()) {
    RETURN_IF_ERROR(CheckMetadata(request.metadata()));
    version.metadata = request.metadata();
  }
  version.content_hash = ContentHash(content, version.model_id);
  version.text_hash = crypto::Sha256(content);
  if (request.has_content_hash()) {
    const std::string content_hash = HexOf(version.content_hash);
    const std::string text_hash = HexOf(version.text_hash);
    // Not every client means by white space what Python does.
    const std::string sent_hash = HexOf(crypto::Sha256(request.content()));
    const auto is_given = [&](const std::string& hash) {
      return absl::EqualsIgnoreCase(request.content_hash(), hash);
    };
    if (!is_given(content_hash) && !is_given(text_hash) && !is_given(sent_hash)) {
      return error::ContentHashDiffers(content_hash, text_hash);
    }
  }
  v1::EnsurePromptVersionResponse response;
  ASSIGN_OR_RETURN(*response.mutable_prompt_version(),
                   store_.EnsureVersion(principal.project_id, request.slug(), version));
  return response;
}

absl::StatusOr<v1::GetPromptVersionByHashResponse> PromptService::GetVersionByHash(
    const auth::Principal& principal, const v1::GetPromptVersionByHashRequest& request) const {
  const std::optional<std::string> hash = ParseHash(request.content_hash());
  if (!hash) return error::PromptHashNotFound(request.slug());
  v1::GetPromptVersionByHashResponse response;
  ASSIGN_OR_RETURN(*response.mutable_prompt_version(),
                   store_.FindVersionByHash(principal.project_id, request.slug(), *hash));
  return response;
}

absl::StatusOr<v1::GetPromptVersionModelResponse> PromptService::GetVersionModel(
    const auth::Principal& principal, const v1::GetPromptVersionModelRequest& request) const {
  const std::optional<Uuid> id = Uuid::Parse(request.version_id());
  if (!id) return error::PromptVersionIdNotFound();
  ASSIGN_OR_RETURN(const std::optional<std::string> model, store_.FindModel(principal.project_id, *id));
  v1::GetPromptVersionModelResponse response;
  if (model) {
    response.set_model_id(*model);
    response.set_model(*model);
  }
  return response;
}

absl::StatusOr<v1::ListPromptVersionsResponse> PromptService::ListVersions(
    const auth::Principal& principal, const v1::ListPromptVersionsRequest& request) const {
  ASSIGN_OR_RETURN(const std::vector<v1::PromptVersion> versions,
                   store_.ListVersions(principal.project_id, request.slug()));
  v1::ListPromptVersionsResponse response;
  response.mutable_versions()->Assign(versions.begin(), versions.end());
  return response;
}

absl::StatusOr<v1::ListPromptTagsResponse> PromptService::ListTags(
    const auth::Principal& principal, const v1::ListPromptTagsRequest& request) const {
  ASSIGN_OR_RETURN(const std::vector<v1::PromptTag> tags,
                   store_.ListTags(principal.project_id, request.slug()));
  v1::ListPromptTagsResponse response;
  response.mutable_tags()->Assign(tags.begin(), tags.end());
  return response;
}

absl::StatusOr<v1::PinPromptTagResponse> PromptService::PinTag(const auth::Principal& principal,
                                                               const v1::PinPromptTagRequest& request) const {
  if (!IsTag(request.tag())) return error::BadTag();
  v1::PinPromptTagResponse response;
  ASSIGN_OR_RETURN(*response.mutable_tag(), store_.PinTag(principal.project_id, request.slug(), request.tag(),
                                                          request.version(), clock_.Now()));
  return response;
}

}  // namespace verdict::feedback
