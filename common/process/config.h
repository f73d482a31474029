#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "common/config/config.h"

namespace verdict::process {

// The settings that every process has.
struct Config {
  std::string listen = "127.0.0.1:0";
  std::string admin_listen = "127.0.0.1:0";
  std::string address_file = {};
  std::string log_level = "info";
  std::chrono::milliseconds drain_timeout = std::chrono::seconds(25);

  // Declares the settings and their rules.
  void AddTo(config::Parser& parser);

  // Starts the log as that of `service`, and writes the effective settings to it. Call once the parser has
  // read them.
  void InitLog(std::string_view service, const config::Parser& parser) const;
};

}  // namespace verdict::process
