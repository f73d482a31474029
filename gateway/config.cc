#include "gateway/config.h"

#include "gateway/cors.h"

namespace verdict::gateway {

void GatewayConfig::AddTo(config::Parser& parser) {
  process.AddTo(parser);
  parser.Add("token-address", &token_address, "Address of the token service, HOST:PORT.");
  parser.Add("feedback-address", &feedback_address, "Address of the feedback service, HOST:PORT.");
  parser.Add("aggregator-address", &aggregator_address, "Address of the aggregator service, HOST:PORT.");
  parser.Add("cors-origins", &cors_origins,
             "Origins whose pages may redeem feedback tokens: `*`, or a list separated by commas.");
  parser.Add("threads", &threads, "Threads that serve HTTP; 0 means one per processor.");
  parser.Add("connections-max", &connections_max,
             "Open connections of clients; further ones are closed at once.");
  parser.Add(
      "connections-per-address-max", &connections_per_address_max,
      "Of these, from one IPv4 address or IPv6 /64; 0 means no bound, as behind an ingress, whose address "
      "all connections have.");
  for (const char* name : {"token-address", "feedback-address", "aggregator-address"}) parser.Require(name);
  parser.Check([this] { return CorsPolicy::Parse(cors_origins).ok(); },
               "cors-origins must be `*` or origins such as https://app.example.com, separated by commas.");
  parser.Check([this] { return threads <= 256; }, "threads must be at most 256.");
  parser.Check([this] { return connections_max >= 1; }, "connections-max must be at least 1.");
}

}  // namespace verdict::gateway
