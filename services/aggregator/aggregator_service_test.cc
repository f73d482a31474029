#include "services/aggregator/aggregator_service.h"

#include <algorithm>
#include <set>

#include <catch2/catch.hpp>

#include "common/ids/entity_id.h"
#include "common/status/error.h"
#include "services/aggregator/test_feedback.h"

namespace verdict::aggregator {
namespace {

using enum types::v1::EntityType;
using types::v1::EntityType;

constexpr std::array kTypes = {ENTITY_TYPE_SPAN, ENTITY_TYPE_TRACE, ENTITY_TYPE_SESSION, ENTITY_TYPE_EVAL_RUN,
                               ENTITY_TYPE_ANNOTATION};

bool HasNoState(const std::string& /*etag*/) { return false; }

TEST_CASE("an entity without feedback has zeros and no items, in one message") {
  const TestAggregator aggregator;
  for (const EntityType type : kTypes) {
    const Read read = ReadEntity(aggregator, type, "nothing here");
    CHECK(read.status.ok());
    REQUIRE(read.messages.size() == 1);
    CHECK(read.messages[0].entity_type() == type);
    CHECK(read.messages[0].entity_id() == "nothing here");
    CHECK(read.messages[0].has_summary());
    CheckRecount(read.messages[0]);
  }
}

TEST_CASE("entities of different types never mix, even with equal ids") {
  const TestAggregator aggregator;
  std::vector<Row> rows;
  for (const EntityType type : kTypes) {
    aggregator.Insert(rows.emplace_back(Row{.type = type, .target = "same"}));
  }
  for (size_t i = 0; i < kTypes.size(); ++i) {
    const auto read = ReadEntity(aggregator, kTypes[i], "same").All();
    CHECK(IdsOf(read) == std::vector{rows[i].id.ToString()});
    CHECK(read.items(0).has_span_id() == (kTypes[i] == ENTITY_TYPE_SPAN));
    CHECK(read.items(0).has_trace_id() == (kTypes[i] == ENTITY_TYPE_TRACE));
  }
}

TEST_CASE("a trace and a session have what is on them and on their spans") {
  const TestAggregator aggregator;
  const Row on_span = {.target = "s1", .trace = "t1", .session = "c1", .created_at = kNow};
  const Row on_trace = {.type = ENTITY_TYPE_TRACE,
                        .target = "t1",
                        .session = "c1",
                        .created_at = kNow + std::chrono::seconds(1)};
  const Row on_session = {
      .type = ENTITY_TYPE_SESSION, .target = "c1", .created_at = kNow + std::chrono::seconds(2)};
  const Row elsewhere = {.target = "s2", .trace = "t2", .session = "c2"};
  for (const Row& row : {on_session, on_trace, on_span, elsewhere}) aggregator.Insert(row);
  const auto id = [](const Row& row) { return row.id.ToString(); };

  CHECK(IdsOf(ReadEntity(aggregator, ENTITY_TYPE_SPAN, "s1").All()) == std::vector{id(on_span)});
  const auto trace = ReadEntity(aggregator, ENTITY_TYPE_TRACE, "t1").All();
  CHECK(IdsOf(trace) == std::vector{id(on_span), id(on_trace)});
  CHECK(trace.items(0).span_id() == "s1");
  CHECK(trace.items(0).trace_id() == EntityKey("t1").ToString());
  CHECK(trace.items(0).session_id() == EntityKey("c1").ToString());
  CHECK(trace.items(1).trace_id() == "t1");
  CHECK(trace.items(1).session_id() == EntityKey("c1").ToString());
  const auto session = ReadEntity(aggregator, ENTITY_TYPE_SESSION, "c1").All();
  CHECK(IdsOf(session) == std::vector{id(on_span), id(on_trace), id(on_session)});
  CHECK(session.items(2).session_id() == "c1");
}

TEST_CASE("an item says who gave it, which way, and about what") {
  const TestAggregator aggregator;
  aggregator.Insert(Row{.rater_kind = 0,
                        .rater_id = "01900000-0000-7000-8000-00000000000a",
                        .rater_email = "alice@example.com",
                        .rater_name = "Alice",
                        .thumbs_up = false,
                        .reason = "vague; it's \"bad\" ☹",
                        .expected_output = "line 1\nline 2",
                        .metadata = R"({"n": 9007199254740993})",
                        .trace = "0af7651916cd43dd8448eb211c80319c",
                        .created_at = kNow});
  aggregator.Insert(Row{.rater_kind = 1, .rater_id = "u", .created_at = kNow + std::chrono::milliseconds(1)});
  aggregator.Insert(Row{.rater_kind = 2,
                        .rater_id = "01900000-0000-7000-8000-00000000000b",
                        .created_at = kNow + std::chrono::milliseconds(2)});
  aggregator.Insert(
      Row{.rater_id = "u", .judge = kOtherProject, .created_at = kNow + std::chrono::milliseconds(3)});

  const auto read = ReadEntity(aggregator, ENTITY_TYPE_SPAN, "span-1").All();

  REQUIRE(read.items_size() == 4);
  const auto& full = read.items(0);
  CHECK(full.kind() == v1::FEEDBACK_KIND_HUMAN_FEEDBACK);
  CHECK(full.span_id() == "span-1");
  CHECK(full.trace_id() == "0af76519-16cd-43dd-8448-eb211c80319c");
  CHECK_FALSE(full.thumbs_up());
  CHECK(full.reason() == "vague; it's \"bad\" ☹");
  CHECK(full.expected_output() == "line 1\nline 2");
  CHECK(full.metadata() == R"({"n": 9007199254740993})");
  CHECK(FromProto(full.created_at()) == kNow);
  CHECK(FromProto(full.updated_at()) == kNow);
  CHECK(full.created_by().id() == "01900000-0000-7000-8000-00000000000a");
  CHECK(full.created_by().email() == "alice@example.com");
  CHECK(full.created_by().name() == "Alice");
  CHECK(full.source_type() == v1::SOURCE_TYPE_HUMAN);
  CHECK(full.via() == v1::VIA_API);

  const auto& bare = read.items(1);
  CHECK(bare.created_by().id() == "u");
  CHECK_FALSE(bare.created_by().has_email());
  CHECK_FALSE(bare.created_by().has_name());
  CHECK_FALSE(bare.has_reason());
  CHECK_FALSE(bare.has_expected_output());
  CHECK_FALSE(bare.has_metadata());
  CHECK_FALSE(bare.has_trace_id());

  CHECK(read.items(2).created_by().id() == "01900000-0000-7000-8000-00000000000b");
  CHECK(read.items(2).via() == v1::VIA_TOKEN);

  CHECK(read.items(3).source_type() == v1::SOURCE_TYPE_JUDGE);
  CHECK(read.summary().total() == 4);
  CHECK(read.summary().thumbs_up_count() == 2);
  CHECK(read.summary().thumbs_down_count() == 1);
}

TEST_CASE("feedback on a judge's evaluation says what it should have been, and counts for no thumbs") {
  const TestAggregator aggregator;
  const Uuid judge = NewUuidV7(kNow);
  aggregator.Insert(
      Row{.judge = judge,
          .thumbs_up = false,
          .expected_score = 4.5,
          .score_direction = 1,
          .criteria_feedback = R"({"clarity": {"expected_score": 4, "reason": "long"}, "tone": {}})"});
  const auto read = ReadEntity(aggregator, ENTITY_TYPE_SPAN, "span-1").All();
  REQUIRE(read.items_size() == 1);
  const auto& item = read.items(0);
  CHECK(item.source_type() == v1::SOURCE_TYPE_JUDGE);
  CHECK(item.judge_id() == judge.ToString());
  CHECK(item.expected_score() == 4.5);
  CHECK(item.score_direction() == types::v1::SCORE_DIRECTION_TOO_HIGH);
  REQUIRE(item.criteria_feedback().size() == 2);
  CHECK(item.criteria_feedback().at("clarity").expected_score() == 4);
  CHECK(item.criteria_feedback().at("clarity").reason() == "long");
  CHECK_FALSE(item.criteria_feedback().at("tone").has_expected_score());
  CHECK(read.summary().human_feedback_count() == 1);
  CheckRecount(read);
}

TEST_CASE("an evaluation has everything that the judge said, and nothing of a person") {
  const TestAggregator aggregator;
  const JudgeRow judge = {.name = "Helpfulness"};
  aggregator.Insert(judge);
  const EvaluationRow scored = {
      .judge = judge.id,
      .reason = "Clear steps.",
      .confidence = 0.92,
      .score = 8.5,
      .criteria_scores =
          R"({"clarity": {"score": 9, "reason": "Well-structured"}, "accuracy": {"score": 8}})",
      .model = "gemini-3-flash-preview",
      .duration_ms = 1'200,
      .trace = "0af7651916cd43dd8448eb211c80319c",
      .session = "chat-42",
      .created_at = kNow};
  const EvaluationRow binary = {.judge = judge.id,
                                .own_id = true,
                                .binary = true,
                                .result = false,
                                .created_at = kNow + std::chrono::milliseconds(1)};
  aggregator.Insert(scored);
  aggregator.Insert(binary);
  aggregator.Insert(Row{.created_at = kNow + std::chrono::milliseconds(2)});

  const auto read = ReadEntity(aggregator, ENTITY_TYPE_SPAN, "span-1").All();

  REQUIRE(IdsOf(read).size() == 3);
  const auto& full = read.items(0);
  CHECK(full.kind() == v1::FEEDBACK_KIND_JUDGE_EVALUATION);
  CHECK(full.id() == scored.id.ToString());
  CHECK(full.span_id() == "span-1");
  CHECK(full.trace_id() == "0af76519-16cd-43dd-8448-eb211c80319c");
  CHECK(full.session_id() == EntityKey("chat-42").ToString());
  CHECK(full.automation_id() == judge.id.ToString());
  CHECK(full.judge_name() == "Helpfulness");
  CHECK(full.evaluation_result());
  CHECK(full.evaluation_reason() == "Clear steps.");
  CHECK(full.confidence_score() == 0.92);
  CHECK(full.model_used() == "gemini-3-flash-preview");
  CHECK(full.evaluation_duration_ms() == 1'200);
  CHECK(full.evaluation_type() == types::v1::EVALUATION_TYPE_SCORED);
  CHECK(full.score() == 8.5);
  CHECK((full.has_score_min() && full.score_min() == 0));
  CHECK(full.score_max() == 10);
  CHECK(full.pass_threshold() == 7);
  REQUIRE(full.criteria_scores().size() == 2);
  CHECK(full.criteria_scores().at("clarity").score() == 9);
  CHECK(full.criteria_scores().at("clarity").reason() == "Well-structured");
  CHECK_FALSE(full.criteria_scores().at("accuracy").has_reason());
  CHECK(FromProto(full.created_at()) == kNow);
  CHECK(FromProto(full.updated_at()) == kNow);
  CHECK_FALSE((full.has_thumbs_up() || full.has_created_by() || full.has_judge_id() || full.has_reason()));
  CHECK((full.via() == v1::VIA_UNSPECIFIED && full.source_type() == v1::SOURCE_TYPE_UNSPECIFIED));
  CHECK_FALSE((full.has_entity_id() || full.has_revision() || full.has_submitted_by()));

  const auto& bare = read.items(1);
  CHECK(bare.evaluation_type() == types::v1::EVALUATION_TYPE_BINARY);
  CHECK((bare.has_evaluation_result() && !bare.evaluation_result()));
  CHECK_FALSE(
      (bare.has_score() || bare.has_score_min() || bare.has_score_max() || bare.has_pass_threshold()));
  CHECK_FALSE((bare.has_evaluation_reason() || bare.has_confidence_score() || bare.has_model_used() ||
               bare.has_evaluation_duration_ms() || bare.has_trace_id() || bare.has_session_id()));
  CHECK(bare.criteria_scores().empty());

  CHECK(read.summary().judge_evaluation_count() == 2);
  CHECK(read.summary().thumbs_up_count() == 1);
  CheckRecount(read);
}

TEST_CASE("every spelling of an id finds the same feedback, shown in its writer's spelling") {
  const TestAggregator aggregator;
  const std::vector<std::vector<std::string>> entities = {
      {"0AF76519-16cd-43dd-8448-eb211c80319c", "0af76519-16cd-43dd-8448-eb211c80319c",
       "0af7651916cd43dd8448eb211c80319c", "0AF7651916CD43DD8448EB211C80319C"},
      {"b7ad6b7169203331", "b7ad6b71-6920-3331-0000-000000000000", "B7AD6B7169203331"},
      {"my completion/7 ✓"},
  };
  for (const auto& spellings : entities) {
    aggregator.Insert(Row{.target = spellings.front()});
    for (const std::string& spelling : spellings) {
      const auto read = ReadEntity(aggregator, ENTITY_TYPE_SPAN, spelling).All();
      CHECK(read.entity_id() == spelling);
      REQUIRE(read.items_size() == 1);
      CHECK(read.items(0).span_id() == spellings.front());
    }
  }
}

TEST_CASE("tenants with equal ids never meet") {
  const TestAggregator aggregator;
  for (const EntityType type : kTypes) {
    // Read by one statement in one project, by a cursor in the other.
    aggregator.InsertMany(kProject, type, "same", 3);
    aggregator.InsertMany(kOtherProject, type, "same", 1'200);
    const auto mine = ReadEntity(aggregator, type, "same", kProject).All();
    const auto theirs = ReadEntity(aggregator, type, "same", kOtherProject).All();
    CHECK(mine.items_size() == 3);
    CHECK(theirs.items_size() == 1'200);
    CheckRecount(mine);
    CheckRecount(theirs);
    const std::vector<std::string> their_ids = IdsOf(theirs);
    const std::set<std::string> ids(their_ids.begin(), their_ids.end());
    for (const auto& item : mine.items()) CHECK_FALSE(ids.contains(item.id()));
    CHECK(ReadEntity(aggregator, type, "same", *Uuid::Parse("01900000-0000-7000-8000-000000000003"))
              .All()
              .items_size() == 0);
  }
}

TEST_CASE("items ascend by created_at, then id, and none is missing, whatever their number") {
  const TestAggregator aggregator;
  // Around the bounds of a message, of one statement, and of a fetch.
  const auto [count, messages] = GENERATE(table<int, size_t>(
      {{1, 1}, {499, 1}, {500, 1}, {501, 3}, {1'000, 3}, {1'001, 4}, {1'500, 4}, {2'500, 6}, {2'501, 7}}));
  const EntityType type = GENERATE(ENTITY_TYPE_SPAN, ENTITY_TYPE_TRACE);
  aggregator.InsertMany(kProject, type, "busy", count);

  const Read read = ReadEntity(aggregator, type, "busy");

  CHECK(read.status.ok());
  CHECK(read.messages.size() == messages);
  if (messages > 1) CHECK(read.messages[0].items_size() == 0);
  for (size_t i = 0; i < read.messages.size(); ++i) {
    CHECK(read.messages[i].has_summary() == (i == 0));
    CHECK(read.messages[i].items_size() <= 500);
  }
  const auto all = read.All();
  CheckRecount(all);
  std::string ids;
  for (const std::string& id : IdsOf(all)) ids += (ids.empty() ? "" : "\n") + id;
  CHECK(ids == aggregator.database.Query("select id from feedback order by created_at, id"));
}

TEST_CASE("long texts make smaller messages, not larger ones") {
  const TestAggregator aggregator;
  const std::string longest(65'536, 'x');
  for (int i = 0; i < 30; ++i) {
    aggregator.Insert(Row{.rater_id = std::to_string(i), .reason = longest, .expected_output = longest});
  }
  const Read read = ReadEntity(aggregator, ENTITY_TYPE_SPAN, "span-1");
  CHECK(read.messages.size() > 3);
  for (const auto& message : read.messages) CHECK(message.ByteSizeLong() <= (1 << 20) + 64);
  CHECK(read.All().items_size() == 30);
}

TEST_CASE("a caller that goes away ends the read, and frees its connection") {
  const TestAggregator aggregator;
  aggregator.InsertMany(kProject, ENTITY_TYPE_SPAN, "busy", 2'500);
  const auto request = EntityRequest(ENTITY_TYPE_SPAN, "busy");
  // There is one connection for streams, so a lease that was not returned would be missed.
  for (int taken = 0; taken < 6; ++taken) {
    int left = taken;
    const absl::Status status = aggregator.service.GetEntityFeedback(
        {.project_id = kProject}, request, HasNoState, [&](const auto&) { return left-- > 0; });
    CHECK(ReasonOf(status) == errors::v1::REASON_CANCELLED);
  }
  CHECK(ReadEntity(aggregator, ENTITY_TYPE_SPAN, "busy").All().items_size() == 2'500);
}

TEST_CASE("slow callers of large reads leave the others alone") {
  const TestAggregator aggregator;
  aggregator.InsertMany(kProject, ENTITY_TYPE_SPAN, "large", 2'500);
  aggregator.InsertMany(kProject, ENTITY_TYPE_SPAN, "small", 3);
  const auto request = EntityRequest(ENTITY_TYPE_SPAN, "large");
  int small = 0;
  // While the only connection for streams is in use.
  const absl::Status status =
      aggregator.service.GetEntityFeedback({.project_id = kProject}, request, HasNoState, [&](const auto&) {
        small += ReadEntity(aggregator, ENTITY_TYPE_SPAN, "small").All().items_size();
        return true;
      });
  CHECK(status.ok());
  CHECK(small == 6 * 3);
}

}  // namespace
}  // namespace verdict::aggregator
