#include <catch2/catch.hpp>

#include "common/ids/entity_id.h"
#include "common/status/error.h"
#include "services/aggregator/test_feedback.h"

namespace verdict::aggregator {
namespace {

using enum types::v1::EntityType;
using std::chrono::milliseconds;

v1::GetFeedbackRequest RecordRequest(const std::string& id) {
  v1::GetFeedbackRequest request;
  request.set_feedback_id(id);
  return request;
}

TEST_CASE("a list has all kinds of the project's feedback, newest first, each with what it is on") {
  const TestAggregator aggregator;
  const JudgeRow judge;
  const Uuid prompt = NewUuidV7(kNow);
  aggregator.Insert(judge);
  const Row on_span = {.target = "My Completion", .prompt = prompt, .created_at = kNow};
  const EvaluationRow evaluation = {
      .judge = judge.id, .span = "b7ad6b7169203331", .created_at = kNow + milliseconds(1)};
  const Row on_trace = {.type = ENTITY_TYPE_TRACE, .target = "t", .created_at = kNow + milliseconds(2)};
  const Row on_run = {.type = ENTITY_TYPE_EVAL_RUN, .target = "run 7", .created_at = kNow + milliseconds(3)};
  for (const Row& row : {on_span, on_trace, on_run}) aggregator.Insert(row);
  aggregator.Insert(evaluation);
  aggregator.Insert(Row{.project = kOtherProject});

  const auto list = aggregator.service.ListFeedback({.project_id = kProject}, {});
  REQUIRE(list.ok());
  REQUIRE(IdsOf(*list) == std::vector{on_run.id.ToString(), on_trace.id.ToString(), evaluation.id.ToString(),
                                      on_span.id.ToString()});
  CHECK_FALSE(list->has_next_cursor());
  const auto what = [&](int i) {
    return std::pair(list->items(i).entity_type(), list->items(i).entity_id());
  };
  CHECK(what(0) == std::pair(ENTITY_TYPE_EVAL_RUN, std::string("run 7")));
  CHECK(what(1) == std::pair(ENTITY_TYPE_TRACE, std::string("t")));
  CHECK(what(2) == std::pair(ENTITY_TYPE_SPAN, std::string("b7ad6b7169203331")));
  CHECK(what(3) == std::pair(ENTITY_TYPE_SPAN, std::string("My Completion")));
  CHECK(list->items(3).prompt_id() == prompt.ToString());
  CHECK_FALSE(list->items(0).has_prompt_id());
  CHECK_FALSE(list->items(3).has_revision());
}

TEST_CASE("a list has 100 items a page unless told otherwise, and equal times go by id") {
  const TestAggregator aggregator;
  aggregator.InsertMany(kProject, ENTITY_TYPE_SPAN, "busy", 150);
  aggregator.database.Query("update feedback set created_at = '2026-01-01', updated_at = '2026-01-02'");
  v1::ListFeedbackRequest request;
  const auto first = aggregator.service.ListFeedback({.project_id = kProject}, request);
  REQUIRE(first.ok());
  CHECK(first->items_size() == 100);
  request.set_cursor(first->next_cursor());
  const auto second = aggregator.service.ListFeedback({.project_id = kProject}, request);
  REQUIRE(second.ok());
  CHECK(second->items_size() == 50);
  CHECK_FALSE(second->has_next_cursor());
  v1::ListFeedbackResponse both = *first;
  both.MergeFrom(*second);
  std::string ids;
  for (const std::string& id : IdsOf(both)) ids += (ids.empty() ? "" : "\n") + id;
  CHECK(ids == aggregator.database.Query("select id from feedback order by id desc"));
}

TEST_CASE("an export is the whole project, in order, of one snapshot") {
  const TestAggregator aggregator;
  const int count = GENERATE(0, 3, 1'000, 2'500);
  if (count > 0) aggregator.InsertMany(kProject, ENTITY_TYPE_SPAN, "busy", count);
  aggregator.InsertMany(kOtherProject, ENTITY_TYPE_SPAN, "busy", 10);
  Streamed<v1::ExportFeedbackResponse> read;
  read.status = aggregator.service.ExportFeedback({.project_id = kProject}, {}, [&](auto message) {
    // What is written from now on is not of the snapshot.
    if (read.messages.empty()) aggregator.InsertMany(kProject, ENTITY_TYPE_SPAN, "later", 100);
    read.messages.push_back(Parsed(message));
    return true;
  });
  CHECK(read.status.ok());
  for (const auto& message : read.messages) CHECK(message.items_size() <= 500);
  std::string ids;
  for (const std::string& id : IdsOf(read.All())) ids += (ids.empty() ? "" : "\n") + id;
  CHECK(ids ==
        aggregator.database.Query("select id from feedback where target_text = 'busy' and project_id = '" +
                                  kProject.ToString() + "' order by created_at desc, id desc"));
}

TEST_CASE("a caller that goes away ends an export, and frees its connection") {
  const TestAggregator aggregator;
  aggregator.InsertMany(kProject, ENTITY_TYPE_SPAN, "busy", 2'000);
  for (int taken = 0; taken < 4; ++taken) {
    int left = taken;
    CHECK(ReasonOf(aggregator.service.ExportFeedback({.project_id = kProject}, {}, [&](const auto&) {
            return left-- > 0;
          })) == errors::v1::REASON_CANCELLED);
  }
  CHECK(Stream(aggregator, &AggregatorService::ExportFeedback, {}).All().items_size() == 2'000);
}

TEST_CASE("a record of feedback comes with what it said before") {
  const TestAggregator aggregator;
  const Row row = {.judge = NewUuidV7(kNow),
                   .thumbs_up = false,
                   .reason = "one",
                   .expected_output = "x",
                   .metadata = R"({"n": 1})",
                   .expected_score = 2,
                   .score_direction = 2,
                   .criteria_feedback = R"({"tone": {"reason": "dry"}})"};
  aggregator.Insert(row);
  const std::string writer = "01900000-0000-7000-8000-00000000000a";
  aggregator.database.Query(
      "update feedback set revision = 2, thumbs_up = true, reason = 'two', expected_output = null,"
      " metadata = null, expected_score = null, score_direction = null, criteria_feedback = null,"
      " submitted_by = '" +
      writer + "', updated_at = updated_at + interval '1 s'");
  aggregator.database.Query("update feedback set revision = 3, reason = 'three'");

  auto request = RecordRequest(row.id.ToString());
  const auto read = aggregator.service.GetFeedback({.project_id = kProject}, request);
  REQUIRE(read.ok());
  CHECK(read->feedback().reason() == "three");
  CHECK(read->feedback().revision() == 3);
  CHECK(read->feedback().submitted_by() == writer);
  CHECK(read->feedback().entity_type() == ENTITY_TYPE_SPAN);
  CHECK(read->feedback().entity_id() == "span-1");
  REQUIRE(read->revisions_size() == 2);
  const auto& newer = read->revisions(0);
  CHECK(newer.revision() == 2);
  CHECK((newer.thumbs_up() && newer.reason() == "two" && newer.submitted_by() == writer));
  CHECK_FALSE((newer.has_expected_output() || newer.has_metadata() || newer.has_expected_score()));
  CHECK(newer.criteria_feedback().empty());
  CHECK(FromProto(newer.written_at()) == kNow + std::chrono::seconds(1));
  const auto& oldest = read->revisions(1);
  CHECK(oldest.revision() == 1);
  CHECK((oldest.has_thumbs_up() && !oldest.thumbs_up() && oldest.reason() == "one"));
  CHECK(oldest.expected_output() == "x");
  CHECK(oldest.metadata() == R"({"n": 1})");
  CHECK(oldest.expected_score() == 2);
  CHECK(oldest.score_direction() == types::v1::SCORE_DIRECTION_TOO_LOW);
  CHECK(oldest.criteria_feedback().at("tone").reason() == "dry");
  CHECK(oldest.submitted_by() == kProject.ToString());
  CHECK(FromProto(oldest.written_at()) == kNow);
  CHECK_FALSE((oldest.has_evaluation_result() || oldest.has_score()));

  request.set_before_revision(2);
  const auto rest = aggregator.service.GetFeedback({.project_id = kProject}, request);
  REQUIRE(rest.ok());
  REQUIRE(rest->revisions_size() == 1);
  CHECK(rest->revisions(0).revision() == 1);
}

TEST_CASE("a record of an evaluation comes with what it said before") {
  const TestAggregator aggregator;
  const JudgeRow judge;
  aggregator.Insert(judge);
  const EvaluationRow row = {.judge = judge.id,
                             .result = false,
                             .reason = "one",
                             .confidence = 0.5,
                             .score = 3,
                             .criteria_scores = R"({"tone": {"score": 3}})",
                             .model = "m"};
  aggregator.Insert(row);
  aggregator.database.Query("update evaluation set revision = 2, evaluation_result = true, score = 9");
  const auto read =
      aggregator.service.GetFeedback({.project_id = kProject}, RecordRequest(row.id.ToString()));
  REQUIRE(read.ok());
  CHECK(read->feedback().kind() == v1::FEEDBACK_KIND_JUDGE_EVALUATION);
  CHECK(read->feedback().score() == 9);
  CHECK(read->feedback().revision() == 2);
  REQUIRE(read->revisions_size() == 1);
  const auto& before = read->revisions(0);
  CHECK((before.has_evaluation_result() && !before.evaluation_result()));
  CHECK(before.evaluation_reason() == "one");
  CHECK(before.confidence_score() == 0.5);
  CHECK(before.score() == 3);
  CHECK(before.criteria_scores().at("tone").score() == 3);
  CHECK(before.model_used() == "m");
  CHECK(before.submitted_by() == kProject.ToString());
  CHECK_FALSE((before.has_thumbs_up() || before.has_reason()));
}

TEST_CASE("revisions are at most 1,000 and about 1 MiB, and the rest can be asked for") {
  const TestAggregator aggregator;
  const Row row;
  aggregator.Insert(row);
  const auto [count, reason_bytes, expected] =
      GENERATE(table<int, int, int>({{1'000, 1, 1'000}, {1'003, 1, 1'000}, {40, 65'536, 15}}));
  aggregator.database.Query(
      "insert into feedback_history (project_id, id, revision, thumbs_up, reason, submitted_by, written_at)"
      " select project_id, id, n, true, repeat('x', " +
      std::to_string(reason_bytes) + "), submitted_by, now() from feedback, generate_series(1, " +
      std::to_string(count) + ") n");
  auto request = RecordRequest(row.id.ToString());
  const auto read = aggregator.service.GetFeedback({.project_id = kProject}, request);
  REQUIRE(read.ok());
  CHECK(read->revisions_size() == expected);
  CHECK(read->revisions(0).revision() == count);
  int seen = read->revisions_size();
  for (int last = read->revisions(seen - 1).revision(); last > 1;) {
    request.set_before_revision(last);
    const auto next = aggregator.service.GetFeedback({.project_id = kProject}, request);
    REQUIRE(next.ok());
    REQUIRE(next->revisions_size() > 0);
    CHECK(next->revisions(0).revision() == last - 1);
    seen += next->revisions_size();
    last = next->revisions(next->revisions_size() - 1).revision();
  }
  CHECK(seen == count);
}

TEST_CASE("a record that is not there is not found, whyever") {
  const TestAggregator aggregator;
  const Row theirs = {.project = kOtherProject};
  const Row withdrawn;
  aggregator.Insert(theirs);
  aggregator.Insert(withdrawn);
  aggregator.database.Query("update feedback set revision = 2; delete from feedback where id = '" +
                            withdrawn.id.ToString() + "'");
  for (const std::string& id : {theirs.id.ToString(), withdrawn.id.ToString(), kProject.ToString(),
                                std::string("feedback-1"), std::string()}) {
    CAPTURE(id);
    CHECK(ReasonOf(aggregator.service.GetFeedback({.project_id = kProject}, RecordRequest(id)).status()) ==
          errors::v1::REASON_FEEDBACK_NOT_FOUND);
  }
}

}  // namespace
}  // namespace verdict::aggregator
