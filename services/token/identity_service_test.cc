#include "services/token/identity_service.h"

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>
#include <google/protobuf/util/message_differencer.h>

#include "common/status/error.h"
#include "services/token/api_key.h"
#include "services/token/test_service.h"

namespace verdict::token {
namespace {

using google::protobuf::util::MessageDifferencer;

const std::string kUnknownId = "01900000-0000-7000-8000-000000000000";

std::vector<std::string> FieldsOf(const absl::Status& status) {
  std::vector<std::string> fields;
  for (const FieldViolation& violation : DetailsOf(status).violations) fields.push_back(violation.field);
  return fields;
}

absl::StatusOr<v1::Principal> Authenticate(const TestService& service, const std::string& credential,
                                           const std::optional<std::string>& project = {}) {
  v1::AuthenticateRequest request;
  request.set_credential(credential);
  if (project) request.set_project_id(*project);
  absl::StatusOr<v1::AuthenticateResponse> response = service.identity.Authenticate(request);
  if (!response.ok()) return response.status();
  return response->principal();
}

v1::CreateKeyRequest KeyRequest(const std::string& project_id, const std::string& user_id) {
  v1::CreateKeyRequest request;
  request.set_project_id(project_id);
  request.set_user_id(user_id);
  return request;
}

TEST_CASE("what is created is listed as it was answered") {
  const TestService service;
  v1::CreateOrganizationRequest organization_request;
  organization_request.set_name("J\xc3\xb6rg's \"Acme\"; drop table organization");
  const v1::Organization organization =
      service.identity.CreateOrganization(organization_request)->organization();
  const v1::Project project = service.CreateProject(organization.id(), "support")->project();
  const v1::User user = service.CreateUser(organization.id(), "alice@example.com")->user();
  v1::CreateKeyRequest key_request = KeyRequest(project.id(), user.id());
  *key_request.mutable_expires_at() = ToProto(service.clock.Now() + std::chrono::hours(1));
  const v1::Key key = service.identity.CreateKey(key_request)->key();

  const v1::ListOrganizationsResponse organizations = service.identity.ListOrganizations({}).value();
  REQUIRE(organizations.organizations_size() == 1);
  CHECK(MessageDifferencer::Equals(organizations.organizations(0), organization));
  CHECK(organizations.next_page_token().empty());
  v1::ListProjectsRequest projects_request;
  projects_request.set_org_id(organization.id());
  const v1::ListProjectsResponse projects = service.identity.ListProjects(projects_request).value();
  REQUIRE(projects.projects_size() == 1);
  CHECK(MessageDifferencer::Equals(projects.projects(0), project));
  v1::ListUsersRequest users_request;
  users_request.set_org_id(organization.id());
  const v1::ListUsersResponse users = service.identity.ListUsers(users_request).value();
  REQUIRE(users.users_size() == 1);
  CHECK(MessageDifferencer::Equals(users.users(0), user));
  v1::ListKeysRequest keys_request;
  keys_request.set_project_id(project.id());
  const v1::ListKeysResponse keys = service.identity.ListKeys(keys_request).value();
  REQUIRE(keys.keys_size() == 1);
  CHECK(MessageDifferencer::Equals(keys.keys(0), key));
}

TEST_CASE("the pages of a list are the list, whatever their size") {
  const TestService service;
  const std::string org_id = service.NewOrganization();
  const std::string other_org_id = service.NewOrganization("Other");
  std::vector<std::string> names;
  for (int i = 0; i < 13; ++i) {
    names.push_back("project-" + std::to_string(i));
    REQUIRE(service.CreateProject(org_id, names.back()).ok());
    REQUIRE(service.CreateProject(other_org_id, names.back()).ok());
  }
  for (const int page_size : {0, 1, 5, 12, 13, 14}) {
    INFO("page_size " << page_size);
    std::vector<std::string> listed;
    v1::ListProjectsRequest request;
    request.set_org_id(org_id);
    request.set_page_size(page_size);
    do {
      const v1::ListProjectsResponse page = service.identity.ListProjects(request).value();
      CHECK((page_size == 0 || page.projects_size() <= page_size));
      for (const v1::Project& project : page.projects()) listed.push_back(project.name());
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    CHECK(listed == names);
  }
}

TEST_CASE("an owner without items has an empty list, an owner that does not exist has none") {
  const TestService service;
  v1::ListProjectsRequest projects;
  v1::ListUsersRequest users;
  v1::ListKeysRequest keys;
  const std::string org_id = service.NewOrganization();
  projects.set_org_id(org_id);
  users.set_org_id(org_id);
  keys.set_project_id(service.CreateProject(service.NewOrganization("Other"), "p")->project().id());
  CHECK(service.identity.ListProjects(projects)->projects().empty());
  CHECK(service.identity.ListUsers(users)->users().empty());
  CHECK(service.identity.ListKeys(keys)->keys().empty());

  for (const std::string& id : {kUnknownId, std::string("no id")}) {
    projects.set_org_id(id);
    users.set_org_id(id);
    keys.set_project_id(id);
    CHECK(ReasonOf(service.identity.ListProjects(projects).status()) ==
          errors::v1::REASON_ORGANIZATION_NOT_FOUND);
    CHECK(ReasonOf(service.identity.ListUsers(users).status()) == errors::v1::REASON_ORGANIZATION_NOT_FOUND);
    CHECK(ReasonOf(service.identity.ListKeys(keys).status()) == errors::v1::REASON_PROJECT_NOT_FOUND);
  }
}

TEST_CASE("a page token that is none is named") {
  const TestService service;
  v1::ListOrganizationsRequest request;
  request.set_page_token("2");
  CHECK(FieldsOf(service.identity.ListOrganizations(request).status()) ==
        std::vector<std::string>{"page_token"});
}

TEST_CASE("nothing is created for an owner that does not exist") {
  const TestService service;
  const Tenant tenant = service.NewTenant();
  const Tenant other = service.NewTenant();
  for (const std::string& id : {kUnknownId, std::string("no id"), std::string()}) {
    CHECK(ReasonOf(service.CreateProject(id, "p").status()) == errors::v1::REASON_ORGANIZATION_NOT_FOUND);
    CHECK(ReasonOf(service.CreateUser(id, "b@example.com").status()) ==
          errors::v1::REASON_ORGANIZATION_NOT_FOUND);
    CHECK(ReasonOf(service.identity.CreateKey(KeyRequest(id, tenant.user_id)).status()) ==
          errors::v1::REASON_PROJECT_NOT_FOUND);
    CHECK(ReasonOf(service.identity.CreateKey(KeyRequest(tenant.project_id, id)).status()) ==
          errors::v1::REASON_USER_NOT_FOUND);
    v1::RevokeKeyRequest revoke;
    revoke.set_id(id);
    CHECK(ReasonOf(service.identity.RevokeKey(revoke).status()) == errors::v1::REASON_KEY_NOT_FOUND);
  }
  CHECK(ReasonOf(service.identity.CreateKey(KeyRequest(tenant.project_id, other.user_id)).status()) ==
        errors::v1::REASON_USER_NOT_FOUND);
  CHECK(service.database.Query("select (select count(*) from project), (select count(*) from app_user),"
                               " (select count(*) from api_key)") == "2|2|2");
}

TEST_CASE("of parallel creations of one name, one succeeds") {
  const TestService service;
  const std::string org_id = service.NewOrganization();
  std::atomic<int> created = 0;
  std::atomic<int> taken = 0;
  const auto count = [&](const absl::Status& status) {
    created += status.ok();
    taken += ReasonOf(status) == errors::v1::REASON_ALREADY_EXISTS;
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 16; ++i) {
      threads.emplace_back([&] {
        count(service.CreateProject(org_id, "support").status());
        count(service.CreateUser(org_id, "alice@example.com").status());
      });
    }
  }
  CHECK(created == 2);
  CHECK(taken == 30);
  CHECK(service.CreateProject(service.NewOrganization("Other"), "support").ok());
}

TEST_CASE("a key acts for its user in its project, and only its hash is stored") {
  const TestService service;
  const Tenant tenant =
      service.NewTenant({options::v1::SCOPE_READ, options::v1::SCOPE_ERASE, options::v1::SCOPE_READ});
  const v1::Principal principal = Authenticate(service, tenant.key).value();
  CHECK(principal.org_id() == tenant.org_id);
  CHECK(principal.project_id() == tenant.project_id);
  CHECK(principal.key_id() == tenant.key_id);
  CHECK(principal.user().id() == tenant.user_id);
  CHECK(principal.user().email() == "alice@example.com");
  CHECK(principal.user().name() == "Alice");
  CHECK_FALSE(principal.admin());
  REQUIRE(principal.scopes_size() == 2);
  CHECK(principal.scopes(0) == options::v1::SCOPE_READ);
  CHECK(principal.scopes(1) == options::v1::SCOPE_ERASE);

  CHECK(service.database.Query("select count(*) from api_key where hash = sha256('" + tenant.key + "')") ==
        "1");
  CHECK(service.database.Query("select count(*) from api_key k where k::text like '%" +
                               tenant.key.substr(4, 12) + "%'") == "0");
}

TEST_CASE("a key without scopes may do what applications do") {
  const TestService service;
  const v1::Principal principal = Authenticate(service, service.NewTenant().key).value();
  const std::vector<int> scopes(principal.scopes().begin(), principal.scopes().end());
  CHECK(scopes ==
        std::vector<int>{options::v1::SCOPE_TOKEN, options::v1::SCOPE_WRITE, options::v1::SCOPE_READ});
}

TEST_CASE("scopes that do not exist and ends that have passed are named") {
  const TestService service;
  const Tenant tenant = service.NewTenant();
  v1::CreateKeyRequest request = KeyRequest(tenant.project_id, tenant.user_id);
  request.add_scopes(options::v1::SCOPE_READ);
  request.add_scopes(static_cast<options::v1::Scope>(9));
  CHECK(FieldsOf(service.identity.CreateKey(request).status()) == std::vector<std::string>{"scopes[1]"});
  request.set_scopes(1, options::v1::SCOPE_UNSPECIFIED);
  CHECK(FieldsOf(service.identity.CreateKey(request).status()) == std::vector<std::string>{"scopes[1]"});

  request.clear_scopes();
  const auto refused = [&](int64_t seconds, int32_t nanos) {
    request.mutable_expires_at()->set_seconds(seconds);
    request.mutable_expires_at()->set_nanos(nanos);
    return FieldsOf(service.identity.CreateKey(request).status()) == std::vector<std::string>{"expires_at"};
  };
  const int64_t now = ToProto(service.clock.Now()).seconds();
  CHECK(refused(now - 1, 0));
  CHECK(refused(-1, 0));
  CHECK(refused(253'402'300'800, 0));
  CHECK(refused(std::numeric_limits<int64_t>::max(), 0));
  CHECK(refused(now + 10, -1));
  CHECK(refused(now + 10, 1'000'000'000));
  CHECK_FALSE(refused(now + 10, 999'999'999));
}

TEST_CASE("unknown, expired and revoked keys are refused alike") {
  const TestService service;
  const Tenant tenant = service.NewTenant();
  REQUIRE(Authenticate(service, tenant.key).ok());
  const absl::Status unknown = Authenticate(service, NewApiKey()).status();
  CHECK(ReasonOf(unknown) == errors::v1::REASON_UNAUTHENTICATED);

  // The database's clock decides, so the key's times are what has to move.
  service.database.Query(
      "update api_key set created_at = now() - interval '2 hours', expires_at = now() + interval '1 hour'");
  CHECK(Authenticate(service, tenant.key).ok());
  service.database.Query("update api_key set expires_at = now() - interval '1 millisecond'");
  CHECK(Authenticate(service, tenant.key).status() == unknown);
  service.database.Query("update api_key set expires_at = null");
  REQUIRE(Authenticate(service, tenant.key).ok());

  v1::RevokeKeyRequest request;
  request.set_id(tenant.key_id);
  const v1::Key revoked = service.identity.RevokeKey(request)->key();
  CHECK(revoked.has_revoked_at());
  CHECK(Authenticate(service, tenant.key).status() == unknown);
  CHECK(MessageDifferencer::Equals(service.identity.RevokeKey(request)->key(), revoked));
  CHECK(service.measured.refused.Value() == 3);
}

TEST_CASE("revoking a key leaves other keys and, unless it is said, the project's tokens alone") {
  TestService service;
  const Tenant tenant = service.NewTenant();
  const Tenant other = service.NewTenant();
  const auto state = [&](const Tenant& of) {
    const Uuid project = *Uuid::Parse(of.project_id);
    return service.store.FindTokenState(project, NewUuidV7(service.clock.Now()), service.clock.Now()).value();
  };
  v1::RevokeKeyRequest request;
  request.set_id(tenant.key_id);
  REQUIRE(service.identity.RevokeKey(request).ok());
  CHECK(Authenticate(service, other.key).ok());
  CHECK(state(tenant) == TokenState::kRedeemable);

  request.set_with_tokens(true);
  REQUIRE(service.identity.RevokeKey(request).ok());
  CHECK(state(tenant) == TokenState::kRevoked);
  CHECK(state(other) == TokenState::kRedeemable);
  // Also those that are minted before the last process has forgotten the key.
  service.clock.Advance(std::chrono::seconds(4));
  CHECK(state(tenant) == TokenState::kRevoked);
  service.clock.Advance(std::chrono::seconds(60));
  CHECK(state(tenant) == TokenState::kRedeemable);
}

TEST_CASE("the admin key acts for a project that exists, or for none") {
  const TestService service;
  const Tenant tenant = service.NewTenant();
  const v1::Principal admin = Authenticate(service, kAdminKey).value();
  CHECK(admin.admin());
  CHECK(admin.project_id().empty());
  CHECK(admin.org_id().empty());

  const v1::Principal for_project = Authenticate(service, kAdminKey, tenant.project_id).value();
  CHECK(for_project.admin());
  CHECK(for_project.project_id() == tenant.project_id);
  CHECK(for_project.org_id() == tenant.org_id);

  for (const std::string& project : {kUnknownId, std::string("no id"), std::string()}) {
    CHECK(ReasonOf(Authenticate(service, kAdminKey, project).status()) ==
          errors::v1::REASON_PERMISSION_DENIED);
  }
  // Nobody else's project can be named.
  CHECK(Authenticate(service, tenant.key, kUnknownId)->project_id() == tenant.project_id);
}

TEST_CASE("without an admin key there is no admin") {
  TestService service;
  const IdentityService identity(service.store, service.clock, service.measured, std::nullopt);
  for (const std::string& credential : {std::string(kAdminKey), std::string()}) {
    v1::AuthenticateRequest request;
    request.set_credential(credential);
    CHECK(ReasonOf(identity.Authenticate(request).status()) == errors::v1::REASON_UNAUTHENTICATED);
  }
}

}  // namespace
}  // namespace verdict::token
