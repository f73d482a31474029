#pragma once

#include "common/rpc/server.h"
#include "services/aggregator/topology_service.h"

namespace verdict::aggregator {

// Serves verdict.aggregator.v1.TopologyService. `service` outlives the server.
void RegisterTopologyRpcs(rpc::Server& server, const TopologyService& service);

}  // namespace verdict::aggregator
