#include "services/aggregator/entity_reader.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "services/aggregator/errors.h"

namespace verdict::aggregator {
namespace {

using std::chrono::steady_clock;

// Whether a failure is that of the database, or of the time, and not of what was read.
bool IsEveryones(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) || absl::IsResourceExhausted(status);
}

}  // namespace

EntityReader::EntityReader(EntityReaderOptions options, std::vector<ReadSeveral> readers, Metrics& metrics)
    : options_(options), metrics_(metrics), gathering_(options.batch_max, options.company_wait) {
  for (ReadSeveral& read : readers) {
    threads_.emplace_back([this, read = std::move(read)] { Run(read); });
  }
}

EntityReader::~EntityReader() {
  {
    absl::MutexLock lock(&mutex_);
    gathering_.End();
  }
  threads_.clear();
}

void EntityReader::Read(const Entity& entity, Deadline deadline, Done done) {
  {
    absl::MutexLock lock(&mutex_);
    if (waiting_.size() < options_.waiting_max) {
      waiting_.push_back({entity, deadline, std::move(done)});
      gathering_.Add(1);
      return;
    }
  }
  done(error::TooManyReads());
}

// The first that waits, and what is of its kind behind it. Empty when no more will come.
std::vector<EntityReader::Waiting> EntityReader::TakeBatch() {
  absl::MutexLock lock(&mutex_);
  if (!gathering_.Await(mutex_)) return {};
  std::vector<Waiting> batch;
  const Entity first = waiting_.front().entity;
  std::deque<Waiting> others;
  for (Waiting& read : waiting_) {
    const bool alike = read.entity.project_id == first.project_id && read.entity.type == first.type;
    if (alike && batch.size() < options_.batch_max) {
      batch.push_back(std::move(read));
    } else {
      others.push_back(std::move(read));
    }
  }
  waiting_ = std::move(others);
  gathering_.Take(batch.size());
  return batch;
}

void EntityReader::Release() {
  absl::MutexLock lock(&mutex_);
  gathering_.Finish();
}

void EntityReader::Run(const ReadSeveral& read) {
  for (std::vector<Waiting> batch = TakeBatch(); !batch.empty(); batch = TakeBatch()) {
    const auto late = std::ranges::partition(
        batch, [now = steady_clock::now()](const Waiting& waiting) { return waiting.deadline > now; });
    for (Waiting& waiting : late) waiting.done(error::ReadTooLate());
    batch.erase(late.begin(), late.end());
    if (!batch.empty()) {
      std::vector<Uuid> keys;
      keys.reserve(batch.size());
      for (const Waiting& waiting : batch) keys.push_back(waiting.entity.key);
      metrics_.read_batch.Observe(static_cast<double>(keys.size()));
      auto answers = read(batch.front().entity.project_id, batch.front().entity.type, keys);
      for (std::size_t i = 0; i < batch.size(); ++i) {
        if (answers.ok()) {
          batch[i].done(std::move((*answers)[i]));
        } else if (IsEveryones(answers.status())) {
          batch[i].done(answers.status());
        } else {
          batch[i].done(Answer());
        }
      }
    }
    Release();
  }
}

}  // namespace verdict::aggregator
