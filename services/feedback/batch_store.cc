#include "services/feedback/batch_store.h"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "common/log/log.h"
#include "common/pg/columns.h"
#include "common/pg/param.h"
#include "common/pg/session.h"
#include "common/pg/status.h"
#include "common/pg/value.h"
#include "common/status/macros.h"
#include "common/token/errors.h"
#include "services/feedback/errors.h"
#include "services/feedback/idempotency_store.h"
#include "services/feedback/judge_store.h"
#include "verdict/feedback/v1/feedback_service.pb.h"

namespace verdict::feedback {
namespace {

using pg::Access;
using pg::Columns;

// One batch of human feedback, completions and token redemptions together, in one round trip.
//
// A token is claimed by the row it gets in `redemption`: where it has one already, has expired or was revoked
// with all others of its project, `w` leaves its feedback out and nothing of it is stored. (The claim is met
// again by its fingerprint, which tells also two tokens of one jti apart.) Whoever mentions a span or a trace
// first makes its row; the no-op updates lock it and fetch its place, so that a span that arrives at the same
// time is either seen here or sees this feedback. All sources are sorted, so that batches take their locks in
// one order.
constexpr pg::Statement kStoreFeedback = {"store_feedback", R"sql(
with b as materialized (
  select * from unnest(
      $1::uuid[], $2::uuid[], $3::smallint[], $4::uuid[], $5::text[], $6::uuid[], $7::smallint[], $8::text[], $9::text[],
      $10::text[], $11::boolean[], $12::text[], $13::text[], $14::jsonb[], $15::uuid[], $16::timestamptz[],
      $17::uuid[], $18::timestamptz[], $19::timestamptz[], $20::bytea[], $21::uuid[], $22::float8[],
      $23::smallint[], $24::jsonb[])
    as t (project_id, id, target_type, target_id, target_text, prompt_id, rater_kind, rater_id, rater_email,
          rater_name, thumbs_up, reason, expected_output, metadata, submitted_by, at,
          jti, iat, exp, fp, judge_id, expected_score, score_direction, criteria_feedback)),
claim as (
  insert into redemption (project_id, jti, state, fp, exp, at)
  select b.project_id, b.jti, 1, b.fp, b.exp, b.at
    from b join project p on p.id = b.project_id
   where b.jti is not null and b.exp > now() and b.iat >= p.tokens_valid_after
   order by b.project_id, b.jti
  on conflict do nothing
  returning project_id, jti, fp),
w as materialized (
  select * from b where jti is null
  union all
  select b.* from b join claim using (project_id, jti, fp)),
sp as (
  insert into span as s (project_id, span_id)
  select distinct project_id, target_id from w where target_type = 1 order by 1, 2
  on conflict (project_id, span_id) do update set span_id = excluded.span_id
  returning s.project_id, s.span_id, s.trace_id, s.session_id, s.prompt_version_id),
tr as (
  insert into trace as t (project_id, trace_id)
  select project_id, trace_id from sp where trace_id is not null
  union select project_id, target_id from w where target_type = 2
  order by 1, 2
  on conflict (project_id, trace_id) do update set trace_id = excluded.trace_id
  returning t.project_id, t.trace_id, t.session_id)
insert into feedback as f
  (project_id, id, target_type, target_id, target_text, prompt_id, rater_kind, rater_id, rater_email, rater_name,
   judge_id, thumbs_up, reason, expected_output, metadata, expected_score, score_direction, criteria_feedback, via,
   submitted_by, created_at, updated_at, trace_id, session_id, prompt_version_id)
select w.project_id, w.id, w.target_type, w.target_id, w.target_text, w.prompt_id, w.rater_kind, w.rater_id,
       w.rater_email, w.rater_name, w.judge_id, w.thumbs_up, w.reason, w.expected_output, w.metadata,
       w.expected_score, w.score_direction, w.criteria_feedback,
       case when w.jti is null then 1 else 2 end, w.submitted_by, w.at, w.at,
       case w.target_type when 1 then sp.trace_id when 2 then w.target_id end,
       case w.target_type when 3 then w.target_id else coalesce(sp.session_id, tr.session_id) end,
       sp.prompt_version_id
  from w
  left join sp on w.target_type = 1 and (sp.project_id, sp.span_id) = (w.project_id, w.target_id)
  left join tr on tr.project_id = w.project_id
              and tr.trace_id = case w.target_type when 1 then sp.trace_id when 2 then w.target_id end
 order by w.project_id, w.target_type, w.target_id, w.rater_kind, w.rater_id, w.judge_id
on conflict (project_id, target_type, target_id, rater_kind, rater_id, judge_id) do update
   set target_text = excluded.target_text, prompt_id = coalesce(excluded.prompt_id, f.prompt_id),
       rater_email = excluded.rater_email, rater_name = excluded.rater_name, thumbs_up = excluded.thumbs_up,
       reason = excluded.reason, expected_output = excluded.expected_output, metadata = excluded.metadata,
       expected_score = excluded.expected_score, score_direction = excluded.score_direction,
       criteria_feedback = excluded.criteria_feedback, via = excluded.via, submitted_by = excluded.submitted_by,
       revision = f.revision + 1,
       updated_at = greatest(f.updated_at, excluded.updated_at),
       trace_id = coalesce(excluded.trace_id, f.trace_id), session_id = coalesce(excluded.session_id, f.session_id),
       prompt_version_id = coalesce(excluded.prompt_version_id, f.prompt_version_id)
returning f.project_id, f.target_type, f.target_id, f.rater_kind, f.rater_id, f.judge_id, f.id,
          (extract(epoch from f.created_at) * 1000)::int8, (extract(epoch from f.updated_at) * 1000)::int8,
          f.prompt_id, f.prompt_version_id)sql"};

// What became of tokens that could not be claimed; a statement of its own, because it needs a later snapshot.
// Of the record no more than id and creation is told: its present values may have come by other ways.
constexpr pg::Statement kFindRedemptions = {"find_redemptions", R"sql(
select b.ord, r.state, r.fp = b.fp, b.exp <= now(), f.id, (extract(epoch from f.created_at) * 1000)::int8,
       (extract(epoch from greatest(r.at, f.created_at)) * 1000)::int8
  from unnest($1::int[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::bytea[], $6::smallint[], $7::uuid[],
              $8::smallint[], $9::text[])
       as b (ord, project_id, jti, exp, fp, target_type, target_id, rater_kind, rater_id)
  left join lateral (
       select r.state, r.fp, r.at from redemption r
        where r.project_id = b.project_id and r.jti = b.jti limit 1) r on true
  left join lateral (
       select f.id, f.created_at from feedback f
        where r.state = 1 and r.fp = b.fp and f.project_id = b.project_id and f.target_type = b.target_type
          and f.target_id = b.target_id and f.rater_kind = b.rater_kind and f.rater_id = b.rater_id
          and f.judge_id is null limit 1) f on true)sql"};

constexpr pg::Statement kFindPrompts = {"find_prompts", R"sql(
select b.ord, p.id
  from unnest($1::int[], $2::uuid[], $3::text[]) as b (ord, project_id, slug)
  cross join lateral (
       select p.id from prompt p where p.project_id = b.project_id and p.slug = b.slug limit 1) p)sql"};

constexpr pg::Statement kStatements[] = {
    kStoreFeedback,        kFindRedemptions, kFindPrompts,   kFindJudges,
    kClaimIdempotencyKeys, kKeepResponses,   kFindResponses,
};

constexpr int kRedeemed = 1;  // redemption.state

struct Row {
  const FeedbackWrite* write;
  std::optional<Uuid> prompt_id;
  std::optional<absl::StatusOr<StoredFeedback>> answer;
};
using Rows = std::vector<Row*>;

pg::Bytes BytesOf(const crypto::Digest& digest) { return {crypto::AsText(digest)}; }

template <typename Condition>
Rows Select(const Rows& rows, Condition condition) {
  Rows selected;
  std::ranges::copy_if(rows, std::back_inserter(selected), condition);
  return selected;
}

void AnswerAll(const Rows& rows, const absl::Status& status) {
  for (Row* row : rows) row->answer = status;
}

// Finds the prompts that the rows name by slug. A row whose prompt does not exist is answered.
absl::Status FindPrompts(pg::Session& session, PromptCache& prompts, const Rows& rows) {
  Columns<3> columns;
  Rows unknown;
  for (Row* row : rows) {
    const FeedbackWrite& write = *row->write;
    if (!write.prompt_slug) continue;
    row->prompt_id = prompts.Find(write.key.project_id, *write.prompt_slug);
    if (row->prompt_id) continue;
    columns.AddRow(unknown.size(), write.key.project_id, *write.prompt_slug);
    unknown.push_back(row);
  }
  if (unknown.empty()) return absl::OkStatus();

  ASSIGN_OR_RETURN(const pqxx::result found, columns.Execute(session, Access::kRead, kFindPrompts));
  for (const auto& record : found) {
    Row& row = *unknown[record[0].as<size_t>()];
    row.prompt_id = pg::UuidFrom(record[1]);
    prompts.Put(row.write->key.project_id, *row.write->prompt_slug, *row.prompt_id);
  }
  for (Row* row : unknown) {
    if (!row->prompt_id) row->answer = error::PromptNotFound(*row->write->prompt_slug);
  }
  return absl::OkStatus();
}

// Finds the judges that the rows are about. A row whose judge does not exist, or of whose score that cannot
// be said, is answered.
absl::Status CheckJudges(pg::Session& session, JudgeCache& cache, const Rows& rows) {
  std::vector<JudgeKey> keys;
  for (const Row* row : rows) keys.push_back({row->write->key.project_id, *row->write->key.judge_id});
  ASSIGN_OR_RETURN(const auto judges, FindJudges(session, cache, keys));
  for (size_t i = 0; i < rows.size(); ++i) {
    const absl::Status status =
        judges[i] == nullptr ? error::JudgeNotFound() : CheckScoreFeedback(*judges[i], rows[i]->write->score);
    if (!status.ok()) rows[i]->answer = status;
  }
  return absl::OkStatus();
}

// The rows as kStoreFeedback takes them.
Columns<24> ToStore(const Rows& rows) {
  Columns<24> columns;
  for (const Row* row : rows) {
    const FeedbackWrite& write = *row->write;
    std::optional<Uuid> jti;
    std::optional<Time> iat;
    std::optional<Time> exp;
    std::optional<pg::Bytes> fingerprint;
    if (const auto& token = write.token) {
      jti = token->jti;
      iat = token->iat;
      exp = token->exp;
      fingerprint = BytesOf(token->fingerprint);
    }
    std::optional<int> score_direction;
    if (write.score.direction != types::v1::SCORE_DIRECTION_UNSPECIFIED) {
      score_direction = write.score.direction;
    }
    columns.AddRow(write.key.project_id, write.id, static_cast<int>(write.key.target_type),
                   write.key.target_id, write.target_text, row->prompt_id,
                   static_cast<int>(write.key.rater_kind), write.key.rater_id, write.rater_email,
                   write.rater_name, write.thumbs_up, write.reason, write.expected_output, write.metadata,
                   write.submitted_by, write.at, jti, iat, exp, fingerprint, write.key.judge_id,
                   write.score.expected_score, score_direction, write.score.CriteriaJson());
  }
  return columns;
}

// Answers the rows that kStoreFeedback stored. By key: the order of its result is nobody's promise.
void AnswerStored(const Rows& rows, const pqxx::result& stored) {
  absl::flat_hash_map<FeedbackKey, Row*> row_of_key;
  for (Row* row : rows) row_of_key.emplace(row->write->key, row);
  for (const auto& record : stored) {
    Row& row = *row_of_key.at({.project_id = pg::UuidFrom(record[0]),
                               .target_type = static_cast<types::v1::EntityType>(record[1].as<int>()),
                               .target_id = pg::UuidFrom(record[2]),
                               .rater_kind = static_cast<RaterKind>(record[3].as<int>()),
                               .rater_id = std::string(pg::TextFrom(record[4])),
                               .judge_id = pg::OptionalUuidFrom(record[5])});
    row.answer = StoredFeedback{.id = pg::UuidFrom(record[6]),
                                .prompt_id = pg::OptionalUuidFrom(record[9]),
                                .created_at = pg::TimeFrom(record[7]),
                                .updated_at = pg::TimeFrom(record[8]),
                                .prompt_version_id = pg::OptionalUuidFrom(record[10])};
  }
}

// What an idempotency record keeps: the part of the answer that the request does not say.
std::string Serialize(const StoredFeedback& stored) {
  v1::CompletionFeedback message;
  message.set_id(stored.id.ToString());
  if (stored.prompt_id) message.set_prompt_id(stored.prompt_id->ToString());
  if (stored.prompt_version_id) message.set_prompt_version_id(stored.prompt_version_id->ToString());
  *message.mutable_created_at() = ToProto(stored.created_at);
  *message.mutable_updated_at() = ToProto(stored.updated_at);
  return message.SerializeAsString();
}

absl::StatusOr<StoredFeedback> Deserialize(const std::string& bytes) {
  v1::CompletionFeedback message;
  if (!message.ParseFromString(bytes)) return InternalError("an idempotency record cannot be read");
  return StoredFeedback{.id = Uuid::Parse(message.id()).value_or(Uuid{}),
                        .prompt_id = Uuid::Parse(message.prompt_id()),
                        .created_at = FromProto(message.created_at()),
                        .updated_at = FromProto(message.updated_at()),
                        .prompt_version_id = Uuid::Parse(message.prompt_version_id()),
                        .replayed = true};
}

// Claims the rows' Idempotency-Keys and returns the rows that got theirs.
Rows ClaimIdempotencyKeys(pqxx::transaction_base& transaction, const Rows& rows) {
  Columns<4> columns;
  absl::flat_hash_map<std::tuple<Uuid, Uuid, std::string>, Row*> row_of_key;
  for (Row* row : rows) {
    const Uuid& project_id = row->write->key.project_id;
    const IdempotencyClaim& claim = *row->write->idempotency;
    columns.AddRow(project_id, claim.owner, claim.key, BytesOf(claim.body_hash));
    row_of_key.emplace(std::tuple(project_id, claim.owner, claim.key), row);
  }
  Rows claimed;
  for (const auto& record : columns.Execute(transaction, kClaimIdempotencyKeys)) {
    claimed.push_back(row_of_key.at(
        {pg::UuidFrom(record[0]), pg::UuidFrom(record[1]), std::string(pg::TextFrom(record[2]))}));
  }
  return claimed;
}

// Stores rows of which some have an Idempotency-Key: these count only where the key is new.
absl::Status StoreOnce(pg::Session& session, const Rows& rows) {
  const auto has_key = [](const Row* row) { return row->write->idempotency.has_value(); };
  return session.WithTransaction(pg::Isolation::kReadCommitted, [&](pqxx::transaction_base& transaction) {
    for (Row* row : rows) row->answer.reset();  // this may be another attempt
    const Rows claimed = ClaimIdempotencyKeys(transaction, Select(rows, has_key));
    Rows writes = Select(rows, std::not_fn(has_key));
    writes.insert(writes.end(), claimed.begin(), claimed.end());
    AnswerStored(writes, ToStore(writes).Execute(transaction, kStoreFeedback));
    Columns<5> responses;
    for (const Row* row : claimed) {
      const std::string response = Serialize(**row->answer);
      const IdempotencyClaim& claim = *row->write->idempotency;
      responses.AddRow(row->write->key.project_id, claim.owner, claim.key, BytesOf(claim.body_hash),
                       pg::Bytes{response});
    }
    responses.Execute(transaction, kKeepResponses);
    return absl::OkStatus();
  });
}

absl::StatusOr<StoredFeedback> RedemptionAnswer(const pqxx::row& record) {
  const bool known = !record[1].is_null();
  if (!known) {
    if (record[3].as<bool>()) return token::error::TokenExpired();
    return token::error::TokenRevoked();  // with all others of its project
  }
  if (record[1].as<int>() != kRedeemed) return token::error::TokenRevoked();
  // The same values again, unless the record has been withdrawn since.
  if (!record[2].as<bool>() || record[4].is_null()) return token::error::TokenUsed();
  return StoredFeedback{.id = pg::UuidFrom(record[4]),
                        .created_at = pg::TimeFrom(record[5]),
                        .updated_at = pg::TimeFrom(record[6]),
                        .replayed = true};
}

// Answers the rows whose token could not be claimed.
void AnswerUnclaimedTokens(pg::Session& session, const Rows& rows) {
  if (rows.empty()) return;
  Columns<9> columns;
  for (size_t i = 0; i < rows.size(); ++i) {
    const FeedbackKey& key = rows[i]->write->key;
    const TokenClaim& token = *rows[i]->write->token;
    columns.AddRow(i, key.project_id, token.jti, token.exp, BytesOf(token.fingerprint),
                   static_cast<int>(key.target_type), key.target_id, static_cast<int>(key.rater_kind),
                   key.rater_id);
  }
  const absl::StatusOr<pqxx::result> found = columns.Execute(session, Access::kRead, kFindRedemptions);
  if (!found.ok()) return AnswerAll(rows, found.status());
  for (const auto& record : *found) rows[record[0].as<size_t>()]->answer = RedemptionAnswer(record);
}

// Answers the rows whose Idempotency-Key was used before; others keep the answer that they have.
void RecallAnswers(pg::Session& session, const Rows& rows) {
  if (rows.empty()) return;
  Columns<5> columns;
  for (size_t i = 0; i < rows.size(); ++i) {
    const IdempotencyClaim& claim = *rows[i]->write->idempotency;
    columns.AddRow(i, rows[i]->write->key.project_id, claim.owner, claim.key, BytesOf(claim.body_hash));
  }
  const absl::StatusOr<pqxx::result> found = columns.Execute(session, Access::kRead, kFindResponses);
  if (!found.ok()) return AnswerAll(rows, found.status());
  for (const auto& record : *found) {
    rows[record[0].as<size_t>()]->answer =
        record[1].as<bool>() ? Deserialize(pg::BytesFrom(record[2])) : error::IdempotencyMismatch();
  }
}

// Answers the rows whose Idempotency-Key could not be claimed.
void AnswerUnclaimedKeys(pg::Session& session, const Rows& rows) {
  AnswerAll(rows, error::IdempotencyInProgress());  // a record that was collected just now is found no more
  RecallAnswers(session, rows);
}

absl::StatusOr<std::vector<absl::StatusOr<StoredFeedback>>> StoreBatch(
    pg::Session& session, PromptCache& prompts, JudgeCache& judges,
    absl::Span<const FeedbackWrite* const> batch) {
  std::vector<Row> batch_rows(batch.size());
  Rows rows;
  for (size_t i = 0; i < batch.size(); ++i) {
    batch_rows[i].write = batch[i];
    rows.push_back(&batch_rows[i]);
  }
  const auto is_open = [](const Row* row) { return !row->answer.has_value(); };

  RETURN_IF_ERROR(FindPrompts(session, prompts, rows));
  RETURN_IF_ERROR(CheckJudges(session, judges, Select(rows, [&](const Row* row) {
                                return is_open(row) && row->write->key.judge_id.has_value();
                              })));
  const Rows refused =
      Select(rows, [&](const Row* row) { return !is_open(row) && row->write->idempotency.has_value(); });
  const Rows writes = Select(rows, is_open);
  if (std::ranges::any_of(writes, [](const Row* row) { return row->write->idempotency.has_value(); })) {
    RETURN_IF_ERROR(StoreOnce(session, writes));
  } else if (!writes.empty()) {
    ASSIGN_OR_RETURN(const pqxx::result stored,
                     ToStore(writes).Execute(session, Access::kWrite, kStoreFeedback));
    AnswerStored(writes, stored);
  }

  // From here on the batch is committed: what fails now fails those rows alone that had nothing to store.
  AnswerUnclaimedTokens(session,
                        Select(rows, [&](const Row* row) { return is_open(row) && row->write->token; }));
  AnswerUnclaimedKeys(session, Select(rows, is_open));
  // What was stored once is answered so again, whatever its judge has become since.
  RecallAnswers(session, refused);

  std::vector<absl::StatusOr<StoredFeedback>> answers;
  answers.reserve(batch_rows.size());
  for (Row& row : batch_rows) answers.push_back(*std::move(row.answer));
  return answers;
}

}  // namespace

BatchStore::BatchStore(pg::ConnectionOptions connection, PromptCache& prompts, JudgeCache& judges)
    : prompts_(prompts), judges_(judges) {
  connection.statements = kStatements;
  session_ = std::make_unique<pg::Session>(std::move(connection));
}

BatchStore::~BatchStore() = default;

absl::StatusOr<std::vector<absl::StatusOr<StoredFeedback>>> BatchStore::Store(
    absl::Span<const FeedbackWrite* const> batch) {
  try {
    return StoreBatch(*session_, prompts_, judges_, batch);
  } catch (const std::exception& error) {
    // A result that cannot be read: what it says has been committed.
    log::Error("cannot read what a batch stored", {{"error", error.what()}});
    return pg::OutcomeUnknown();
  }
}

}  // namespace verdict::feedback
