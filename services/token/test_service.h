#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/crypto/crypto.h"
#include "common/pg/pool.h"
#include "common/token/test_keyset.h"
#include "services/token/identity_service.h"
#include "services/token/token_service.h"
#include "services/token/token_store.h"
#include "tests/support/database.h"

namespace verdict::token {

inline constexpr char kAdminKey[] = "the-operators-key-0123456789abcdef";

// An organization with a project, a user and the text of a key of all of them.
struct Tenant {
  std::string org_id = {};
  std::string project_id = {};
  std::string user_id = {};
  std::string key_id = {};
  std::string key = {};
};

// For tests: the service over a database of its own, without a cache of keys. Throws as a test may.
struct TestService {
  test::TestDatabase database;
  TestKeySet files;
  metrics::Registry registry;
  std::unique_ptr<KeyRing> ring = KeyRing::Open(files.directory(), registry).value();
  pg::Pool pool{{.dsn = database.Dsn("token"),
                 .statements = TokenStore::Statements(),
                 .acquire_timeout = std::chrono::seconds(5)}};
  TokenStore store{pool};
  FakeClock clock{SystemClock().Now()};
  TokenMetrics measured{registry};
  IdentityService identity{store, clock, measured, crypto::Sha256(kAdminKey)};
  TokenService tokens{*ring, store, clock};

  std::string NewOrganization(const std::string& name = "Acme") const {
    v1::CreateOrganizationRequest request;
    request.set_name(name);
    return identity.CreateOrganization(request)->organization().id();
  }
  absl::StatusOr<v1::CreateProjectResponse> CreateProject(const std::string& org_id,
                                                          const std::string& name) const {
    v1::CreateProjectRequest request;
    request.set_org_id(org_id);
    request.set_name(name);
    return identity.CreateProject(request);
  }
  absl::StatusOr<v1::CreateUserResponse> CreateUser(const std::string& org_id,
                                                    const std::string& email) const {
    v1::CreateUserRequest request;
    request.set_org_id(org_id);
    request.set_email(email);
    request.set_name("Alice");
    return identity.CreateUser(request);
  }
  Tenant NewTenant(std::initializer_list<options::v1::Scope> scopes = {}) const {
    Tenant tenant;
    tenant.org_id = NewOrganization();
    tenant.project_id = CreateProject(tenant.org_id, "support")->project().id();
    tenant.user_id = CreateUser(tenant.org_id, "alice@example.com")->user().id();
    v1::CreateKeyRequest request;
    request.set_project_id(tenant.project_id);
    request.set_user_id(tenant.user_id);
    for (const options::v1::Scope scope : scopes) request.add_scopes(scope);
    const v1::CreateKeyResponse created = identity.CreateKey(request).value();
    tenant.key_id = created.key().id();
    tenant.key = created.secret();
    return tenant;
  }
};

}  // namespace verdict::token
