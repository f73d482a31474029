#pragma once

#include "absl/status/statusor.h"
#include "common/auth/principal.h"
#include "common/clock.h"
#include "services/feedback/prompt_store.h"
#include "verdict/feedback/v1/prompt_service.pb.h"

namespace verdict::feedback {

// The use cases of verdict.feedback.v1.PromptService. Requests keep the rules that their fields state. Blocks
// on the database. Thread-safe.
class PromptService {
 public:
  // Both outlive the service.
  PromptService(const PromptStore& store, const Clock& clock) : store_(store), clock_(clock) {}

  absl::StatusOr<v1::CreatePromptResponse> Create(const auth::Principal& principal,
                                                  const v1::CreatePromptRequest& request) const;
  absl::StatusOr<v1::ListPromptsResponse> List(const auth::Principal& principal,
                                               const v1::ListPromptsRequest& request) const;
  absl::StatusOr<v1::GetPromptResponse> Get(const auth::Principal& principal,
                                            const v1::GetPromptRequest& request) const;
  absl::StatusOr<v1::GetLatestPromptVersionResponse> GetLatestVersion(
      const auth::Principal& principal, const v1::GetLatestPromptVersionRequest& request) const;
  absl::StatusOr<v1::EnsurePromptVersionResponse> EnsureVersion(
      const auth::Principal& principal, const v1::EnsurePromptVersionRequest& request) const;
  absl::StatusOr<v1::GetPromptVersionByHashResponse> GetVersionByHash(
      const auth::Principal& principal, const v1::GetPromptVersionByHashRequest& request) const;
  absl::StatusOr<v1::GetPromptVersionModelResponse> GetVersionModel(
      const auth::Principal& principal, const v1::GetPromptVersionModelRequest& request) const;
  absl::StatusOr<v1::ListPromptVersionsResponse> ListVersions(
      const auth::Principal& principal, const v1::ListPromptVersionsRequest& request) const;
  absl::StatusOr<v1::ListPromptTagsResponse> ListTags(const auth::Principal& principal,
                                                      const v1::ListPromptTagsRequest& request) const;
  absl::StatusOr<v1::PinPromptTagResponse> PinTag(const auth::Principal& principal,
                                                  const v1::PinPromptTagRequest& request) const;

 private:
  const PromptStore& store_;
  const Clock& clock_;
};

}  // namespace verdict::feedback
