#include "services/aggregator/aggregator_service.h"

#include <optional>
#include <utility>

#include "common/ids/entity_id.h"
#include "common/status/macros.h"
#include "services/aggregator/cursor.h"
#include "services/aggregator/errors.h"
#include "services/aggregator/selection.h"

namespace verdict::aggregator {
namespace {

constexpr int kListLimitDefault = 100;

// What an answered page is part of.
struct Paging {
  int limit = 0;
  std::string list;
};

// Fills a response with one page of what a store gives.
template <typename Response>
class Page {
 public:
  Page(Response& response, Paging paging)
      : response_(response), paging_(std::move(paging)), room_(paging_.limit) {}

  // False when the page is full; then it gets the cursor of the next one.
  bool Add(v1::FeedbackItem&& item) {
    if (!room_.Take(item.ByteSizeLong())) {
      response_.set_next_cursor(EncodeCursor(last_, paging_.list));
      return false;
    }
    last_ = PlaceOf(item);
    response_.add_items()->Swap(&item);
    return true;
  }

 private:
  Response& response_;
  const Paging paging_;
  Room room_;
  Place last_;
};

// Where the page that the request asks for begins and how much is read for it: one item more than it may
// have, to show whether there is a next one.
template <typename Request>
absl::Status SelectPage(const Request& request, const Paging& paging, Selection& selection) {
  selection.limit = paging.limit + 1;
  if (!request.has_cursor()) return absl::OkStatus();
  selection.after = DecodeCursor(request.cursor(), paging.list);
  return selection.after ? absl::OkStatus() : error::BadCursor();
}

}  // namespace

absl::Status AggregatorService::GetEntityFeedback(const auth::Principal& principal,
                                                  const v1::GetEntityFeedbackRequest& request,
                                                  HasState has_state,
                                                  Write<v1::GetEntityFeedbackResponse> write) const {
  if (request.has_cursor() && !request.has_limit()) return error::CursorWithoutLimit();
  ASSIGN_OR_RETURN(Selection selection, SelectionOf(request));
  Paging paging;
  if (request.has_limit()) {
    paging = {.limit = request.limit(), .list = ListOf(principal.project_id, request)};
    RETURN_IF_ERROR(SelectPage(request, paging, selection));
  }
  v1::GetEntityFeedbackResponse head;
  head.set_entity_type(request.entity_type());
  head.set_entity_id(request.entity_id());
  MessagePacker packer(std::move(head), v1::GetEntityFeedbackResponse::kItemsFieldNumber, write);
  Page page(packer.head(), paging);

  bool unchanged = false;
  RETURN_IF_ERROR(store_.ReadFeedback(
      {.project_id = principal.project_id,
       .type = request.entity_type(),
       .key = EntityKey(request.entity_id())},
      selection,
      [&](EntityState state) {
        metrics_.entity_items.Observe(state.summary.total());
        unchanged = has_state(state.etag);
        packer.head().mutable_summary()->Swap(&state.summary);
        return !unchanged;
      },
      [&](v1::FeedbackItem&& item) {
        return request.has_limit() ? page.Add(std::move(item)) : packer.Add(item);
      }));
  if (unchanged) {
    metrics_.not_modified.Increment();
    return absl::OkStatus();
  }
  return packer.Finish();
}

void AggregatorService::GetEntityFeedbackAtOnce(const auth::Principal& principal,
                                                const v1::GetEntityFeedbackRequest& request,
                                                EntityReader::Deadline deadline,
                                                absl::AnyInvocable<bool(const std::string& etag)> has_state,
                                                AtOnceDone done) const {
  if (!IsForAll(request)) return done(AtOnce());
  entities_.Read({.project_id = principal.project_id,
                  .type = request.entity_type(),
                  .key = EntityKey(request.entity_id())},
                 deadline,
                 [this, &request, has_state = std::move(has_state),
                  done = std::move(done)](absl::StatusOr<EntityReader::Answer> answer) mutable {
                   if (!answer.ok()) return done(answer.status());
                   if (!answer->has_value()) return done(AtOnce());
                   EntityFeedback& entity = **answer;
                   metrics_.entity_items.Observe(entity.state.summary.total());
                   AtOnce at_once{.whole = true};
                   if (has_state(entity.state.etag)) {
                     metrics_.not_modified.Increment();
                     return done(std::move(at_once));
                   }
                   at_once.response = std::make_unique<v1::GetEntityFeedbackResponse>();
                   at_once.response->set_entity_type(request.entity_type());
                   at_once.response->set_entity_id(request.entity_id());
                   at_once.response->mutable_summary()->Swap(&entity.state.summary);
                   for (v1::FeedbackItem& item : entity.items)
                     *at_once.response->add_items() = std::move(item);
                   done(std::move(at_once));
                 });
}

absl::StatusOr<v1::ListFeedbackResponse> AggregatorService::ListFeedback(
    const auth::Principal& principal, const v1::ListFeedbackRequest& request) const {
  ASSIGN_OR_RETURN(Selection selection, SelectionOf(request));
  const Paging paging = {.limit = request.has_limit() ? request.limit() : kListLimitDefault,
                         .list = ListOf(principal.project_id, request)};
  RETURN_IF_ERROR(SelectPage(request, paging, selection));
  v1::ListFeedbackResponse response;
  Page page(response, paging);
  RETURN_IF_ERROR(store_.ListFeedback(principal.project_id, selection,
                                      [&](v1::FeedbackItem&& item) { return page.Add(std::move(item)); }));
  return response;
}

absl::Status AggregatorService::ExportFeedback(const auth::Principal& principal,
                                               const v1::ExportFeedbackRequest& request,
                                               Write<v1::ExportFeedbackResponse> write) const {
  ASSIGN_OR_RETURN(const Selection selection, SelectionOf(request));
  MessagePacker packer(v1::ExportFeedbackResponse(), v1::ExportFeedbackResponse::kItemsFieldNumber, write);
  RETURN_IF_ERROR(store_.ExportFeedback(principal.project_id, selection, [&](v1::FeedbackItem&& item) {
    metrics_.exported_items.Increment();
    return packer.Add(item);
  }));
  return packer.Finish();
}

absl::StatusOr<v1::GetFeedbackResponse> AggregatorService::GetFeedback(
    const auth::Principal& principal, const v1::GetFeedbackRequest& request) const {
  constexpr int kRevisionsMax = 1'000;
  const std::optional<Uuid> id = Uuid::Parse(request.feedback_id());
  if (!id) return error::FeedbackNotFound();
  const std::optional<int> before_revision =
      request.has_before_revision() ? std::optional(request.before_revision()) : std::nullopt;
  v1::GetFeedbackResponse response;
  Room room(kRevisionsMax);
  ASSIGN_OR_RETURN(
      *response.mutable_feedback(),
      store_.ReadItem(principal.project_id, *id, before_revision, [&](v1::FeedbackRevision revision) {
        if (!room.Take(revision.ByteSizeLong())) return false;
        *response.add_revisions() = std::move(revision);
        return true;
      }));
  return response;
}

absl::Status AggregatorService::ListJudgeEvaluations(const auth::Principal& principal,
                                                     const v1::ListJudgeEvaluationsRequest& request,
                                                     Write<v1::ListJudgeEvaluationsResponse> write) const {
  const std::optional<Uuid> judge_id = Uuid::Parse(request.judge_id());
  if (!judge_id) return error::JudgeNotFound();
  JudgeSelection selection = {.limit = request.has_limit() ? request.limit() : kListLimitDefault,
                              .offset = request.offset()};
  if (request.has_start_date()) {
    ASSIGN_OR_RETURN(selection.start_date, FilterTime(request.start_date(), "start_date"));
  }
  if (request.has_end_date()) {
    ASSIGN_OR_RETURN(selection.end_date, FilterTime(request.end_date(), "end_date"));
  }
  if (request.has_evaluation_result()) selection.evaluation_result = request.evaluation_result();
  if (request.feedback_state() != v1::FEEDBACK_STATE_UNSPECIFIED) {
    selection.with_user_feedback = request.feedback_state() == v1::FEEDBACK_STATE_WITH_USER_FEEDBACK;
  }
  v1::ListJudgeEvaluationsResponse head;
  head.set_limit(selection.limit);
  head.set_offset(selection.offset);
  MessagePacker packer(std::move(head), v1::ListJudgeEvaluationsResponse::kEvaluationsFieldNumber, write);
  RETURN_IF_ERROR(evaluations_.ListOfJudge(
      principal.project_id, *judge_id, selection, [&](int total) { packer.head().set_total(total); },
      [&](const types::v1::Evaluation& evaluation) { return packer.Add(evaluation); }));
  return packer.Finish();
}

absl::Status AggregatorService::ListSpanEvaluations(const auth::Principal& principal,
                                                    const v1::ListSpanEvaluationsRequest& request,
                                                    Write<v1::ListSpanEvaluationsResponse> write) const {
  v1::ListSpanEvaluationsResponse head;
  head.set_span_id(request.span_id());
  MessagePacker packer(std::move(head), v1::ListSpanEvaluationsResponse::kEvaluationsFieldNumber, write);
  RETURN_IF_ERROR(evaluations_.ListOfSpan(
      principal.project_id, EntityKey(request.span_id()),
      [&](const types::v1::Evaluation& evaluation) { return packer.Add(evaluation); }));
  return packer.Finish();
}

}  // namespace verdict::aggregator
