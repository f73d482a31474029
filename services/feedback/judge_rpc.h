#pragma once

#include "common/rpc/server.h"
#include "services/feedback/evaluation_service.h"
#include "services/feedback/idempotent_calls.h"
#include "services/feedback/judge_service.h"

namespace verdict::feedback {

// Registers the RPCs of the two services. All outlive the server.
void RegisterJudgeService(rpc::Server& server, IdempotentCalls& calls, const JudgeService& judges);
void RegisterEvaluationService(rpc::Server& server, IdempotentCalls& calls, EvaluationService& evaluations);

}  // namespace verdict::feedback
