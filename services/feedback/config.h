#pragma once

#include <cstddef>
#include <string>

#include "common/config/config.h"
#include "common/rpc/serve.h"
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

  // Declares the settings and the rules that they must satisfy.
  void AddTo(config::Parser& parser);
};

}  // namespace verdict::feedback
