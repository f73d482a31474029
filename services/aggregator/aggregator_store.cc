#include "services/aggregator/aggregator_store.h"

#include <array>
#include <string>
#include <utility>

#include <pqxx/pqxx>

#include "common/clock.h"
#include "common/pg/execute.h"
#include "common/pg/status.h"
#include "common/pg/value.h"
#include "common/status/macros.h"
#include "services/aggregator/errors.h"

namespace verdict::aggregator {
namespace {

using pg::Statement;

// The columns of an item, in the order of `Column`. A time is milliseconds since 1970.
#define ITEM_COLUMNS                                                                                        \
  "id, target_type, target_text, trace_id, thumbs_up, reason, expected_output, metadata::text as metadata," \
  " (extract(epoch from created_at) * 1000)::int8 as created_ms,"                                           \
  " (extract(epoch from updated_at) * 1000)::int8 as updated_ms,"                                           \
  " rater_id, rater_email, rater_name, judge_id is not null as about_judge, via"

// The first CTE tells the project to row-level security, the second wall: a statement that forgot its WHERE
// would still see that project's rows only. It must be materialized, so that it runs before feedback is
// looked at. One statement that does both costs half of what a transaction around two does. Always answers a
// row: the counts, and the items beside them unless those are too many or too large for one answer. The limit
// is one row more than is wanted, to show that there are more; then the counts count nothing.
#define READ_ITEMS(condition)                                                                            \
  "with tenant as materialized"                                                                          \
  " (select set_config('app.project_id', $1::uuid::text, true)::uuid as project_id),"                    \
  "item as materialized ("                                                                               \
  " select found.* from tenant cross join lateral ("                                                     \
  "  select " ITEM_COLUMNS " from feedback where feedback.project_id = tenant.project_id and " condition \
  "   limit 1001) found),"                                                                               \
  "entity as ("                                                                                          \
  " select count(*) as total,"                                                                           \
  "  count(*) filter (where not about_judge and thumbs_up) as thumbs_up_count,"                          \
  "  count(*) filter (where not about_judge and not thumbs_up) as thumbs_down_count,"                    \
  "  count(*) <= 1000 and coalesce(sum(octet_length(reason)), 0) + "                                     \
  "coalesce(sum(octet_length(expected_output)), 0)"                                                      \
  "   + coalesce(sum(octet_length(metadata)), 0) <= 2097152 as fits"                                     \
  " from item) "                                                                                         \
  "select item.*, entity.* from entity left join item on entity.fits order by created_ms, id"
static_assert(AggregatorStore::kOneStatementItems == 1000 && AggregatorStore::kOneStatementBytes == 2097152);

#define COUNT_ITEMS(condition)                                                        \
  "select count(*) as total,"                                                         \
  "  count(*) filter (where judge_id is null and thumbs_up) as thumbs_up_count,"      \
  "  count(*) filter (where judge_id is null and not thumbs_up) as thumbs_down_count" \
  " from feedback where project_id = $1::uuid and " condition

#define OPEN_ITEMS(condition)                                                        \
  "declare items no scroll cursor for "                                              \
  "select " ITEM_COLUMNS " from feedback where project_id = $1::uuid and " condition \
  " order by created_at, id"

// What stands on a trace or in a session carries its id, so both are one index range, however many spans
// they have.
#define ON_SPAN "target_type = 1 and target_id = $2::uuid"
#define ON_TRACE "trace_id = $2::uuid"
#define ON_SESSION "session_id = $2::uuid"
#define ON_EVAL_RUN "target_type = 4 and target_id = $2::uuid"
#define ON_ANNOTATION "target_type = 5 and target_id = $2::uuid"

// Each at EntityType - 1.
constexpr std::array kReadItems = {
    Statement{.name = "read_span", .sql = READ_ITEMS(ON_SPAN)},
    Statement{.name = "read_trace", .sql = READ_ITEMS(ON_TRACE)},
    Statement{.name = "read_session", .sql = READ_ITEMS(ON_SESSION)},
    Statement{.name = "read_eval_run", .sql = READ_ITEMS(ON_EVAL_RUN)},
    Statement{.name = "read_annotation", .sql = READ_ITEMS(ON_ANNOTATION)},
};

constexpr size_t kEntityTypes = kReadItems.size();

// At EntityType - 1 the counts, kEntityTypes further the cursors.
constexpr std::array kStreamItems = {
    Statement{.name = "count_span", .sql = COUNT_ITEMS(ON_SPAN)},
    Statement{.name = "count_trace", .sql = COUNT_ITEMS(ON_TRACE)},
    Statement{.name = "count_session", .sql = COUNT_ITEMS(ON_SESSION)},
    Statement{.name = "count_eval_run", .sql = COUNT_ITEMS(ON_EVAL_RUN)},
    Statement{.name = "count_annotation", .sql = COUNT_ITEMS(ON_ANNOTATION)},
    Statement{.name = "open_span", .sql = OPEN_ITEMS(ON_SPAN)},
    Statement{.name = "open_trace", .sql = OPEN_ITEMS(ON_TRACE)},
    Statement{.name = "open_session", .sql = OPEN_ITEMS(ON_SESSION)},
    Statement{.name = "open_eval_run", .sql = OPEN_ITEMS(ON_EVAL_RUN)},
    Statement{.name = "open_annotation", .sql = OPEN_ITEMS(ON_ANNOTATION)},
    // The connection's statement_timeout is that of the whole stream; no statement of it takes long.
    Statement{.name = "begin_stream",
              .sql = "select set_config('transaction_read_only', 'on', true),"
                     " set_config('statement_timeout', '10s', true),"
                     " set_config('app.project_id', $1::uuid::text, true)"},
    Statement{.name = "fetch_items", .sql = "fetch 64 from items"},
};
constexpr const Statement& kBeginStream = kStreamItems[2 * kEntityTypes];
constexpr const Statement& kFetchItems = kStreamItems[2 * kEntityTypes + 1];

enum Column : int {
  kId,
  kTargetType,
  kTargetText,
  kTraceId,
  kThumbsUp,
  kReason,
  kExpectedOutput,
  kMetadata,
  kCreatedAt,
  kUpdatedAt,
  kRaterId,
  kRaterEmail,
  kRaterName,
  kAboutJudge,
  kVia,
};

std::string String(const pqxx::field& field) { return std::string(pg::TextFrom(field)); }

v1::FeedbackItem ItemFrom(const pqxx::row& row) {
  v1::FeedbackItem item;
  item.set_kind(v1::FEEDBACK_KIND_HUMAN_FEEDBACK);
  item.set_id(String(row[kId]));
  const int target_type = row[kTargetType].as<int>();
  if (target_type == types::v1::ENTITY_TYPE_SPAN) item.set_span_id(String(row[kTargetText]));
  if (target_type == types::v1::ENTITY_TYPE_TRACE) {
    item.set_trace_id(String(row[kTargetText]));
  } else if (!row[kTraceId].is_null()) {
    item.set_trace_id(String(row[kTraceId]));
  }
  item.set_thumbs_up(row[kThumbsUp].as<bool>());
  if (!row[kReason].is_null()) item.set_reason(String(row[kReason]));
  if (!row[kExpectedOutput].is_null()) item.set_expected_output(String(row[kExpectedOutput]));
  if (!row[kMetadata].is_null()) item.set_metadata(String(row[kMetadata]));
  *item.mutable_created_at() = ToProto(pg::TimeFrom(row[kCreatedAt]));
  *item.mutable_updated_at() = ToProto(pg::TimeFrom(row[kUpdatedAt]));
  types::v1::Person& rater = *item.mutable_created_by();
  rater.set_id(String(row[kRaterId]));
  if (!row[kRaterEmail].is_null()) rater.set_email(String(row[kRaterEmail]));
  if (!row[kRaterName].is_null()) rater.set_name(String(row[kRaterName]));
  item.set_source_type(row[kAboutJudge].as<bool>() ? v1::SOURCE_TYPE_JUDGE : v1::SOURCE_TYPE_HUMAN);
  item.set_via(static_cast<v1::Via>(row[kVia].as<int>()));
  return item;
}

v1::FeedbackSummary SummaryFrom(const pqxx::row& row) {
  v1::FeedbackSummary summary;
  summary.set_total(row["total"].as<int>());
  summary.set_human_feedback_count(summary.total());
  summary.set_thumbs_up_count(row["thumbs_up_count"].as<int>());
  summary.set_thumbs_down_count(row["thumbs_down_count"].as<int>());
  return summary;
}

}  // namespace

absl::Status AggregatorStore::ReadFeedback(const Entity& entity,
                                           absl::FunctionRef<void(const v1::FeedbackSummary&)> take_summary,
                                           absl::FunctionRef<bool(v1::FeedbackItem)> take_item) const try {
  const auto index = static_cast<size_t>(entity.type - 1);
  ASSIGN_OR_RETURN(pqxx::result rows, pg::Execute(reads_, pg::Access::kRead, kReadItems.at(index),
                                                  entity.project_id, entity.key));
  if (!rows.front()["fits"].as<bool>()) {
    rows.clear();
    return StreamFeedback(entity, take_summary, take_item);
  }
  const v1::FeedbackSummary summary = SummaryFrom(rows.front());
  take_summary(summary);
  if (summary.total() == 0) return absl::OkStatus();
  for (const pqxx::row& row : rows) {
    if (!take_item(ItemFrom(row))) return error::StreamAbandoned();
  }
  return absl::OkStatus();
} catch (const std::exception& error) {
  return pg::StatusOf(error);
}

absl::Status AggregatorStore::StreamFeedback(const Entity& entity,
                                             absl::FunctionRef<void(const v1::FeedbackSummary&)> take_summary,
                                             absl::FunctionRef<bool(v1::FeedbackItem)> take_item) const {
  const auto index = static_cast<size_t>(entity.type - 1);
  bool taken = false;
  return pg::WithTransaction(
      streams_, pg::Isolation::kRepeatableRead, [&](pqxx::transaction_base& transaction) -> absl::Status {
        // What was taken cannot be taken back. Reads alone do not fail to serialize, so this is no loss.
        if (std::exchange(taken, true)) return InternalError("A read-only transaction was to be repeated.");
        pg::Execute(transaction, kBeginStream, entity.project_id);
        const pqxx::result counts =
            pg::Execute(transaction, kStreamItems.at(index), entity.project_id, entity.key);
        take_summary(SummaryFrom(counts.front()));
        pg::Execute(transaction, kStreamItems.at(kEntityTypes + index), entity.project_id, entity.key);
        for (;;) {
          const pqxx::result rows = pg::Execute(transaction, kFetchItems);
          if (rows.empty()) return absl::OkStatus();
          for (const pqxx::row& row : rows) {
            if (!take_item(ItemFrom(row))) return error::StreamAbandoned();
          }
        }
      });
}

absl::Status AggregatorStore::Check() const {
  return pg::Execute(reads_, pg::Access::kRead, kReadItems.front(), Uuid(), Uuid()).status();
}

std::span<const Statement> AggregatorStore::ReadStatements() { return kReadItems; }
std::span<const Statement> AggregatorStore::StreamStatements() { return kStreamItems; }

}  // namespace verdict::aggregator
