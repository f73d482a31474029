#include "services/aggregator/test_feedback.h"

#include <initializer_list>
#include <memory>
#include <utility>

#include <catch2/catch.hpp>

#include "absl/synchronization/notification.h"
#include "common/ids/entity_id.h"

namespace verdict::aggregator {
namespace {

std::string Quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "''" : std::string(1, c);
  return quoted + "'";
}
std::string Quoted(const Uuid& uuid) { return Quoted(uuid.ToString()); }
std::string Quoted(Time time) { return Quoted(FormatTime(time)); }
template <typename Value>
std::string Quoted(const std::optional<Value>& value) {
  return value ? Quoted(*value) : "null";
}
template <typename Number>
std::string Plain(const std::optional<Number>& number) {
  return number ? std::to_string(*number) : "null";
}
std::string Plain(bool value) { return value ? "true" : "false"; }
std::string KeyOf(const std::optional<std::string>& text) { return text ? Quoted(EntityKey(*text)) : "null"; }

// "insert into TABLE (columns) values (values)"
std::string InsertInto(const std::string& table,
                       std::initializer_list<std::pair<const char*, std::string>> values_by_column) {
  std::string columns;
  std::string values;
  for (const auto& [column, value] : values_by_column) {
    columns += (columns.empty() ? "" : ", ") + std::string(column);
    values += (values.empty() ? "" : ", ") + value;
  }
  return "insert into " + table + " (" + columns + ") values (" + values + ")";
}

std::vector<EntityReader::ReadSeveral> MakeReaders(const test::TestDatabase& database) {
  std::vector<EntityReader::ReadSeveral> readers;
  for (int i = 0; i < 2; ++i) {
    readers.push_back(AggregatorStore::NewSeveralReader({.dsn = database.Dsn("aggregator")}));
  }
  return readers;
}

}  // namespace

TestAggregator::TestAggregator()
    : reads({.dsn = database.Dsn("aggregator"),
             .size = 2,
             .statements = statements,
             .acquire_timeout = std::chrono::seconds(5)}),
      streams({.dsn = database.Dsn("aggregator"),
               .size = 1,
               .statements = statements,
               .acquire_timeout = std::chrono::seconds(5),
               .statement_timeout = std::chrono::seconds(60)}),
      store(reads, streams),
      evaluations(reads, streams),
      topology_store(reads, streams),
      metrics(registry),
      entities({}, MakeReaders(database), metrics),
      service(store, entities, evaluations, metrics),
      topology(topology_store) {}

std::string SqlOf(const Row& row) {
  using types::v1::ENTITY_TYPE_SESSION;
  using types::v1::ENTITY_TYPE_TRACE;
  const std::string key = Quoted(EntityKey(row.target));
  const std::string at = Quoted(FormatTime(row.created_at));
  return InsertInto("feedback", {{"project_id", Quoted(row.project)},
                                 {"id", Quoted(row.id)},
                                 {"target_type", std::to_string(row.type)},
                                 {"target_id", key},
                                 {"target_text", Quoted(row.target)},
                                 {"prompt_id", Quoted(row.prompt)},
                                 {"rater_kind", std::to_string(row.rater_kind)},
                                 {"rater_id", Quoted(row.rater_id)},
                                 {"rater_email", Quoted(row.rater_email)},
                                 {"rater_name", Quoted(row.rater_name)},
                                 {"judge_id", Quoted(row.judge)},
                                 {"thumbs_up", Plain(row.thumbs_up)},
                                 {"reason", Quoted(row.reason)},
                                 {"expected_output", Quoted(row.expected_output)},
                                 {"metadata", Quoted(row.metadata)},
                                 {"expected_score", Plain(row.expected_score)},
                                 {"score_direction", Plain(row.score_direction)},
                                 {"criteria_feedback", Quoted(row.criteria_feedback)},
                                 {"via", row.rater_kind == 2 ? "2" : "1"},
                                 {"submitted_by", Quoted(kProject)},
                                 {"trace_id", row.type == ENTITY_TYPE_TRACE ? key : KeyOf(row.trace)},
                                 {"session_id", row.type == ENTITY_TYPE_SESSION ? key : KeyOf(row.session)},
                                 {"created_at", at},
                                 {"updated_at", at}});
}

std::string SqlOf(const JudgeRow& row) {
  const std::string project = Quoted(row.project);
  const std::string prompt = Quoted(NewUuidV7(kNow));
  return "insert into organization (id, name, created_at) values (" + project +
         ", 'o', now()) on conflict do nothing; insert into project (id, org_id, name, created_at) values (" +
         project + ", " + project + ", 'p', now()) on conflict do nothing; " +
         InsertInto("prompt", {{"project_id", project},
                               {"id", prompt},
                               {"slug", Quoted("judge-" + row.id.ToString())},
                               {"created_at", "now()"}}) +
         "; " +
         InsertInto("judge", {{"project_id", project},
                              {"id", Quoted(row.id)},
                              {"name", Quoted(row.name)},
                              {"evaluation_type", "2"},
                              {"score_min", "0"},
                              {"score_max", "10"},
                              {"pass_threshold", "7"},
                              {"task_id", prompt},
                              {"created_at", "now()"},
                              {"modified_at", "now()"}});
}

std::string SqlOf(const EvaluationRow& row) {
  const std::string at = Quoted(FormatTime(row.created_at));
  return InsertInto("evaluation", {{"project_id", Quoted(row.project)},
                                   {"id", Quoted(row.id)},
                                   {"judge_id", Quoted(row.judge)},
                                   {"span_id", Quoted(EntityKey(row.span))},
                                   {"span_text", Quoted(row.span)},
                                   {"client_id", row.own_id ? Quoted(row.id) : "null"},
                                   {"evaluation_type", row.binary ? "1" : "2"},
                                   {"evaluation_result", Plain(row.result)},
                                   {"evaluation_reason", Quoted(row.reason)},
                                   {"confidence_score", Plain(row.confidence)},
                                   {"score", row.binary ? "null" : std::to_string(row.score)},
                                   {"score_min", row.binary ? "null" : "0"},
                                   {"score_max", row.binary ? "null" : "10"},
                                   {"pass_threshold", row.binary ? "null" : "7"},
                                   {"criteria_scores", Quoted(row.criteria_scores)},
                                   {"model_used", Quoted(row.model)},
                                   {"evaluation_duration_ms", Plain(row.duration_ms)},
                                   {"submitted_by", Quoted(kProject)},
                                   {"trace_id", KeyOf(row.trace)},
                                   {"session_id", KeyOf(row.session)},
                                   {"created_at", at},
                                   {"updated_at", at}});
}

std::string SqlOf(const SpanRow& row) {
  return InsertInto("span", {{"project_id", Quoted(row.project)},
                             {"span_id", Quoted(EntityKey(row.id))},
                             {"trace_id", KeyOf(row.trace)},
                             {"parent_id", KeyOf(row.parent)},
                             {"session_id", KeyOf(row.session)},
                             {"name", Quoted(row.name)},
                             {"kind", Quoted(row.kind)},
                             {"started_at", Quoted(row.started_at)},
                             {"ended_at", Quoted(row.ended_at)},
                             {"prompt_version_id", Quoted(row.prompt_version)},
                             {"model", Quoted(row.model)},
                             {"created_at", Quoted(row.created_at)}});
}

std::string SqlOf(const TraceRow& row) {
  return InsertInto("trace", {{"project_id", Quoted(row.project)},
                              {"trace_id", Quoted(EntityKey(row.id))},
                              {"session_id", KeyOf(row.session)},
                              {"started_at", Quoted(row.started_at)},
                              {"created_at", Quoted(row.created_at)}});
}

std::string SqlOf(const SessionRow& row) {
  return InsertInto("session", {{"project_id", Quoted(row.project)},
                                {"session_id", Quoted(EntityKey(row.id))},
                                {"session_text", Quoted(row.id)},
                                {"name", Quoted(row.name)},
                                {"created_at", Quoted(row.created_at)}});
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

v1::GetEntityFeedbackRequest EntityRequest(types::v1::EntityType type, const std::string& id) {
  v1::GetEntityFeedbackRequest request;
  request.set_entity_type(type);
  request.set_entity_id(id);
  return request;
}

Read ReadEntity(const TestAggregator& aggregator, const v1::GetEntityFeedbackRequest& request,
                const Uuid& project, const std::string& known_etag) {
  Read read;
  read.status = aggregator.service.GetEntityFeedback(
      {.project_id = project}, request,
      [&](const std::string& etag) {
        CHECK(read.messages.empty());  // whoever gets a message knows its state already
        read.etag = etag;
        return etag == known_etag;
      },
      [&](auto message) {
        read.messages.push_back(Parsed(message));
        return true;
      });
  return read;
}

Read ReadEntity(const TestAggregator& aggregator, types::v1::EntityType type, const std::string& id,
                const Uuid& project) {
  return ReadEntity(aggregator, EntityRequest(type, id), project);
}

WholeRead ReadEntityAtOnce(const TestAggregator& aggregator, const v1::GetEntityFeedbackRequest& request,
                           const Uuid& project, const std::string& known_etag) {
  WholeRead read;
  absl::Notification answered;
  aggregator.service.GetEntityFeedbackAtOnce(
      {.project_id = project}, request, std::chrono::steady_clock::now() + std::chrono::seconds(30),
      [&](const std::string& etag) {
        read.etag = etag;
        return etag == known_etag;
      },
      [&](absl::StatusOr<AggregatorService::AtOnce> answer) {
        read.status = answer.status();
        if (answer.ok()) {
          read.whole = answer->whole;
          if (answer->response != nullptr) read.response = std::move(*answer->response);
        }
        answered.Notify();
      });
  answered.WaitForNotification();
  return read;
}

void CheckRecount(const v1::GetEntityFeedbackResponse& response) {
  int evaluations = 0;
  int up = 0;
  int down = 0;
  for (const auto& item : response.items()) {
    if (item.kind() == v1::FEEDBACK_KIND_JUDGE_EVALUATION) ++evaluations;
    if (item.source_type() != v1::SOURCE_TYPE_HUMAN) continue;
    ++(item.thumbs_up() ? up : down);
  }
  CHECK(response.summary().total() == response.items_size());
  CHECK(response.summary().human_feedback_count() == response.items_size() - evaluations);
  CHECK(response.summary().judge_evaluation_count() == evaluations);
  CHECK(response.summary().thumbs_up_count() == up);
  CHECK(response.summary().thumbs_down_count() == down);
}

}  // namespace verdict::aggregator
