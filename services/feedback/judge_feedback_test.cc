#include <string>

#include <catch2/catch.hpp>

#include "services/feedback/test_service.h"

namespace verdict::feedback {
namespace {

using v1::SubmitCompletionFeedbackRequest;

// A project with judges, and what is done with them here.
struct Fixture : JudgedProject {
  SubmitCompletionFeedbackRequest VoteOn(const v1::Judge& judge, bool thumbs_up = false) const {
    SubmitCompletionFeedbackRequest request = Vote(thumbs_up);
    request.set_judge_id(judge.id());
    return request;
  }

  // All that can be said of a scored judge.
  SubmitCompletionFeedbackRequest Opinion() const {
    SubmitCompletionFeedbackRequest request = VoteOn(scored);
    request.set_expected_score(4.5);
    request.set_score_direction(types::v1::SCORE_DIRECTION_TOO_LOW);
    (*request.mutable_criteria_feedback())["clarity"].set_expected_score(5);
    (*request.mutable_criteria_feedback())["tone"].set_reason("dry");
    return request;
  }

  absl::StatusOr<v1::CompletionFeedback> Get(const std::optional<std::string>& judge_id) {
    v1::GetCompletionFeedbackRequest get;
    get.set_prompt_slug("support-bot");
    get.set_completion_id("c1");
    if (judge_id) get.set_judge_id(*judge_id);
    const auto response = test.replica.feedback.Get(principal, get);
    if (!response.ok()) return response.status();
    return response->feedback();
  }

  absl::Status Withdraw(const std::optional<std::string>& judge_id) {
    v1::WithdrawCompletionFeedbackRequest withdraw;
    withdraw.set_prompt_slug("support-bot");
    withdraw.set_completion_id("c1");
    if (judge_id) withdraw.set_judge_id(*judge_id);
    return test.replica.feedback.Withdraw(principal, withdraw).status();
  }

  absl::Status Refusal(const SubmitCompletionFeedbackRequest& request) {
    return test.replica.Submit(principal, request).response.status();
  }

  // The field that a refusal names.
  std::string Refused(const SubmitCompletionFeedbackRequest& request) {
    const absl::Status status = Refusal(request);
    CHECK(ReasonOf(status) == errors::v1::REASON_VALIDATION_ERROR);
    return DetailsOf(status).violations.at(0).field;
  }
};

TEST_CASE("what is said of a judge's score is stored, answered and read back") {
  Fixture fixture;
  SubmitCompletionFeedbackRequest request = fixture.Opinion();
  const auto stored = fixture.test.replica.Submit(fixture.principal, request).response;
  REQUIRE(stored.ok());
  const auto read = fixture.Get(fixture.scored.id());
  REQUIRE(read.ok());
  for (const v1::CompletionFeedback& feedback : {stored->feedback(), *read}) {
    CHECK(feedback.id() == stored->feedback().id());
    CHECK(feedback.judge_id() == fixture.scored.id());
    CHECK(feedback.expected_score() == 4.5);
    CHECK(feedback.score_direction() == types::v1::SCORE_DIRECTION_TOO_LOW);
    REQUIRE(feedback.criteria_feedback().size() == 2);
    CHECK(feedback.criteria_feedback().at("clarity").expected_score() == 5);
    CHECK_FALSE(feedback.criteria_feedback().at("clarity").has_reason());
    CHECK(feedback.criteria_feedback().at("tone").reason() == "dry");
  }

  // A repeat without them replaces them by nothing, and the history has them.
  REQUIRE(fixture.test.replica.Submit(fixture.principal, fixture.VoteOn(fixture.scored, true)).response.ok());
  const auto replaced = fixture.Get(fixture.scored.id());
  REQUIRE(replaced.ok());
  CHECK(replaced->id() == stored->feedback().id());
  CHECK_FALSE(replaced->has_expected_score());
  CHECK(replaced->score_direction() == types::v1::SCORE_DIRECTION_UNSPECIFIED);
  CHECK(replaced->criteria_feedback().empty());
  CHECK(fixture.test.database.Query("select expected_score, score_direction, "
                                    "criteria_feedback->'tone'->>'reason' from feedback_history") ==
        "4.5|2|dry");
}

TEST_CASE("one rater's feedback on a span and on each judge's evaluation of it are records of their own") {
  Fixture fixture;
  REQUIRE(fixture.test.replica.Submit(fixture.principal, Vote(true, "span")).response.ok());
  REQUIRE(fixture.test.replica.Submit(fixture.principal, fixture.VoteOn(fixture.binary)).response.ok());
  REQUIRE(fixture.test.other_replica.Submit(fixture.principal, fixture.Opinion()).response.ok());
  CHECK(fixture.test.database.Query("select count(*), max(revision) from feedback") == "3|1");
  CHECK(fixture.Get(std::nullopt)->reason() == "span");
  CHECK_FALSE(fixture.Get(std::nullopt)->has_judge_id());
  CHECK(fixture.Get(fixture.binary.id())->judge_id() == fixture.binary.id());

  CHECK(fixture.Withdraw("j").ok());
  CHECK(fixture.Withdraw(NewUuidV7(fixture.test.clock.Now()).ToString()).ok());
  CHECK(fixture.test.database.Query("select count(*) from feedback") == "3");
  CHECK(fixture.Withdraw(fixture.scored.id()).ok());
  CHECK(ReasonOf(fixture.Get(fixture.scored.id()).status()) == errors::v1::REASON_FEEDBACK_NOT_FOUND);
  CHECK(ReasonOf(fixture.Get("j").status()) == errors::v1::REASON_FEEDBACK_NOT_FOUND);
  CHECK(fixture.Get(fixture.binary.id()).ok());
  CHECK(fixture.Get(std::nullopt).ok());
  CHECK(fixture.test.database.Query(
            "select rater_id, expected_score, score_direction, criteria_feedback->'tone'->>"
            "'reason', withdrawn_at is not null from feedback_history") ==
        fixture.principal.user.id() + "|4.5|2|dry|t");
}

TEST_CASE("what is said of a judge's score needs the judge") {
  Fixture fixture;
  const auto without = [&](auto change) {
    SubmitCompletionFeedbackRequest request = Vote(true);
    change(request);
    return fixture.Refused(request);
  };
  using Request = SubmitCompletionFeedbackRequest;
  CHECK(without([](Request& request) { request.set_expected_score(4); }) == "judge_id");
  CHECK(without([](Request& request) { request.set_score_direction(types::v1::SCORE_DIRECTION_TOO_HIGH); }) ==
        "judge_id");
  CHECK(without([](Request& request) {
          (*request.mutable_criteria_feedback())["clarity"].set_expected_score(4);
        }) == "judge_id");
}

TEST_CASE("feedback on an unknown judge is refused, whichever way it is unknown") {
  Fixture fixture;
  v1::CreateJudgeRequest create;
  create.set_name("j");
  const v1::Judge strangers = fixture.test.replica.CreateJudge(fixture.test.AddProject(), create);
  SubmitCompletionFeedbackRequest request = Vote(true);
  for (const std::string& id :
       {strangers.id(), NewUuidV7(fixture.test.clock.Now()).ToString(), std::string("j"), std::string()}) {
    request.set_judge_id(id);
    CHECK(ReasonOf(fixture.Refusal(request)) == errors::v1::REASON_JUDGE_NOT_FOUND);
  }
  CHECK(fixture.test.database.Query("select count(*) from feedback") == "0");
  CHECK(fixture.test.database.Query("select count(*) from span") == "0");
}

TEST_CASE("what cannot be said of a judge's score is refused, naming the field, and nothing is stored") {
  Fixture fixture;
  const auto refused = [&](const v1::Judge& judge, auto change) {
    SubmitCompletionFeedbackRequest request = fixture.VoteOn(judge);
    change(request);
    return fixture.Refused(request);
  };
  using Request = SubmitCompletionFeedbackRequest;
  CHECK(refused(fixture.binary, [](Request& request) { request.set_expected_score(1); }) == "expected_score");
  CHECK(refused(fixture.binary, [](Request& request) {
          request.set_score_direction(types::v1::SCORE_DIRECTION_TOO_LOW);
        }) == "score_direction");
  CHECK(refused(fixture.binary, [](Request& request) {
          (*request.mutable_criteria_feedback())["clarity"].set_reason("r");
        }) == "criteria_feedback");
  for (const double score : {0.9, 5.1}) {
    CHECK(refused(fixture.scored, [&](Request& request) { request.set_expected_score(score); }) ==
          "expected_score");
    CHECK(refused(fixture.scored, [&](Request& request) {
            (*request.mutable_criteria_feedback())["tone"].set_expected_score(score);
          }) == "criteria_feedback.tone.expected_score");
  }
  CHECK(refused(fixture.scored, [](Request& request) {
          (*request.mutable_criteria_feedback())["wit"].set_reason("r");
        }) == "criteria_feedback.wit");
  CHECK(refused(fixture.scored, [](Request& request) {
          for (const char* key : {"a", "b", "c", "d", "e"}) {
            (*request.mutable_criteria_feedback())[key].set_reason(std::string(16384, 'r'));
          }
        }) == "criteria_feedback");
  SubmitCompletionFeedbackRequest unknown = fixture.VoteOn(fixture.scored);
  (*unknown.mutable_criteria_feedback())["wit"].set_reason("r");
  CHECK(std::string(fixture.Refusal(unknown).message()).find("clarity, tone") != std::string::npos);
  CHECK(fixture.test.database.Query("select count(*) from feedback") == "0");

  SubmitCompletionFeedbackRequest largest = fixture.VoteOn(fixture.scored);
  for (const char* key : {"clarity", "tone"}) {
    (*largest.mutable_criteria_feedback())[key].set_reason(std::string(5'000, '\x01'));
  }
  CHECK(fixture.test.replica.Submit(fixture.principal, largest).response.ok());
}

TEST_CASE("a range that was changed in this process holds at once") {
  Fixture fixture;
  SubmitCompletionFeedbackRequest request = fixture.VoteOn(fixture.scored);
  request.set_expected_score(5);
  REQUIRE(fixture.test.replica.Submit(fixture.principal, request).response.ok());
  v1::UpdateJudgeRequest change;
  change.set_automation_id(fixture.scored.id());
  change.set_score_max(4.5);
  REQUIRE(fixture.test.replica.judges.Update(fixture.principal, change).ok());
  CHECK(fixture.Refused(request) == "expected_score");
}

TEST_CASE("what was stored under an Idempotency-Key is answered again, whatever the judge has become") {
  Fixture fixture;
  const auto first = fixture.test.replica.Submit(fixture.principal, fixture.Opinion(), "key-1");
  REQUIRE(first.response.ok());
  v1::UpdateJudgeRequest change;
  change.set_automation_id(fixture.scored.id());
  change.set_score_max(2);
  change.set_pass_threshold(2);
  REQUIRE(fixture.test.replica.judges.Update(fixture.principal, change).ok());

  const auto again = fixture.test.replica.Submit(fixture.principal, fixture.Opinion(), "key-1");
  REQUIRE(again.response.ok());
  CHECK(again.replayed);
  CHECK(again.response->feedback().id() == first.response->feedback().id());
  // Without the key, or under another one, it is checked against the judge that there is.
  CHECK(fixture.Refused(fixture.Opinion()) == "expected_score");
  CHECK(ReasonOf(
            fixture.test.replica.Submit(fixture.principal, fixture.Opinion(), "key-2").response.status()) ==
        errors::v1::REASON_VALIDATION_ERROR);
}

TEST_CASE("under an Idempotency-Key other values for the judge are another request") {
  Fixture fixture;
  const auto submit = [&](const SubmitCompletionFeedbackRequest& request) {
    return fixture.test.replica.Submit(fixture.principal, request, "k1");
  };
  REQUIRE(submit(fixture.Opinion()).response.ok());
  CHECK(submit(fixture.Opinion()).replayed);
  const auto mismatch = [&](auto change) {
    SubmitCompletionFeedbackRequest request = fixture.Opinion();
    change(request);
    return ReasonOf(submit(request).response.status()) == errors::v1::REASON_IDEMPOTENCY_MISMATCH;
  };
  using Request = SubmitCompletionFeedbackRequest;
  CHECK(mismatch([](Request& request) { request.set_expected_score(4); }));
  CHECK(mismatch([](Request& request) { request.clear_expected_score(); }));
  CHECK(mismatch([](Request& request) { request.set_score_direction(types::v1::SCORE_DIRECTION_TOO_HIGH); }));
  CHECK(
      mismatch([](Request& request) { (*request.mutable_criteria_feedback())["tone"].set_reason("drier"); }));
  CHECK(mismatch([](Request& request) { request.mutable_criteria_feedback()->clear(); }));
  CHECK(mismatch([&](Request& request) { request = fixture.VoteOn(fixture.binary); }));
  CHECK(mismatch([](Request& request) { request = Vote(false); }));
}

}  // namespace
}  // namespace verdict::feedback
