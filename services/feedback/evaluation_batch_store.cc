#include "services/feedback/evaluation_batch_store.h"

#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "common/criteria/criteria_json.h"
#include "common/log/log.h"
#include "common/pg/columns.h"
#include "common/pg/session.h"
#include "common/pg/status.h"
#include "common/pg/value.h"
#include "common/status/macros.h"
#include "services/feedback/errors.h"
#include "services/feedback/judge_store.h"

namespace verdict::feedback {
namespace {

using pg::Access;

// One batch of evaluations in one round trip. Places are found as for feedback (kStoreFeedback): whoever
// mentions a span or a trace first makes its row, and all sources are sorted, so that batches of either kind
// take their locks in one order. The lock of its span also keeps an evaluation apart from the same one in
// another process, so that only an id that is another record's violates the primary key.
//
// NOLINTBEGIN(cppcoreguidelines-macro-usage): only a macro joins literals.
#define STORE_EVALUATIONS(condition) \
  R"sql(
with b as materialized (
  select * from unnest(
      $1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::uuid[], $7::smallint[], $8::boolean[],
      $9::text[], $10::float8[], $11::float8[], $12::float8[], $13::float8[], $14::float8[], $15::jsonb[],
      $16::text[], $17::int[], $18::uuid[], $19::timestamptz[])
    as t (project_id, id, judge_id, span_id, span_text, client_id, evaluation_type, evaluation_result,
          evaluation_reason, confidence_score, score, score_min, score_max, pass_threshold, criteria_scores,
          model_used, evaluation_duration_ms, submitted_by, at)),
sp as (
  insert into span as s (project_id, span_id)
  select distinct project_id, span_id from b order by 1, 2
  on conflict (project_id, span_id) do update set span_id = excluded.span_id
  returning s.project_id, s.span_id, s.trace_id, s.session_id),
tr as (
  insert into trace as t (project_id, trace_id)
  select distinct project_id, trace_id from sp where trace_id is not null order by 1, 2
  on conflict (project_id, trace_id) do update set trace_id = excluded.trace_id
  returning t.project_id, t.trace_id, t.session_id)
insert into evaluation as e
  (project_id, id, judge_id, span_id, span_text, client_id, evaluation_type, evaluation_result, evaluation_reason,
   confidence_score, score, score_min, score_max, pass_threshold, criteria_scores, model_used,
   evaluation_duration_ms, submitted_by, created_at, updated_at, trace_id, session_id)
select b.project_id, b.id, b.judge_id, b.span_id, b.span_text, b.client_id, b.evaluation_type, b.evaluation_result,
       b.evaluation_reason, b.confidence_score, b.score, b.score_min, b.score_max, b.pass_threshold,
       b.criteria_scores, b.model_used, b.evaluation_duration_ms, b.submitted_by, b.at, b.at, sp.trace_id,
       coalesce(sp.session_id, tr.session_id)
  from b
  join sp on (sp.project_id, sp.span_id) = (b.project_id, b.span_id)
  left join tr on (tr.project_id, tr.trace_id) = (sp.project_id, sp.trace_id)
 order by b.project_id, b.span_id, b.judge_id, b.client_id
on conflict on constraint evaluation_key do update
   set span_text = excluded.span_text, evaluation_type = excluded.evaluation_type,
       evaluation_result = excluded.evaluation_result, evaluation_reason = excluded.evaluation_reason,
       confidence_score = excluded.confidence_score, score = excluded.score, score_min = excluded.score_min,
       score_max = excluded.score_max, pass_threshold = excluded.pass_threshold,
       criteria_scores = excluded.criteria_scores, model_used = excluded.model_used,
       evaluation_duration_ms = excluded.evaluation_duration_ms, submitted_by = excluded.submitted_by,
       revision = e.revision + 1, updated_at = greatest(e.updated_at, excluded.updated_at),
       trace_id = coalesce(excluded.trace_id, e.trace_id), session_id = coalesce(excluded.session_id, e.session_id)
 )sql" condition R"sql(
returning e.project_id, e.judge_id, e.span_id, e.client_id, e.id, e.trace_id,
          (extract(epoch from e.created_at) * 1000)::int8 as created_at,
          (extract(epoch from e.updated_at) * 1000)::int8 as updated_at)sql"
// NOLINTEND(cppcoreguidelines-macro-usage)

constexpr pg::Statement kStoreEvaluations = {"store_evaluations", STORE_EVALUATIONS("")};

constexpr pg::Statement kStatements[] = {kStoreEvaluations, kFindJudges};

struct Row {
  const EvaluationWrite* write;
  std::shared_ptr<const JudgeRules> judge;
  std::optional<absl::StatusOr<StoredEvaluation>> answer;
};

template <typename Value>
std::optional<Value> If(bool present, const Value& value) {
  return present ? std::optional(value) : std::nullopt;
}

// Adds the evaluation as kStoreEvaluations takes it.
void AddTo(pg::Columns<19>& columns, const EvaluationWrite& write, const JudgeRules& judge) {
  const v1::EvaluationInput& input = *write.input;
  const bool scored = judge.type == types::v1::EVALUATION_TYPE_SCORED;
  const bool has_criteria = !input.criteria_scores().empty();
  columns.AddRow(write.key.project_id, write.id, write.key.judge_id, write.key.span_id, input.span_id(),
                 write.key.client_id, static_cast<int>(judge.type), ResultOf(judge, input),
                 If<std::string_view>(input.has_evaluation_reason(), input.evaluation_reason()),
                 If(input.has_confidence_score(), input.confidence_score()), If(scored, input.score()),
                 If(scored, judge.score_min), If(scored, judge.score_max), If(scored, judge.pass_threshold),
                 has_criteria ? std::optional(criteria::ToJson(input.criteria_scores())) : std::nullopt,
                 If<std::string_view>(input.has_model_used(), input.model_used()),
                 If(input.has_evaluation_duration_ms(), input.evaluation_duration_ms()), write.submitted_by,
                 write.at);
}

// Finds the rows' judges. A row whose judge does not exist, or cannot have said that, is answered.
absl::Status CheckJudges(pg::Session& session, JudgeCache& cache, std::vector<Row>& rows) {
  std::vector<JudgeKey> keys;
  keys.reserve(rows.size());
  for (const Row& row : rows) keys.push_back({row.write->key.project_id, row.write->key.judge_id});
  ASSIGN_OR_RETURN(const auto judges, FindJudges(session, cache, keys));
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].judge = judges[i];
    const absl::Status status =
        judges[i] == nullptr ? error::JudgeNotFound() : CheckEvaluation(*judges[i], *rows[i].write->input);
    if (!status.ok()) rows[i].answer = status;
  }
  return absl::OkStatus();
}

absl::Status StoreRows(pg::Session& session, std::vector<Row>& rows) {
  pg::Columns<19> columns;
  absl::flat_hash_map<EvaluationKey, Row*> row_of_key;
  for (Row& row : rows) {
    if (row.answer) continue;
    AddTo(columns, *row.write, *row.judge);
    row_of_key.emplace(row.write->key, &row);
  }
  if (row_of_key.empty()) return absl::OkStatus();

  ASSIGN_OR_RETURN(const pqxx::result stored, columns.Execute(session, Access::kWrite, kStoreEvaluations));
  for (const pqxx::row& record : stored) {
    Row& row = *row_of_key.at({.project_id = pg::UuidFrom(record["project_id"]),
                               .judge_id = pg::UuidFrom(record["judge_id"]),
                               .span_id = pg::UuidFrom(record["span_id"]),
                               .client_id = pg::OptionalUuidFrom(record["client_id"])});
    row.answer = StoredEvaluation{.id = pg::UuidFrom(record["id"]),
                                  .trace_id = pg::OptionalUuidFrom(record["trace_id"]),
                                  .created_at = pg::TimeFrom(record["created_at"]),
                                  .updated_at = pg::TimeFrom(record["updated_at"]),
                                  .judge = row.judge};
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<absl::StatusOr<StoredEvaluation>>> StoreBatch(
    pg::Session& session, JudgeCache& cache, absl::Span<const EvaluationWrite* const> batch) {
  std::vector<Row> rows;
  rows.reserve(batch.size());
  for (const EvaluationWrite* write : batch) rows.push_back({write, nullptr, std::nullopt});

  RETURN_IF_ERROR(CheckJudges(session, cache, rows));
  const absl::Status stored = StoreRows(session, rows);
  if (absl::IsAlreadyExists(stored)) return error::EvaluationExists();
  RETURN_IF_ERROR(stored);

  std::vector<absl::StatusOr<StoredEvaluation>> answers;
  answers.reserve(rows.size());
  for (Row& row : rows) answers.push_back(*std::move(row.answer));
  return answers;
}

}  // namespace

// What says the same again is left as it is.
constexpr pg::Statement kStoreNewEvaluations = {
    "store_new_evaluations",
    STORE_EVALUATIONS("where (e.evaluation_result, e.evaluation_reason, e.score) is distinct from"
                      " (excluded.evaluation_result, excluded.evaluation_reason, excluded.score)")};

void StoreEvaluations(pqxx::transaction_base& transaction, std::span<const CheckedEvaluation> evaluations) {
  if (evaluations.empty()) return;
  pg::Columns<19> columns;
  for (const auto& [write, judge] : evaluations) AddTo(columns, *write, *judge);
  columns.Execute(transaction, kStoreNewEvaluations);
}

EvaluationBatchStore::EvaluationBatchStore(pg::ConnectionOptions connection, JudgeCache& judges)
    : judges_(judges) {
  connection.statements = kStatements;
  session_ = std::make_unique<pg::Session>(std::move(connection));
}

EvaluationBatchStore::~EvaluationBatchStore() = default;

absl::StatusOr<std::vector<absl::StatusOr<StoredEvaluation>>> EvaluationBatchStore::Store(
    absl::Span<const EvaluationWrite* const> batch) {
  try {
    return StoreBatch(*session_, judges_, batch);
  } catch (const std::exception& error) {
    // A result that cannot be read: what it says has been committed.
    log::Error("cannot read what a batch stored", {{"error", error.what()}});
    return pg::OutcomeUnknown();
  }
}

}  // namespace verdict::feedback
