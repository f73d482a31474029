#include "services/aggregator/aggregator_rpc.h"

namespace verdict::aggregator {

void RegisterAggregatorRpcs(rpc::Server& server, const AggregatorService& service) {
  using v1::GetEntityFeedbackRequest;
  using v1::GetEntityFeedbackResponse;
  server.Stream<GetEntityFeedbackRequest, GetEntityFeedbackResponse>(
      "verdict.aggregator.v1.AggregatorService/GetEntityFeedback",
      [&service](rpc::Context& context, const GetEntityFeedbackRequest& request,
                 rpc::Writer<GetEntityFeedbackResponse>& writer) {
        return service.GetEntityFeedback(
            context.principal(), request,
            [&writer](const GetEntityFeedbackResponse& message) { return writer.Write(message); });
      });
}

}  // namespace verdict::aggregator
