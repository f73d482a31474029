#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/config/config.h"
#include "common/metrics/metrics.h"
#include "common/process/config.h"
#include "common/process/process.h"
#include "common/rpc/server.h"

namespace verdict::rpc {

// The settings that every service has.
struct ServiceConfig {
  process::Config process = {};
  bool reflection = false;
  std::size_t threads = 8;
  std::uint32_t rate_limit_per_key = 5'000;
  std::uint32_t rate_limit_burst = 10'000;

  void AddTo(config::Parser& parser);
  ServerOptions ServerOptions() const;
};

// Runs a service until a signal ends it, and returns the process's exit code. The service is ready once
// `startup_check` has succeeded (it is asked four times a second; an error goes to the log when it changes),
// and stays so until it drains: a database that goes away later is the calls' to report, not a reason to
// take every replica out at once.
int Serve(const ServiceConfig& config, Server& server, metrics::Registry& registry, process::Signals& signals,
          const std::function<absl::Status()>& startup_check);

}  // namespace verdict::rpc
