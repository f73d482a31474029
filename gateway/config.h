#pragma once

#include <cstddef>
#include <string>

#include "common/config/config.h"
#include "common/process/config.h"

namespace verdict::gateway {

// The gateway's settings. Each field's sentence is its help text in AddTo.
struct GatewayConfig {
  process::Config process = {.listen = "127.0.0.1:8080"};
  std::string token_address = {};
  std::string feedback_address = {};
  std::string aggregator_address = {};
  std::string cors_origins = "*";
  std::size_t threads = 0;
  std::size_t connections_max = 10'000;
  std::size_t connections_per_address_max = 0;

  // Declares the settings and their rules.
  void AddTo(config::Parser& parser);
};

}  // namespace verdict::gateway
