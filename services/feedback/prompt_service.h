#pragma once

#include "absl/status/statusor.h"
#include "common/auth/principal.h"
#include "common/clock.h"
#include "services/feedback/feedback_store.h"
#include "verdict/feedback/v1/prompt_service.pb.h"

namespace verdict::feedback {

// The use cases of verdict.feedback.v1.PromptService. Blocks on the database. Thread-safe.
class PromptService {
 public:
  // Both outlive the service.
  PromptService(const FeedbackStore& store, const Clock& clock) : store_(store), clock_(clock) {}

  absl::StatusOr<v1::CreatePromptResponse> Create(const auth::Principal& principal,
                                                  const v1::CreatePromptRequest& request) const;
  absl::StatusOr<v1::GetPromptResponse> Get(const auth::Principal& principal,
                                            const v1::GetPromptRequest& request) const;
  absl::StatusOr<v1::ListPromptsResponse> List(const auth::Principal& principal,
                                               const v1::ListPromptsRequest& request) const;

 private:
  const FeedbackStore& store_;
  const Clock& clock_;
};

}  // namespace verdict::feedback
