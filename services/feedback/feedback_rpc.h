#pragma once

#include "common/rpc/server.h"
#include "services/feedback/feedback_service.h"
#include "services/feedback/prompt_service.h"

namespace verdict::feedback {

// Registers the handlers of verdict.feedback.v1.FeedbackService and PromptService. Both outlive the server.
void RegisterFeedbackService(rpc::Server& server, FeedbackService& feedback);
void RegisterPromptService(rpc::Server& server, const PromptService& prompts);

}  // namespace verdict::feedback
