#pragma once

#include "common/metrics/metrics.h"

namespace verdict::token {

// What the token service measures itself; calls and their answers are counted by common/rpc, connections by
// common/pg, keys by common/token.
struct TokenMetrics {
  explicit TokenMetrics(metrics::Registry& registry)
      : accepted(Authentications(registry, "accepted")),
        admin(Authentications(registry, "admin")),
        malformed(Authentications(registry, "malformed")),
        refused(Authentications(registry, "refused")),
        failed(Authentications(registry, "failed")) {}

  metrics::Counter& accepted;   // an API key's principal
  metrics::Counter& admin;      // the admin key
  metrics::Counter& malformed;  // no API key by its form: refused without a look-up
  metrics::Counter& refused;    // unknown, expired or revoked: many of them are somebody guessing
  metrics::Counter& failed;     // the database could not say

 private:
  static metrics::Counter& Authentications(metrics::Registry& registry, const char* result) {
    return registry.Counter("verdict_authentications_total", "Credentials looked up, by result.",
                            {{"result", result}});
  }
};

}  // namespace verdict::token
