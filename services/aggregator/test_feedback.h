#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/ids/uuid.h"
#include "common/metrics/metrics.h"
#include "common/pg/pool.h"
#include "services/aggregator/aggregator_service.h"
#include "services/aggregator/aggregator_store.h"
#include "services/aggregator/metrics.h"
#include "tests/support/database.h"

namespace verdict::aggregator {

inline const Uuid kProject = *Uuid::Parse("01900000-0000-7000-8000-000000000001");
inline const Uuid kOtherProject = *Uuid::Parse("01900000-0000-7000-8000-000000000002");
inline const Time kNow(std::chrono::milliseconds(1'767'225'600'000));  // 2026-01-01T00:00:00.000Z

// One row of feedback, as the feedback service would have stored it.
struct Row {
  Uuid project = kProject;
  Uuid id = NewUuidV7(kNow);
  types::v1::EntityType type = types::v1::ENTITY_TYPE_SPAN;
  std::string target = "span-1";
  int rater_kind = 1;
  std::string rater_id = "user-1";
  std::optional<std::string> rater_email = {};
  std::optional<std::string> rater_name = {};
  std::optional<Uuid> judge = {};
  bool thumbs_up = true;
  std::optional<std::string> reason = {};
  std::optional<std::string> expected_output = {};
  std::optional<std::string> metadata = {};
  std::optional<std::string> trace = {};
  std::optional<std::string> session = {};
  Time created_at = kNow;
};

// A database, and the service that reads it with the rights that it has in production.
struct TestAggregator {
  TestAggregator();

  void Insert(const Row& row) const;
  // `count` rows on one target, of as many raters, in random order of time; every third is thumbs down.
  void InsertMany(const Uuid& project, types::v1::EntityType type, const std::string& target,
                  int count) const;

  test::TestDatabase database;
  metrics::Registry registry;
  pg::Pool reads;
  pg::Pool streams;
  AggregatorStore store;
  Metrics metrics;
  AggregatorService service;
};

// The messages of one read, or its error.
struct Read {
  absl::Status status;
  std::vector<v1::GetEntityFeedbackResponse> messages;

  // All messages as one.
  v1::GetEntityFeedbackResponse All() const;
};
Read ReadEntity(const TestAggregator& aggregator, types::v1::EntityType type, const std::string& id,
                const Uuid& project = kProject);

// CHECKs that the summary is what one gets by counting the items.
void CheckRecount(const v1::GetEntityFeedbackResponse& response);

}  // namespace verdict::aggregator
