#include "services/token/token_rpc.h"

#include <string>

namespace verdict::token {
namespace {

// Registers a method of IdentityService, all of which ask the database and none its caller's principal.
template <typename Request, typename Response>
void Register(rpc::Server& server, const IdentityService& identity, const std::string& method,
              absl::StatusOr<Response> (IdentityService::*handler)(const Request&) const) {
  server.Blocking<Request, Response>(
      "verdict.token.v1.IdentityService/" + method,
      [&identity, handler](rpc::Context&, const Request& request) { return (identity.*handler)(request); });
}

}  // namespace

void RegisterTokenService(rpc::Server& server, const TokenService& tokens) {
  server.Inline<v1::MintTokenRequest, v1::MintTokenResponse>(
      "verdict.token.v1.TokenService/MintToken",
      [&tokens](rpc::Context& context, const v1::MintTokenRequest& request) {
        return tokens.Mint(context.principal(), request, context.idempotency_key());
      });
  server.Blocking<v1::VerifyTokenRequest, v1::VerifyTokenResponse>(
      "verdict.token.v1.TokenService/VerifyToken",
      [&tokens](rpc::Context& context, const v1::VerifyTokenRequest& request) {
        return tokens.Verify(context.principal(), request);
      });
  server.Blocking<v1::RevokeTokenRequest, v1::RevokeTokenResponse>(
      "verdict.token.v1.TokenService/RevokeToken",
      [&tokens](rpc::Context& context, const v1::RevokeTokenRequest& request) {
        return tokens.Revoke(context.principal(), request);
      });
  server.Blocking<v1::RevokeAllTokensRequest, v1::RevokeAllTokensResponse>(
      "verdict.token.v1.TokenService/RevokeAllTokens",
      [&tokens](rpc::Context&, const v1::RevokeAllTokensRequest& request) {
        return tokens.RevokeAll(request);
      });
}

void RegisterIdentityService(rpc::Server& server, const IdentityService& identity) {
  Register(server, identity, "Authenticate", &IdentityService::Authenticate);
  Register(server, identity, "CreateOrganization", &IdentityService::CreateOrganization);
  Register(server, identity, "ListOrganizations", &IdentityService::ListOrganizations);
  Register(server, identity, "CreateProject", &IdentityService::CreateProject);
  Register(server, identity, "ListProjects", &IdentityService::ListProjects);
  Register(server, identity, "CreateUser", &IdentityService::CreateUser);
  Register(server, identity, "ListUsers", &IdentityService::ListUsers);
  Register(server, identity, "CreateKey", &IdentityService::CreateKey);
  Register(server, identity, "ListKeys", &IdentityService::ListKeys);
  Register(server, identity, "RevokeKey", &IdentityService::RevokeKey);
}

}  // namespace verdict::token
