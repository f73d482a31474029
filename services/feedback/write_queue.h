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
#include "common/gathering.h"
#include "services/feedback/errors.h"
#include "services/feedback/metrics.h"

namespace verdict::feedback {

struct WriteQueueOptions {
  // A lone write may have more. More than this buys little throughput and costs every row of the batch
  // time.
  size_t batch_rows_max = 64;
  size_t waiting_rows_max = 8192;  // a lone write may have more
  // Per key, so that one hot key cannot fill the queue. A hundred callers of one key at once are ordinary.
  size_t waiting_rows_per_key_max = 128;
  std::chrono::milliseconds time_needed{100};  // a write whose deadline is nearer is refused
  // After which a batch that is being stored keeps no others waiting for its sake.
  std::chrono::milliseconds company_wait{20};
  std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
};

// Group commit: gathers single writes into batches, each stored by one round trip to the database.
//
// A batch is stored as soon as Gathering says, without delay: a lone write goes out at once and a crowd
// shares its commits, which is what makes it cheap. No two batches under way have writes of one key, and a
// batch has one at most; the next one waits. So the writes of a key happen one after the other, in the order
// of their submission, and each gets the answer that it would have got alone.
//
// `Write` has a member `key`, which can be hashed and compared; where it has a function `rows`, it counts for
// that many rows, one at least, instead of one. Thread-safe.
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
      : options_(std::move(options)),
        metrics_(metrics),
        gathering_(options_.batch_rows_max, options_.company_wait) {
    for (StoreBatch& store : writers) {
      threads_.emplace_back([this, store = std::move(store)] { Run(store); });
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
    {
      absl::MutexLock lock(&mutex_);
      gathering_.End();
    }
    threads_.clear();
  }

 private:
  struct Row;
  // The rows that wait for each key, oldest first. A key has an entry while a row of it waits or is being
  // stored.
  using RowsByKey = absl::node_hash_map<decltype(Write::key), std::deque<std::unique_ptr<Row>>>;
  using OfKey = typename RowsByKey::value_type;

  struct Row {
    Write write;
    std::chrono::steady_clock::time_point deadline;
    Done done;
    OfKey* of_key = nullptr;
  };
  using Rows = std::vector<std::unique_ptr<Row>>;

  static size_t RowsOf(const Write& write) {
    if constexpr (requires { write.rows(); }) {
      return std::max<size_t>(write.rows(), 1);  // or nobody would take it
    } else {
      return 1;
    }
  }

  // Takes the row, or leaves it and says why.
  absl::Status Enqueue(std::unique_ptr<Row>& row) {
    if (row->deadline - options_.now() < options_.time_needed) return error::DeadlineTooNear();
    absl::MutexLock lock(&mutex_);
    if (gathering_.ended()) return error::ShuttingDown();
    const size_t rows = RowsOf(row->write);
    if (waiting_rows_ > 0 && waiting_rows_ + rows > options_.waiting_rows_max) return error::QueueFull();
    const auto [entry, is_new] = keys_.try_emplace(row->write.key);
    if (entry->second.size() >= options_.waiting_rows_per_key_max) return error::KeyQueueFull();
    row->of_key = &*entry;
    entry->second.push_back(std::move(row));
    if (is_new) {
      turns_.push_back(&*entry);
      gathering_.Add(rows);
    }
    waiting_rows_ += rows;
    metrics_.waiting_rows.Increment(static_cast<double>(rows));
    return absl::OkStatus();
  }

  // Waits for rows and takes the next batch; an empty one says that no more will come.
  Rows TakeBatch() {
    absl::MutexLock lock(&mutex_);
    if (!gathering_.Await(mutex_)) return {};
    Rows batch;
    size_t rows = 0;
    while (!turns_.empty()) {
      auto& waiting = turns_.front()->second;
      const size_t more = RowsOf(waiting.front()->write);
      if (!batch.empty() && rows + more > options_.batch_rows_max) break;
      rows += more;
      turns_.pop_front();
      batch.push_back(std::move(waiting.front()));
      waiting.pop_front();
    }
    gathering_.Take(rows);
    waiting_rows_ -= rows;
    metrics_.waiting_rows.Decrement(static_cast<double>(rows));
    return batch;
  }

  // Lets the next rows of the batch's keys have their turn.
  void Release(const std::vector<OfKey*>& keys) {
    absl::MutexLock lock(&mutex_);
    size_t rows = 0;
    for (OfKey* of_key : keys) {
      if (of_key->second.empty()) {
        keys_.erase(keys_.find(of_key->first));
      } else {
        turns_.push_back(of_key);
        rows += RowsOf(of_key->second.front()->write);
      }
    }
    gathering_.Finish(rows);
  }

  void Run(const StoreBatch& store) {
    for (Rows batch = TakeBatch(); !batch.empty(); batch = TakeBatch()) {
      std::vector<OfKey*> keys;
      keys.reserve(batch.size());
      for (const auto& row : batch) keys.push_back(row->of_key);
      const auto late = std::partition(batch.begin(), batch.end(), [now = options_.now()](const auto& row) {
        return row->deadline > now;
      });
      std::for_each(late, batch.end(), [](const auto& row) { row->done(error::DeadlineExceeded()); });
      batch.erase(late, batch.end());
      if (!batch.empty()) Commit(store, absl::MakeSpan(batch));
      Release(keys);
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
  absl::Mutex mutex_;
  RowsByKey keys_ ABSL_GUARDED_BY(mutex_);
  // Each key that has a row waiting and none being stored, in the order in which they get into batches.
  std::deque<OfKey*> turns_ ABSL_GUARDED_BY(mutex_);
  Gathering gathering_ ABSL_GUARDED_BY(mutex_);  // of rows: the next ones of `turns_`
  size_t waiting_rows_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::jthread> threads_;
};

}  // namespace verdict::feedback
