#pragma once

#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include <catch2/catch.hpp>

#include "common/clock.h"
#include "common/ids/uuid.h"
#include "common/metrics/metrics.h"
#include "common/pg/pool.h"
#include "services/aggregator/aggregator_service.h"
#include "services/aggregator/aggregator_store.h"
#include "services/aggregator/entity_reader.h"
#include "services/aggregator/evaluation_store.h"
#include "services/aggregator/metrics.h"
#include "services/aggregator/statements.h"
#include "services/aggregator/topology_service.h"
#include "services/aggregator/topology_store.h"
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
  std::optional<double> expected_score = {};
  std::optional<int> score_direction = {};
  std::optional<std::string> criteria_feedback = {};
  std::optional<Uuid> prompt = {};
  std::optional<std::string> trace = {};
  std::optional<std::string> session = {};
  Time created_at = kNow;
};

// A scored judge, from 0 to 10.
struct JudgeRow {
  Uuid project = kProject;
  Uuid id = NewUuidV7(kNow);
  std::string name = id.ToString();
};

// One evaluation of that judge, as the feedback service would have stored it.
struct EvaluationRow {
  Uuid project = kProject;
  Uuid id = NewUuidV7(kNow);
  Uuid judge = {};
  std::string span = "span-1";
  bool own_id = false;  // its client gave it the id
  bool binary = false;
  bool result = true;
  std::optional<std::string> reason = {};
  std::optional<double> confidence = {};
  double score = 8.5;  // unless binary
  std::optional<std::string> criteria_scores = {};
  std::optional<std::string> model = {};
  std::optional<int> duration_ms = {};
  std::optional<std::string> trace = {};
  std::optional<std::string> session = {};
  Time created_at = kNow;
};

// A span, a trace and a session, as the feedback service would have stored them. What only feedback has
// mentioned is a stub: a span without a trace, a trace without a start.
struct SpanRow {
  Uuid project = kProject;
  std::string id = NewUuidV7(kNow).ToString();
  std::optional<std::string> trace = "trace-1";
  std::optional<std::string> parent = {};
  std::optional<std::string> session = {};
  std::optional<std::string> name = "step";
  std::optional<std::string> kind = {};
  std::optional<Time> started_at = kNow;
  std::optional<Time> ended_at = {};
  std::optional<Uuid> prompt_version = {};
  std::optional<std::string> model = {};
  Time created_at = kNow;
};
struct TraceRow {
  Uuid project = kProject;
  std::string id = "trace-1";
  std::optional<std::string> session = {};
  std::optional<Time> started_at = kNow;
  Time created_at = kNow;
};
struct SessionRow {
  Uuid project = kProject;
  std::string id = "session-1";
  std::optional<std::string> name = {};
  Time created_at = kNow;
};

// The statements that store a row.
std::string SqlOf(const Row& row);
std::string SqlOf(const JudgeRow& row);
std::string SqlOf(const EvaluationRow& row);
std::string SqlOf(const SpanRow& row);
std::string SqlOf(const TraceRow& row);
std::string SqlOf(const SessionRow& row);

// A database, and the services that read it with the rights that they have in production.
struct TestAggregator {
  TestAggregator();

  void Insert(const auto& row) const { database.Query(SqlOf(row)); }
  // `count` rows on one target, of as many raters, in random order of time; every third is thumbs down.
  void InsertMany(const Uuid& project, types::v1::EntityType type, const std::string& target,
                  int count) const;

  test::TestDatabase database;
  metrics::Registry registry;
  std::vector<pg::Statement> statements = Statements();
  pg::Pool reads;
  pg::Pool streams;
  AggregatorStore store;
  EvaluationStore evaluations;
  TopologyStore topology_store;
  Metrics metrics;
  EntityReader entities;
  AggregatorService service;
  TopologyService topology;
};

// A message that a use case sends.
template <typename Response>
Response Parsed(Packed<Response> message) {
  Response response;
  REQUIRE(response.ParseFromArray(message.bytes.data(), static_cast<int>(message.bytes.size())));
  return response;
}

// The messages of one streamed read, or its error.
template <typename Response>
struct Streamed {
  absl::Status status;
  std::vector<Response> messages;

  // All messages as one.
  Response All() const {
    Response all;
    for (const Response& message : messages) all.MergeFrom(message);
    return all;
  }
};

// Calls a use case of one of the services and takes all that it sends.
template <typename Service, typename Request, typename Response>
Streamed<Response> Stream(const TestAggregator& aggregator,
                          absl::Status (Service::*use_case)(const auth::Principal&, const Request&,
                                                            Write<Response>) const,
                          const std::type_identity_t<Request>& request, const Uuid& project = kProject) {
  const auto& service = std::get<const Service&>(std::tie(aggregator.service, aggregator.topology));
  Streamed<Response> read;
  read.status = (service.*use_case)({.project_id = project}, request, [&](Packed<Response> message) {
    read.messages.push_back(Parsed(message));
    return true;
  });
  return read;
}

// The same of an entity, with its tag; the state of `known_etag` is not sent.
struct Read : Streamed<v1::GetEntityFeedbackResponse> {
  std::string etag;
};
v1::GetEntityFeedbackRequest EntityRequest(types::v1::EntityType type, const std::string& id);
Read ReadEntity(const TestAggregator& aggregator, const v1::GetEntityFeedbackRequest& request,
                const Uuid& project = kProject, const std::string& known_etag = "");
Read ReadEntity(const TestAggregator& aggregator, types::v1::EntityType type, const std::string& id,
                const Uuid& project = kProject);

// The same of an entity that is read beside others, whole or not at all; `response` is null when the caller
// has the state of `known_etag`.
struct WholeRead {
  absl::Status status;
  bool whole = false;
  std::optional<v1::GetEntityFeedbackResponse> response = {};
  std::string etag = {};
};
WholeRead ReadEntityAtOnce(const TestAggregator& aggregator, const v1::GetEntityFeedbackRequest& request,
                           const Uuid& project = kProject, const std::string& known_etag = "");

// The ids of the items, in their order.
template <typename Response>
std::vector<std::string> IdsOf(const Response& response) {
  std::vector<std::string> ids;
  for (const auto& item : response.items()) ids.push_back(item.id());
  return ids;
}

// CHECKs that the summary is what one gets by counting the items.
void CheckRecount(const v1::GetEntityFeedbackResponse& response);

}  // namespace verdict::aggregator
