#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "common/pg/statement.h"

namespace verdict::feedback {

// The writers of a queue, each with a Store of its own, made of a connection and `caches`.
template <typename Queue, typename Store, typename... Caches>
std::vector<typename Queue::StoreBatch> MakeWriters(size_t count, const pg::ConnectionOptions& connection,
                                                    Caches&... caches) {
  std::vector<typename Queue::StoreBatch> writers;
  for (size_t i = 0; i < count; ++i) {
    auto store = std::make_shared<Store>(connection, caches...);
    writers.emplace_back([store](auto batch) { return store->Store(batch); });
  }
  return writers;
}

}  // namespace verdict::feedback
