#pragma once

#include "common/rpc/server.h"
#include "services/feedback/idempotent_calls.h"
#include "services/feedback/span_service.h"

namespace verdict::feedback {

// Registers the handlers of verdict.feedback.v1.SpanService. Both outlive the server.
void RegisterSpanService(rpc::Server& server, IdempotentCalls& calls, SpanService& spans);

// Registers the handler of OpenTelemetry's TraceService. `spans` outlives the server.
void RegisterTraceService(rpc::Server& server, SpanService& spans);

}  // namespace verdict::feedback
