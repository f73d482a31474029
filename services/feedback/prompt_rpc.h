#pragma once

#include "common/rpc/server.h"
#include "services/feedback/idempotent_calls.h"
#include "services/feedback/prompt_service.h"

namespace verdict::feedback {

// Registers the service's RPCs. All outlive the server.
void RegisterPromptService(rpc::Server& server, IdempotentCalls& calls, const PromptService& prompts);

}  // namespace verdict::feedback
