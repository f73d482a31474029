#pragma once

#include <cstddef>
#include <string>

#include "common/config/config.h"
#include "common/rpc/serve.h"

namespace verdict::token {

// The settings of verdict-token.
struct TokenConfig {
  rpc::ServiceConfig service = {};
  config::Secret database_dsn = {};  // role verdict_token
  size_t database_connections = 8;
  std::string keyset_dir = {};
  config::Secret admin_key = {};  // none: no admin RPCs

  // Declares the settings and the rules that they must satisfy.
  void AddTo(config::Parser& parser);
};

}  // namespace verdict::token
