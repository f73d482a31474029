#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/crypto/crypto.h"
#include "common/ids/uuid.h"
#include "common/pg/pool.h"
#include "verdict/token/v1/identity_service.pb.h"

namespace verdict::token {

// Where a token stands, as far as the database knows.
enum class TokenState { kRedeemable, kUsed, kRevoked };

// The part of a list that a page shows: items with ids greater than `after`, at most `size`.
struct PageBounds {
  Uuid after = {};
  int size = 0;
};

// All SQL of the token service. Each method is one statement. Beyond the errors below, each fails as
// pg::Execute does: UNAVAILABLE while the database is away, OUTCOME_UNKNOWN when a write lost its
// connection. Thread-safe.
//
// Lists return one item more than the page has when there are more; a list's owner that does not exist is
// its *_NOT_FOUND.
class TokenStore {
 public:
  // What the pool must have prepared.
  static std::span<const pg::Statement> Statements();

  explicit TokenStore(pg::Pool& pool) : pool_(pool) {}

  // The principal of the API key with this hash, unless it is revoked or has expired by the database's
  // clock; or none.
  absl::StatusOr<std::optional<v1::Principal>> FindPrincipal(const crypto::Digest& key_hash);
  // The organization of a project, or none.
  absl::StatusOr<std::optional<Uuid>> FindProjectOrganization(const Uuid& project_id);

  absl::Status InsertOrganization(const v1::Organization& organization);
  absl::StatusOr<std::vector<v1::Organization>> ListOrganizations(const PageBounds& page);

  // ORGANIZATION_NOT_FOUND, ALREADY_EXISTS.
  absl::Status InsertProject(const v1::Project& project);
  absl::StatusOr<std::vector<v1::Project>> ListProjects(const Uuid& org_id, const PageBounds& page);

  // ORGANIZATION_NOT_FOUND, ALREADY_EXISTS.
  absl::Status InsertUser(const v1::User& user);
  absl::StatusOr<std::vector<v1::User>> ListUsers(const Uuid& org_id, const PageBounds& page);

  // PROJECT_NOT_FOUND, USER_NOT_FOUND when the user is not of the project's organization.
  absl::Status InsertKey(const v1::Key& key, const crypto::Digest& hash);
  absl::StatusOr<std::vector<v1::Key>> ListKeys(const Uuid& project_id, const PageBounds& page);
  // The key as it is then; one that is revoked already keeps its time. KEY_NOT_FOUND.
  absl::StatusOr<v1::Key> RevokeKey(const Uuid& id);

  // Whether a token of the project, minted at `iat`, was used or revoked.
  absl::StatusOr<TokenState> FindTokenState(const Uuid& project_id, const Uuid& jti, Time iat);
  // Revokes a token unless it was used. What is recorded outlives every token that could have been minted by
  // now.
  absl::Status RevokeToken(const Uuid& project_id, const Uuid& jti);
  // Voids the project's tokens minted until `ahead` from now, by the database's clock; returns the time from
  // which they are valid again, which never moves back. PROJECT_NOT_FOUND.
  absl::StatusOr<Time> RevokeAllTokens(const Uuid& project_id, std::chrono::milliseconds ahead);

 private:
  pg::Pool& pool_;
};

}  // namespace verdict::token
