#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "common/gathering.h"
#include "common/ids/uuid.h"
#include "services/aggregator/aggregator_store.h"
#include "services/aggregator/metrics.h"

namespace verdict::aggregator {

struct EntityReaderOptions {
  std::size_t batch_max = 32;  // entities in one statement
  // Reads; more are refused. Per project, so that one cannot fill the queue.
  std::size_t waiting_max = 4'096;
  std::size_t waiting_per_project_max = 1'024;
  // After which a statement that is under way keeps no others waiting for its sake.
  std::chrono::milliseconds company_wait{5};
};

// Gathers reads of single entities: those that come while others are being read are read by one statement, as
// soon as Gathering says and without delay. A statement is of one project and type; those of which reads wait
// take turns. A read is begun after it was asked for, so that it sees every write acknowledged before.
// Thread-safe.
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
  // What a statement is of.
  struct Kind {
    Uuid project_id = {};
    types::v1::EntityType type = types::v1::ENTITY_TYPE_UNSPECIFIED;

    friend bool operator==(const Kind&, const Kind&) = default;
    template <typename H>
    friend H AbslHashValue(H hash, const Kind& kind) {
      return H::combine(std::move(hash), kind.project_id, kind.type);
    }
  };
  struct Waiting {
    Uuid key;
    Deadline deadline;
    Done done;
  };
  struct Batch {
    Kind kind = {};
    std::vector<Waiting> reads = {};
  };

  absl::Status Enqueue(const Kind& kind, Waiting& read);
  Batch TakeBatch();
  void Run(const ReadSeveral& read);
  void Release();

  const EntityReaderOptions options_;
  Metrics& metrics_;
  absl::Mutex mutex_;
  // The reads that wait of each kind, one or more, oldest first.
  absl::node_hash_map<Kind, std::deque<Waiting>> waiting_ ABSL_GUARDED_BY(mutex_);
  std::deque<Kind> turns_ ABSL_GUARDED_BY(mutex_);  // each of `waiting_`
  // How many wait of each project that has any.
  absl::flat_hash_map<Uuid, std::size_t> of_project_ ABSL_GUARDED_BY(mutex_);
  Gathering gathering_ ABSL_GUARDED_BY(mutex_);  // of reads: all that wait
  std::vector<std::jthread> threads_;
};

}  // namespace verdict::aggregator
