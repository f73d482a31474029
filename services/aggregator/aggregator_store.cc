#include "services/aggregator/aggregator_store.h"

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>

#include <pqxx/pqxx>

#include "common/criteria/criteria_json.h"
#include "common/pg/execute.h"
#include "common/pg/session.h"
#include "common/pg/status.h"
#include "common/pg/value.h"
#include "common/status/macros.h"
#include "services/aggregator/errors.h"
#include "services/aggregator/statements.h"

namespace verdict::aggregator {
namespace {

using pg::Statement;

#define MILLISECONDS(column) "(extract(epoch from " column ") * 1000)::int8"

// Feedback and evaluations as rows of one shape; `kind` is a number of FeedbackKind. What both have under
// different names has one here.
#define FEEDBACK_AS_ITEM                                                                                    \
  "select 1 as kind, id, target_type, target_text, trace_id, session_id, judge_id, thumbs_up as positive, " \
  "reason,"                                                                                                 \
  " expected_score as score, criteria_feedback::text as criteria, created_at, updated_at, revision, "       \
  "submitted_by,"                                                                                           \
  " prompt_id, expected_output, metadata::text as metadata, score_direction, rater_id, rater_email, "       \
  "rater_name, via,"                                                                                        \
  " null::float8 as confidence_score, null::text as model_used, null::int4 as evaluation_duration_ms,"      \
  " null::int2 as evaluation_type, null::float8 as score_min, null::float8 as score_max,"                   \
  " null::float8 as pass_threshold from feedback"
#define EVALUATION_AS_ITEM                                                                                   \
  "select 2 as kind, id, 1::int2 as target_type, span_text as target_text, trace_id, session_id, judge_id,"  \
  " evaluation_result as positive, evaluation_reason as reason, score, criteria_scores::text as criteria,"   \
  " created_at, updated_at, revision, submitted_by, null::uuid as prompt_id, null::text as expected_output," \
  " null::text as metadata, null::int2 as score_direction, null::text collate \"C\" as rater_id,"            \
  " null::text as rater_email, null::text as rater_name, null::int2 as via, confidence_score, model_used,"   \
  " evaluation_duration_ms, evaluation_type, score_min, score_max, pass_threshold from evaluation"

// Beside an item: its judge's present name, where it is an evaluation.
#define WITH_JUDGE(project)                                                                           \
  " left join (select id as judge_of_item, name as judge_name, revision as judge_revision from judge" \
  "  where project_id = " project ") judge on item.kind = 2 and judge_of_item = item.judge_id"

// The items of the project that keep the conditions.
#define ITEMS(project, feedback_condition, evaluation_condition)                               \
  "(" FEEDBACK_AS_ITEM " where project_id = " project " and " feedback_condition               \
  " union all " EVALUATION_AS_ITEM " where project_id = " project " and " evaluation_condition \
  ") item" WITH_JUDGE(project)

// The columns of an item that leave the database, in the order of `Column`. A time is milliseconds since
// 1970. Each costs something in every row, also where it is NULL: those that only lists show are by
// themselves.
#define ITEM_COLUMNS \
  "kind, id, target_type, target_text, trace_id, session_id, judge_id, positive, reason, score, " \
  "criteria, "   \
  MILLISECONDS("created_at") " as created_ms, " MILLISECONDS("updated_at") " as updated_ms,"                  \
  " expected_output, metadata, score_direction, rater_id, rater_email,"    \
  " rater_name, via, confidence_score, model_used, evaluation_duration_ms, evaluation_type, score_min,"       \
  " score_max, pass_threshold, judge_name"
#define LISTED_COLUMNS ITEM_COLUMNS ", prompt_id, revision, submitted_by"

// Of all items of an entity: the counts, and the tag. What is shown of an item changes with its revision,
// with the judge's name, and with its trace and session, which are learnt later.
#define ENTITY_STATE                                                                                      \
  "count(*) as total, count(*) filter (where kind = 1) as human_feedback_count,"                          \
  " count(*) filter (where kind = 1 and judge_id is null and positive) as thumbs_up_count,"               \
  " count(*) filter (where kind = 1 and judge_id is null and not positive) as thumbs_down_count,"         \
  " count(*) || '-' || to_hex(coalesce(bit_xor(uuid_hash_extended(id,"                                    \
  "  ((revision::int8 << 32) | coalesce(judge_revision, 0))"                                              \
  "  # coalesce(uuid_hash_extended(trace_id, 1), 0) # coalesce(uuid_hash_extended(session_id, 2), 0))), " \
  "0)) as tag"

// The parameters of a Selection, from $2 on. A cursor is planned for the values that it is opened with, so
// here a filter that is not given costs nothing and one that is given finds its index; a prepared statement
// is not, and has to apply them to rows that it has already.
#define SELECTED(behind)                                                                                \
  "($2::int4 is null or kind = $2) and ($3::uuid is null or judge_id = $3)"                             \
  " and ($4::text is null or rater_id = $4) and ($5::bool is null or (kind = 1 and positive = $5))"     \
  " and ($6::timestamptz is null or created_at >= $6) and ($7::timestamptz is null or created_at < $7)" \
  " and ($8::timestamptz is null or (created_at, id) " behind " ($8, $9::uuid))"

// Of one item, the texts that may be long.
#define TEXT_BYTES                                                                 \
  "coalesce(octet_length(reason), 0) + coalesce(octet_length(expected_output), 0)" \
  " + coalesce(octet_length(metadata), 0) + coalesce(octet_length(criteria), 0)"

// Whether the items, no more than `items`, with texts of up to `bytes` in all, make one answer.
#define FIT(items, bytes) "count(*) <= " items " and coalesce(sum(" TEXT_BYTES "), 0) <= " bytes " as fits"

// The first CTE tells the project to row-level security, the second wall: a statement that forgot its WHERE
// would still see that project's rows only. It must be materialized, and the others must depend on it, so
// that it runs before they are looked at. One statement that does both costs half of what a transaction
// around two does. Always answers a row: the state, and the items beside it unless those are too many or too
// large for one answer. The limit is one row more than is wanted, to show that there are more; then the state
// is of no use.
#define READ_ITEMS(feedback_condition, evaluation_condition) \
  "with tenant as materialized"                                                                               \
  " (select set_config('app.project_id', $1::uuid::text, true)::uuid as project_id),"                         \
  "item as materialized ("                                                                                    \
  " select found.* from tenant cross join lateral (select * from "                                            \
  ITEMS("tenant.project_id", feedback_condition " $11::uuid", evaluation_condition " $11::uuid")              \
  "  limit 1001) found),"                                                                                     \
  "entity as ("                                                                                               \
  " select " ENTITY_STATE ", " FIT("1000", "2097152") " from item) "                                          \
  "select " ITEM_COLUMNS ", entity.* from entity left join item on entity.fits and " SELECTED(">")            \
  " order by created_at, id limit $10::int4"
static_assert(AggregatorStore::kOneStatementItems == 1000 && AggregatorStore::kOneStatementBytes == 2097152);

// The same of several entities, $2, each with all its items, which are fewer.
#define READ_SEVERAL(feedback_condition, evaluation_condition) \
  "with tenant as materialized"                                                                               \
  " (select set_config('app.project_id', $1::uuid::text, true)::uuid as project_id) "                         \
  "select one.*, asked.place from tenant"                                                                     \
  " cross join unnest($2::uuid[]) with ordinality as asked (key, place) cross join lateral ("                 \
  "  with item as materialized (select * from "                                                               \
  ITEMS("tenant.project_id", feedback_condition " asked.key", evaluation_condition " asked.key")              \
  "   limit 201),"                                                                                            \
  "  entity as (select " ENTITY_STATE ", " FIT("200", "65536") " from item)"                                  \
  "  select " ITEM_COLUMNS ", entity.* from entity left join item on entity.fits) one"                        \
  " order by place, created_ms, id"
static_assert(AggregatorStore::kSeveralItems == 200);

#define COUNT_ITEMS(feedback_condition, evaluation_condition) \
  "select " ENTITY_STATE ", coalesce(max(" TEXT_BYTES         \
  "), 0) <= 2048 as short"                                    \
  " from " ITEMS("$1::uuid", feedback_condition " $2::uuid", evaluation_condition " $2::uuid")

// Each kind is limited by itself, in the order of an index where there is one, so that a page costs as much
// as the page.
#define SELECTED_OF(as_item, condition, behind, order)                     \
  "(select * from (" as_item " where project_id = $1::uuid and " condition \
  ") item where " SELECTED(behind) " order by " order " limit $10::int4)"
#define OPEN_SELECTED(columns, feedback_condition, evaluation_condition, behind, order)                 \
  "declare found no scroll cursor for select " columns                                                  \
  " from (" SELECTED_OF(FEEDBACK_AS_ITEM, feedback_condition, behind, order) " union all " SELECTED_OF( \
      EVALUATION_AS_ITEM, evaluation_condition, behind,                                                 \
      order) ") item" WITH_JUDGE("$1::uuid") " order by " order " limit $10::int4"
#define OPEN_ITEMS(feedback_condition, evaluation_condition)                                           \
  OPEN_SELECTED(ITEM_COLUMNS, feedback_condition " $11::uuid", evaluation_condition " $11::uuid", ">", \
                "created_at, id")

// What follows is the entity's key. Feedback on a span of a trace, or of a session, carries its id, so both
// are one index range, however many spans they have. Judges evaluate spans only.
#define ON_SPAN(statement) statement("target_type = 1 and target_id =", "span_id =")
#define ON_TRACE(statement) statement("trace_id =", "trace_id =")
#define ON_SESSION(statement) statement("session_id =", "session_id =")
#define ON_EVAL_RUN(statement) statement("target_type = 4 and target_id =", "false and span_id =")
#define ON_ANNOTATION(statement) statement("target_type = 5 and target_id =", "false and span_id =")

#define OPEN_REVISIONS(columns, table)                                                       \
  "declare found no scroll cursor for select revision, " MILLISECONDS(                       \
      "written_at") ", submitted_by, " columns " from " table                                \
                    " where project_id = $1::uuid and id = $2::uuid and revision < $3::int4" \
                    " order by revision desc limit 1000"

// Each at EntityType - 1.
#define OF_EACH_ENTITY(name_prefix, statement)                              \
  std::to_array<Statement>({                                                \
      {.name = name_prefix "_span", .sql = ON_SPAN(statement)},             \
      {.name = name_prefix "_trace", .sql = ON_TRACE(statement)},           \
      {.name = name_prefix "_session", .sql = ON_SESSION(statement)},       \
      {.name = name_prefix "_eval_run", .sql = ON_EVAL_RUN(statement)},     \
      {.name = name_prefix "_annotation", .sql = ON_ANNOTATION(statement)}, \
  })
constexpr auto kReadEntity = OF_EACH_ENTITY("read", READ_ITEMS);
constexpr auto kReadSeveral = OF_EACH_ENTITY("read_several", READ_SEVERAL);
constexpr auto kCountEntity = OF_EACH_ENTITY("count", COUNT_ITEMS);
constexpr auto kOpenEntity = OF_EACH_ENTITY("open", OPEN_ITEMS);

constexpr Statement kOpenProject = {
    .name = "open_project",
    .sql = OPEN_SELECTED(LISTED_COLUMNS, "true", "true", "<", "created_at desc, id desc")};

constexpr Statement kReadItem = {
    .name = "read_item",
    .sql = "select " LISTED_COLUMNS " from " ITEMS("$1::uuid", "id = $2::uuid", "id = $2::uuid") " limit 1"};

constexpr Statement kOpenFeedbackRevisions = {
    .name = "open_feedback_revisions",
    .sql = OPEN_REVISIONS("thumbs_up, reason, expected_score, criteria_feedback::text, expected_output,"
                          " metadata::text, score_direction",
                          "feedback_history")};
constexpr Statement kOpenEvaluationRevisions = {
    .name = "open_evaluation_revisions",
    .sql =
        OPEN_REVISIONS("evaluation_result, evaluation_reason, score, criteria_scores::text, confidence_score,"
                       " model_used",
                       "evaluation_history")};

enum Column : int {
  kKind,
  kId,
  kTargetType,
  kTargetText,
  kTraceId,
  kSessionId,
  kJudgeId,
  kPositive,
  kReason,
  kScore,
  kCriteria,
  kCreatedAt,
  kUpdatedAt,
  kExpectedOutput,
  kMetadata,
  kScoreDirection,
  kRaterId,
  kRaterEmail,
  kRaterName,
  kVia,
  kConfidenceScore,
  kModelUsed,
  kEvaluationDuration,
  kEvaluationType,
  kScoreMin,
  kScoreMax,
  kPassThreshold,
  kJudgeName,
  // Of LISTED_COLUMNS.
  kPromptId,
  kRevision,
  kSubmittedBy,
};

// Where ENTITY_STATE begins behind ITEM_COLUMNS, and its columns from there on.
constexpr int kState = kJudgeName + 1;
enum StateColumn : int {
  kTotal,
  kHumanFeedbackCount,
  kThumbsUpCount,
  kThumbsDownCount,
  kTag,
  kFits,  // or whether the items are short
  kPlace,
};

size_t IndexOf(types::v1::EntityType type) { return static_cast<size_t>(type - 1); }

// Values by criterion.
template <typename ByCriterion>
void ReadCriteria(const pqxx::field& field, ByCriterion& values) {
  if (!criteria::FromJson(pg::TextFrom(field), values)) {
    throw pqxx::conversion_error(std::string("The column ") + field.name() +
                                 " holds no values by criterion.");
  }
}

// Where the item is. An entity that the item itself is on is spelled as its writer did; others by their key.
void ReadPlace(const pg::Row& row, v1::FeedbackItem& item) {
  if (!row[kTraceId].is_null()) *item.mutable_trace_id() = pg::TextFrom(row[kTraceId]);
  if (!row[kSessionId].is_null()) *item.mutable_session_id() = pg::TextFrom(row[kSessionId]);
  const int target_type = row[kTargetType].as<int>();
  if (target_type == types::v1::ENTITY_TYPE_SPAN) *item.mutable_span_id() = pg::TextFrom(row[kTargetText]);
  if (target_type == types::v1::ENTITY_TYPE_TRACE) *item.mutable_trace_id() = pg::TextFrom(row[kTargetText]);
  if (target_type == types::v1::ENTITY_TYPE_SESSION)
    *item.mutable_session_id() = pg::TextFrom(row[kTargetText]);
}

void ReadFeedbackValues(const pg::Row& row, v1::FeedbackItem& item) {
  item.set_thumbs_up(row[kPositive].as<bool>());
  if (!row[kReason].is_null()) *item.mutable_reason() = pg::TextFrom(row[kReason]);
  if (!row[kExpectedOutput].is_null()) *item.mutable_expected_output() = pg::TextFrom(row[kExpectedOutput]);
  if (!row[kMetadata].is_null()) *item.mutable_metadata() = pg::TextFrom(row[kMetadata]);
  types::v1::Person& rater = *item.mutable_created_by();
  *rater.mutable_id() = pg::TextFrom(row[kRaterId]);
  if (!row[kRaterEmail].is_null()) *rater.mutable_email() = pg::TextFrom(row[kRaterEmail]);
  if (!row[kRaterName].is_null()) *rater.mutable_name() = pg::TextFrom(row[kRaterName]);
  item.set_via(static_cast<v1::Via>(row[kVia].as<int>()));
  if (row[kJudgeId].is_null()) return item.set_source_type(v1::SOURCE_TYPE_HUMAN);
  item.set_source_type(v1::SOURCE_TYPE_JUDGE);
  *item.mutable_judge_id() = pg::TextFrom(row[kJudgeId]);
  if (!row[kScore].is_null()) item.set_expected_score(pg::DoubleFrom(row[kScore]));
  if (!row[kScoreDirection].is_null()) {
    item.set_score_direction(static_cast<types::v1::ScoreDirection>(row[kScoreDirection].as<int>()));
  }
  if (!row[kCriteria].is_null()) ReadCriteria(row[kCriteria], *item.mutable_criteria_feedback());
}

void ReadEvaluationValues(const pg::Row& row, v1::FeedbackItem& item) {
  *item.mutable_automation_id() = pg::TextFrom(row[kJudgeId]);
  *item.mutable_judge_name() = pg::TextFrom(row[kJudgeName]);
  item.set_evaluation_result(row[kPositive].as<bool>());
  if (!row[kReason].is_null()) *item.mutable_evaluation_reason() = pg::TextFrom(row[kReason]);
  if (!row[kConfidenceScore].is_null()) item.set_confidence_score(pg::DoubleFrom(row[kConfidenceScore]));
  if (!row[kModelUsed].is_null()) *item.mutable_model_used() = pg::TextFrom(row[kModelUsed]);
  if (!row[kEvaluationDuration].is_null()) {
    item.set_evaluation_duration_ms(row[kEvaluationDuration].as<int>());
  }
  item.set_evaluation_type(static_cast<types::v1::EvaluationType>(row[kEvaluationType].as<int>()));
  if (!row[kScore].is_null()) item.set_score(pg::DoubleFrom(row[kScore]));
  if (!row[kScoreMin].is_null()) item.set_score_min(pg::DoubleFrom(row[kScoreMin]));
  if (!row[kScoreMax].is_null()) item.set_score_max(pg::DoubleFrom(row[kScoreMax]));
  if (!row[kPassThreshold].is_null()) item.set_pass_threshold(pg::DoubleFrom(row[kPassThreshold]));
  if (!row[kCriteria].is_null()) ReadCriteria(row[kCriteria], *item.mutable_criteria_scores());
}

void ReadItemOf(const pg::Row& row, v1::FeedbackItem& item) {
  item.Clear();
  item.set_kind(static_cast<v1::FeedbackKind>(row[kKind].as<int>()));
  *item.mutable_id() = pg::TextFrom(row[kId]);
  ReadPlace(row, item);
  if (item.kind() == v1::FEEDBACK_KIND_HUMAN_FEEDBACK) {
    ReadFeedbackValues(row, item);
  } else {
    ReadEvaluationValues(row, item);
  }
  *item.mutable_created_at() = ToProto(pg::TimeFrom(row[kCreatedAt]));
  *item.mutable_updated_at() = ToProto(pg::TimeFrom(row[kUpdatedAt]));
}

// With what it is on, for readers who did not ask for one entity.
void ReadListedItem(const pg::Row& row, v1::FeedbackItem& item) {
  ReadItemOf(row, item);
  item.set_entity_type(static_cast<types::v1::EntityType>(row[kTargetType].as<int>()));
  *item.mutable_entity_id() = pg::TextFrom(row[kTargetText]);
  if (!row[kPromptId].is_null()) *item.mutable_prompt_id() = pg::TextFrom(row[kPromptId]);
}

// The columns of OPEN_REVISIONS, which begin alike for both kinds.
v1::FeedbackRevision RevisionFrom(const pg::Row& row, v1::FeedbackKind kind) {
  v1::FeedbackRevision revision;
  revision.set_revision(row[0].as<int>());
  *revision.mutable_written_at() = ToProto(pg::TimeFrom(row[1]));
  *revision.mutable_submitted_by() = pg::TextFrom(row[2]);
  if (kind == v1::FEEDBACK_KIND_HUMAN_FEEDBACK) {
    revision.set_thumbs_up(row[3].as<bool>());
    if (!row[4].is_null()) *revision.mutable_reason() = pg::TextFrom(row[4]);
    if (!row[5].is_null()) revision.set_expected_score(pg::DoubleFrom(row[5]));
    if (!row[6].is_null()) ReadCriteria(row[6], *revision.mutable_criteria_feedback());
    if (!row[7].is_null()) *revision.mutable_expected_output() = pg::TextFrom(row[7]);
    if (!row[8].is_null()) *revision.mutable_metadata() = pg::TextFrom(row[8]);
    if (!row[9].is_null()) {
      revision.set_score_direction(static_cast<types::v1::ScoreDirection>(row[9].as<int>()));
    }
  } else {
    revision.set_evaluation_result(row[3].as<bool>());
    if (!row[4].is_null()) *revision.mutable_evaluation_reason() = pg::TextFrom(row[4]);
    if (!row[5].is_null()) revision.set_score(pg::DoubleFrom(row[5]));
    if (!row[6].is_null()) ReadCriteria(row[6], *revision.mutable_criteria_scores());
    if (!row[7].is_null()) revision.set_confidence_score(pg::DoubleFrom(row[7]));
    if (!row[8].is_null()) *revision.mutable_model_used() = pg::TextFrom(row[8]);
  }
  return revision;
}

// ENTITY_STATE, from its first column on.
EntityState StateFrom(const pg::Row& row, int first) {
  EntityState state;
  state.summary.set_total(row[first + kTotal].as<int>());
  state.summary.set_human_feedback_count(row[first + kHumanFeedbackCount].as<int>());
  state.summary.set_judge_evaluation_count(state.summary.total() - state.summary.human_feedback_count());
  state.summary.set_thumbs_up_count(row[first + kThumbsUpCount].as<int>());
  state.summary.set_thumbs_down_count(row[first + kThumbsDownCount].as<int>());
  state.etag = '"' + pg::StringFrom(row[first + kTag]) + '"';
  return state;
}

// Calls `execute` with the parameters that SELECTED names, and the limit.
template <typename Execute>
auto WithSelection(const Selection& selection, Execute execute) {
  const std::optional<int> kind = selection.kind;
  const std::optional<Time> after_time =
      selection.after ? std::optional(selection.after->created_at) : std::nullopt;
  const std::optional<Uuid> after_id = selection.after ? std::optional(selection.after->id) : std::nullopt;
  return execute(kind, selection.judge_id, selection.user_id, selection.thumbs_up, selection.created_after,
                 selection.created_before, after_time, after_id, selection.limit);
}

// Passes on the selected items of the project.
void PassOnPage(pqxx::transaction_base& transaction, const Uuid& project_id, const Selection& selection,
                AggregatorStore::TakeItem take_item) {
  WithSelection(selection, [&](const auto&... selected) {
    pg::Execute(transaction, kOpenProject, project_id, selected...);
  });
  v1::FeedbackItem item;
  pg::ForEachRow(transaction, kFetch, [&](const pg::Row& row) {
    ReadListedItem(row, item);
    return take_item(std::move(item));
  });
}

}  // namespace

absl::Status AggregatorStore::ReadFeedback(const Entity& entity, const Selection& selection,
                                           TakeState take_state, TakeItem take_item) const try {
  const Statement& read = kReadEntity.at(IndexOf(entity.type));
  ASSIGN_OR_RETURN(pqxx::result rows, WithSelection(selection, [&](const auto&... selected) {
                     return pg::Execute(reads_, pg::Access::kRead, read, entity.project_id, selected...,
                                        entity.key);
                   }));
  if (!rows.front()[kState + kFits].as<bool>()) {
    rows.clear();
    return ReadLargeFeedback(entity, selection, take_state, take_item);
  }
  if (!take_state(StateFrom(pg::Row(rows.front()), kState)) || rows.front()[kId].is_null())
    return absl::OkStatus();
  v1::FeedbackItem item;
  for (const pqxx::row& row : rows) {
    ReadItemOf(pg::Row(row), item);
    if (!take_item(std::move(item))) break;
  }
  return absl::OkStatus();
} catch (const std::exception& error) {
  return pg::StatusOf(error);
}

absl::StatusOr<std::vector<std::optional<EntityFeedback>>> AggregatorStore::ReadSeveral(
    pg::Session& session, const Uuid& project_id, types::v1::EntityType type,
    absl::Span<const Uuid> keys) try {
  pg::Array key_array;
  for (const Uuid& key : keys) key_array.Add(key);
  ASSIGN_OR_RETURN(const pqxx::result rows, session.Execute(pg::Access::kRead, kReadSeveral.at(IndexOf(type)),
                                                            project_id, std::move(key_array)));
  std::vector<std::optional<EntityFeedback>> answers(keys.size());
  if (rows.empty()) return answers;
  for (const pqxx::row& found : rows) {
    const pg::Row row(found);
    if (!row[kState + kFits].as<bool>()) continue;
    std::optional<EntityFeedback>& answer = answers.at(row[kState + kPlace].as<size_t>() - 1);
    if (!answer) answer.emplace(EntityFeedback{.state = StateFrom(row, kState)});
    if (!row[kId].is_null()) ReadItemOf(row, answer->items.emplace_back());
  }
  return answers;
} catch (const std::exception& error) {
  return pg::StatusOf(error);
}

absl::Status AggregatorStore::ReadLargeFeedback(const Entity& entity, const Selection& selection,
                                                TakeState take_state, TakeItem take_item) const {
  const bool page = selection.limit.has_value();
  return pg::WithSnapshot(page ? reads_ : streams_, [&](pqxx::transaction_base& transaction) {
    pg::Execute(transaction, page ? kBeginRead : kBeginStream, entity.project_id);
    const pqxx::result counts =
        pg::Execute(transaction, kCountEntity.at(IndexOf(entity.type)), entity.project_id, entity.key);
    if (!take_state(StateFrom(pg::Row(counts.front()), 0))) return absl::OkStatus();
    WithSelection(selection, [&](const auto&... selected) {
      pg::Execute(transaction, kOpenEntity.at(IndexOf(entity.type)), entity.project_id, selected...,
                  entity.key);
    });
    const Statement& fetch = counts.front()[kFits].as<bool>() ? kFetchShort : kFetch;
    v1::FeedbackItem item;
    pg::ForEachRow(transaction, fetch, [&](const pg::Row& row) {
      ReadItemOf(row, item);
      return take_item(std::move(item));
    });
    return absl::OkStatus();
  });
}

absl::Status AggregatorStore::ListFeedback(const Uuid& project_id, const Selection& selection,
                                           TakeItem take_item) const {
  return pg::WithSnapshot(reads_, [&](pqxx::transaction_base& transaction) {
    pg::Execute(transaction, kBeginRead, project_id);
    PassOnPage(transaction, project_id, selection, take_item);
    return absl::OkStatus();
  });
}

absl::Status AggregatorStore::ExportFeedback(const Uuid& project_id, const Selection& selection,
                                             TakeItem take_item) const {
  // Not one cursor over everything: that would begin with a sort of the whole project.
  constexpr int kPageItems = 1'000;
  return pg::WithSnapshot(streams_, [&](pqxx::transaction_base& transaction) {
    pg::Execute(transaction, kBeginStream, project_id);
    Selection page = selection;
    page.limit = kPageItems;
    for (bool more = true; more;) {
      int taken = 0;
      PassOnPage(transaction, project_id, page, [&](v1::FeedbackItem&& item) {
        ++taken;
        page.after = PlaceOf(item);
        more = take_item(std::move(item));
        return more;
      });
      more = more && taken == kPageItems;
      pg::Execute(transaction, kClose);
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<v1::FeedbackItem> AggregatorStore::ReadItem(const Uuid& project_id, const Uuid& id,
                                                           std::optional<int> before_revision,
                                                           TakeRevision take_revision) const {
  v1::FeedbackItem item;
  RETURN_IF_ERROR(pg::WithSnapshot(reads_, [&](pqxx::transaction_base& transaction) -> absl::Status {
    pg::Execute(transaction, kBeginRead, project_id);
    const pqxx::result found = pg::Execute(transaction, kReadItem, project_id, id);
    if (found.empty()) return error::FeedbackNotFound();
    const pg::Row row(found.front());
    ReadListedItem(row, item);
    item.set_revision(row[kRevision].as<int>());
    *item.mutable_submitted_by() = pg::TextFrom(row[kSubmittedBy]);
    const bool human = item.kind() == v1::FEEDBACK_KIND_HUMAN_FEEDBACK;
    pg::Execute(transaction, human ? kOpenFeedbackRevisions : kOpenEvaluationRevisions, project_id, id,
                before_revision.value_or(std::numeric_limits<int>::max()));
    pg::ForEachRow(transaction, kFetch,
                   [&](const pg::Row& row) { return take_revision(RevisionFrom(row, item.kind())); });
    return absl::OkStatus();
  }));
  return item;
}

absl::Status AggregatorStore::Check() const {
  return ReadFeedback(
      {.type = types::v1::ENTITY_TYPE_SPAN}, {}, [](const auto&) { return false; },
      [](const auto&) { return false; });
}

std::span<const Statement> AggregatorStore::SeveralStatements() { return kReadSeveral; }

AggregatorStore::SeveralReader AggregatorStore::NewSeveralReader(pg::ConnectionOptions connection) {
  connection.statements = SeveralStatements();
  connection.generic_plans = true;
  return [session = std::make_shared<pg::Session>(std::move(connection))](
             const Uuid& project_id, types::v1::EntityType type, absl::Span<const Uuid> keys) {
    return ReadSeveral(*session, project_id, type, keys);
  };
}

std::vector<Statement> AggregatorStore::ItemStatements() {
  std::vector<Statement> statements = {kOpenProject, kReadItem, kOpenFeedbackRevisions,
                                       kOpenEvaluationRevisions};
  for (const auto& of_entities : {kReadEntity, kCountEntity, kOpenEntity}) {
    statements.insert(statements.end(), of_entities.begin(), of_entities.end());
  }
  return statements;
}

}  // namespace verdict::aggregator
