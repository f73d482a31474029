#pragma once

#include "common/rpc/server.h"
#include "services/token/identity_service.h"
#include "services/token/token_service.h"

namespace verdict::token {

// Registers the handlers of verdict.token.v1.TokenService and IdentityService. Both outlive the server.
void RegisterTokenService(rpc::Server& server, const TokenService& tokens);
void RegisterIdentityService(rpc::Server& server, const IdentityService& identity);

}  // namespace verdict::token
