#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/pg/pool.h"
#include "common/pg/statement.h"
#include "services/feedback/write_call.h"

namespace verdict::feedback {

// Claims keys that are new, older than a day, or held for a minute without an answer: whoever claimed those
// has died, since no call may take that long. A key that another transaction has just claimed is waited for.
// One clock, the database's, tells for all processes.
inline constexpr pg::Statement kClaimIdempotencyKeys = {"claim_idempotency_keys", R"sql(
insert into idempotency as i (project_id, owner, key, body_hash, created_at)
select project_id, owner, key, body_hash, now()
  from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[]) as b (project_id, owner, key, body_hash)
 order by 1, 2, 3
on conflict (project_id, owner, key) do update
   set body_hash = excluded.body_hash, response = null, created_at = excluded.created_at
 where i.created_at < now() - interval '24 hours'
    or i.response is null and i.created_at < now() - interval '1 minute'
returning i.project_id, i.owner, i.key)sql"};

// A key that has meanwhile been claimed for another body is left alone.
inline constexpr pg::Statement kKeepResponses = {"keep_responses", R"sql(
update idempotency i set response = b.response
  from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[], $5::bytea[])
       as b (project_id, owner, key, body_hash, response)
 where (i.project_id, i.owner, i.key) = (b.project_id, b.owner, b.key) and i.body_hash = b.body_hash)sql"};

inline constexpr pg::Statement kFindResponses = {"find_responses", R"sql(
select b.ord, i.body_hash = b.body_hash, i.response
  from unnest($1::int[], $2::uuid[], $3::uuid[], $4::text[], $5::bytea[]) as b (ord, project_id, owner, key, body_hash)
  cross join lateral (
       select i.body_hash, i.response from idempotency i
        where (i.project_id, i.owner, i.key) = (b.project_id, b.owner, b.key) limit 1) i)sql"};

// The records of Idempotency-Keys whose requests do not run in the transaction that claims them. Each call is
// committed when it returns; beyond what it names it fails as pg::Execute does. Thread-safe.
class IdempotencyStore {
 public:
  // `pool` has Statements(), and outlives the store.
  explicit IdempotencyStore(pg::Pool& pool) : pool_(pool) {}

  static std::span<const pg::Statement> Statements();

  // Claims the key: nothing when the request is to run now, else the kept answer to an equal request.
  // IDEMPOTENCY_IN_PROGRESS, IDEMPOTENCY_MISMATCH.
  absl::StatusOr<std::optional<std::string>> Claim(const Uuid& project_id,
                                                   const IdempotencyClaim& claim) const;

  // Ends a claim: keeps the answer for equal requests. An empty one lets these run again.
  absl::Status Keep(const Uuid& project_id, const IdempotencyClaim& claim, std::string_view response) const;

  // Ends a claim as if it had never been.
  absl::Status Release(const Uuid& project_id, const IdempotencyClaim& claim) const;

 private:
  pg::Pool& pool_;
};

}  // namespace verdict::feedback
