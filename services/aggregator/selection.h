#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/ids/uuid.h"
#include "services/aggregator/aggregator_store.h"
#include "verdict/aggregator/v1/aggregator_service.pb.h"

namespace verdict::aggregator {

// A time that a filter names, rounded up to a millisecond, which neither moves an item across an inclusive
// lower nor across an exclusive upper bound. VALIDATION_ERROR naming `field` for one that is no date.
absl::StatusOr<Time> FilterTime(const google::protobuf::Timestamp& timestamp, const std::string& field);

// What a request selects; without limit and cursor. VALIDATION_ERROR.
absl::StatusOr<Selection> SelectionOf(const v1::GetEntityFeedbackRequest& request);
absl::StatusOr<Selection> SelectionOf(const v1::ListFeedbackRequest& request);
absl::StatusOr<Selection> SelectionOf(const v1::ExportFeedbackRequest& request);

// Whether a request is for all that is on the entity, as one answer: it has neither filters nor pages.
bool IsForAll(const v1::GetEntityFeedbackRequest& request);

// Tells the list that a request reads from all others, for its cursors: the same for each page, whatever its
// limit.
std::string ListOf(const Uuid& project_id, const v1::GetEntityFeedbackRequest& request);
std::string ListOf(const Uuid& project_id, const v1::ListFeedbackRequest& request);

}  // namespace verdict::aggregator
