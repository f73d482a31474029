#pragma once

#include <cstddef>
#include <string>

#include "common/config/config.h"
#include "common/rpc/serve.h"
#include "services/feedback/garbage_collector.h"
#include "services/feedback/write_queue.h"

namespace verdict::feedback {

// The settings of verdict-feedback.
struct FeedbackConfig {
  rpc::ServiceConfig service = {};
  config::Secret database_dsn = {};  // role verdict_feedback
  size_t database_connections = 4;   // for what is not written in batches
  std::string keyset_dir = {};
  std::string token_address = {};
  size_t writers = 2;  // each a thread with a connection of its own
  WriteQueueOptions write_queue = {};
  size_t span_writers = 1;  // the same of spans
  // In spans, of which a request has some ten or hundred, and 10,000 at most: these bound a lock's time, and
  // memory.
  WriteQueueOptions span_queue = {.batch_rows_max = 4'000, .waiting_rows_max = 20'000};
  GarbageOptions garbage = {};

  // Declares the settings and the rules that they must satisfy.
  void AddTo(config::Parser& parser);
};

}  // namespace verdict::feedback
