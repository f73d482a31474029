#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <span>

#include "absl/status/statusor.h"
#include "common/pg/pool.h"
#include "common/pg/statement.h"

namespace verdict::feedback {

// A kind of rows that have had their time. The order is the one in which they are collected.
enum class Garbage {
  kRedemptions,  // of tokens that can be used no more
  kIdempotency,  // records that are a day old
  kSpanStubs,    // spans and traces that only feedback has mentioned
  kTraceStubs,
  kSpans,  // topology that is no longer wanted
  kTraces,
  kSessions,
};
inline constexpr std::array kGarbage = {Garbage::kRedemptions, Garbage::kIdempotency, Garbage::kSpanStubs,
                                        Garbage::kTraceStubs,  Garbage::kSpans,       Garbage::kTraces,
                                        Garbage::kSessions};

// Deletes what has had its time, a little at a time. Thread-safe.
class GarbageStore {
 public:
  static constexpr size_t kRowsMax = 1'000;

  // `pool` has Statements(), and outlives the store.
  explicit GarbageStore(pg::Pool& pool) : pool_(pool) {}

  static std::span<const pg::Statement> Statements();

  // Deletes at most kRowsMax rows of the kind that are older than `age` by the database's clock, the oldest
  // first, and returns how many: less than kRowsMax when no more are to be had now, also because another
  // process is collecting. Rows that somebody is using are left alone. Fails as pg::Execute does.
  absl::StatusOr<size_t> Collect(Garbage kind, std::chrono::milliseconds age) const;

 private:
  pg::Pool& pool_;
};

}  // namespace verdict::feedback
