#include <iterator>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "common/ids/entity_id.h"
#include "services/feedback/test_service.h"

namespace verdict::feedback {
namespace {

using types::v1::Evaluation;
using v1::EvaluationInput;
using v1::RecordEvaluationsRequest;
using v1::RecordEvaluationsResponse;

EvaluationInput Verdict(const std::string& span, bool result) {
  EvaluationInput input;
  input.set_span_id(span);
  input.set_evaluation_result(result);
  return input;
}

EvaluationInput Score(const std::string& span, double score) {
  EvaluationInput input;
  input.set_span_id(span);
  input.set_score(score);
  return input;
}

// A project with judges, and what is done with them here.
struct Fixture : JudgedProject {
  // The field that a refusal of the evaluation names.
  std::string Refused(const v1::Judge& judge, const EvaluationInput& input) {
    const absl::Status status = test.replica.Record(principal, judge.id(), input).status();
    CHECK(ReasonOf(status) == errors::v1::REASON_VALIDATION_ERROR);
    return DetailsOf(status).violations.at(0).field;
  }
};

TEST_CASE("an evaluation answers what was stored, with the judge as it is") {
  Fixture fixture;
  EvaluationInput input = Score("550E8400-E29B-41D4-A716-446655440000", 4);
  input.set_evaluation_reason("clear");
  input.set_confidence_score(0.9);
  (*input.mutable_criteria_scores())["clarity"].set_score(5);
  (*input.mutable_criteria_scores())["tone"].set_score(1);
  (*input.mutable_criteria_scores())["tone"].set_reason("\x01 dry");
  input.set_model_used("gemini");
  input.set_evaluation_duration_ms(1200);
  const auto stored = fixture.test.replica.Record(fixture.principal, fixture.scored.id(), input);

  REQUIRE(stored.ok());
  CHECK(Uuid::Parse(stored->id()).has_value());
  CHECK(stored->span_id() == input.span_id());
  CHECK(stored->judge_id() == fixture.scored.id());
  CHECK(stored->judge_name() == "scored");
  CHECK(stored->evaluation_type() == types::v1::EVALUATION_TYPE_SCORED);
  CHECK(stored->evaluation_result());
  CHECK(stored->evaluation_reason() == "clear");
  CHECK(stored->confidence_score() == 0.9);
  CHECK(stored->score() == 4);
  CHECK(stored->score_min() == 1);
  CHECK(stored->score_max() == 5);
  CHECK(stored->pass_threshold() == Approx(3.8));
  CHECK(stored->criteria_scores().at("tone").reason() == "\x01 dry");
  CHECK(stored->model_used() == "gemini");
  CHECK(stored->evaluation_duration_ms() == 1200);
  CHECK_FALSE(stored->has_trace_id());
  CHECK(stored->created_at().SerializeAsString() == stored->updated_at().SerializeAsString());
  CHECK(fixture.test.database.Query(
            "select span_id, span_text, client_id is null, evaluation_type, evaluation_result, "
            "evaluation_reason, "
            "confidence_score, score, score_min, score_max, criteria_scores->'tone'->'score', model_used, "
            "evaluation_duration_ms, submitted_by, revision from evaluation") ==
        "550e8400-e29b-41d4-a716-446655440000|" + input.span_id() + "|t|2|t|clear|0.9|4|1|5|1|gemini|1200|" +
            fixture.principal.key_id.ToString() + "|1");

  const auto verdict =
      fixture.test.replica.Record(fixture.principal, fixture.binary.id(), Verdict("s", false));
  REQUIRE(verdict.ok());
  CHECK_FALSE(verdict->evaluation_result());
  CHECK_FALSE(verdict->has_score());
  CHECK_FALSE(verdict->has_score_max());
  CHECK_FALSE(verdict->has_pass_threshold());
}

TEST_CASE("a score passes from the judge's threshold on, unless the judge says otherwise") {
  Fixture fixture;
  const double threshold = fixture.scored.pass_threshold();
  const auto result = [&](const EvaluationInput& input) {
    return fixture.test.replica.Record(fixture.principal, fixture.scored.id(), input)->evaluation_result();
  };
  CHECK(result(Score("s", threshold)));
  CHECK_FALSE(result(Score("s", std::nextafter(threshold, 0))));
  EvaluationInput input = Score("s", 5);
  input.set_evaluation_result(false);
  CHECK_FALSE(result(input));
}

TEST_CASE("what the judge cannot have said is refused, naming the field, and nothing is stored") {
  Fixture fixture;
  EvaluationInput input = Verdict("s", true);
  input.set_score(1);
  CHECK(fixture.Refused(fixture.binary, input) == "score");
  input.clear_score();
  (*input.mutable_criteria_scores())["clarity"].set_score(1);
  CHECK(fixture.Refused(fixture.binary, input) == "criteria_scores");
  CHECK(fixture.Refused(fixture.scored, input) == "score");
  input.Clear();
  input.set_span_id("s");
  CHECK(fixture.Refused(fixture.binary, input) == "evaluation_result");
  for (const double score : {0.999, 5.001, -1e300}) {
    CHECK(fixture.Refused(fixture.scored, Score("s", score)) == "score");
    input = Score("s", 1);
    (*input.mutable_criteria_scores())["clarity"].set_score(score);
    CHECK(fixture.Refused(fixture.scored, input) == "criteria_scores.clarity.score");
  }
  input = Score("s", 1);
  (*input.mutable_criteria_scores())["wit"].set_score(1);
  CHECK(fixture.Refused(fixture.scored, input) == "criteria_scores.wit");
  input = Score("s", 1);
  for (int i = 0; i < 5; ++i) {
    (*input.mutable_criteria_scores())[std::to_string(i)].set_reason(std::string(16384, 'r'));
  }
  CHECK(fixture.Refused(fixture.scored, input) == "criteria_scores");
  input = Score("s", 1);
  for (const char* id : {"", "7", "{550e8400-e29b-41d4-a716-446655440000}"}) {
    input.set_id(id);
    CHECK(fixture.Refused(fixture.scored, input) == "id");
  }
  CHECK(fixture.test.database.Query("select count(*) from evaluation") == "0");
  CHECK(fixture.test.database.Query("select count(*) from span") == "0");
}

TEST_CASE("an unknown criterion's refusal lists the judge's") {
  Fixture fixture;
  EvaluationInput input = Score("s", 1);
  (*input.mutable_criteria_scores())["wit"].set_score(1);
  const absl::Status status =
      fixture.test.replica.Record(fixture.principal, fixture.scored.id(), input).status();
  CHECK(std::string(status.message()).find("clarity, tone") != std::string::npos);
}

TEST_CASE("an unknown judge fails the call, whichever way it is unknown") {
  Fixture fixture;
  const v1::Judge strangers = [&] {
    v1::CreateJudgeRequest request;
    request.set_name("j");
    return fixture.test.replica.CreateJudge(fixture.test.AddProject(), request);
  }();
  for (const std::string& id :
       {strangers.id(), NewUuidV7(fixture.test.clock.Now()).ToString(), std::string("j")}) {
    CHECK(ReasonOf(fixture.test.replica.Record(fixture.principal, id, Verdict("s", true)).status()) ==
          errors::v1::REASON_JUDGE_NOT_FOUND);
    RecordEvaluationsRequest request;
    request.set_judge_id(id);
    request.add_evaluations();
    *request.add_evaluations() = Verdict("s", true);
    CHECK(ReasonOf(fixture.test.replica.RecordAll(fixture.principal, request).status()) ==
          errors::v1::REASON_JUDGE_NOT_FOUND);
  }
  CHECK(fixture.test.database.Query("select count(*) from evaluation") == "0");
}

TEST_CASE("a repeat replaces the evaluation of the judge and span, and keeps what was") {
  Fixture fixture;
  EvaluationInput input = Score("550e8400-e29b-41d4-a716-446655440000", 2);
  input.set_evaluation_reason("first");
  input.set_model_used("m");
  const auto first = fixture.test.replica.Record(fixture.principal, fixture.scored.id(), input);
  const auto second = fixture.test.other_replica.Record(fixture.principal, fixture.scored.id(),
                                                        Score("550e8400e29b41d4a716446655440000", 5));
  const auto others = fixture.test.replica.Record(fixture.principal, fixture.binary.id(),
                                                  Verdict("550e8400-e29b-41d4-a716-446655440000", true));

  REQUIRE(first.ok());
  REQUIRE(second.ok());
  REQUIRE(others.ok());
  CHECK(second->id() == first->id());
  CHECK(others->id() != first->id());
  CHECK(second->created_at().SerializeAsString() == first->created_at().SerializeAsString());
  CHECK(
      fixture.test.database.Query(
          "select score, evaluation_reason, model_used, revision from evaluation where score is not null") ==
      "5|||2");
  CHECK(fixture.test.database.Query("select score, evaluation_result, evaluation_reason, model_used, "
                                    "revision from evaluation_history") == "2|f|first|m|1");
}

TEST_CASE("a client's own ids keep several evaluations of one span apart") {
  Fixture fixture;
  const std::string id = "550E8400-E29B-41D4-A716-446655440000";
  const std::string lower_id = "550e8400-e29b-41d4-a716-446655440000";
  EvaluationInput input = Verdict("s", true);
  const auto plain = fixture.test.replica.Record(fixture.principal, fixture.binary.id(), input);
  input.set_id(id);
  const auto own = fixture.test.replica.Record(fixture.principal, fixture.binary.id(), input);
  input.set_evaluation_result(false);
  const auto again = fixture.test.other_replica.Record(fixture.principal, fixture.binary.id(), input);
  REQUIRE(own.ok());
  REQUIRE(again.ok());
  CHECK(own->id() == lower_id);
  CHECK(again->id() == lower_id);
  CHECK(fixture.test.database.Query(
            "select id, evaluation_result, revision from evaluation order by revision") ==
        plain->id() + "|t|1\n" + lower_id + "|f|2");

  // Of another span, of another judge, and of an evaluation that was recorded without an id.
  input.set_span_id("other");
  const absl::Status span =
      fixture.test.replica.Record(fixture.principal, fixture.binary.id(), input).status();
  EvaluationInput score = Score("s", 3);
  score.set_id(id);
  const absl::Status judge =
      fixture.test.replica.Record(fixture.principal, fixture.scored.id(), score).status();
  input = Verdict("s", true);
  input.set_id(plain->id());
  const absl::Status without =
      fixture.test.replica.Record(fixture.principal, fixture.binary.id(), input).status();
  for (const absl::Status& status : {span, judge, without}) {
    CHECK(ReasonOf(status) == errors::v1::REASON_ALREADY_EXISTS);
  }
  CHECK(fixture.test.database.Query("select count(*), max(revision) from evaluation") == "2|2");
}

TEST_CASE("the same client's ids that meet in two processes are no conflict") {
  Fixture fixture;
  constexpr int kEvaluations = 500;
  RecordEvaluationsRequest request;
  request.set_judge_id(fixture.binary.id());
  for (int i = 0; i < kEvaluations; ++i) {
    EvaluationInput& input = *request.add_evaluations();
    input = Verdict("s", true);
    input.set_id(NewUuidV7(fixture.test.clock.Now()).ToString());
  }
  const std::optional<std::string> no_key;
  Answers<RecordEvaluationsResponse> answers;
  for (Replica* replica : {&fixture.test.replica, &fixture.test.other_replica}) {
    replica->evaluations.RecordAll({fixture.principal, no_key, TestService::Deadline()}, request,
                                   answers.ExpectOnce());
  }
  for (const auto& answer : answers.Wait()) {
    REQUIRE(answer.response.ok());
    for (int i = 0; i < kEvaluations; ++i) {
      CHECK(answer.response->results(i).error().code() == "");
      CHECK(answer.response->results(i).id() == request.evaluations(i).id());
    }
  }
  CHECK(fixture.test.database.Query("select count(*), min(revision), max(revision) from evaluation") ==
        std::to_string(kEvaluations) + "|2|2");
}

TEST_CASE("of a thousand evaluations each is answered by itself, in order") {
  Fixture fixture;
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const EvaluationInput taken = [] {
    EvaluationInput input = Score("elsewhere", 1);
    input.set_id("550e8400-e29b-41d4-a716-446655440000");
    return input;
  }();
  REQUIRE(fixture.test.replica.Record(fixture.principal, fixture.scored.id(), taken).ok());

  RecordEvaluationsRequest request;
  request.set_judge_id(fixture.scored.id());
  std::vector<std::string> codes;
  for (int i = 0; i < 1'000; ++i) {
    EvaluationInput& input = *request.add_evaluations();
    input = Score("s" + std::to_string(i), 1 + i % 5);
    const unsigned fault = random() % 40;
    if (fault == 0) input.set_evaluation_reason(std::string("\0", 1));
    if (fault == 1) input.clear_span_id();
    if (fault == 2) input.set_score(std::numeric_limits<double>::quiet_NaN());
    if (fault == 3) input.set_score(6);
    if (fault == 4) (*input.mutable_criteria_scores())["wit"].set_score(1);
    if (fault == 5) input.set_id(taken.id());
    constexpr const char* kCodes[] = {"INVALID_TEXT",     "VALIDATION_ERROR", "VALIDATION_ERROR",
                                      "VALIDATION_ERROR", "VALIDATION_ERROR", "ALREADY_EXISTS"};
    codes.emplace_back(fault < std::size(kCodes) ? kCodes[fault] : "");
  }
  const auto response = fixture.test.replica.RecordAll(fixture.principal, request);

  REQUIRE(response.ok());
  REQUIRE(response->results_size() == 1'000);
  CHECK(EvaluationService::IsFinal(*response));
  std::string stored;
  for (int i = 0; i < 1'000; ++i) {
    const v1::EvaluationResult& result = response->results(i);
    CAPTURE(i, result.ShortDebugString());
    CHECK(result.error().code() == codes[static_cast<size_t>(i)]);
    CHECK(result.has_id() == !result.has_error());
    CHECK(result.error().message().empty() == !result.has_error());
    if (result.has_id()) {
      stored += (stored.empty() ? "" : "\n") + result.id() + "|s" + std::to_string(i) + "|" +
                std::to_string(1 + i % 5);
    }
  }
  CHECK(fixture.test.database.Query("select id, span_text, score from evaluation where span_text like 's%' "
                                    "order by substr(span_text, 2)::int") == stored);
}

TEST_CASE("a thousand evaluations of one identity are recorded one after the other") {
  Fixture fixture;
  RecordEvaluationsRequest request;
  request.set_judge_id(fixture.binary.id());
  for (int i = 0; i < 1'000; ++i) {
    EvaluationInput& input = *request.add_evaluations();
    input = Verdict("s", true);
    input.set_evaluation_reason(std::to_string(i));
  }
  const auto response = fixture.test.replica.RecordAll(fixture.principal, request);
  REQUIRE(response.ok());
  for (const v1::EvaluationResult& result : response->results()) {
    CHECK(result.id() == response->results(0).id());
  }
  CHECK(fixture.test.database.Query("select evaluation_reason, revision from evaluation") == "999|1000");
  CHECK(fixture.test.database.Query(
            "select count(*) from evaluation_history where evaluation_reason::int + 1 = revision") == "999");
}

TEST_CASE("a list of evaluations may be empty") {
  Fixture fixture;
  RecordEvaluationsRequest request;
  request.set_judge_id(fixture.binary.id());
  const auto none = fixture.test.replica.RecordAll(fixture.principal, request);
  REQUIRE(none.ok());
  CHECK(none->results().empty());
}

TEST_CASE("an answer is final unless something failed that may succeed again") {
  RecordEvaluationsResponse response;
  CHECK(EvaluationService::IsFinal(response));
  response.add_results()->set_id("1");
  response.add_results()->mutable_error()->set_code("VALIDATION_ERROR");
  CHECK(EvaluationService::IsFinal(response));
  for (const char* code : {"UNAVAILABLE", "OUTCOME_UNKNOWN", "OVERLOADED", "DEADLINE_EXCEEDED", "INTERNAL"}) {
    response.mutable_results(1)->mutable_error()->set_code(code);
    CHECK_FALSE(EvaluationService::IsFinal(response));
  }
}

TEST_CASE("without a database every evaluation says that nothing was stored") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  metrics::Registry registry;
  WriteQueueMetrics metrics(registry, "evaluations");
  JudgeCache judges(test.clock);
  EvaluationBatchStore writer({.dsn = "host=127.0.0.1 port=1 dbname=none user=none"}, judges);
  EvaluationQueue queue({}, {[&](auto batch) { return writer.Store(batch); }}, metrics);
  EvaluationService service(queue, test.clock);
  RecordEvaluationsRequest request;
  request.set_judge_id(NewUuidV7(test.clock.Now()).ToString());
  *request.add_evaluations() = Verdict("s", true);
  const std::optional<std::string> no_key;
  Answers<RecordEvaluationsResponse> answers;
  service.RecordAll({principal, no_key, TestService::Deadline()}, request, answers.ExpectOnce());
  const auto response = answers.Wait().front().response;
  REQUIRE(response.ok());
  CHECK(response->results(0).error().code() == "UNAVAILABLE");
  CHECK_FALSE(EvaluationService::IsFinal(*response));
  queue.Drain();
}

TEST_CASE("an evaluation before its span makes a stub, one after it joins its trace and session") {
  Fixture fixture;
  const std::string project = "'" + fixture.principal.project_id.ToString() + "'";
  const std::string trace = "00000000-0000-7000-8000-00000000000a";
  const std::string session = "00000000-0000-7000-8000-00000000000b";
  REQUIRE(fixture.test.replica.Record(fixture.principal, fixture.binary.id(), Verdict("early", true)).ok());
  CHECK(fixture.test.database.Query("select span_id, trace_id is null, started_at is null from span") ==
        EntityKey("early").ToString() + "|t|t");

  fixture.test.database.Query(
      "insert into trace (project_id, trace_id, session_id, started_at) values (" + project + ",'" + trace +
      "','" + session + "', now()); insert into span (project_id, span_id, trace_id, started_at) values (" +
      project + ", '" + EntityKey("late").ToString() + "','" + trace + "', now())");
  const auto late =
      fixture.test.replica.Record(fixture.principal, fixture.binary.id(), Verdict("late", true));
  REQUIRE(late.ok());
  CHECK(late->trace_id() == trace);
  CHECK(fixture.test.database.Query("select trace_id, session_id from evaluation where span_text = 'late'") ==
        trace + "|" + session);
}

TEST_CASE("two tenants with equal ids keep their evaluations apart") {
  Fixture fixture;
  const auth::Principal other = fixture.test.AddProject();
  v1::CreateJudgeRequest create;
  create.set_name("binary");
  const v1::Judge others = fixture.test.replica.CreateJudge(other, create);
  EvaluationInput input = Verdict("s", true);
  input.set_id("550e8400-e29b-41d4-a716-446655440000");
  const auto one = fixture.test.replica.Record(fixture.principal, fixture.binary.id(), input);
  input.set_evaluation_result(false);
  const auto two = fixture.test.replica.Record(other, others.id(), input);
  REQUIRE(one.ok());
  REQUIRE(two.ok());
  CHECK(one->id() == two->id());
  CHECK(fixture.test.database.Query(
            "select count(*), count(distinct project_id), max(revision) from evaluation") == "2|2|1");
  CHECK(fixture.test.database.Query("select count(distinct project_id) from span") == "2");
}

TEST_CASE("a change of the judge counts at once, and leaves old evaluations as they were") {
  Fixture fixture;
  const auto old = fixture.test.replica.Record(fixture.principal, fixture.scored.id(), Score("old", 5));
  REQUIRE(old.ok());
  v1::UpdateJudgeRequest change;
  change.set_automation_id(fixture.scored.id());
  change.set_score_max(4);
  change.set_pass_threshold(1);
  change.set_name("renamed");
  REQUIRE(fixture.test.replica.judges.Update(fixture.principal, change).ok());

  CHECK(fixture.Refused(fixture.scored, Score("new", 5)) == "score");
  const auto stored = fixture.test.replica.Record(fixture.principal, fixture.scored.id(), Score("new", 1));
  REQUIRE(stored.ok());
  CHECK(stored->judge_name() == "renamed");
  CHECK(stored->evaluation_result());
  CHECK(fixture.test.database.Query(
            "select span_text, score_max, pass_threshold, evaluation_result from evaluation "
            "order by 1 desc") == "old|5|3.8|t\nnew|4|1|t");
  // Recording it again makes it one of now.
  REQUIRE(fixture.test.replica.Record(fixture.principal, fixture.scored.id(), Score("old", 2)).ok());
  CHECK(fixture.test.database.Query(
            "select score_max, pass_threshold from evaluation where span_text = 'old'") == "4|1");
}

TEST_CASE("evaluations of a few spans by sixteen callers at once keep every revision") {
  Fixture fixture;
  constexpr size_t kCallers = 16;
  constexpr size_t kEach = 25;
  constexpr size_t kSpans = 3;
  std::vector<v1::RecordEvaluationRequest> requests;
  for (size_t i = 0; i < kCallers * kEach; ++i) {
    v1::RecordEvaluationRequest& request = requests.emplace_back();
    request.set_judge_id(fixture.binary.id());
    *request.mutable_evaluation() = Verdict("s" + std::to_string(i % kSpans), true);
    request.mutable_evaluation()->set_evaluation_reason(std::to_string(i));
  }
  const std::optional<std::string> no_key;
  Answers<v1::RecordEvaluationResponse> answers;
  {
    std::vector<std::jthread> callers;
    for (size_t caller = 0; caller < kCallers; ++caller) {
      callers.emplace_back([&, caller] {
        Replica& replica = caller % 2 == 0 ? fixture.test.replica : fixture.test.other_replica;
        for (size_t i = 0; i < kEach; ++i) {
          replica.evaluations.Record({fixture.principal, no_key, TestService::Deadline()},
                                     requests[caller * kEach + i], answers.ExpectOnce());
        }
      });
    }
  }
  std::set<std::string> ids;
  for (const auto& answer : answers.Wait()) {
    REQUIRE(answer.response.ok());
    ids.insert(answer.response->evaluation().id());
  }
  CHECK(ids.size() == kSpans);
  CHECK(
      fixture.test.database.Query(
          "select count(distinct reason) from (select evaluation_reason as reason from evaluation union all "
          "select evaluation_reason from evaluation_history) all_revisions") ==
      std::to_string(kCallers * kEach));
  CHECK(fixture.test.database.Query("select count(*) from evaluation e where e.revision - 1 = (select "
                                    "count(*) from evaluation_history h "
                                    "where h.id = e.id and h.revision between 1 and e.revision - 1)") ==
        std::to_string(kSpans));
}

}  // namespace
}  // namespace verdict::feedback
