#include "services/aggregator/entity_reader.h"

#include <algorithm>
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
  Waiting read = {.key = entity.key, .deadline = deadline, .done = std::move(done)};
  const absl::Status accepted = Enqueue({.project_id = entity.project_id, .type = entity.type}, read);
  if (!accepted.ok()) {
    metrics_.refused_reads.Increment();
    read.done(accepted);
  }
}

// Takes the read, or leaves it and says why.
absl::Status EntityReader::Enqueue(const Kind& kind, Waiting& read) {
  absl::MutexLock lock(&mutex_);
  if (gathering_.ready() >= options_.waiting_max) return error::TooManyReads();
  std::size_t& of_project = of_project_[kind.project_id];
  if (of_project >= options_.waiting_per_project_max) return error::TooManyReadsOfProject();
  ++of_project;
  std::deque<Waiting>& of_kind = waiting_[kind];
  if (of_kind.empty()) turns_.push_back(kind);
  of_kind.push_back(std::move(read));
  gathering_.Add(1);
  metrics_.waiting_reads.Increment();
  return absl::OkStatus();
}

// The oldest of the kind whose turn it is. Empty when no more will come.
EntityReader::Batch EntityReader::TakeBatch() {
  absl::MutexLock lock(&mutex_);
  if (!gathering_.Await(mutex_)) return {};
  Batch batch = {.kind = turns_.front()};
  turns_.pop_front();
  const auto of_kind = waiting_.find(batch.kind);
  std::deque<Waiting>& reads = of_kind->second;
  while (!reads.empty() && batch.reads.size() < options_.batch_max) {
    batch.reads.push_back(std::move(reads.front()));
    reads.pop_front();
  }
  if (reads.empty()) {
    waiting_.erase(of_kind);
  } else {
    turns_.push_back(batch.kind);
  }
  const auto of_project = of_project_.find(batch.kind.project_id);
  of_project->second -= batch.reads.size();
  if (of_project->second == 0) of_project_.erase(of_project);
  gathering_.Take(batch.reads.size());
  metrics_.waiting_reads.Decrement(static_cast<double>(batch.reads.size()));
  return batch;
}

void EntityReader::Release() {
  absl::MutexLock lock(&mutex_);
  gathering_.Finish();
}

void EntityReader::Run(const ReadSeveral& read) {
  for (Batch batch = TakeBatch(); !batch.reads.empty(); batch = TakeBatch()) {
    std::vector<Waiting>& reads = batch.reads;
    const auto late = std::ranges::partition(
        reads, [now = steady_clock::now()](const Waiting& waiting) { return waiting.deadline > now; });
    for (Waiting& waiting : late) waiting.done(error::ReadTooLate());
    reads.erase(late.begin(), late.end());
    if (!reads.empty()) {
      std::vector<Uuid> keys;
      keys.reserve(reads.size());
      for (const Waiting& waiting : reads) keys.push_back(waiting.key);
      metrics_.read_batch.Observe(static_cast<double>(keys.size()));
      auto answers = read(batch.kind.project_id, batch.kind.type, keys);
      for (std::size_t i = 0; i < reads.size(); ++i) {
        if (answers.ok()) {
          reads[i].done(std::move((*answers)[i]));
        } else if (IsEveryones(answers.status())) {
          reads[i].done(answers.status());
        } else {
          reads[i].done(Answer());
        }
      }
    }
    Release();
  }
}

}  // namespace verdict::aggregator
