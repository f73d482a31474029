#pragma once

#include "common/rpc/server.h"
#include "services/feedback/feedback_service.h"

namespace verdict::feedback {

// Registers the handlers of verdict.feedback.v1.FeedbackService. Both outlive the server.
void RegisterFeedbackService(rpc::Server& server, FeedbackService& feedback);

}  // namespace verdict::feedback
