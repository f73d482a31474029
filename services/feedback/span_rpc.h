#pragma once

#include "common/rpc/server.h"
#include "services/feedback/idempotent_calls.h"
#include "services/feedback/span_service.h"

namespace verdict::feedback {

// Registers the handlers of verdict.feedback.v1.SpanService. Both outlive the server.
void RegisterSpanService(rpc::Server& server, IdempotentCalls& calls, SpanService& spans);

}  // namespace verdict::feedback
