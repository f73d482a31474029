#include "services/aggregator/topology_rpc.h"

namespace verdict::aggregator {

void RegisterTopologyRpcs(rpc::Server& server, const TopologyService& service) {
  server.Stream<v1::ListSpansRequest, v1::ListSpansResponse>(
      "verdict.aggregator.v1.TopologyService/ListSpans",
      [&service](rpc::Context& context, const auto& request, auto& writer) {
        return service.ListSpans(context.principal(), request,
                                 [&writer](auto message) { return writer.Write(message.bytes); });
      });
  server.Stream<v1::ListTracesRequest, v1::ListTracesResponse>(
      "verdict.aggregator.v1.TopologyService/ListTraces",
      [&service](rpc::Context& context, const auto& request, auto& writer) {
        return service.ListTraces(context.principal(), request,
                                  [&writer](auto message) { return writer.Write(message.bytes); });
      });
  server.Stream<v1::ListSessionsRequest, v1::ListSessionsResponse>(
      "verdict.aggregator.v1.TopologyService/ListSessions",
      [&service](rpc::Context& context, const auto& request, auto& writer) {
        return service.ListSessions(context.principal(), request,
                                    [&writer](auto message) { return writer.Write(message.bytes); });
      });
}

}  // namespace verdict::aggregator
