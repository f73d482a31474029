#include "common/process/config.h"

#include "common/log/log.h"

namespace verdict::process {

void Config::AddTo(config::Parser& parser) {
  parser.Add("listen", &listen, "Address to serve on, HOST:PORT; port 0 takes any free one.");
  parser.Add("admin-listen", &admin_listen, "Address of /metrics, /healthz and /readyz.");
  parser.Add("address-file", &address_file, "File to write the bound addresses to, once serving.");
  parser.Add("log-level", &log_level, "Least level that is logged: debug, info, warn or error.");
  parser.Add("drain-timeout", &drain_timeout, "How long what is under way may take when the process ends.");
  parser.Check(
      [this] {
        log::Level level;
        return log::ParseLevel(log_level, &level);
      },
      "log-level must be debug, info, warn or error.");
}

void Config::InitLog(std::string_view service, const config::Parser& parser) const {
  log::Level level = log::Level::kInfo;
  log::ParseLevel(log_level, &level);
  log::Init(service, level);
  for (const auto& [name, value] : parser.Effective()) {
    log::Info("setting", {{"name", name}, {"value", value}});
  }
}

}  // namespace verdict::process
