#include "services/aggregator/test_feedback.h"

#include <catch2/catch.hpp>

#include "common/ids/entity_id.h"

namespace verdict::aggregator {
namespace {

std::string Quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "''" : std::string(1, c);
  return quoted + "'";
}
std::string Quoted(const std::optional<std::string>& text) { return text ? Quoted(*text) : "null"; }
std::string Quoted(const Uuid& uuid) { return Quoted(uuid.ToString()); }
std::string KeyOf(const std::optional<std::string>& text) { return text ? Quoted(EntityKey(*text)) : "null"; }

}  // namespace

TestAggregator::TestAggregator()
    : reads({.dsn = database.Dsn("aggregator"),
             .size = 2,
             .statements = AggregatorStore::ReadStatements(),
             .acquire_timeout = std::chrono::seconds(5)}),
      streams({.dsn = database.Dsn("aggregator"),
               .size = 1,
               .statements = AggregatorStore::StreamStatements(),
               .acquire_timeout = std::chrono::seconds(5),
               .statement_timeout = std::chrono::seconds(60)}),
      store(reads, streams),
      metrics(registry),
      service(store, metrics) {}

void TestAggregator::Insert(const Row& row) const {
  using types::v1::ENTITY_TYPE_SESSION;
  using types::v1::ENTITY_TYPE_TRACE;
  const std::string key = Quoted(EntityKey(row.target));
  const std::string at = Quoted(FormatTime(row.created_at));
  const std::string columns[] = {
      Quoted(row.project),
      Quoted(row.id),
      std::to_string(row.type),
      key,
      Quoted(row.target),
      std::to_string(row.rater_kind),
      Quoted(row.rater_id),
      Quoted(row.rater_email),
      Quoted(row.rater_name),
      row.judge ? Quoted(*row.judge) : "null",
      row.thumbs_up ? "true" : "false",
      Quoted(row.reason),
      Quoted(row.expected_output),
      Quoted(row.metadata),
      row.rater_kind == 2 ? "2" : "1",
      Quoted(kProject),
      row.type == ENTITY_TYPE_TRACE ? key : KeyOf(row.trace),
      row.type == ENTITY_TYPE_SESSION ? key : KeyOf(row.session),
      at,
      at,
  };
  std::string values;
  for (const std::string& column : columns) values += (values.empty() ? "" : ",") + column;
  database.Query(
      "insert into feedback (project_id, id, target_type, target_id, target_text, rater_kind, rater_id,"
      " rater_email, rater_name, judge_id, thumbs_up, reason, expected_output, metadata, via, submitted_by,"
      " trace_id, session_id, created_at, updated_at) values (" +
      values + ")");
}

void TestAggregator::InsertMany(const Uuid& project, types::v1::EntityType type, const std::string& target,
                                int count) const {
  const std::string key = Quoted(EntityKey(target));
  database.Query(
      "insert into feedback (project_id, id, target_type, target_id, target_text, rater_kind, rater_id,"
      " thumbs_up, via, submitted_by, trace_id, session_id, created_at, updated_at) select " +
      Quoted(project) + ", gen_random_uuid(), " + std::to_string(type) + ", " + key + ", " + Quoted(target) +
      ", 1, 'user-' || n, n % 3 <> 0, 1, " + Quoted(project) + ", " +
      (type == types::v1::ENTITY_TYPE_TRACE ? key : "null") + ", " +
      (type == types::v1::ENTITY_TYPE_SESSION ? key : "null") +
      // Some rows share a millisecond, so that the id must order them.
      ", at, at from (select n, now() + floor(random() * 100) * interval '1 ms' as at from "
      "generate_series(1, " +
      std::to_string(count) + ") n) rows");
}

v1::GetEntityFeedbackResponse Read::All() const {
  v1::GetEntityFeedbackResponse all;
  for (const auto& message : messages) all.MergeFrom(message);
  return all;
}

Read ReadEntity(const TestAggregator& aggregator, types::v1::EntityType type, const std::string& id,
                const Uuid& project) {
  v1::GetEntityFeedbackRequest request;
  request.set_project_id(project.ToString());
  request.set_entity_type(type);
  request.set_entity_id(id);
  Read read;
  read.status =
      aggregator.service.GetEntityFeedback({.project_id = project}, request, [&](const auto& message) {
        read.messages.push_back(message);
        return true;
      });
  return read;
}

void CheckRecount(const v1::GetEntityFeedbackResponse& response) {
  int up = 0;
  int down = 0;
  for (const auto& item : response.items()) {
    if (item.source_type() == v1::SOURCE_TYPE_JUDGE) continue;
    ++(item.thumbs_up() ? up : down);
  }
  CHECK(response.summary().total() == response.items_size());
  CHECK(response.summary().human_feedback_count() == response.items_size());
  CHECK(response.summary().judge_evaluation_count() == 0);
  CHECK(response.summary().thumbs_up_count() == up);
  CHECK(response.summary().thumbs_down_count() == down);
}

}  // namespace verdict::aggregator
