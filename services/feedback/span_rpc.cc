#include "services/feedback/span_rpc.h"

#include <utility>

#include "services/feedback/idempotent_rpc.h"

namespace verdict::feedback {

void RegisterSpanService(rpc::Server& server, IdempotentCalls& calls, SpanService& spans) {
  IdempotentAsync<v1::CreateSpansRequest, v1::CreateSpansResponse>(
      server, calls, "verdict.feedback.v1.SpanService/CreateSpans",
      [&spans](rpc::Context& context, const v1::CreateSpansRequest& request,
               rpc::Done<v1::CreateSpansResponse> done) {
        spans.Create(WriteCallOf(context), request, std::move(done));
      });
}

void RegisterTraceService(rpc::Server& server, SpanService& spans) {
  server.Async<SpanService::ExportRequest, SpanService::ExportResponse>(
      "opentelemetry.proto.collector.trace.v1.TraceService/Export",
      [&spans](rpc::Context& context, const SpanService::ExportRequest& request,
               rpc::Done<SpanService::ExportResponse> done) {
        spans.Export(WriteCallOf(context), request, std::move(done));
      });
}

}  // namespace verdict::feedback
