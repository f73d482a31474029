#include <cstdlib>
#include <optional>
#include <string>

#include "common/auth/caching_authenticator.h"
#include "common/clock.h"
#include "common/config/config.h"
#include "common/crypto/crypto.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/pg/pool.h"
#include "common/process/process.h"
#include "common/rpc/serve.h"
#include "common/token/key_ring.h"
#include "services/token/config.h"
#include "services/token/identity_service.h"
#include "services/token/local_authenticator.h"
#include "services/token/token_rpc.h"
#include "services/token/token_service.h"
#include "services/token/token_store.h"

namespace verdict::token {
namespace {

int Main(int argc, char** argv) {
  process::ForbidCoreFiles();
  TokenConfig config;
  config::Parser parser("verdict-token", "Mints, verifies and revokes feedback tokens; knows who is who.");
  config.AddTo(parser);
  if (const std::optional<int> exit_code = parser.Parse(argc, argv)) return *exit_code;
  process::Signals signals;
  config.service.process.InitLog("token", parser);

  // Of the admin key only the hash stays in memory.
  std::optional<crypto::Digest> admin_key_hash;
  if (!config.admin_key.empty()) admin_key_hash = crypto::Sha256(config.admin_key.value());
  config.admin_key = {};

  metrics::Registry registry;
  auto ring = KeyRing::Open(config.keyset_dir, registry);
  if (!ring.ok()) {
    log::Error("cannot start", {{"why", std::string(ring.status().message())}});
    return EXIT_FAILURE;
  }
  pg::Pool pool({.dsn = config.database_dsn.value(),
                 .size = config.database_connections,
                 .statements = TokenStore::Statements(),
                 .application_name = "verdict-token",
                 .registry = &registry});
  TokenStore store(pool);
  const SystemClock clock;
  TokenMetrics metrics(registry);
  const IdentityService identity(store, clock, metrics, admin_key_hash);
  const TokenService tokens(**ring, store, clock);

  // Only the calls to this process use the cache: Authenticate itself asks the database each time, since the
  // other services remember its answers.
  LocalAuthenticator local(identity);
  auth::CachingAuthenticator authenticator(local);
  rpc::Server server(config.service.ServerOptions(), authenticator, registry);
  RegisterTokenService(server, tokens);
  RegisterIdentityService(server, identity);
  // Connecting prepares every statement, so any answer shows that the schema is there.
  return rpc::Serve(config.service, server, registry, signals,
                    [&store] { return store.FindProjectOrganization(Uuid{}).status(); });
}

}  // namespace
}  // namespace verdict::token

int main(int argc, char** argv) { return verdict::token::Main(argc, argv); }
