#include "services/feedback/config.h"

#include <chrono>
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
  parser.Add("writers", &writers,
             "Threads that store batches of feedback, each over a connection of its own; as many store "
             "evaluations.");
  parser.Add("batch-rows-max", &write_queue.batch_rows_max, "Writes in one batch, at most.");
  parser.Add("waiting-rows-max", &write_queue.waiting_rows_max,
             "Writes that may wait in all; more are refused.");
  parser.Add("waiting-rows-per-key-max", &write_queue.waiting_rows_per_key_max,
             "Writes of one rater to one target that may wait; more are refused.");
  parser.Add("span-writers", &span_writers,
             "Threads that store batches of spans, each over a connection of its own.");
  parser.Add("garbage-interval", &garbage.interval, "How often what has had its time is deleted.");
  parser.Add("stub-retention", &garbage.stub_retention,
             "How long spans and traces are kept that only feedback has mentioned.");
  parser.Add("span-retention", &garbage.span_retention,
             "How long spans, traces and sessions are kept; 0s means for ever.");
  parser.Check([this] { return database_connections >= 1 && database_connections <= 1'000; },
               "--database-connections must lie between 1 and 1000.");
  parser.Check([this] { return writers >= 1 && writers <= 64; }, "--writers must lie between 1 and 64.");
  parser.Check([this] { return span_writers >= 1 && span_writers <= 64; },
               "--span-writers must lie between 1 and 64.");
  parser.Check([this] { return write_queue.batch_rows_max >= 1 && write_queue.batch_rows_max <= 256; },
               "--batch-rows-max must lie between 1 and 256.");
  parser.Check(
      [this] { return write_queue.waiting_rows_max >= 1 && write_queue.waiting_rows_max <= 100'000; },
      "--waiting-rows-max must lie between 1 and 100000.");
  parser.Check([this] { return write_queue.waiting_rows_per_key_max >= 1; },
               "--waiting-rows-per-key-max must be at least 1.");
  parser.Check([this] { return garbage.interval >= std::chrono::seconds(1); },
               "--garbage-interval must be at least 1s.");
  parser.Check([this] { return garbage.stub_retention >= std::chrono::hours(1); },
               "--stub-retention must be at least 1h.");
  parser.Check(
      [this] {
        return garbage.span_retention.count() == 0 || garbage.span_retention >= std::chrono::days(1);
      },
      "--span-retention must be 0s or at least 1d.");
  parser.Check([this] {
    const absl::Status status = token::KeySet::Load(keyset_dir).status();
    return status.ok() ? std::string() : "--keyset-dir: " + std::string(status.message());
  });
}

}  // namespace verdict::feedback
