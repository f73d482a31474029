#include "services/aggregator/evaluation_store.h"

#include <string>
#include <vector>

#include <pqxx/pqxx>

#include "common/criteria/criteria_json.h"
#include "common/pg/execute.h"
#include "common/pg/value.h"
#include "services/aggregator/errors.h"
#include "services/aggregator/statements.h"
#include "services/aggregator/store_read.h"

namespace verdict::aggregator {
namespace {

using pg::Statement;
using types::v1::Evaluation;

// In the order of `Column`; a time is milliseconds since 1970.
#define EVALUATION_COLUMNS                                                                                   \
  "id, span_text, judge_id, judge.name, evaluation_type, evaluation_result, evaluation_reason, "             \
  "confidence_score,"                                                                                        \
  " score, score_min, score_max, pass_threshold, criteria_scores::text, model_used, evaluation_duration_ms," \
  " trace_id, (extract(epoch from created_at) * 1000)::int8, (extract(epoch from updated_at) * 1000)::int8"

#define JUDGE                                         \
  " cross join lateral (select judge.name from judge" \
  "  where judge.project_id = $1::uuid and judge.id = evaluation.judge_id limit 1) judge"

// The parameters of a JudgeSelection, from $3 on.
#define OF_JUDGE                                                                                        \
  " where project_id = $1::uuid and judge_id = $2::uuid"                                                \
  " and ($3::timestamptz is null or created_at >= $3) and ($4::timestamptz is null or created_at < $4)" \
  " and ($5::bool is null or evaluation_result = $5)"                                                   \
  " and ($6::bool is null or $6 = exists (select from feedback where feedback.project_id = $1::uuid"    \
  "  and target_type = 1 and target_id = evaluation.span_id and feedback.judge_id = $2::uuid))"

constexpr Statement kFindJudge = {.name = "find_judge",
                                  .sql = "select from judge where project_id = $1::uuid and id = $2::uuid"};
// Cursors are planned for the values that they are opened with: without filters the count needs the index
// alone.
constexpr Statement kOpenCountOfJudge = {
    .name = "open_judge_count",
    .sql = "declare found no scroll cursor for select count(*) from evaluation" OF_JUDGE};
constexpr Statement kOpenOfJudge = {
    .name = "open_judge_evaluations",
    .sql = "declare found no scroll cursor for select " EVALUATION_COLUMNS
           " from (select * from evaluation" OF_JUDGE
           " order by created_at desc, id limit $7::int4 offset $8::int4) evaluation" JUDGE
           " order by created_at desc, id"};
constexpr Statement kOpenOfSpan = {.name = "open_span_evaluations",
                                   .sql = "declare found no scroll cursor for select " EVALUATION_COLUMNS
                                          " from evaluation" JUDGE
                                          " where project_id = $1::uuid and span_id = $2::uuid"
                                          " order by created_at, id"};

enum Column : int {
  kId,
  kSpanText,
  kJudgeId,
  kJudgeName,
  kType,
  kResult,
  kReason,
  kConfidenceScore,
  kScore,
  kScoreMin,
  kScoreMax,
  kPassThreshold,
  kCriteriaScores,
  kModelUsed,
  kDuration,
  kTraceId,
  kCreatedAt,
  kUpdatedAt,
};

Evaluation EvaluationFrom(const pg::Row& row) {
  Evaluation evaluation;
  evaluation.set_id(pg::StringFrom(row[kId]));
  evaluation.set_span_id(pg::StringFrom(row[kSpanText]));
  evaluation.set_judge_id(pg::StringFrom(row[kJudgeId]));
  evaluation.set_judge_name(pg::StringFrom(row[kJudgeName]));
  evaluation.set_evaluation_type(static_cast<types::v1::EvaluationType>(row[kType].as<int>()));
  evaluation.set_evaluation_result(row[kResult].as<bool>());
  if (!row[kReason].is_null()) evaluation.set_evaluation_reason(pg::StringFrom(row[kReason]));
  if (!row[kConfidenceScore].is_null())
    evaluation.set_confidence_score(pg::DoubleFrom(row[kConfidenceScore]));
  if (!row[kScore].is_null()) evaluation.set_score(pg::DoubleFrom(row[kScore]));
  if (!row[kScoreMin].is_null()) evaluation.set_score_min(pg::DoubleFrom(row[kScoreMin]));
  if (!row[kScoreMax].is_null()) evaluation.set_score_max(pg::DoubleFrom(row[kScoreMax]));
  if (!row[kPassThreshold].is_null()) evaluation.set_pass_threshold(pg::DoubleFrom(row[kPassThreshold]));
  if (!row[kCriteriaScores].is_null() &&
      !criteria::FromJson(pg::TextFrom(row[kCriteriaScores]), *evaluation.mutable_criteria_scores())) {
    throw pqxx::conversion_error("The column criteria_scores holds no values by criterion.");
  }
  if (!row[kModelUsed].is_null()) evaluation.set_model_used(pg::StringFrom(row[kModelUsed]));
  if (!row[kDuration].is_null()) evaluation.set_evaluation_duration_ms(row[kDuration].as<int>());
  if (!row[kTraceId].is_null()) evaluation.set_trace_id(pg::StringFrom(row[kTraceId]));
  *evaluation.mutable_created_at() = ToProto(pg::TimeFrom(row[kCreatedAt]));
  *evaluation.mutable_updated_at() = ToProto(pg::TimeFrom(row[kUpdatedAt]));
  return evaluation;
}

}  // namespace

absl::Status EvaluationStore::ListOfJudge(const Uuid& project_id, const Uuid& judge_id,
                                          const JudgeSelection& selection, TakeTotal take_total,
                                          TakeEvaluation take) const {
  const auto open = [&](pqxx::transaction_base& transaction) {
    if (pg::Execute(transaction, kFindJudge, project_id, judge_id).empty()) return error::JudgeNotFound();
    pg::Execute(transaction, kOpenCountOfJudge, project_id, judge_id, selection.start_date,
                selection.end_date, selection.evaluation_result, selection.with_user_feedback);
    take_total(pg::Execute(transaction, kFetch).front()[0].as<int>());
    pg::Execute(transaction, kClose);
    pg::Execute(transaction, kOpenOfJudge, project_id, judge_id, selection.start_date, selection.end_date,
                selection.evaluation_result, selection.with_user_feedback, selection.limit, selection.offset);
    return absl::OkStatus();
  };
  return PassOn(reads_, streams_, project_id, open, EvaluationFrom, take);
}

absl::Status EvaluationStore::ListOfSpan(const Uuid& project_id, const Uuid& span_key,
                                         TakeEvaluation take) const {
  const auto open = [&](pqxx::transaction_base& transaction) {
    pg::Execute(transaction, kOpenOfSpan, project_id, span_key);
    return absl::OkStatus();
  };
  return PassOn(reads_, streams_, project_id, open, EvaluationFrom, take);
}

std::vector<Statement> EvaluationStore::EvaluationStatements() {
  return {kFindJudge, kOpenCountOfJudge, kOpenOfJudge, kOpenOfSpan};
}

}  // namespace verdict::aggregator
