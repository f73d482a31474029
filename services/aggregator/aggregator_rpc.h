#pragma once

#include "common/rpc/server.h"
#include "services/aggregator/aggregator_service.h"

namespace verdict::aggregator {

// Serves verdict.aggregator.v1.AggregatorService. `service` outlives the server.
void RegisterAggregatorRpcs(rpc::Server& server, const AggregatorService& service);

}  // namespace verdict::aggregator
