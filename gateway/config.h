#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "common/config/config.h"

namespace verdict::gateway {

// The gateway's settings. Each field's sentence is its help text in AddTo.
struct GatewayConfig {
  std::string listen = "127.0.0.1:8080";
  std::string admin_listen = "127.0.0.1:0";
  std::string address_file = {};
  std::string log_level = "info";
  std::string token_address = {};
  std::string feedback_address = {};
  std::string aggregator_address = {};
  std::string cors_origins = "*";
  std::size_t threads = 0;
  std::size_t connections_max = 10'000;
  std::chrono::milliseconds drain_timeout = std::chrono::seconds(25);

  // Declares the settings and their rules.
  void AddTo(config::Parser& parser);
};

}  // namespace verdict::gateway
