#include "services/feedback/idempotency_store.h"

#include <exception>
#include <utility>

#include "common/pg/execute.h"
#include "common/pg/status.h"
#include "common/pg/value.h"
#include "common/status/error.h"
#include "common/status/macros.h"
#include "services/feedback/errors.h"

namespace verdict::feedback {
namespace {

using pg::Access;

constexpr pg::Statement kReleaseIdempotencyKey = {"release_idempotency_key", R"sql(
delete from idempotency
 where project_id = $1 and owner = $2 and key = $3 and body_hash = $4 and response is null)sql"};

constexpr pg::Statement kStatements[] = {kClaimIdempotencyKeys, kKeepResponses, kFindResponses,
                                         kReleaseIdempotencyKey};

// A column's array of one.
template <typename Value>
pg::Array One(const Value& value) {
  pg::Array array;
  array.Add(value);
  return array;
}

pg::Bytes HashOf(const IdempotencyClaim& claim) { return {crypto::AsText(claim.body_hash)}; }

}  // namespace

std::span<const pg::Statement> IdempotencyStore::Statements() { return kStatements; }

absl::StatusOr<std::optional<std::string>> IdempotencyStore::Claim(const Uuid& project_id,
                                                                   const IdempotencyClaim& claim) const try {
  const absl::StatusOr<pqxx::result> claimed =
      pg::Execute(pool_, Access::kWrite, kClaimIdempotencyKeys, One(project_id), One(claim.owner),
                  One(claim.key), One(HashOf(claim)));
  if (!claimed.ok()) {
    // A claim that may have been made would be in the way of the repeat.
    if (ReasonOf(claimed.status()) == errors::v1::REASON_OUTCOME_UNKNOWN) {
      Release(project_id, claim).IgnoreError();
    }
    return claimed.status();
  }
  if (!claimed->empty()) return std::nullopt;
  ASSIGN_OR_RETURN(const pqxx::result found,
                   pg::Execute(pool_, Access::kRead, kFindResponses, One(0), One(project_id),
                               One(claim.owner), One(claim.key), One(HashOf(claim))));
  if (found.empty()) return error::IdempotencyInProgress();  // released just now
  const pqxx::row row = found.front();
  if (!row[1].as<bool>()) return error::IdempotencyMismatch();
  if (row[2].is_null()) return error::IdempotencyInProgress();
  std::string response = pg::BytesFrom(row[2]);
  if (response.empty()) return std::nullopt;
  return response;
} catch (const std::exception& error) {
  return pg::StatusOf(error);
}

absl::Status IdempotencyStore::Keep(const Uuid& project_id, const IdempotencyClaim& claim,
                                    std::string_view response) const {
  return pg::Execute(pool_, Access::kWrite, kKeepResponses, One(project_id), One(claim.owner), One(claim.key),
                     One(HashOf(claim)), One(pg::Bytes{response}))
      .status();
}

absl::Status IdempotencyStore::Release(const Uuid& project_id, const IdempotencyClaim& claim) const {
  return pg::Execute(pool_, Access::kWrite, kReleaseIdempotencyKey, project_id, claim.owner, claim.key,
                     HashOf(claim))
      .status();
}

}  // namespace verdict::feedback
