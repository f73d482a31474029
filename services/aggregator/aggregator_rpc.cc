#include "services/aggregator/aggregator_rpc.h"

#include <string>
#include <utility>

#include "common/rpc/call_metadata.h"

namespace verdict::aggregator {
namespace {

// Names the state, and says whether the caller has it already.
bool HasState(rpc::Context& context, const std::string& etag) {
  context.SetETag(etag);
  return context.if_none_match() && rpc::HasETag(*context.if_none_match(), etag);
}

}  // namespace

void RegisterAggregatorRpcs(rpc::Server& server, const AggregatorService& service) {
  server.AtOnceOrStream<v1::GetEntityFeedbackRequest, v1::GetEntityFeedbackResponse>(
      "verdict.aggregator.v1.AggregatorService/GetEntityFeedback",
      [&service](rpc::Context& context, const v1::GetEntityFeedbackRequest& request,
                 rpc::Done<rpc::AtOnce<v1::GetEntityFeedbackResponse>> done) {
        service.GetEntityFeedbackAtOnce(
            context.principal(), request, context.deadline(),
            [&context](const std::string& etag) { return HasState(context, etag); },
            [done = std::move(done)](absl::StatusOr<AggregatorService::AtOnce> answer) mutable {
              if (!answer.ok()) return done(answer.status());
              done(rpc::AtOnce<v1::GetEntityFeedbackResponse>{answer->whole, std::move(answer->response)});
            });
      },
      [&service](rpc::Context& context, const v1::GetEntityFeedbackRequest& request, auto& writer) {
        return service.GetEntityFeedback(
            context.principal(), request,
            [&context](const std::string& etag) { return HasState(context, etag); },
            [&writer](auto message) { return writer.Write(message.bytes); });
      });
  server.Blocking<v1::ListFeedbackRequest, v1::ListFeedbackResponse>(
      "verdict.aggregator.v1.AggregatorService/ListFeedback",
      [&service](rpc::Context& context, const auto& request) {
        return service.ListFeedback(context.principal(), request);
      });
  server.Stream<v1::ExportFeedbackRequest, v1::ExportFeedbackResponse>(
      "verdict.aggregator.v1.AggregatorService/ExportFeedback",
      [&service](rpc::Context& context, const auto& request, auto& writer) {
        return service.ExportFeedback(context.principal(), request,
                                      [&writer](auto message) { return writer.Write(message.bytes); });
      });
  server.Blocking<v1::GetFeedbackRequest, v1::GetFeedbackResponse>(
      "verdict.aggregator.v1.AggregatorService/GetFeedback",
      [&service](rpc::Context& context, const auto& request) {
        return service.GetFeedback(context.principal(), request);
      });
  server.Stream<v1::ListJudgeEvaluationsRequest, v1::ListJudgeEvaluationsResponse>(
      "verdict.aggregator.v1.AggregatorService/ListJudgeEvaluations",
      [&service](rpc::Context& context, const auto& request, auto& writer) {
        return service.ListJudgeEvaluations(context.principal(), request,
                                            [&writer](auto message) { return writer.Write(message.bytes); });
      });
  server.Stream<v1::ListSpanEvaluationsRequest, v1::ListSpanEvaluationsResponse>(
      "verdict.aggregator.v1.AggregatorService/ListSpanEvaluations",
      [&service](rpc::Context& context, const auto& request, auto& writer) {
        return service.ListSpanEvaluations(context.principal(), request,
                                           [&writer](auto message) { return writer.Write(message.bytes); });
      });
}

}  // namespace verdict::aggregator
