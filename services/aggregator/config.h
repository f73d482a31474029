#pragma once

#include <algorithm>
#include <cstddef>
#include <string>

#include "common/config/config.h"
#include "common/rpc/serve.h"
#include "services/aggregator/entity_reader.h"

namespace verdict::aggregator {

// The settings of verdict-aggregator.
struct AggregatorConfig {
  // More threads than connections: a caller that reads slowly holds one, and no connection, for each answer
  // of more than one message.
  rpc::ServiceConfig service = {.threads = 32};
  config::Secret database_dsn = {};
  std::string token_address = {};
  std::size_t read_connections = 8;  // for what is read before it is sent
  // For the rest, each busy until its caller has read all. More than one caller may keep (rpc::SlowReaders).
  std::size_t stream_connections = 6;

  std::size_t entity_readers = 2;  // each a thread with a connection of its own
  EntityReaderOptions entity_reader = {};

  void AddTo(config::Parser& parser) {
    service.AddTo(parser);
    parser.AddSecretFile("database-dsn-file", &database_dsn,
                         "File with the connection string of the role verdict_aggregator.");
    parser.Require("database-dsn-file");
    parser.Add("token-address", &token_address, "The token service, which knows the API keys: HOST:PORT.");
    parser.Require("token-address");
    parser.Add("read-connections", &read_connections,
               "Database connections for what is read before it is sent.");
    parser.Add("stream-connections", &stream_connections,
               "Database connections for what is sent while it is read.");
    parser.Add(
        "entity-readers", &entity_readers,
        "Threads that read what is on single entities, several by one statement, each over a connection "
        "of its own.");
    parser.Check([this] { return entity_readers >= 1 && entity_readers <= 64; },
                 "--entity-readers must lie between 1 and 64.");
    parser.Check(
        [this] {
          return std::min(read_connections, stream_connections) >= 1 &&
                 std::max(read_connections, stream_connections) <= 1'000;
        },
        "--read-connections and --stream-connections must lie between 1 and 1000.");
  }
};

}  // namespace verdict::aggregator
