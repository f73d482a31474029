#pragma once

#include <memory>
#include <string>
#include <utility>

#include <grpcpp/client_context.h>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/crypto/crypto.h"
#include "common/pg/pool.h"
#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "common/status/grpc_status.h"
#include "common/token/test_keyset.h"
#include "services/token/identity_service.h"
#include "services/token/local_authenticator.h"
#include "services/token/token_rpc.h"
#include "services/token/token_service.h"
#include "services/token/token_store.h"
#include "tests/support/database.h"
#include "verdict/token/v1/identity_service.grpc.pb.h"
#include "verdict/token/v1/token_service.grpc.pb.h"

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

// The same, served over gRPC.
struct TestServer : TestService {
  LocalAuthenticator authenticator{identity};
  rpc::Server server{{}, authenticator, registry};
  std::unique_ptr<v1::TokenService::Stub> token_stub;
  std::unique_ptr<v1::IdentityService::Stub> identity_stub;

  TestServer() {
    RegisterTokenService(server, tokens);
    RegisterIdentityService(server, identity);
    if (const absl::Status status = server.Start(); !status.ok())
      throw std::runtime_error(std::string(status.message()));
    const auto channel = rpc::NewChannel(server.address());
    token_stub = v1::TokenService::NewStub(channel);
    identity_stub = v1::IdentityService::NewStub(channel);
  }

  using Metadata = std::vector<std::pair<std::string, std::string>>;

  // Calls a method of a stub with a key, if there is one.
  template <typename Stub, typename Request, typename Response>
  static absl::StatusOr<Response> Call(
      Stub& stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
      const std::string& key, const Request& request, const Metadata& metadata = {}) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    if (!key.empty()) context.AddMetadata("authorization", "Bearer " + key);
    for (const auto& [name, value] : metadata) context.AddMetadata(name, value);
    Response response;
    if (absl::Status status = FromGrpc((stub.*method)(&context, request, &response)); !status.ok())
      return status;
    return response;
  }

  absl::StatusOr<v1::MintTokenResponse> Mint(const std::string& key, const v1::MintTokenRequest& request,
                                             const Metadata& metadata = {}) {
    return Call(*token_stub, &v1::TokenService::Stub::MintToken, key, request, metadata);
  }
  absl::StatusOr<v1::VerifyTokenResponse> Verify(const std::string& key, const std::string& token) {
    v1::VerifyTokenRequest request;
    request.set_token(token);
    return Call(*token_stub, &v1::TokenService::Stub::VerifyToken, key, request);
  }
  absl::Status Revoke(const std::string& key, const std::string& id) {
    v1::RevokeTokenRequest request;
    request.set_id(id);
    return Call(*token_stub, &v1::TokenService::Stub::RevokeToken, key, request).status();
  }
  absl::StatusOr<v1::RevokeAllTokensResponse> RevokeAll(const std::string& key,
                                                        const std::string& project_id) {
    v1::RevokeAllTokensRequest request;
    request.set_project_id(project_id);
    return Call(*token_stub, &v1::TokenService::Stub::RevokeAllTokens, key, request);
  }
};

}  // namespace verdict::token
