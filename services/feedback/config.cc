#include "services/feedback/config.h"

#include <string>

#include "common/token/key_ring.h"

namespace verdict::feedback {

void FeedbackConfig::AddTo(config::Parser& parser) {
  service.AddTo(parser);
  parser.AddSecretFile("database-dsn-file", &database_dsn,
                       "File with the connection string of the database, for the role verdict_feedback.");
  parser.Require("database-dsn-file");
  parser.Add("database-connections", &database_connections,
             "Connections to the database, at most, beside those of the writers.");
  parser.Add("keyset-dir", &keyset_dir, "Directory with keyset.json and the keys that sign feedback tokens.");
  parser.Require("keyset-dir");
  parser.Add("token-address", &token_address, "The token service, which knows the API keys: HOST:PORT.");
  parser.Require("token-address");
  parser.Add("writers", &writers, "Threads that store batches of writes, each over a connection of its own.");
  parser.Add("batch-rows-max", &write_queue.batch_rows_max, "Writes in one batch, at most.");
  parser.Add("waiting-rows-max", &write_queue.waiting_rows_max,
             "Writes that may wait for one writer; more are refused.");
  parser.Add("waiting-rows-per-key-max", &write_queue.waiting_rows_per_key_max,
             "Writes of one rater to one target that may wait; more are refused.");
  parser.Check([this] { return database_connections >= 1 && database_connections <= 1'000; },
               "--database-connections must lie between 1 and 1000.");
  parser.Check([this] { return writers >= 1 && writers <= 64; }, "--writers must lie between 1 and 64.");
  parser.Check([this] { return write_queue.batch_rows_max >= 1 && write_queue.batch_rows_max <= 256; },
               "--batch-rows-max must lie between 1 and 256.");
  parser.Check(
      [this] { return write_queue.waiting_rows_max >= 1 && write_queue.waiting_rows_max <= 100'000; },
      "--waiting-rows-max must lie between 1 and 100000.");
  parser.Check([this] { return write_queue.waiting_rows_per_key_max >= 1; },
               "--waiting-rows-per-key-max must be at least 1.");
  parser.Check([this] {
    const absl::Status status = token::KeySet::Load(keyset_dir).status();
    return status.ok() ? std::string() : "--keyset-dir: " + std::string(status.message());
  });
}

}  // namespace verdict::feedback
