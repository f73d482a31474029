#include "services/aggregator/topology_service.h"

#include <utility>

#include "absl/status/statusor.h"
#include "common/ids/entity_id.h"
#include "common/status/macros.h"
#include "services/aggregator/selection.h"

namespace verdict::aggregator {
namespace {

constexpr int kSpansDefault = 5'000;
constexpr int kTracesDefault = 50;
constexpr int kSessionsDefault = 50;

// What all three requests have; without `within`.
template <typename Request>
absl::StatusOr<TopologySelection> SelectionOf(const Request& request, int limit_default) {
  TopologySelection selection = {.limit = request.has_limit() ? request.limit() : limit_default,
                                 .offset = request.offset()};
  if (request.has_id()) selection.id = EntityKey(request.id());
  if (request.has_start_date()) {
    ASSIGN_OR_RETURN(selection.start_date, FilterTime(request.start_date(), "start_date"));
  }
  if (request.has_end_date()) {
    ASSIGN_OR_RETURN(selection.end_date, FilterTime(request.end_date(), "end_date"));
  }
  return selection;
}

}  // namespace

absl::Status TopologyService::ListSpans(const auth::Principal& principal, const v1::ListSpansRequest& request,
                                        Write<v1::ListSpansResponse> write) const {
  ASSIGN_OR_RETURN(TopologySelection selection, SelectionOf(request, kSpansDefault));
  if (request.has_trace_id()) selection.within = EntityKey(request.trace_id());
  MessagePacker packer(v1::ListSpansResponse(), v1::ListSpansResponse::kSpansFieldNumber, write);
  RETURN_IF_ERROR(store_.ListSpans(principal.project_id, selection,
                                   [&](const v1::Span& span) { return packer.Add(span); }));
  return packer.Finish();
}

absl::Status TopologyService::ListTraces(const auth::Principal& principal,
                                         const v1::ListTracesRequest& request,
                                         Write<v1::ListTracesResponse> write) const {
  ASSIGN_OR_RETURN(TopologySelection selection, SelectionOf(request, kTracesDefault));
  if (request.has_session_id()) selection.within = EntityKey(request.session_id());
  MessagePacker packer(v1::ListTracesResponse(), v1::ListTracesResponse::kTracesFieldNumber, write);
  RETURN_IF_ERROR(store_.ListTraces(principal.project_id, selection,
                                    [&](const v1::Trace& trace) { return packer.Add(trace); }));
  return packer.Finish();
}

absl::Status TopologyService::ListSessions(const auth::Principal& principal,
                                           const v1::ListSessionsRequest& request,
                                           Write<v1::ListSessionsResponse> write) const {
  ASSIGN_OR_RETURN(const TopologySelection selection, SelectionOf(request, kSessionsDefault));
  MessagePacker packer(v1::ListSessionsResponse(), v1::ListSessionsResponse::kSessionsFieldNumber, write);
  RETURN_IF_ERROR(store_.ListSessions(principal.project_id, selection,
                                      [&](const v1::Session& session) { return packer.Add(session); }));
  return packer.Finish();
}

}  // namespace verdict::aggregator
