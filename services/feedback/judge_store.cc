#include "services/feedback/judge_store.h"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

#include "common/pg/columns.h"
#include "common/pg/execute.h"
#include "common/pg/session.h"
#include "common/pg/status.h"
#include "common/pg/value.h"
#include "common/status/macros.h"
#include "services/feedback/criterion_list.h"
#include "services/feedback/errors.h"

namespace verdict::feedback {

namespace {

using pg::Access;
using pg::Statement;

// NOLINTBEGIN(cppcoreguidelines-macro-usage): only a macro joins literals.
#define READ_JUDGES(counts, from, condition) \
  R"sql(
select j.id, j.project_id, j.name, j.evaluation_type, j.score_min, j.score_max, j.pass_threshold,
       j.criteria::text as criteria, j.template, j.sample_rate, j.filter::text as filter, j.temperature,
       j.target_prompt_id, j.task_id, task.slug, j.is_paused, j.revision, )sql" counts R"sql(,
       (extract(epoch from j.created_at) * 1000)::int8 as created_at,
       (extract(epoch from j.modified_at) * 1000)::int8 as modified_at
  from judge j
  join prompt task on (task.project_id, task.id) = (j.project_id, j.task_id) )sql" from R"sql(
 where j.project_id = $1 and )sql" condition
#define COUNTED(condition)                                                                  \
  READ_JUDGES("e.total, e.passed", R"sql(
  cross join lateral (
       select count(*) as total, count(*) filter (where evaluation_result) as passed
         from evaluation e where e.project_id = j.project_id and e.judge_id = j.id) e)sql", \
              condition)
// As quick as can be, however many evaluations there are.
#define UNCOUNTED(condition) READ_JUDGES("null as total, null as passed", "", condition)
// NOLINTEND(cppcoreguidelines-macro-usage)

constexpr Statement kFindJudge = {"find_judge", UNCOUNTED("j.id = $2")};
constexpr Statement kCountJudge = {"count_judge", COUNTED("j.id = $2")};
constexpr Statement kListJudges = {"list_judges", COUNTED("j.id > $2 order by j.id limit $3")};
constexpr Statement kLockJudge = {"lock_judge", UNCOUNTED("j.id = $2 for update of j")};

constexpr Statement kInsertJudge = {"insert_judge", R"sql(
with task as (
  insert into prompt (project_id, id, slug, created_at) values ($1, $13, $14, $16))
insert into judge (project_id, id, name, evaluation_type, score_min, score_max, pass_threshold, criteria, template,
                   sample_rate, filter, temperature, task_id, target_prompt_id, is_paused, created_at, modified_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $15, $17, $16, $16))sql"};

constexpr Statement kUpdateJudge = {"update_judge", R"sql(
update judge
   set name = $3, score_min = $4, score_max = $5, pass_threshold = $6, criteria = $7, template = $8, sample_rate = $9,
       filter = $10, temperature = $11, target_prompt_id = $12, is_paused = $13, modified_at = $14,
       revision = revision + 1
 where project_id = $1 and id = $2)sql"};

constexpr Statement kFindPromptById = {"find_prompt_by_id", R"sql(
select from prompt where project_id = $1 and id = $2)sql"};

constexpr Statement kStatements[] = {kFindJudge,   kCountJudge,  kListJudges,    kLockJudge,
                                     kInsertJudge, kUpdateJudge, kFindPromptById};

// A judge's optional values as parameters.
template <typename Value>
std::optional<Value> If(bool present, const Value& value) {
  return present ? std::optional(value) : std::nullopt;
}
std::optional<double> ScoreMin(const v1::Judge& judge) {
  return If(judge.has_score_min(), judge.score_min());
}
std::optional<double> ScoreMax(const v1::Judge& judge) {
  return If(judge.has_score_max(), judge.score_max());
}
std::optional<double> PassThreshold(const v1::Judge& judge) {
  return If(judge.has_pass_threshold(), judge.pass_threshold());
}
std::optional<std::string_view> Template(const v1::Judge& judge) {
  return If<std::string_view>(judge.has_template_(), judge.template_());
}
std::optional<double> SampleRate(const v1::Judge& judge) {
  return If(judge.has_sample_rate(), judge.sample_rate());
}
std::optional<std::string_view> Filter(const v1::Judge& judge) {
  return If<std::string_view>(judge.has_filter(), judge.filter());
}
std::optional<double> Temperature(const v1::Judge& judge) {
  return If(judge.has_temperature(), judge.temperature());
}
std::optional<std::string_view> TargetPromptId(const v1::Judge& judge) {
  return If<std::string_view>(judge.has_target_prompt_id(), judge.target_prompt_id());
}

v1::Judge JudgeFrom(const pqxx::row& row) {
  v1::Judge judge;
  judge.set_id(pg::StringFrom(row["id"]));
  judge.set_project_id(pg::StringFrom(row["project_id"]));
  judge.set_name(pg::StringFrom(row["name"]));
  judge.set_evaluation_type(static_cast<types::v1::EvaluationType>(row["evaluation_type"].as<int>()));
  if (!row["score_min"].is_null()) judge.set_score_min(pg::DoubleFrom(row["score_min"]));
  if (!row["score_max"].is_null()) judge.set_score_max(pg::DoubleFrom(row["score_max"]));
  if (!row["pass_threshold"].is_null()) judge.set_pass_threshold(pg::DoubleFrom(row["pass_threshold"]));
  *judge.mutable_criteria() = CriteriaFrom(pg::TextFrom(row["criteria"]));
  if (!row["template"].is_null()) judge.set_template_(pg::StringFrom(row["template"]));
  if (!row["sample_rate"].is_null()) judge.set_sample_rate(pg::DoubleFrom(row["sample_rate"]));
  if (!row["filter"].is_null()) judge.set_filter(pg::StringFrom(row["filter"]));
  if (!row["temperature"].is_null()) judge.set_temperature(pg::DoubleFrom(row["temperature"]));
  if (!row["target_prompt_id"].is_null()) judge.set_target_prompt_id(pg::StringFrom(row["target_prompt_id"]));
  judge.set_task_id(pg::StringFrom(row["task_id"]));
  judge.set_prompt_slug(pg::StringFrom(row["slug"]));
  judge.set_is_paused(row["is_paused"].as<bool>());
  if (!row["total"].is_null()) {
    const auto total = row["total"].as<int64_t>();
    const auto passed = row["passed"].as<int64_t>();
    judge.set_evaluation_count(total);
    judge.set_positive_evaluations(passed);
    if (total > 0) judge.set_positive_rate(static_cast<double>(passed) / static_cast<double>(total));
  }
  *judge.mutable_created_at() = ToProto(pg::TimeFrom(row["created_at"]));
  *judge.mutable_modified_at() = ToProto(pg::TimeFrom(row["modified_at"]));
  return judge;
}

std::vector<std::string> KeysOf(const CriterionList& criteria) {
  std::vector<std::string> keys;
  for (const types::v1::Criterion& criterion : criteria) keys.push_back(criterion.key());
  return keys;
}

JudgeRules RulesOf(const v1::Judge& judge, int revision) {
  return {.name = judge.name(),
          .type = judge.evaluation_type(),
          .score_min = judge.score_min(),
          .score_max = judge.score_max(),
          .pass_threshold = judge.pass_threshold(),
          .criteria = KeysOf(judge.criteria()),
          .revision = revision};
}

JudgeRules RulesFrom(const pqxx::row& row) {
  return {.name = pg::StringFrom(row["name"]),
          .type = static_cast<types::v1::EvaluationType>(row["evaluation_type"].as<int>()),
          .score_min = row["score_min"].as<double>(0),
          .score_max = row["score_max"].as<double>(0),
          .pass_threshold = row["pass_threshold"].as<double>(0),
          .criteria = KeysOf(CriteriaFrom(pg::TextFrom(row["criteria"]))),
          .revision = row["revision"].as<int>()};
}

}  // namespace

absl::StatusOr<std::vector<std::shared_ptr<const JudgeRules>>> FindJudges(
    pg::Session& session, JudgeCache& cache, std::span<const JudgeKey> keys) try {
  std::vector<std::shared_ptr<const JudgeRules>> judges(keys.size());
  const Time read_at = cache.Now();
  pg::Columns<3> columns;
  bool complete = true;
  for (size_t i = 0; i < keys.size(); ++i) {
    judges[i] = cache.Find(keys[i]);
    if (judges[i] != nullptr) continue;
    columns.AddRow(i, keys[i].project_id, keys[i].judge_id);
    complete = false;
  }
  if (complete) return judges;

  ASSIGN_OR_RETURN(const pqxx::result found, columns.Execute(session, Access::kRead, kFindJudges));
  for (const pqxx::row& row : found) {
    const auto i = row["ord"].as<size_t>();
    judges[i] = std::make_shared<const JudgeRules>(RulesFrom(row));
    cache.Put(keys[i], judges[i], read_at);
  }
  return judges;
} catch (const std::exception& error) {
  return pg::StatusOf(error);
}

absl::flat_hash_map<JudgeName, NamedJudge> FindJudgesByName(pqxx::transaction_base& transaction,
                                                            const absl::flat_hash_set<JudgeName>& names) {
  const std::vector<JudgeName> wanted(names.begin(), names.end());
  pg::Columns<3> columns;
  for (size_t i = 0; i < wanted.size(); ++i) columns.AddRow(i, wanted[i].first, wanted[i].second);
  absl::flat_hash_map<JudgeName, NamedJudge> judges;
  for (const pqxx::row& row : columns.Execute(transaction, kFindJudgesByName)) {
    judges.emplace(wanted[row["ord"].as<size_t>()],
                   NamedJudge{.id = pg::UuidFrom(row["id"]), .rules = RulesFrom(row)});
  }
  return judges;
}

std::span<const Statement> JudgeStore::Statements() { return kStatements; }

absl::Status JudgeStore::InsertJudge(const v1::Judge& judge) const {
  const absl::Status inserted =
      pg::Execute(pool_, Access::kWrite, kInsertJudge, judge.project_id(), judge.id(), judge.name(),
                  static_cast<int>(judge.evaluation_type()), ScoreMin(judge), ScoreMax(judge),
                  PassThreshold(judge), ToJson(judge.criteria()), Template(judge), SampleRate(judge),
                  Filter(judge), Temperature(judge), judge.task_id(), judge.prompt_slug(),
                  TargetPromptId(judge), FromProto(judge.created_at()), judge.is_paused())
          .status();
  return absl::IsAlreadyExists(inserted) ? error::JudgeExists() : inserted;
}

absl::StatusOr<v1::Judge> JudgeStore::FindJudge(const JudgeKey& key, Evaluations evaluations) const try {
  const Statement& find = evaluations == Evaluations::kCounted ? kCountJudge : kFindJudge;
  ASSIGN_OR_RETURN(const pqxx::result found,
                   pg::Execute(pool_, Access::kRead, find, key.project_id, key.judge_id));
  if (found.empty()) return error::JudgeNotFound();
  return JudgeFrom(found.front());
} catch (const std::exception& error) {
  return pg::StatusOf(error);
}

absl::StatusOr<std::vector<v1::Judge>> JudgeStore::ListJudges(const Uuid& project_id, const Uuid& after,
                                                              int limit) const try {
  ASSIGN_OR_RETURN(const pqxx::result found,
                   pg::Execute(pool_, Access::kRead, kListJudges, project_id, after, limit));
  std::vector<v1::Judge> judges;
  for (const pqxx::row& row : found) judges.push_back(JudgeFrom(row));
  return judges;
} catch (const std::exception& error) {
  return pg::StatusOf(error);
}

absl::StatusOr<v1::Judge> JudgeStore::UpdateJudge(const JudgeKey& key, Time now,
                                                  absl::FunctionRef<absl::Status(v1::Judge&)> change) const {
  v1::Judge judge;
  int revision = 0;
  const Time read_at = judges_.Now();
  const absl::Status updated = pg::WithTransaction(
      pool_, pg::Isolation::kReadCommitted, [&](pqxx::transaction_base& transaction) -> absl::Status {
        const pqxx::result found = pg::Execute(transaction, kLockJudge, key.project_id, key.judge_id);
        if (found.empty()) return error::JudgeNotFound();
        judge = JudgeFrom(found.front());
        revision = found.front()["revision"].as<int>() + 1;
        RETURN_IF_ERROR(change(judge));
        const Time modified_at = std::max(now, FromProto(judge.modified_at()));
        *judge.mutable_modified_at() = ToProto(modified_at);
        pg::Execute(transaction, kUpdateJudge, key.project_id, key.judge_id, judge.name(), ScoreMin(judge),
                    ScoreMax(judge), PassThreshold(judge), ToJson(judge.criteria()), Template(judge),
                    SampleRate(judge), Filter(judge), Temperature(judge), TargetPromptId(judge),
                    judge.is_paused(), modified_at);
        return absl::OkStatus();
      });
  if (absl::IsAlreadyExists(updated)) return error::JudgeExists();
  RETURN_IF_ERROR(updated);
  judges_.Put(key, std::make_shared<const JudgeRules>(RulesOf(judge, revision)), read_at);
  return judge;
}

absl::Status JudgeStore::CheckPrompt(const Uuid& project_id, const Uuid& prompt_id) const {
  ASSIGN_OR_RETURN(const pqxx::result found,
                   pg::Execute(pool_, Access::kRead, kFindPromptById, project_id, prompt_id));
  return found.empty() ? error::PromptIdNotFound() : absl::OkStatus();
}

}  // namespace verdict::feedback
