#include "services/token/config.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "common/token/key_ring.h"

namespace verdict::token {
namespace {

// The admin key opens everything, so it must not be guessed; an AuthenticateRequest takes 256 bytes, and a
// bearer credential no spaces.
bool IsAdminKey(std::string_view key) {
  return key.size() >= 32 && key.size() <= 256 &&
         std::ranges::all_of(key, [](char c) { return '!' <= c && c <= '~'; });
}

}  // namespace

void TokenConfig::AddTo(config::Parser& parser) {
  service.AddTo(parser);
  parser.AddSecretFile("database-dsn-file", &database_dsn,
                       "File with the connection string of the database, for the role verdict_token.");
  parser.Require("database-dsn-file");
  parser.Add("database-connections", &database_connections, "Connections to the database, at most.");
  parser.Add("keyset-dir", &keyset_dir, "Directory with keyset.json and the keys that sign feedback tokens.");
  parser.Require("keyset-dir");
  parser.AddSecretFile("admin-key-file", &admin_key,
                       "File with the operators' key; without it there are no admin RPCs.");
  parser.Check([this] { return database_connections >= 1 && database_connections <= 1'000; },
               "--database-connections must lie between 1 and 1000.");
  parser.Check(
      [this] { return admin_key.empty() || IsAdminKey(admin_key.value()); },
      "--admin-key-file must hold a key of 32 to 256 visible ASCII characters: openssl rand -hex 32.");
  parser.Check([this] {
    const absl::Status status = KeySet::Load(keyset_dir).status();
    return status.ok() ? std::string() : "--keyset-dir: " + std::string(status.message());
  });
}

}  // namespace verdict::token
