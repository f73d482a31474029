#include "services/token/token_store.h"

#include <array>
#include <string_view>
#include <utility>

#include <pqxx/pqxx>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "common/pg/execute.h"
#include "common/pg/status.h"
#include "common/pg/value.h"
#include "common/status/error.h"
#include "common/status/macros.h"
#include "services/token/errors.h"

namespace verdict::token {
namespace {

using pg::Access;
using pg::Statement;

constexpr Statement kFindPrincipal = {"find_principal", R"(
  select k.id, k.org_id, k.project_id, array_to_string(k.scopes, ',') as scopes, u.id as user_id, u.email, u.name
    from api_key k join app_user u on u.id = k.user_id
   where k.hash = $1 and k.revoked_at is null and (k.expires_at is null or k.expires_at > now()))"};

constexpr Statement kFindProjectOrganization = {"find_project_organization",
                                                "select org_id from project where id = $1"};

constexpr Statement kInsertOrganization = {
    "insert_organization", "insert into organization (id, name, created_at) values ($1, $2, $3)"};

constexpr Statement kListOrganizations = {"list_organizations", R"(
  select id, name, (extract(epoch from created_at) * 1000)::int8 as created_at
    from organization where id > $1 order by id limit $2)"};

constexpr Statement kInsertProject = {"insert_project", R"(
  insert into project (id, org_id, name, created_at)
  select $1::uuid, o.id, $3::text, $4::timestamptz from organization o where o.id = $2
  returning id)"};

// A list's owner comes with no item when it owns none, and not at all when it does not exist.
constexpr Statement kListProjects = {"list_projects", R"(
  select p.id, o.id as org_id, p.name, (extract(epoch from p.created_at) * 1000)::int8 as created_at
    from organization o
    left join lateral (select id, name, created_at from project
                        where org_id = o.id and id > $2 order by id limit $3) p on true
   where o.id = $1 order by p.id)"};

constexpr Statement kInsertUser = {"insert_user", R"(
  insert into app_user (id, org_id, email, name, created_at)
  select $1::uuid, o.id, $3::text, $4::text, $5::timestamptz from organization o where o.id = $2
  returning id)"};

constexpr Statement kListUsers = {"list_users", R"(
  select u.id, o.id as org_id, u.email, u.name, (extract(epoch from u.created_at) * 1000)::int8 as created_at
    from organization o
    left join lateral (select id, email, name, created_at from app_user
                        where org_id = o.id and id > $2 order by id limit $3) u on true
   where o.id = $1 order by u.id)"};

constexpr Statement kInsertKey = {"insert_key", R"(
  with p as (select id, org_id from project where id = $2),
  inserted as (
    insert into api_key (id, org_id, project_id, user_id, hash, scopes, created_at, expires_at)
    select $1::uuid, p.org_id, p.id, u.id, $4::bytea, $5::smallint[], $6::timestamptz, $7::timestamptz
      from p join app_user u on u.org_id = p.org_id and u.id = $3
    returning id)
  select exists (select from p) as project_found, exists (select from inserted) as inserted)"};

constexpr Statement kListKeys = {"list_keys", R"(
  select k.id, p.id as project_id, k.user_id, array_to_string(k.scopes, ',') as scopes,
         (extract(epoch from k.created_at) * 1000)::int8 as created_at,
         (extract(epoch from k.expires_at) * 1000)::int8 as expires_at,
         (extract(epoch from k.revoked_at) * 1000)::int8 as revoked_at
    from project p
    left join lateral (select id, user_id, scopes, created_at, expires_at, revoked_at from api_key
                        where project_id = p.id and id > $2 order by id limit $3) k on true
   where p.id = $1 order by k.id)"};

constexpr Statement kRevokeKey = {"revoke_key", R"(
  update api_key set revoked_at = coalesce(revoked_at, now()) where id = $1
  returning id, project_id, user_id, array_to_string(scopes, ',') as scopes,
            (extract(epoch from created_at) * 1000)::int8 as created_at,
            (extract(epoch from expires_at) * 1000)::int8 as expires_at,
            (extract(epoch from revoked_at) * 1000)::int8 as revoked_at)"};

constexpr Statement kFindTokenState = {"find_token_state", R"(
  select r.state, p.tokens_valid_after > $3::timestamptz as revoked
    from project p left join redemption r on r.project_id = p.id and r.jti = $2
   where p.id = $1)"};

// An hour longer than a token can live: it may be minted, idempotently, with the same id again.
constexpr Statement kRevokeToken = {"revoke_token", R"(
  insert into redemption (project_id, jti, state, exp) values ($1, $2, 2, now() + interval '25 hours')
  on conflict do nothing)"};

// A token's iat is rounded down to the millisecond. The bound is rounded up, so that it is exact as shown,
// and never moves back.
constexpr Statement kRevokeAllTokens = {"revoke_all_tokens", R"(
  update project
     set tokens_valid_after = greatest(tokens_valid_after,
           date_trunc('milliseconds', now()) + ($2::int8 + 1) * interval '1 millisecond')
   where id = $1
  returning (extract(epoch from tokens_valid_after) * 1000)::int8 as tokens_valid_after)"};

constexpr std::array kStatements = {kFindPrincipal,      kFindProjectOrganization,
                                    kInsertOrganization, kListOrganizations,
                                    kInsertProject,      kListProjects,
                                    kInsertUser,         kListUsers,
                                    kInsertKey,          kListKeys,
                                    kRevokeKey,          kFindTokenState,
                                    kRevokeToken,        kRevokeAllTokens};

// redemption.state
constexpr int kStateRedeemed = 1;

std::string TextOf(const pqxx::field& field) { return std::string(pg::TextFrom(field)); }

std::string IdOf(const pqxx::field& field) { return pg::UuidFrom(field).ToString(); }

template <typename Message>
void AddScopes(const pqxx::field& field, Message& message) {
  for (const auto text : absl::StrSplit(TextOf(field), ',')) {
    int scope = 0;
    if (absl::SimpleAtoi(text, &scope)) message.add_scopes(static_cast<options::v1::Scope>(scope));
  }
}

v1::Organization OrganizationFrom(const pqxx::row& row) {
  v1::Organization organization;
  organization.set_id(IdOf(row["id"]));
  organization.set_name(TextOf(row["name"]));
  *organization.mutable_created_at() = ToProto(pg::TimeFrom(row["created_at"]));
  return organization;
}

v1::Project ProjectFrom(const pqxx::row& row) {
  v1::Project project;
  project.set_id(IdOf(row["id"]));
  project.set_org_id(IdOf(row["org_id"]));
  project.set_name(TextOf(row["name"]));
  *project.mutable_created_at() = ToProto(pg::TimeFrom(row["created_at"]));
  return project;
}

v1::User UserFrom(const pqxx::row& row) {
  v1::User user;
  user.set_id(IdOf(row["id"]));
  user.set_org_id(IdOf(row["org_id"]));
  user.set_email(TextOf(row["email"]));
  user.set_name(TextOf(row["name"]));
  *user.mutable_created_at() = ToProto(pg::TimeFrom(row["created_at"]));
  return user;
}

v1::Key KeyFrom(const pqxx::row& row) {
  v1::Key key;
  key.set_id(IdOf(row["id"]));
  key.set_project_id(IdOf(row["project_id"]));
  key.set_user_id(IdOf(row["user_id"]));
  AddScopes(row["scopes"], key);
  *key.mutable_created_at() = ToProto(pg::TimeFrom(row["created_at"]));
  if (!row["expires_at"].is_null()) *key.mutable_expires_at() = ToProto(pg::TimeFrom(row["expires_at"]));
  if (!row["revoked_at"].is_null()) *key.mutable_revoked_at() = ToProto(pg::TimeFrom(row["revoked_at"]));
  return key;
}

v1::Principal PrincipalFrom(const pqxx::row& row) {
  v1::Principal principal;
  principal.set_org_id(IdOf(row["org_id"]));
  principal.set_project_id(IdOf(row["project_id"]));
  principal.set_key_id(IdOf(row["id"]));
  principal.mutable_user()->set_id(IdOf(row["user_id"]));
  principal.mutable_user()->set_email(TextOf(row["email"]));
  principal.mutable_user()->set_name(TextOf(row["name"]));
  AddScopes(row["scopes"], principal);
  return principal;
}

// What all reads and writes have in common: a statement, and what its rows say.
template <typename Read, typename... Args>
auto Query(pg::Pool& pool, Access access, const Statement& statement, Read read, Args&&... args)
    -> absl::StatusOr<decltype(read(std::declval<const pqxx::result&>()))> {
  ASSIGN_OR_RETURN(const pqxx::result rows,
                   pg::Execute(pool, access, statement, std::forward<Args>(args)...));
  try {
    return read(rows);
  } catch (const std::exception& error) {
    return pg::StatusOf(error);
  }
}

// The items of a list whose owner comes with a null item when it has none.
template <typename Item>
std::vector<Item> ItemsFrom(const pqxx::result& rows, Item (*read)(const pqxx::row&)) {
  std::vector<Item> items;
  for (const auto& row : rows) {
    if (!row["id"].is_null()) items.push_back(read(row));
  }
  return items;
}

template <typename Item>
absl::StatusOr<std::vector<Item>> ListOwned(pg::Pool& pool, const Statement& statement, const Uuid& owner,
                                            const PageBounds& page, Item (*read)(const pqxx::row&),
                                            absl::Status (*not_found)()) {
  ASSIGN_OR_RETURN(std::optional<std::vector<Item>> items,
                   Query(
                       pool, Access::kRead, statement,
                       [read](const pqxx::result& rows) {
                         return rows.empty() ? std::nullopt : std::optional(ItemsFrom(rows, read));
                       },
                       owner, page.after, page.size + 1));
  if (!items) return not_found();
  return *std::move(items);
}

// The result of an insertion whose organization must exist, and which only `constraint` can refuse.
absl::Status InsertedOr(const absl::StatusOr<pqxx::result>& rows, std::string_view constraint,
                        absl::Status taken) {
  if (rows.ok()) return rows->empty() ? error::OrganizationNotFound() : absl::OkStatus();
  if (ReasonOf(rows.status()) != errors::v1::REASON_ALREADY_EXISTS) return rows.status();
  if (DetailsOf(rows.status()).metadata[pg::kConstraint] == constraint) return taken;
  return InternalError("an id was drawn twice: " + std::string(rows.status().message()));
}

}  // namespace

std::span<const Statement> TokenStore::Statements() { return kStatements; }

absl::StatusOr<std::optional<v1::Principal>> TokenStore::FindPrincipal(const crypto::Digest& key_hash) {
  return Query(
      pool_, Access::kRead, kFindPrincipal,
      [](const pqxx::result& rows) {
        return rows.empty() ? std::nullopt : std::optional(PrincipalFrom(rows[0]));
      },
      pg::Bytes{crypto::AsText(key_hash)});
}

absl::StatusOr<std::optional<Uuid>> TokenStore::FindProjectOrganization(const Uuid& project_id) {
  return Query(
      pool_, Access::kRead, kFindProjectOrganization,
      [](const pqxx::result& rows) {
        return rows.empty() ? std::nullopt : std::optional(pg::UuidFrom(rows[0][0]));
      },
      project_id);
}

absl::Status TokenStore::InsertOrganization(const v1::Organization& organization) {
  return pg::Execute(pool_, Access::kWrite, kInsertOrganization, organization.id(), organization.name(),
                     FromProto(organization.created_at()))
      .status();
}

absl::StatusOr<std::vector<v1::Organization>> TokenStore::ListOrganizations(const PageBounds& page) {
  return Query(
      pool_, Access::kRead, kListOrganizations,
      [](const pqxx::result& rows) { return ItemsFrom(rows, OrganizationFrom); }, page.after, page.size + 1);
}

absl::Status TokenStore::InsertProject(const v1::Project& project) {
  return InsertedOr(pg::Execute(pool_, Access::kWrite, kInsertProject, project.id(), project.org_id(),
                                project.name(), FromProto(project.created_at())),
                    "project_name_key", error::ProjectNameTaken());
}

absl::StatusOr<std::vector<v1::Project>> TokenStore::ListProjects(const Uuid& org_id,
                                                                  const PageBounds& page) {
  return ListOwned(pool_, kListProjects, org_id, page, ProjectFrom, error::OrganizationNotFound);
}

absl::Status TokenStore::InsertUser(const v1::User& user) {
  return InsertedOr(pg::Execute(pool_, Access::kWrite, kInsertUser, user.id(), user.org_id(), user.email(),
                                user.name(), FromProto(user.created_at())),
                    "app_user_email_key", error::EmailTaken());
}

absl::StatusOr<std::vector<v1::User>> TokenStore::ListUsers(const Uuid& org_id, const PageBounds& page) {
  return ListOwned(pool_, kListUsers, org_id, page, UserFrom, error::OrganizationNotFound);
}

absl::Status TokenStore::InsertKey(const v1::Key& key, const crypto::Digest& hash) {
  pg::Array scopes;
  for (const int scope : key.scopes()) scopes.Add(scope);
  const std::optional<Time> expires_at =
      key.has_expires_at() ? std::optional(FromProto(key.expires_at())) : std::nullopt;
  ASSIGN_OR_RETURN(const absl::Status status,
                   Query(
                       pool_, Access::kWrite, kInsertKey,
                       [](const pqxx::result& rows) {
                         if (!rows[0]["project_found"].as<bool>()) return error::ProjectNotFound();
                         if (!rows[0]["inserted"].as<bool>()) return error::UserNotFound();
                         return absl::OkStatus();
                       },
                       key.id(), key.project_id(), key.user_id(), pg::Bytes{crypto::AsText(hash)},
                       std::move(scopes), FromProto(key.created_at()), expires_at));
  return status;
}

absl::StatusOr<std::vector<v1::Key>> TokenStore::ListKeys(const Uuid& project_id, const PageBounds& page) {
  return ListOwned(pool_, kListKeys, project_id, page, KeyFrom, error::ProjectNotFound);
}

absl::StatusOr<v1::Key> TokenStore::RevokeKey(const Uuid& id) {
  ASSIGN_OR_RETURN(const std::optional<v1::Key> key,
                   Query(
                       pool_, Access::kWrite, kRevokeKey,
                       [](const pqxx::result& rows) {
                         return rows.empty() ? std::nullopt : std::optional(KeyFrom(rows[0]));
                       },
                       id));
  if (!key) return error::KeyNotFound();
  return *key;
}

absl::StatusOr<TokenState> TokenStore::FindTokenState(const Uuid& project_id, const Uuid& jti, Time iat) {
  return Query(
      pool_, Access::kRead, kFindTokenState,
      [](const pqxx::result& rows) {
        // No project, no token of it.
        if (rows.empty()) return TokenState::kRevoked;
        const pqxx::field state = rows[0]["state"];
        if (!state.is_null() && state.as<int>() == kStateRedeemed) return TokenState::kUsed;
        return !state.is_null() || rows[0]["revoked"].as<bool>() ? TokenState::kRevoked
                                                                 : TokenState::kRedeemable;
      },
      project_id, jti, iat);
}

absl::Status TokenStore::RevokeToken(const Uuid& project_id, const Uuid& jti) {
  return pg::Execute(pool_, Access::kWrite, kRevokeToken, project_id, jti).status();
}

absl::StatusOr<Time> TokenStore::RevokeAllTokens(const Uuid& project_id, std::chrono::milliseconds ahead) {
  ASSIGN_OR_RETURN(const std::optional<Time> valid_after,
                   Query(
                       pool_, Access::kWrite, kRevokeAllTokens,
                       [](const pqxx::result& rows) {
                         return rows.empty() ? std::nullopt : std::optional(pg::TimeFrom(rows[0][0]));
                       },
                       project_id, ahead.count()));
  if (!valid_after) return error::ProjectNotFound();
  return *valid_after;
}

}  // namespace verdict::token
