#include "services/feedback/feedback_store.h"

#include <exception>
#include <string>
#include <utility>

#include "common/criteria/criteria_json.h"
#include "common/pg/execute.h"
#include "common/pg/param.h"
#include "common/pg/status.h"
#include "common/pg/value.h"
#include "common/status/macros.h"
#include "common/token/errors.h"
#include "services/feedback/errors.h"

namespace verdict::feedback {
namespace {

using pg::Access;
using pg::Statement;

constexpr Statement kFindFeedback = {"find_feedback", R"sql(
select id, prompt_id, prompt_version_id, thumbs_up, reason, expected_output, metadata::text as metadata,
       expected_score, score_direction, criteria_feedback::text as criteria_feedback, rater_id, rater_email, rater_name,
       (extract(epoch from created_at) * 1000)::int8 as created_at,
       (extract(epoch from updated_at) * 1000)::int8 as updated_at
  from feedback
 where project_id = $1 and target_type = $2 and target_id = $3 and rater_kind = $4 and rater_id = $5
   and judge_id is not distinct from $6)sql"};

constexpr Statement kWithdrawFeedback = {"withdraw_feedback", R"sql(
with withdrawn as (
  delete from feedback
   where project_id = $1 and target_type = $2 and target_id = $3 and rater_kind = $4 and rater_id = $5
     and judge_id is not distinct from $6
  returning project_id, id, revision, thumbs_up, reason, expected_output, metadata, expected_score, score_direction,
            criteria_feedback, submitted_by, updated_at, rater_id)
insert into feedback_history
  (project_id, id, revision, thumbs_up, reason, expected_output, metadata, expected_score, score_direction,
   criteria_feedback, submitted_by, written_at, rater_id, withdrawn_at)
select project_id, id, revision, thumbs_up, reason, expected_output, metadata, expected_score, score_direction,
       criteria_feedback, submitted_by, updated_at, rater_id, $7::timestamptz
  from withdrawn)sql"};

// The records first, then what they replaced: a write that was waited for has added to the history meanwhile,
// which only a later snapshot sees.
constexpr Statement kDeleteRecord = {"delete_record", R"sql(
with evaluation as (delete from evaluation where project_id = $1 and id = $2)
delete from feedback where project_id = $1 and id = $2 returning submitted_by)sql"};

// Locked in the order in which batches lock them.
constexpr Statement kEraseRecords = {"erase_records", R"sql(
with erased as (
  delete from feedback f
   using (select id from feedback where project_id = $1 and rater_id = $2
           order by target_type, target_id, rater_kind, judge_id limit 200 for update) r
   where f.project_id = $1 and f.id = r.id
  returning f.id, f.submitted_by)
select id, submitted_by, true as live from erased
union all
(select id, submitted_by, false from feedback_history
  where project_id = $1 and rater_id = $2 and withdrawn_at is not null limit 200))sql"};

constexpr Statement kEraseHistory = {"erase_history", R"sql(
with evaluation as (
  delete from evaluation_history where project_id = $1 and id = any ($2::uuid[])),
revision as (
  delete from feedback_history where project_id = $1 and id = any ($2::uuid[]) returning submitted_by),
claim as (
  update redemption r set state = 2, fp = null
    from (select submitted_by from revision union select unnest($3::uuid[])) token (id)
   where r.project_id = $1 and r.jti = token.id and r.fp is not null
  returning r.jti)
select (select count(*) from revision), (select count(*) from claim))sql"};

constexpr Statement kHasRecords = {"has_records", R"sql(
select exists (select from feedback where project_id = $1 and rater_id = $2)
    or exists (select from feedback_history where project_id = $1 and rater_id = $2 and withdrawn_at is not null))sql"};

constexpr Statement kFindTokenState = {"find_token_state", R"sql(
select r.state, $3::timestamptz < p.tokens_valid_after as revoked, $4::timestamptz <= now() as expired
  from project p
  left join redemption r on r.project_id = p.id and r.jti = $2
 where p.id = $1)sql"};

constexpr Statement kFindPromptId = {"find_prompt_id", R"sql(
select id from prompt where project_id = $1 and slug = $2)sql"};

constexpr Statement kStatements[] = {kFindFeedback, kWithdrawFeedback, kDeleteRecord,   kEraseRecords,
                                     kEraseHistory, kHasRecords,       kFindTokenState, kFindPromptId};

constexpr int kRedeemed = 1;  // redemption.state

}  // namespace

std::span<const Statement> FeedbackStore::Statements() { return kStatements; }

absl::StatusOr<v1::CompletionFeedback> FeedbackStore::FindFeedback(const FeedbackKey& key) const try {
  ASSIGN_OR_RETURN(
      const pqxx::result found,
      pg::Execute(pool_, Access::kRead, kFindFeedback, key.project_id, static_cast<int>(key.target_type),
                  key.target_id, static_cast<int>(key.rater_kind), key.rater_id, key.judge_id));
  if (found.empty()) return error::FeedbackNotFound();
  const pqxx::row row = found.front();
  v1::CompletionFeedback feedback;
  feedback.set_id(pg::StringFrom(row["id"]));
  if (!row["prompt_id"].is_null()) feedback.set_prompt_id(pg::StringFrom(row["prompt_id"]));
  if (!row["prompt_version_id"].is_null())
    feedback.set_prompt_version_id(pg::StringFrom(row["prompt_version_id"]));
  feedback.set_project_id(key.project_id.ToString());
  feedback.set_thumbs_up(row["thumbs_up"].as<bool>());
  if (!row["reason"].is_null()) feedback.set_reason(pg::StringFrom(row["reason"]));
  if (!row["expected_output"].is_null()) feedback.set_expected_output(pg::StringFrom(row["expected_output"]));
  if (!row["metadata"].is_null()) feedback.set_metadata(pg::StringFrom(row["metadata"]));
  if (key.judge_id) feedback.set_judge_id(key.judge_id->ToString());
  if (!row["expected_score"].is_null()) feedback.set_expected_score(pg::DoubleFrom(row["expected_score"]));
  feedback.set_score_direction(static_cast<types::v1::ScoreDirection>(row["score_direction"].as<int>(0)));
  if (!row["criteria_feedback"].is_null() &&
      !criteria::FromJson(pg::TextFrom(row["criteria_feedback"]), *feedback.mutable_criteria_feedback())) {
    return InternalError("feedback by criterion cannot be read");
  }
  types::v1::Person& rater = *feedback.mutable_created_by();
  rater.set_id(pg::StringFrom(row["rater_id"]));
  if (!row["rater_email"].is_null()) rater.set_email(pg::StringFrom(row["rater_email"]));
  if (!row["rater_name"].is_null()) rater.set_name(pg::StringFrom(row["rater_name"]));
  *feedback.mutable_created_at() = ToProto(pg::TimeFrom(row["created_at"]));
  *feedback.mutable_updated_at() = ToProto(pg::TimeFrom(row["updated_at"]));
  return feedback;
} catch (const std::exception& error) {
  return pg::StatusOf(error);
}

absl::Status FeedbackStore::WithdrawFeedback(const FeedbackKey& key, Time now) const {
  return pg::Execute(pool_, Access::kWrite, kWithdrawFeedback, key.project_id,
                     static_cast<int>(key.target_type), key.target_id, static_cast<int>(key.rater_kind),
                     key.rater_id, key.judge_id, now)
      .status();
}

absl::Status FeedbackStore::DeleteRecord(const Uuid& project_id, const Uuid& id) const {
  return pg::WithTransaction(pool_, pg::Isolation::kReadCommitted, [&](pqxx::transaction_base& transaction) {
    pg::Array ids;
    ids.Add(id);
    pg::Array submitted_by;
    for (const pqxx::row& record : pg::Execute(transaction, kDeleteRecord, project_id, id)) {
      submitted_by.Add(pg::UuidFrom(record["submitted_by"]));
    }
    pg::Execute(transaction, kEraseHistory, project_id, std::move(ids), std::move(submitted_by));
    return absl::OkStatus();
  });
}

absl::StatusOr<Erased> FeedbackStore::EraseSome(const Uuid& project_id, std::string_view rater_id) const {
  Erased erased;
  RETURN_IF_ERROR(
      pg::WithTransaction(pool_, pg::Isolation::kReadCommitted, [&](pqxx::transaction_base& transaction) {
        erased = {};
        pg::Array ids;
        pg::Array submitted_by;
        for (const pqxx::row& record : pg::Execute(transaction, kEraseRecords, project_id, rater_id)) {
          erased.records += record["live"].as<bool>() ? 1 : 0;
          ids.Add(pg::UuidFrom(record["id"]));
          submitted_by.Add(pg::UuidFrom(record["submitted_by"]));
        }
        const pqxx::result history =
            pg::Execute(transaction, kEraseHistory, project_id, std::move(ids), std::move(submitted_by));
        erased.revisions = history[0][0].as<int>();
        erased.claims = history[0][1].as<int>();
        // Asked last: what another erasure or withdrawal has just done is seen by now.
        erased.more = pg::Execute(transaction, kHasRecords, project_id, rater_id)[0][0].as<bool>();
        return absl::OkStatus();
      }));
  return erased;
}

absl::Status FeedbackStore::CheckToken(const token::TokenClaims& claims) const try {
  ASSIGN_OR_RETURN(const pqxx::result found, pg::Execute(pool_, Access::kRead, kFindTokenState,
                                                         claims.project, claims.jti, claims.iat, claims.exp));
  if (found.empty()) return token::error::TokenRevoked();  // with its project
  const pqxx::row row = found.front();
  if (row["expired"].as<bool>()) return token::error::TokenExpired();
  if (row["state"].is_null() && !row["revoked"].as<bool>()) return absl::OkStatus();
  return row["state"].as<int>(0) == kRedeemed ? token::error::TokenUsed() : token::error::TokenRevoked();
} catch (const std::exception& error) {
  return pg::StatusOf(error);
}

absl::StatusOr<Uuid> FeedbackStore::FindPromptId(const Uuid& project_id, std::string_view slug) const try {
  if (const auto cached = prompts_.Find(project_id, slug)) return *cached;
  ASSIGN_OR_RETURN(const pqxx::result found,
                   pg::Execute(pool_, Access::kRead, kFindPromptId, project_id, slug));
  if (found.empty()) return error::PromptNotFound(slug);
  const Uuid id = pg::UuidFrom(found[0][0]);
  prompts_.Put(project_id, slug, id);
  return id;
} catch (const std::exception& error) {
  return pg::StatusOf(error);
}

}  // namespace verdict::feedback
