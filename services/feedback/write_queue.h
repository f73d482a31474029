#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/node_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/hash/hash.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "services/feedback/errors.h"
#include "services/feedback/metrics.h"

namespace verdict::feedback {

struct WriteQueueOptions {
  // A lone write may have more. More than this buys little throughput and costs every row of the batch
  // time.
  size_t batch_rows_max = 64;
  size_t waiting_rows_max = 4096;  // per writer; a lone write may have more
  // Per key, so that one hot key cannot fill the queue. A hundred callers of one key at once are ordinary.
  size_t waiting_rows_per_key_max = 128;
  std::chrono::milliseconds time_needed{100};  // a write whose deadline is nearer is refused
  std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
};

// Group commit: gathers single writes into batches, each stored by one round trip to the database.
//
// There is no timer: while a writer stores one batch the next one gathers, so a lone write goes out at once
// and a crowd shares its commits. Writes are spread over the writers by key, and a batch has at most one
// write of each key; the next one waits for the next batch. So the writes of a key happen one after the
// other, in the order of their submission, and each gets the answer that it would have got alone.
//
// `Write` has a member `key`, which can be hashed and compared; where it has a function `rows`, it counts for
// that many rows instead of one. Thread-safe.
template <typename Write, typename Answer>
class WriteQueue {
 public:
  // Called exactly once: by a writer, or by Submit itself when the write is refused.
  using Done = absl::AnyInvocable<void(absl::StatusOr<Answer>)>;

  // Stores a batch, whose keys are distinct, as one transaction; one answer per write, in order. Answers come
  // after the commit. An error is the whole batch's. UNAVAILABLE (also as OUTCOME_UNKNOWN), OVERLOADED and
  // DEADLINE_EXCEEDED go to its callers as they are; any other says that nothing was stored because of one of
  // the writes.
  using StoreBatch =
      std::function<absl::StatusOr<std::vector<absl::StatusOr<Answer>>>(absl::Span<const Write* const>)>;

  // One writer, a thread, per element of `writers`.
  WriteQueue(WriteQueueOptions options, std::vector<StoreBatch> writers, WriteQueueMetrics& metrics)
      : options_(std::move(options)), metrics_(metrics) {
    for (StoreBatch& store : writers) {
      shards_.push_back(std::make_unique<Shard>());
      threads_.emplace_back(
          [this, &shard = *shards_.back(), store = std::move(store)] { Run(shard, store); });
    }
  }

  ~WriteQueue() { Drain(); }

  // Queues a write. Refused with DEADLINE_EXCEEDED, OVERLOADED or (after Drain) UNAVAILABLE: then nothing is
  // stored. Never blocks.
  void Submit(Write write, std::chrono::steady_clock::time_point deadline, Done done) {
    auto row = std::make_unique<Row>(Row{std::move(write), deadline, std::move(done)});
    if (const absl::Status accepted = Enqueue(row); !accepted.ok()) {
      metrics_.refused_rows.Increment();
      row->done(accepted);
    }
  }

  // Refuses further writes, answers all that wait, and returns when the last has been answered. Idempotent;
  // one caller at a time.
  void Drain() {
    for (const auto& shard : shards_) {
      absl::MutexLock lock(&shard->mutex);
      shard->draining = true;
      shard->changed.Signal();
    }
    threads_.clear();
  }

 private:
  struct Row {
    Write write;
    std::chrono::steady_clock::time_point deadline;
    Done done;
  };
  using Rows = std::vector<std::unique_ptr<Row>>;
  // The rows that wait for each key, oldest first; a key without one has no entry.
  using RowsByKey = absl::node_hash_map<decltype(Write::key), std::deque<std::unique_ptr<Row>>>;

  struct Shard {
    absl::Mutex mutex;
    absl::CondVar changed;
    RowsByKey waiting ABSL_GUARDED_BY(mutex);
    // Each key of `waiting` once, in the order in which they get into batches.
    std::deque<typename RowsByKey::value_type*> turns ABSL_GUARDED_BY(mutex);
    size_t waiting_rows ABSL_GUARDED_BY(mutex) = 0;
    bool draining ABSL_GUARDED_BY(mutex) = false;
  };

  static size_t RowsOf(const Write& write) {
    if constexpr (requires { write.rows(); }) {
      return write.rows();
    } else {
      return 1;
    }
  }

  // Takes the row, or leaves it and says why.
  absl::Status Enqueue(std::unique_ptr<Row>& row) {
    if (row->deadline - options_.now() < options_.time_needed) return error::DeadlineTooNear();
    Shard& shard = *shards_[absl::HashOf(row->write.key) % shards_.size()];
    absl::MutexLock lock(&shard.mutex);
    if (shard.draining) return error::ShuttingDown();
    const size_t rows = RowsOf(row->write);
    if (shard.waiting_rows > 0 && shard.waiting_rows + rows > options_.waiting_rows_max) {
      return error::QueueFull();
    }
    const auto [entry, is_new] = shard.waiting.try_emplace(row->write.key);
    if (entry->second.size() >= options_.waiting_rows_per_key_max) return error::KeyQueueFull();
    entry->second.push_back(std::move(row));
    if (is_new) shard.turns.push_back(&*entry);
    shard.waiting_rows += rows;
    metrics_.waiting_rows.Increment(static_cast<double>(rows));
    shard.changed.Signal();
    return absl::OkStatus();
  }

  // Waits for rows and takes the next batch; an empty one says that the shard is drained.
  Rows TakeBatch(Shard& shard) {
    absl::MutexLock lock(&shard.mutex);
    while (shard.turns.empty() && !shard.draining) shard.changed.Wait(&shard.mutex);
    Rows batch;
    size_t rows = 0;
    // Each key once: one that has more to come waits behind those of now.
    for (size_t keys = shard.turns.size(); keys > 0; --keys) {
      auto* entry = shard.turns.front();
      const size_t more = RowsOf(entry->second.front()->write);
      if (!batch.empty() && rows + more > options_.batch_rows_max) break;
      rows += more;
      shard.turns.pop_front();
      const auto& row = batch.emplace_back(std::move(entry->second.front()));
      entry->second.pop_front();
      if (entry->second.empty()) {
        shard.waiting.erase(row->write.key);
      } else {
        shard.turns.push_back(entry);
      }
    }
    shard.waiting_rows -= rows;
    metrics_.waiting_rows.Decrement(static_cast<double>(rows));
    return batch;
  }

  void Run(Shard& shard, const StoreBatch& store) {
    for (Rows batch = TakeBatch(shard); !batch.empty(); batch = TakeBatch(shard)) {
      const auto late = std::partition(batch.begin(), batch.end(), [now = options_.now()](const auto& row) {
        return row->deadline > now;
      });
      std::for_each(late, batch.end(), [](const auto& row) { row->done(error::DeadlineExceeded()); });
      batch.erase(late, batch.end());
      if (!batch.empty()) Commit(store, absl::MakeSpan(batch));
    }
  }

  // Whether the batch failed for what is in it, and not for the state of the database.
  static bool IsFaultOfARow(const absl::Status& status) {
    return !absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status) &&
           !absl::IsResourceExhausted(status);
  }

  // Stores the rows and answers them. When one of them is at fault, halves them until it stands alone.
  void Commit(const StoreBatch& store, absl::Span<std::unique_ptr<Row>> rows) {
    std::vector<const Write*> writes;
    writes.reserve(rows.size());
    size_t rows_count = 0;
    for (const auto& row : rows) {
      writes.push_back(&row->write);
      rows_count += RowsOf(row->write);
    }

    const auto start = std::chrono::steady_clock::now();
    auto answers = store(writes);
    metrics_.commit_seconds.Observe(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    metrics_.batch_rows.Observe(static_cast<double>(rows_count));

    if (answers.ok()) {
      for (size_t i = 0; i < rows.size(); ++i) rows[i]->done(std::move((*answers)[i]));
    } else if (rows.size() > 1 && IsFaultOfARow(answers.status())) {
      Commit(store, rows.first(rows.size() / 2));
      Commit(store, rows.subspan(rows.size() / 2));
    } else {
      for (const auto& row : rows) row->done(answers.status());
    }
  }

  const WriteQueueOptions options_;
  WriteQueueMetrics& metrics_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::jthread> threads_;
};

}  // namespace verdict::feedback
