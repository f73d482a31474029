#pragma once

#include "absl/status/status.h"
#include "common/auth/principal.h"
#include "services/aggregator/message_packer.h"
#include "services/aggregator/topology_store.h"
#include "verdict/aggregator/v1/topology_service.pb.h"

namespace verdict::aggregator {

// The use cases of topology_service.proto, for the principal's project. Thread-safe; blocks. A caller who
// is gone (`Write`) ends the call as CANCELLED. What fits goes out as
// one message; else the first is empty, and the others have at most 500 elements and about 1 MiB each.
class TopologyService {
 public:
  // The store outlives the service.
  explicit TopologyService(const TopologyStore& store) : store_(store) {}

  absl::Status ListSpans(const auth::Principal& principal, const v1::ListSpansRequest& request,
                         Write<v1::ListSpansResponse> write) const;
  absl::Status ListTraces(const auth::Principal& principal, const v1::ListTracesRequest& request,
                          Write<v1::ListTracesResponse> write) const;
  absl::Status ListSessions(const auth::Principal& principal, const v1::ListSessionsRequest& request,
                            Write<v1::ListSessionsResponse> write) const;

 private:
  const TopologyStore& store_;
};

}  // namespace verdict::aggregator
