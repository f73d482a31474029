#include <algorithm>
#include <random>

#include <catch2/catch.hpp>

#include "common/ids/entity_id.h"
#include "common/status/error.h"
#include "services/aggregator/test_feedback.h"

namespace verdict::aggregator {
namespace {

using std::chrono::milliseconds;
using types::v1::Evaluation;

v1::ListJudgeEvaluationsRequest OfJudge(const std::string& judge_id) {
  v1::ListJudgeEvaluationsRequest request;
  request.set_judge_id(judge_id);
  return request;
}

auto List(const TestAggregator& aggregator, const v1::ListJudgeEvaluationsRequest& request,
          const Uuid& project = kProject) {
  return Stream(aggregator, &AggregatorService::ListJudgeEvaluations, request, project);
}

auto ListOfSpan(const TestAggregator& aggregator, const std::string& span) {
  v1::ListSpanEvaluationsRequest request;
  request.set_span_id(span);
  return Stream(aggregator, &AggregatorService::ListSpanEvaluations, request);
}

template <typename Response>
std::vector<std::string> EvaluationIds(const Response& response) {
  std::vector<std::string> ids;
  for (const Evaluation& evaluation : response.evaluations()) ids.push_back(evaluation.id());
  return ids;
}

TEST_CASE("an evaluation has all that its judge said, in both lists") {
  const TestAggregator aggregator;
  const JudgeRow judge = {.name = "Helpfulness"};
  aggregator.Insert(judge);
  const EvaluationRow full = {.judge = judge.id,
                              .span = "B7AD6B7169203331",
                              .reason = "Clear.",
                              .confidence = 0.92,
                              .criteria_scores = R"({"clarity": {"score": 9, "reason": "Good"}})",
                              .model = "gemini",
                              .duration_ms = 1'200,
                              .trace = "0af7651916cd43dd8448eb211c80319c",
                              .created_at = kNow};
  const EvaluationRow bare = {.judge = judge.id,
                              .span = "b7ad6b7169203331",
                              .own_id = true,
                              .binary = true,
                              .result = false,
                              .created_at = kNow + milliseconds(1)};
  aggregator.Insert(full);
  aggregator.Insert(bare);

  const auto of_judge = List(aggregator, OfJudge(judge.id.ToString())).All();
  REQUIRE(EvaluationIds(of_judge) == std::vector{bare.id.ToString(), full.id.ToString()});
  const Evaluation& evaluation = of_judge.evaluations(1);
  CHECK(evaluation.span_id() == "B7AD6B7169203331");
  CHECK(evaluation.judge_id() == judge.id.ToString());
  CHECK(evaluation.judge_name() == "Helpfulness");
  CHECK(evaluation.evaluation_type() == types::v1::EVALUATION_TYPE_SCORED);
  CHECK(evaluation.evaluation_result());
  CHECK(evaluation.evaluation_reason() == "Clear.");
  CHECK(evaluation.confidence_score() == 0.92);
  CHECK(evaluation.score() == 8.5);
  CHECK((evaluation.has_score_min() && evaluation.score_min() == 0));
  CHECK(evaluation.score_max() == 10);
  CHECK(evaluation.pass_threshold() == 7);
  CHECK(evaluation.criteria_scores().at("clarity").reason() == "Good");
  CHECK(evaluation.model_used() == "gemini");
  CHECK(evaluation.evaluation_duration_ms() == 1'200);
  CHECK(evaluation.trace_id() == "0af76519-16cd-43dd-8448-eb211c80319c");
  CHECK(FromProto(evaluation.created_at()) == kNow);
  CHECK(FromProto(evaluation.updated_at()) == kNow);
  const Evaluation& other = of_judge.evaluations(0);
  CHECK_FALSE((other.has_score() || other.has_score_min() || other.has_evaluation_reason() ||
               other.has_model_used() || other.has_trace_id() || other.evaluation_result()));

  // Oldest first, whatever the spelling.
  const auto of_span = ListOfSpan(aggregator, "b7ad6b71-6920-3331-0000-000000000000").All();
  CHECK(of_span.span_id() == "b7ad6b71-6920-3331-0000-000000000000");
  REQUIRE(of_span.evaluations_size() == 2);
  CHECK(of_span.evaluations(0).SerializeAsString() == evaluation.SerializeAsString());
  CHECK(of_span.evaluations(1).SerializeAsString() == other.SerializeAsString());
}

TEST_CASE("a judge that is not there is not found, a span without evaluations is empty") {
  const TestAggregator aggregator;
  const JudgeRow judge;
  const JudgeRow theirs = {.project = kOtherProject};
  aggregator.Insert(judge);
  aggregator.Insert(theirs);
  for (const std::string& id :
       {theirs.id.ToString(), kProject.ToString(), std::string("helpfulness"), std::string()}) {
    CHECK(ReasonOf(List(aggregator, OfJudge(id)).status) == errors::v1::REASON_JUDGE_NOT_FOUND);
  }
  const auto empty = List(aggregator, OfJudge(judge.id.ToString()));
  REQUIRE(empty.messages.size() == 1);
  CHECK((empty.messages[0].total() == 0 && empty.messages[0].limit() == 100 &&
         empty.messages[0].offset() == 0));
  const auto none = ListOfSpan(aggregator, "nothing here");
  REQUIRE(none.messages.size() == 1);
  CHECK(none.messages[0].span_id() == "nothing here");
}

TEST_CASE("a filter's time must be a date") {
  const TestAggregator aggregator;
  const JudgeRow judge;
  aggregator.Insert(judge);
  auto request = OfJudge(judge.id.ToString());
  request.mutable_end_date()->set_seconds(INT64_MAX);
  CHECK(DetailsOf(List(aggregator, request).status).violations.at(0).field == "end_date");
  request.mutable_start_date()->set_seconds(INT64_MIN);
  CHECK(DetailsOf(List(aggregator, request).status).violations.at(0).field == "start_date");
}

// What stands in the database, said once more.
struct Model {
  Evaluation evaluation;
  bool with_user_feedback = false;
};

TEST_CASE("a judge's pages and total are what the filters let pass, newest first, then by id") {
  const TestAggregator aggregator;
  const auto seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const JudgeRow judge;
  const JudgeRow other;
  std::string sql = SqlOf(judge) + ";" + SqlOf(other) + ";";
  std::vector<Model> model;
  for (int i = 0; i < 250; ++i) {
    const EvaluationRow row = {.judge = random() % 5 == 0 ? other.id : judge.id,
                               .span = "span-" + std::to_string(i),
                               .result = random() % 2 == 0,
                               .created_at = kNow + milliseconds(random() % 20)};
    sql += SqlOf(row) + ";";
    // Feedback on the span, about this judge, about the other one, or about none.
    const std::optional<Uuid> about = random() % 3 == 0   ? std::nullopt
                                      : random() % 2 == 0 ? std::optional(judge.id)
                                                          : std::optional(other.id);
    const bool given = random() % 2 == 0;
    if (given) sql += SqlOf(Row{.target = row.span, .judge = about}) + ";";
    if (row.judge != judge.id) continue;
    Model& expected = model.emplace_back();
    expected.evaluation.set_id(row.id.ToString());
    expected.evaluation.set_evaluation_result(row.result);
    *expected.evaluation.mutable_created_at() = ToProto(row.created_at);
    expected.with_user_feedback = given && about == judge.id;
  }
  aggregator.database.Query(sql + "select 1");
  std::ranges::sort(model, [](const Model& a, const Model& b) {
    const Time time_a = FromProto(a.evaluation.created_at());
    const Time time_b = FromProto(b.evaluation.created_at());
    return time_a != time_b ? time_a > time_b : a.evaluation.id() < b.evaluation.id();
  });

  for (int i = 0; i < 60; ++i) {
    auto request = OfJudge(judge.id.ToString());
    if (random() % 2 == 0) *request.mutable_start_date() = ToProto(kNow + milliseconds(random() % 15));
    if (random() % 2 == 0) *request.mutable_end_date() = ToProto(kNow + milliseconds(5 + random() % 20));
    if (random() % 2 == 0) request.set_evaluation_result(random() % 2 == 0);
    request.set_feedback_state(static_cast<v1::FeedbackState>(random() % 3));
    if (random() % 2 == 0) request.set_limit(1 + static_cast<int>(random() % 60));
    if (random() % 2 == 0) request.set_offset(static_cast<int>(random() % 120));
    CAPTURE(request.ShortDebugString());
    std::vector<std::string> expected;
    for (const auto& [evaluation, with_user_feedback] : model) {
      const Time at = FromProto(evaluation.created_at());
      if (request.has_start_date() && at < FromProto(request.start_date())) continue;
      if (request.has_end_date() && at >= FromProto(request.end_date())) continue;
      if (request.has_evaluation_result() && evaluation.evaluation_result() != request.evaluation_result())
        continue;
      if (request.feedback_state() == v1::FEEDBACK_STATE_WITH_USER_FEEDBACK && !with_user_feedback) continue;
      if (request.feedback_state() == v1::FEEDBACK_STATE_WITHOUT_USER_FEEDBACK && with_user_feedback)
        continue;
      expected.push_back(evaluation.id());
    }
    const auto read = List(aggregator, request).All();
    CHECK(read.total() == static_cast<int>(expected.size()));
    CHECK(read.offset() == request.offset());
    CHECK(read.limit() == (request.has_limit() ? request.limit() : 100));
    expected.erase(expected.begin(),
                   expected.begin() + std::min<std::ptrdiff_t>(request.offset(), std::ssize(expected)));
    expected.resize(std::min<size_t>(expected.size(), static_cast<size_t>(read.limit())));
    REQUIRE(EvaluationIds(read) == expected);
  }
}

TEST_CASE("what is too large to be kept is streamed, and a caller that goes away frees its connection") {
  const TestAggregator aggregator;
  const JudgeRow judge;
  aggregator.Insert(judge);
  const int reason_bytes = GENERATE(100, 60'000);  // kept, and streamed
  aggregator.database.Query(
      "insert into evaluation (project_id, id, client_id, judge_id, span_id, span_text, evaluation_type,"
      " evaluation_result, evaluation_reason, submitted_by, created_at, updated_at) select '" +
      kProject.ToString() + "', id, id, '" + judge.id.ToString() + "', '" + EntityKey("busy").ToString() +
      "', 'busy', 1, true, repeat('x', " + std::to_string(reason_bytes) + "), id, now(), now()" +
      " from (select gen_random_uuid() as id from generate_series(1, 120)) n");
  const auto of_judge = List(aggregator, OfJudge(judge.id.ToString()));
  CHECK(of_judge.status.ok());
  const auto of_span = ListOfSpan(aggregator, "busy");
  CHECK(of_span.status.ok());
  CHECK(of_judge.All().evaluations_size() == 100);
  CHECK(of_judge.All().total() == 120);
  CHECK(of_span.All().evaluations_size() == 120);
  CHECK(of_judge.messages.size() == (reason_bytes == 100 ? 1 : 7));
  CHECK(of_span.messages.size() == (reason_bytes == 100 ? 1 : 9));
  for (const auto& message : of_span.messages) CHECK(message.ByteSizeLong() <= (1 << 20) + 64);
  for (int taken = 0; taken < static_cast<int>(of_span.messages.size()); ++taken) {
    int left = taken;
    CHECK(ReasonOf(aggregator.service.ListSpanEvaluations(
              {.project_id = kProject},
              [] {
                v1::ListSpanEvaluationsRequest request;
                request.set_span_id("busy");
                return request;
              }(),
              [&](const auto&) { return left-- > 0; })) == errors::v1::REASON_CANCELLED);
  }
  CHECK(ListOfSpan(aggregator, "busy").All().evaluations_size() == 120);
}

}  // namespace
}  // namespace verdict::aggregator
