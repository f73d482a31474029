#include "gateway/config.h"

#include "common/log/log.h"
#include "gateway/cors.h"

namespace verdict::gateway {

void GatewayConfig::AddTo(config::Parser& parser) {
  parser.Add("listen", &listen, "Address to serve HTTP on, HOST:PORT; port 0 takes any free one.");
  parser.Add("admin-listen", &admin_listen, "Address of /metrics, /healthz and /readyz.");
  parser.Add("address-file", &address_file, "File to write the bound addresses to, once serving.");
  parser.Add("log-level", &log_level, "Least level that is logged: debug, info, warn or error.");
  parser.Add("token-address", &token_address, "Address of the token service, HOST:PORT.");
  parser.Add("feedback-address", &feedback_address, "Address of the feedback service, HOST:PORT.");
  parser.Add("aggregator-address", &aggregator_address, "Address of the aggregator service, HOST:PORT.");
  parser.Add("cors-origins", &cors_origins,
             "Origins whose pages may redeem feedback tokens: `*`, or a list separated by commas.");
  parser.Add("threads", &threads, "Threads that serve HTTP; 0 means one per processor.");
  parser.Add("connections-max", &connections_max,
             "Open connections of clients; further ones are closed at once.");
  parser.Add("drain-timeout", &drain_timeout,
             "How long requests in progress may take when the process ends.");
  for (const char* name : {"token-address", "feedback-address", "aggregator-address"}) parser.Require(name);
  parser.Check(
      [this] {
        log::Level level;
        return log::ParseLevel(log_level, &level);
      },
      "log-level must be debug, info, warn or error.");
  parser.Check([this] { return CorsPolicy::Parse(cors_origins).ok(); },
               "cors-origins must be `*` or origins such as https://app.example.com, separated by commas.");
  parser.Check([this] { return threads <= 256; }, "threads must be at most 256.");
  parser.Check([this] { return connections_max >= 1; }, "connections-max must be at least 1.");
}

}  // namespace verdict::gateway
