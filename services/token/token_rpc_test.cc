#include "services/token/token_rpc.h"

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>
#include <grpcpp/client_context.h>

#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "common/status/error.h"
#include "common/status/grpc_status.h"
#include "services/token/api_key.h"
#include "services/token/local_authenticator.h"
#include "services/token/test_service.h"
#include "verdict/token/v1/identity_service.grpc.pb.h"
#include "verdict/token/v1/token_service.grpc.pb.h"

namespace verdict::token {
namespace {

const std::string kUnknownId = "01900000-0000-7000-8000-000000000000";

// The service, served over gRPC.
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
                                             const Metadata& metadata = {}) const {
    return Call(*token_stub, &v1::TokenService::Stub::MintToken, key, request, metadata);
  }
  absl::StatusOr<v1::VerifyTokenResponse> Verify(const std::string& key, const std::string& token) const {
    v1::VerifyTokenRequest request;
    request.set_token(token);
    return Call(*token_stub, &v1::TokenService::Stub::VerifyToken, key, request);
  }
  absl::Status Revoke(const std::string& key, const std::string& id) const {
    v1::RevokeTokenRequest request;
    request.set_id(id);
    return Call(*token_stub, &v1::TokenService::Stub::RevokeToken, key, request).status();
  }
  absl::StatusOr<v1::RevokeAllTokensResponse> RevokeAll(const std::string& key,
                                                        const std::string& project_id) const {
    v1::RevokeAllTokensRequest request;
    request.set_project_id(project_id);
    return Call(*token_stub, &v1::TokenService::Stub::RevokeAllTokens, key, request);
  }
};

v1::MintTokenRequest MintRequest() {
  v1::MintTokenRequest request;
  request.set_resource_type(types::v1::ENTITY_TYPE_EVAL_RUN);
  request.set_resource_id("run-42");
  return request;
}

TEST_CASE("a token that was minted is verified until it is used") {
  TestServer service;
  const Tenant tenant = service.NewTenant();
  v1::MintTokenRequest request = MintRequest();
  request.mutable_subject()->set_id("user-123");
  request.mutable_subject()->set_name("Alice");
  const v1::MintTokenResponse minted = service.Mint(tenant.key, request).value();

  for (int i = 0; i < 2; ++i) {
    const v1::VerifyTokenResponse verified = service.Verify(tenant.key, minted.token()).value();
    CHECK(verified.valid());
    CHECK(verified.resource_type() == types::v1::ENTITY_TYPE_EVAL_RUN);
    CHECK(verified.resource_id() == "run-42");
    CHECK(FromProto(verified.expires_at()) == FromProto(minted.expires_at()));
    CHECK(verified.subject().id() == "user-123");
    CHECK(verified.subject().name() == "Alice");
  }
  service.database.Query("insert into redemption (project_id, jti, state, fp, exp) values ('" +
                         tenant.project_id + "', '" + minted.id() +
                         "', 1, sha256('x'), now() + interval '1 hour')");
  CHECK(ReasonOf(service.Verify(tenant.key, minted.token()).status()) == errors::v1::REASON_TOKEN_USED);
  // It stays used, also when it is revoked.
  CHECK(service.Revoke(tenant.key, minted.id()).ok());
  CHECK(ReasonOf(service.Verify(tenant.key, minted.token()).status()) == errors::v1::REASON_TOKEN_USED);
}

TEST_CASE("a token is refused when it is no token, another project's, or over") {
  TestServer service;
  const Tenant tenant = service.NewTenant();
  const Tenant other = service.NewTenant();
  const std::string token = service.Mint(tenant.key, MintRequest())->token();
  const absl::Status garbage = service.Verify(tenant.key, "fbt1.k1.AAAA.AAAA").status();
  CHECK(ReasonOf(garbage) == errors::v1::REASON_TOKEN_INVALID);
  CHECK(service.Verify(other.key, token).status() == garbage);
  CHECK(service.Verify(tenant.key, token + "A").status() == garbage);
  service.clock.Advance(std::chrono::hours(1));
  CHECK(ReasonOf(service.Verify(tenant.key, token).status()) == errors::v1::REASON_TOKEN_EXPIRED);
}

TEST_CASE("revoking one token of one's own project is idempotent and touches nothing else") {
  TestServer service;
  const Tenant tenant = service.NewTenant();
  const Tenant other = service.NewTenant();
  const v1::MintTokenResponse revoked = service.Mint(tenant.key, MintRequest()).value();
  const v1::MintTokenResponse kept = service.Mint(tenant.key, MintRequest()).value();

  CHECK(service.Revoke(other.key, revoked.id()).ok());
  CHECK(service.Verify(tenant.key, revoked.token()).ok());
  for (int i = 0; i < 2; ++i) {
    CHECK(service.Revoke(tenant.key, revoked.id()).ok());
    CHECK(ReasonOf(service.Verify(tenant.key, revoked.token()).status()) == errors::v1::REASON_TOKEN_REVOKED);
  }
  CHECK(service.Verify(tenant.key, kept.token()).ok());
  CHECK(service.Revoke(tenant.key, kUnknownId).ok());
  CHECK(service.Revoke(tenant.key, "no id").ok());
  CHECK(service.database.Query("select bool_and(exp > now() + interval '24 hours') from redemption") == "t");
}

TEST_CASE("revoking all tokens of a project voids those minted until then") {
  TestServer service;
  const Tenant tenant = service.NewTenant();
  const Tenant other = service.NewTenant();
  const std::string before = service.Mint(tenant.key, MintRequest())->token();
  const std::string others = service.Mint(other.key, MintRequest())->token();

  const Time valid_after = FromProto(service.RevokeAll(kAdminKey, tenant.project_id)->tokens_valid_after());
  CHECK(ReasonOf(service.Verify(tenant.key, before).status()) == errors::v1::REASON_TOKEN_REVOKED);
  CHECK(service.Verify(other.key, others).ok());

  // The answer is exact to the millisecond.
  service.clock.Set(valid_after - std::chrono::milliseconds(1));
  const std::string last = service.Mint(tenant.key, MintRequest())->token();
  service.clock.Set(valid_after);
  const std::string first = service.Mint(tenant.key, MintRequest())->token();
  CHECK(ReasonOf(service.Verify(tenant.key, last).status()) == errors::v1::REASON_TOKEN_REVOKED);
  CHECK(service.Verify(tenant.key, first).ok());

  for (const std::string& id : {kUnknownId, std::string("no id")}) {
    CHECK(ReasonOf(service.RevokeAll(kAdminKey, id).status()) == errors::v1::REASON_PROJECT_NOT_FOUND);
  }
}

TEST_CASE("each RPC takes the credential that its contract names, and no other") {
  TestServer service;
  const Tenant tenant = service.NewTenant();
  const Tenant reader = service.NewTenant({options::v1::SCOPE_READ});
  const auto mint = [&](const std::string& key, const TestServer::Metadata& metadata = {}) {
    return ReasonOf(service.Mint(key, MintRequest(), metadata).status());
  };
  CHECK(mint("") == errors::v1::REASON_UNAUTHENTICATED);
  CHECK(mint("vdt_typo") == errors::v1::REASON_UNAUTHENTICATED);
  CHECK(mint(NewApiKey()) == errors::v1::REASON_UNAUTHENTICATED);
  CHECK(mint(reader.key) == errors::v1::REASON_SCOPE_REQUIRED);
  CHECK(mint(kAdminKey) == errors::v1::REASON_PERMISSION_DENIED);
  CHECK(mint(kAdminKey, {{"verdict-project", kUnknownId}}) == errors::v1::REASON_PERMISSION_DENIED);
  CHECK(ReasonOf(service.RevokeAll(tenant.key, tenant.project_id).status()) ==
        errors::v1::REASON_PERMISSION_DENIED);
  CHECK(ReasonOf(service.RevokeAll("", tenant.project_id).status()) == errors::v1::REASON_UNAUTHENTICATED);
  CHECK(ReasonOf(TestServer::Call(*service.identity_stub, &v1::IdentityService::Stub::ListOrganizations,
                                  tenant.key, v1::ListOrganizationsRequest())
                     .status()) == errors::v1::REASON_PERMISSION_DENIED);

  const auto by_admin = service.Mint(kAdminKey, MintRequest(), {{"verdict-project", tenant.project_id}});
  REQUIRE(by_admin.ok());
  CHECK(service.Verify(tenant.key, by_admin->token()).ok());
}

TEST_CASE("requests that break a field's rule are refused by name") {
  TestServer service;
  const Tenant tenant = service.NewTenant();
  const auto field = [&](const v1::MintTokenRequest& request) {
    const absl::Status status = service.Mint(tenant.key, request).status();
    CHECK(ReasonOf(status) == errors::v1::REASON_VALIDATION_ERROR);
    const ErrorDetails details = DetailsOf(status);
    return details.violations.empty() ? "" : details.violations[0].field;
  };
  for (const int seconds : {0, -1, 86'401}) {
    v1::MintTokenRequest request = MintRequest();
    request.set_expires_in_seconds(seconds);
    CHECK(field(request) == "expires_in_seconds");
  }
  v1::MintTokenRequest request = MintRequest();
  request.clear_resource_type();
  CHECK(field(request) == "resource_type");
  request = MintRequest();
  request.set_resource_id(std::string(201, 'r'));
  CHECK(field(request) == "resource_id");
  request = MintRequest();
  request.set_resource_id("a\nb");
  CHECK(field(request) == "resource_id");
  request = MintRequest();
  request.mutable_subject()->set_name("Alice");
  CHECK(field(request) == "subject.id");
}

TEST_CASE("a retried mint gets another token of the same id") {
  TestServer service;
  const Tenant tenant = service.NewTenant();
  const auto mint = [&](const std::string& key) {
    return service.Mint(tenant.key, MintRequest(), {{"idempotency-key", key}})->id();
  };
  CHECK(mint("retry-1") == mint("retry-1"));
  CHECK(mint("retry-1") != mint("retry-2"));
}

TEST_CASE("operators manage who is who, and services ask who calls, over gRPC") {
  TestServer service;
  using Stub = v1::IdentityService::Stub;
  const auto call = [&](auto method, const auto& request, const std::string& key = kAdminKey) {
    return TestServer::Call(*service.identity_stub, method, key, request);
  };
  v1::CreateOrganizationRequest organization;
  organization.set_name("Acme");
  const std::string org_id = call(&Stub::CreateOrganization, organization)->organization().id();
  v1::CreateProjectRequest project;
  project.set_org_id(org_id);
  project.set_name("support");
  const std::string project_id = call(&Stub::CreateProject, project)->project().id();
  CHECK(ReasonOf(call(&Stub::CreateProject, project).status()) == errors::v1::REASON_ALREADY_EXISTS);
  v1::CreateUserRequest user;
  user.set_org_id(org_id);
  user.set_email("alice@example.com");
  user.set_name("Alice");
  const std::string user_id = call(&Stub::CreateUser, user)->user().id();
  v1::CreateKeyRequest key;
  key.set_project_id(project_id);
  key.set_user_id(user_id);
  const v1::CreateKeyResponse created = call(&Stub::CreateKey, key).value();

  v1::AuthenticateRequest authenticate;
  authenticate.set_credential(created.secret());
  CHECK(call(&Stub::Authenticate, authenticate, "")->principal().project_id() == project_id);

  v1::ListOrganizationsRequest organizations;
  CHECK(call(&Stub::ListOrganizations, organizations)->organizations_size() == 1);
  v1::ListProjectsRequest projects;
  projects.set_org_id(org_id);
  CHECK(call(&Stub::ListProjects, projects)->projects_size() == 1);
  v1::ListUsersRequest users;
  users.set_org_id(org_id);
  CHECK(call(&Stub::ListUsers, users)->users_size() == 1);
  v1::ListKeysRequest keys;
  keys.set_project_id(project_id);
  CHECK(call(&Stub::ListKeys, keys)->keys_size() == 1);

  v1::RevokeKeyRequest revoke;
  revoke.set_id(created.key().id());
  CHECK(call(&Stub::RevokeKey, revoke).ok());
  CHECK(ReasonOf(call(&Stub::Authenticate, authenticate, "").status()) == errors::v1::REASON_UNAUTHENTICATED);
  CHECK(ReasonOf(service.Mint(created.secret(), MintRequest()).status()) ==
        errors::v1::REASON_UNAUTHENTICATED);
}

}  // namespace
}  // namespace verdict::token
