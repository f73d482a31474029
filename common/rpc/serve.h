#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/config/config.h"
#include "common/metrics/metrics.h"
#include "common/process/process.h"
#include "common/rpc/server.h"

namespace verdict::rpc {

// The settings that every service has.
struct ServiceConfig {
  std::string listen = "127.0.0.1:0";
  std::string admin_listen = "127.0.0.1:0";
  std::string address_file = {};
  std::string log_level = "info";
  std::chrono::milliseconds drain_timeout = std::chrono::seconds(25);
  bool reflection = false;
  std::size_t threads = 8;
  std::uint32_t rate_limit_per_key = 5'000;
  std::uint32_t rate_limit_burst = 10'000;

  void AddTo(config::Parser& parser);
  // Starts the log and writes the effective settings to it. Call once the parser has read them.
  void InitLog(std::string_view service, const config::Parser& parser) const;
  ServerOptions ServerOptions() const;
};

// Runs a service until a signal ends it, and returns the process's exit code. The service is ready once
// `startup_check` has succeeded (it is asked four times a second; an error goes to the log when it changes),
// and stays so until it drains: a database that goes away later is the calls' to report, not a reason to
// take every replica out at once.
int Serve(const ServiceConfig& config, Server& server, metrics::Registry& registry, process::Signals& signals,
          const std::function<absl::Status()>& startup_check);

}  // namespace verdict::rpc
