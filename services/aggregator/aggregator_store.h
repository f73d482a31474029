#pragma once

#include <span>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "common/ids/uuid.h"
#include "common/pg/pool.h"
#include "verdict/aggregator/v1/aggregator_service.pb.h"
#include "verdict/types/v1/entity.pb.h"

namespace verdict::aggregator {

// What a read of feedback is about.
struct Entity {
  Uuid project_id = {};
  types::v1::EntityType type = types::v1::ENTITY_TYPE_UNSPECIFIED;
  Uuid key = {};  // EntityKey of its id
};

// All SQL of the aggregator service. Thread-safe; blocks.
class AggregatorStore {
 public:
  // Up to this many items, with texts of up to so many bytes, are read by one statement, whose result stays
  // in memory while the caller reads; more through a cursor.
  static constexpr int kOneStatementItems = 1'000;
  static constexpr int kOneStatementBytes = 2 << 20;

  // The statements that the pools must have prepared.
  static std::span<const pg::Statement> ReadStatements();
  static std::span<const pg::Statement> StreamStatements();

  // `reads` serves what one statement can answer. `streams` serves the rest: there a slow caller holds a
  // connection for as long as it reads. Both outlive the store.
  AggregatorStore(pg::Pool& reads, pg::Pool& streams) : reads_(reads), streams_(streams) {}

  // Reads all feedback on the entity, of one snapshot: its counts to `take_summary`, then each item,
  // ascending by created_at, then id, to `take_item`, which returns false when no more is wanted.
  // CANCELLED then; else fails as pg::Execute does, before anything was taken or in the midst of it.
  absl::Status ReadFeedback(const Entity& entity,
                            absl::FunctionRef<void(const v1::FeedbackSummary&)> take_summary,
                            absl::FunctionRef<bool(v1::FeedbackItem)> take_item) const;

  // Whether the database answers and has what ReadFeedback reads.
  absl::Status Check() const;

 private:
  // The same for any number of items, on a connection of `streams_`.
  absl::Status StreamFeedback(const Entity& entity,
                              absl::FunctionRef<void(const v1::FeedbackSummary&)> take_summary,
                              absl::FunctionRef<bool(v1::FeedbackItem)> take_item) const;

  pg::Pool& reads_;
  pg::Pool& streams_;
};

}  // namespace verdict::aggregator
