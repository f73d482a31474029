#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/ids/uuid.h"
#include "common/pg/pool.h"
#include "common/pg/statement.h"
#include "services/feedback/judge_cache.h"
#include "services/feedback/judge_rules.h"
#include "verdict/feedback/v1/judge_service.pb.h"

namespace pqxx {
class transaction_base;  // NOLINT(readability-identifier-naming): libpqxx has it so.
}
namespace verdict::pg {
class Session;
}

namespace verdict::feedback {

// What FindJudges runs; prepared on the connection that it is given. Judges are looked up one by one: a plan
// made while the table was small may join the whole of it.
inline constexpr pg::Statement kFindJudges = {"find_judges", R"sql(
select b.ord, j.name, j.evaluation_type, j.score_min, j.score_max, j.pass_threshold, j.criteria, j.revision
  from unnest($1::int[], $2::uuid[], $3::uuid[]) as b (ord, project_id, id)
  cross join lateral (
       select j.name, j.evaluation_type, j.score_min, j.score_max, j.pass_threshold, j.criteria::text, j.revision
         from judge j where j.project_id = b.project_id and j.id = b.id limit 1) j)sql"};

// The judges of the keys, in order; null for one that does not exist. What the cache does not know takes one
// statement. Fails as Session::Execute does.
absl::StatusOr<std::vector<std::shared_ptr<const JudgeRules>>> FindJudges(pg::Session& session,
                                                                          JudgeCache& cache,
                                                                          std::span<const JudgeKey> keys);

// What FindJudgesByName runs; prepared on the connection that it is given.
inline constexpr pg::Statement kFindJudgesByName = {"find_judges_by_name", R"sql(
select b.ord, j.id, j.name, j.evaluation_type, j.score_min, j.score_max, j.pass_threshold, j.criteria, j.revision
  from unnest($1::int[], $2::uuid[], $3::text[]) as b (ord, project_id, name)
  cross join lateral (
       select j.id, j.name, j.evaluation_type, j.score_min, j.score_max, j.pass_threshold, j.criteria::text, j.revision
         from judge j where j.project_id = b.project_id and j.name = b.name limit 1) j)sql"};

// A project, and the name of a judge.
using JudgeName = std::pair<Uuid, std::string_view>;
struct NamedJudge {
  Uuid id = {};
  JudgeRules rules = {};
};

// The judges of the names that there are. Throws as pg::Execute does.
absl::flat_hash_map<JudgeName, NamedJudge> FindJudgesByName(pqxx::transaction_base& transaction,
                                                            const absl::flat_hash_set<JudgeName>& names);

// The SQL of judges. Beyond what a call names it fails as pg::Execute does. Thread-safe.
class JudgeStore {
 public:
  // `pool` has Statements(); it and `judges` outlive the store.
  JudgeStore(pg::Pool& pool, JudgeCache& judges) : pool_(pool), judges_(judges) {}

  static std::span<const pg::Statement> Statements();

  // Stores a judge that CompleteJudge has passed, and the prompt that its task_id and prompt_slug name.
  // ALREADY_EXISTS when the project has a judge of the name.
  absl::Status InsertJudge(const v1::Judge& judge) const;

  // Counting takes as long as there are evaluations.
  enum class Evaluations { kCounted, kUncounted };

  // JUDGE_NOT_FOUND.
  absl::StatusOr<v1::Judge> FindJudge(const JudgeKey& key, Evaluations evaluations) const;

  // At most `limit` judges by id, from the first after `after`; with their evaluations counted.
  absl::StatusOr<std::vector<v1::Judge>> ListJudges(const Uuid& project_id, const Uuid& after,
                                                    int limit) const;

  // Stores what `change` makes of the judge, and returns it. Nobody else changes it meanwhile; `change` may
  // run several times, and its error is returned. JUDGE_NOT_FOUND; ALREADY_EXISTS when the project has
  // another judge of the new name.
  absl::StatusOr<v1::Judge> UpdateJudge(const JudgeKey& key, Time now,
                                        absl::FunctionRef<absl::Status(v1::Judge&)> change) const;

  // PROMPT_NOT_FOUND.
  absl::Status CheckPrompt(const Uuid& project_id, const Uuid& prompt_id) const;

 private:
  pg::Pool& pool_;
  JudgeCache& judges_;
};

}  // namespace verdict::feedback
