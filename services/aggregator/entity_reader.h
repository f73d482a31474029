#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "common/gathering.h"
#include "services/aggregator/aggregator_store.h"
#include "services/aggregator/metrics.h"

namespace verdict::aggregator {

struct EntityReaderOptions {
  std::size_t batch_max = 32;       // entities in one statement
  std::size_t waiting_max = 4'096;  // reads; more are refused
  // After which a statement that is under way keeps no others waiting for its sake.
  std::chrono::milliseconds company_wait{5};
};

// Gathers reads of single entities: those that come while others are being read are read by one statement, as
// soon as Gathering says and without delay. A read is begun after it was asked for, so that it sees every
// write acknowledged before. Thread-safe.
class EntityReader {
 public:
  // Nullopt: too much to be read beside others.
  using Answer = std::optional<EntityFeedback>;
  using Done = absl::AnyInvocable<void(absl::StatusOr<Answer>)>;
  using Deadline = std::chrono::steady_clock::time_point;
  // Reads entities of one project and type by one statement (AggregatorStore::ReadSeveral).
  using ReadSeveral = std::function<absl::StatusOr<std::vector<Answer>>(
      const Uuid& project_id, types::v1::EntityType type, absl::Span<const Uuid> keys)>;

  // One reader, a thread, per element of `readers`.
  EntityReader(EntityReaderOptions options, std::vector<ReadSeveral> readers, Metrics& metrics);
  // Answers what waits.
  ~EntityReader();

  // Never blocks. `done` is called once, by a reader, or at once when the read is refused: OVERLOADED. Also
  // DEADLINE_EXCEEDED, and what ReadSeveral fails with. Where one entity may be at fault for the failure of
  // all, each is answered nullopt, to be read by itself.
  void Read(const Entity& entity, Deadline deadline, Done done);

 private:
  struct Waiting {
    Entity entity;
    Deadline deadline;
    Done done;
  };

  std::vector<Waiting> TakeBatch();
  void Run(const ReadSeveral& read);
  void Release();

  const EntityReaderOptions options_;
  Metrics& metrics_;
  absl::Mutex mutex_;
  std::deque<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  Gathering gathering_ ABSL_GUARDED_BY(mutex_);  // of reads: `waiting_`
  std::vector<std::jthread> threads_;
};

}  // namespace verdict::aggregator
