#include "services/token/identity_service.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/auth/authenticator.h"
#include "common/ids/uuid.h"
#include "common/status/macros.h"
#include "services/token/api_key.h"
#include "services/token/errors.h"

namespace verdict::token {
namespace {

constexpr int kPageSizeDefault = 100;

// How long other processes may go on accepting a key that was revoked.
constexpr std::chrono::milliseconds kRevocationBound = std::chrono::seconds(5);

// The last moment that RFC 3339 can write: 9999-12-31T23:59:59Z.
constexpr int64_t kSecondsMax = 253'402'300'799;

// Our own id in a request: what is none is nobody's.
absl::StatusOr<Uuid> ParseId(std::string_view text, absl::Status (*not_found)()) {
  const std::optional<Uuid> id = Uuid::Parse(text);
  if (!id) return not_found();
  return *id;
}

template <typename Request>
absl::StatusOr<PageBounds> PageOf(const Request& request) {
  PageBounds page = {.size = request.page_size() == 0 ? kPageSizeDefault : request.page_size()};
  if (request.page_token().empty()) return page;
  const std::optional<Uuid> after = Uuid::Parse(request.page_token());
  if (!after) return error::InvalidField("page_token", "page_token must be a next_page_token of this list.");
  page.after = *after;
  return page;
}

// Moves a page of the items that the store found, one more than the page has when there are more, into
// `page`, and returns the token of the next page.
template <typename Item>
std::string FillPage(std::vector<Item> found, int size, google::protobuf::RepeatedPtrField<Item>& page) {
  const bool more = found.size() > static_cast<size_t>(size);
  if (more) found.pop_back();
  page.Add(std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
  return more ? page.rbegin()->id() : "";
}

absl::Status CheckScopes(const v1::CreateKeyRequest& request) {
  for (int i = 0; i < request.scopes_size(); ++i) {
    const int scope = request.scopes(i);
    if (scope == options::v1::SCOPE_UNSPECIFIED || !options::v1::Scope_IsValid(scope)) {
      return error::InvalidField("scopes[" + std::to_string(i) + "]",
                                 "scopes are token, write, read and erase.");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckExpiry(const v1::CreateKeyRequest& request, Time now) {
  const google::protobuf::Timestamp& expires_at = request.expires_at();
  if (!request.has_expires_at()) return absl::OkStatus();
  const bool real = 0 <= expires_at.seconds() && expires_at.seconds() <= kSecondsMax &&
                    0 <= expires_at.nanos() && expires_at.nanos() < 1'000'000'000;
  if (!real || FromProto(expires_at) <= now) {
    return error::InvalidField("expires_at", "expires_at must be a time to come, before the year 10000.");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::AuthenticateResponse> IdentityService::Authenticate(
    const v1::AuthenticateRequest& request) const {
  const bool admin =
      admin_key_hash_ && crypto::ConstantTimeEquals(crypto::AsText(crypto::Sha256(request.credential())),
                                                    crypto::AsText(*admin_key_hash_));
  v1::AuthenticateResponse response;
  ASSIGN_OR_RETURN(*response.mutable_principal(),
                   admin ? FindAdmin(request) : FindKeyHolder(request.credential()));
  return response;
}

absl::StatusOr<v1::Principal> IdentityService::FindAdmin(const v1::AuthenticateRequest& request) const {
  metrics_.admin.Increment();
  v1::Principal principal;
  principal.set_admin(true);
  if (!request.has_project_id()) return principal;
  ASSIGN_OR_RETURN(const Uuid project, ParseId(request.project_id(), error::NoSuchProjectForAdmin));
  ASSIGN_OR_RETURN(const std::optional<Uuid> organization, store_.FindProjectOrganization(project));
  if (!organization) return error::NoSuchProjectForAdmin();
  principal.set_org_id(organization->ToString());
  principal.set_project_id(project.ToString());
  return principal;
}

absl::StatusOr<v1::Principal> IdentityService::FindKeyHolder(const std::string& credential) const {
  if (!IsApiKey(credential)) {
    metrics_.malformed.Increment();
    return auth::Unauthenticated();
  }
  absl::StatusOr<std::optional<v1::Principal>> principal = store_.FindPrincipal(HashOfKey(credential));
  if (!principal.ok()) {
    metrics_.failed.Increment();
    return principal.status();
  }
  if (!*principal) {
    metrics_.refused.Increment();
    return auth::Unauthenticated();
  }
  metrics_.accepted.Increment();
  return **std::move(principal);
}

absl::StatusOr<v1::CreateOrganizationResponse> IdentityService::CreateOrganization(
    const v1::CreateOrganizationRequest& request) const {
  const Time now = clock_.Now();
  v1::CreateOrganizationResponse response;
  v1::Organization& organization = *response.mutable_organization();
  organization.set_id(NewUuidV7(now).ToString());
  organization.set_name(request.name());
  *organization.mutable_created_at() = ToProto(now);
  RETURN_IF_ERROR(store_.InsertOrganization(organization));
  return response;
}

absl::StatusOr<v1::ListOrganizationsResponse> IdentityService::ListOrganizations(
    const v1::ListOrganizationsRequest& request) const {
  ASSIGN_OR_RETURN(const PageBounds page, PageOf(request));
  ASSIGN_OR_RETURN(std::vector<v1::Organization> found, store_.ListOrganizations(page));
  v1::ListOrganizationsResponse response;
  response.set_next_page_token(FillPage(std::move(found), page.size, *response.mutable_organizations()));
  return response;
}

absl::StatusOr<v1::CreateProjectResponse> IdentityService::CreateProject(
    const v1::CreateProjectRequest& request) const {
  ASSIGN_OR_RETURN(const Uuid org_id, ParseId(request.org_id(), error::OrganizationNotFound));
  const Time now = clock_.Now();
  v1::CreateProjectResponse response;
  v1::Project& project = *response.mutable_project();
  project.set_id(NewUuidV7(now).ToString());
  project.set_org_id(org_id.ToString());
  project.set_name(request.name());
  *project.mutable_created_at() = ToProto(now);
  RETURN_IF_ERROR(store_.InsertProject(project));
  return response;
}

absl::StatusOr<v1::ListProjectsResponse> IdentityService::ListProjects(
    const v1::ListProjectsRequest& request) const {
  ASSIGN_OR_RETURN(const Uuid org_id, ParseId(request.org_id(), error::OrganizationNotFound));
  ASSIGN_OR_RETURN(const PageBounds page, PageOf(request));
  ASSIGN_OR_RETURN(std::vector<v1::Project> found, store_.ListProjects(org_id, page));
  v1::ListProjectsResponse response;
  response.set_next_page_token(FillPage(std::move(found), page.size, *response.mutable_projects()));
  return response;
}

absl::StatusOr<v1::CreateUserResponse> IdentityService::CreateUser(
    const v1::CreateUserRequest& request) const {
  ASSIGN_OR_RETURN(const Uuid org_id, ParseId(request.org_id(), error::OrganizationNotFound));
  const Time now = clock_.Now();
  v1::CreateUserResponse response;
  v1::User& user = *response.mutable_user();
  user.set_id(NewUuidV7(now).ToString());
  user.set_org_id(org_id.ToString());
  user.set_email(request.email());
  user.set_name(request.name());
  *user.mutable_created_at() = ToProto(now);
  RETURN_IF_ERROR(store_.InsertUser(user));
  return response;
}

absl::StatusOr<v1::ListUsersResponse> IdentityService::ListUsers(const v1::ListUsersRequest& request) const {
  ASSIGN_OR_RETURN(const Uuid org_id, ParseId(request.org_id(), error::OrganizationNotFound));
  ASSIGN_OR_RETURN(const PageBounds page, PageOf(request));
  ASSIGN_OR_RETURN(std::vector<v1::User> found, store_.ListUsers(org_id, page));
  v1::ListUsersResponse response;
  response.set_next_page_token(FillPage(std::move(found), page.size, *response.mutable_users()));
  return response;
}

absl::StatusOr<v1::CreateKeyResponse> IdentityService::CreateKey(const v1::CreateKeyRequest& request) const {
  const Time now = clock_.Now();
  RETURN_IF_ERROR(CheckScopes(request));
  RETURN_IF_ERROR(CheckExpiry(request, now));
  ASSIGN_OR_RETURN(const Uuid project_id, ParseId(request.project_id(), error::ProjectNotFound));
  ASSIGN_OR_RETURN(const Uuid user_id, ParseId(request.user_id(), error::UserNotFound));

  v1::CreateKeyResponse response;
  v1::Key& key = *response.mutable_key();
  key.set_id(NewUuidV7(now).ToString());
  key.set_project_id(project_id.ToString());
  key.set_user_id(user_id.ToString());
  std::vector<int> scopes(request.scopes().begin(), request.scopes().end());
  if (scopes.empty()) scopes = {options::v1::SCOPE_TOKEN, options::v1::SCOPE_WRITE, options::v1::SCOPE_READ};
  std::ranges::sort(scopes);
  scopes.erase(std::ranges::unique(scopes).begin(), scopes.end());
  for (const int scope : scopes) key.add_scopes(static_cast<options::v1::Scope>(scope));
  *key.mutable_created_at() = ToProto(now);
  if (request.has_expires_at()) *key.mutable_expires_at() = ToProto(FromProto(request.expires_at()));
  response.set_secret(NewApiKey());
  RETURN_IF_ERROR(store_.InsertKey(key, HashOfKey(response.secret())));
  return response;
}

absl::StatusOr<v1::ListKeysResponse> IdentityService::ListKeys(const v1::ListKeysRequest& request) const {
  ASSIGN_OR_RETURN(const Uuid project_id, ParseId(request.project_id(), error::ProjectNotFound));
  ASSIGN_OR_RETURN(const PageBounds page, PageOf(request));
  ASSIGN_OR_RETURN(std::vector<v1::Key> found, store_.ListKeys(project_id, page));
  v1::ListKeysResponse response;
  response.set_next_page_token(FillPage(std::move(found), page.size, *response.mutable_keys()));
  return response;
}

absl::StatusOr<v1::RevokeKeyResponse> IdentityService::RevokeKey(const v1::RevokeKeyRequest& request) const {
  ASSIGN_OR_RETURN(const Uuid id, ParseId(request.id(), error::KeyNotFound));
  v1::RevokeKeyResponse response;
  ASSIGN_OR_RETURN(*response.mutable_key(), store_.RevokeKey(id));
  if (request.with_tokens()) {
    // Whoever has the key may mint with it until the last process has forgotten it. A failure between the two
    // statements is mended by the caller's repeating the request.
    const Uuid project_id = Uuid::Parse(response.key().project_id()).value_or(Uuid{});
    RETURN_IF_ERROR(store_.RevokeAllTokens(project_id, kRevocationBound).status());
  }
  return response;
}

}  // namespace verdict::token
