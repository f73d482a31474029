#include "services/aggregator/selection.h"

#include <chrono>
#include <optional>
#include <utility>

#include "common/ids/entity_id.h"
#include "common/status/macros.h"
#include "services/aggregator/errors.h"

namespace verdict::aggregator {
namespace {

// The requests have their filters under the same names.
template <typename Request>
absl::StatusOr<Selection> FiltersOf(const Request& request) {
  Selection selection;
  if (request.kind() != v1::FEEDBACK_KIND_UNSPECIFIED) selection.kind = request.kind();
  if (request.has_judge_id()) {
    selection.judge_id = Uuid::Parse(request.judge_id());
    if (!selection.judge_id) return error::BadJudgeFilter();
  }
  if (request.has_user_id()) selection.user_id = request.user_id();
  if (request.has_thumbs_up()) selection.thumbs_up = request.thumbs_up();
  if (request.has_created_after()) {
    ASSIGN_OR_RETURN(selection.created_after, FilterTime(request.created_after(), "created_after"));
  }
  if (request.has_created_before()) {
    ASSIGN_OR_RETURN(selection.created_before, FilterTime(request.created_before(), "created_before"));
  }
  return selection;
}

template <typename Request>
std::string ListOfRequest(const Uuid& project_id, Request request) {
  request.set_project_id(project_id.ToString());
  request.clear_limit();
  request.clear_cursor();
  return request.GetTypeName() + request.SerializeAsString();
}

}  // namespace

absl::StatusOr<Time> FilterTime(const google::protobuf::Timestamp& timestamp, const std::string& field) {
  using std::chrono::ceil, std::chrono::milliseconds, std::chrono::nanoseconds, std::chrono::seconds;
  if (!IsTime(timestamp)) return error::BadTime(field);
  return Time(seconds(timestamp.seconds()) + ceil<milliseconds>(nanoseconds(timestamp.nanos())));
}

absl::StatusOr<Selection> SelectionOf(const v1::GetEntityFeedbackRequest& request) {
  return FiltersOf(request);
}
absl::StatusOr<Selection> SelectionOf(const v1::ListFeedbackRequest& request) { return FiltersOf(request); }
absl::StatusOr<Selection> SelectionOf(const v1::ExportFeedbackRequest& request) { return FiltersOf(request); }

bool IsForAll(const v1::GetEntityFeedbackRequest& request) {
  v1::GetEntityFeedbackRequest rest = request;
  rest.clear_project_id();
  rest.clear_entity_type();
  rest.clear_entity_id();
  return rest.ByteSizeLong() == 0;
}

std::string ListOf(const Uuid& project_id, const v1::GetEntityFeedbackRequest& request) {
  v1::GetEntityFeedbackRequest list = request;
  list.set_entity_id(EntityKey(request.entity_id()).ToString());  // in whatever spelling
  return ListOfRequest(project_id, std::move(list));
}

std::string ListOf(const Uuid& project_id, const v1::ListFeedbackRequest& request) {
  return ListOfRequest(project_id, request);
}

}  // namespace verdict::aggregator
