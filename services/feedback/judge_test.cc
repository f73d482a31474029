#include <atomic>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "services/feedback/test_service.h"

namespace verdict::feedback {
namespace {

using v1::CreateJudgeRequest;
using v1::Judge;
using v1::UpdateJudgeRequest;

CreateJudgeRequest Scored(const std::string& name) {
  CreateJudgeRequest request;
  request.set_name(name);
  request.set_evaluation_type(types::v1::EVALUATION_TYPE_SCORED);
  return request;
}

UpdateJudgeRequest Change(const Judge& judge) {
  UpdateJudgeRequest request;
  request.set_automation_id(judge.id());
  return request;
}

absl::StatusOr<Judge> Get(Replica& replica, const auth::Principal& principal, const std::string& id) {
  v1::GetJudgeRequest request;
  request.set_automation_id(id);
  const auto response = replica.judges.Get(principal, request);
  if (!response.ok()) return response.status();
  return response->judge();
}

// The fields that a refusal names.
std::string FieldsOf(const absl::Status& status) {
  CHECK(ReasonOf(status) == errors::v1::REASON_VALIDATION_ERROR);
  std::string fields;
  for (const FieldViolation& violation : DetailsOf(status).violations) {
    fields += violation.field;
    CHECK(violation.message.starts_with(violation.field + " "));
  }
  return fields;
}

TEST_CASE("a judge is binary unless told otherwise, and a range is none of it") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  CreateJudgeRequest request;
  request.set_name("Helpfulness");
  request.set_score_min(7);
  request.set_score_max(3);
  request.set_pass_threshold(100);
  const Judge judge = test.replica.CreateJudge(principal, request);

  CHECK(Uuid::Parse(judge.id()).has_value());
  CHECK(judge.project_id() == principal.project_id.ToString());
  CHECK(judge.evaluation_type() == types::v1::EVALUATION_TYPE_BINARY);
  CHECK_FALSE(judge.has_score_min());
  CHECK_FALSE(judge.has_score_max());
  CHECK_FALSE(judge.has_pass_threshold());
  CHECK_FALSE(judge.has_positive_rate());
  CHECK(Get(test.other_replica, principal, judge.id())->SerializeAsString() == judge.SerializeAsString());
}

TEST_CASE("a judge comes with the prompt that feedback on its outputs names") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const Judge judge = test.replica.CreateJudge(principal, Scored("Tone"));
  std::string digits = judge.id();
  std::erase(digits, '-');
  CHECK(judge.prompt_slug() == "judge-" + digits);
  CHECK(test.database.Query("select slug from prompt where id = '" + judge.task_id() + "'") ==
        judge.prompt_slug());
  v1::SubmitCompletionFeedbackRequest vote = Vote(true);
  vote.set_prompt_slug(judge.prompt_slug());
  CHECK(test.replica.Submit(principal, vote).response->feedback().prompt_id() == judge.task_id());
}

TEST_CASE("a scored judge has a range, by default 0 to 10, and passes from seven tenths of it") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const Judge plain = test.replica.CreateJudge(principal, Scored("plain"));
  CHECK(plain.score_min() == 0);
  CHECK(plain.score_max() == 10);
  CHECK(plain.pass_threshold() == 7);

  CreateJudgeRequest request = Scored("own");
  request.set_score_min(-1);
  request.set_score_max(1);
  CHECK(test.replica.CreateJudge(principal, request).pass_threshold() == Approx(0.4));

  request.set_name("widest");
  request.set_score_min(-std::numeric_limits<double>::max());
  request.set_score_max(std::numeric_limits<double>::max());
  const Judge widest = test.replica.CreateJudge(principal, request);
  CHECK(widest.pass_threshold() == Approx(0.4 * std::numeric_limits<double>::max()));
  CHECK(Get(test.replica, principal, widest.id())->SerializeAsString() == widest.SerializeAsString());
}

TEST_CASE("everything that a judge is made of comes back") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  CreateJudgeRequest request = Scored("All \"of\" it");
  request.set_score_min(1);
  request.set_score_max(5);
  request.set_pass_threshold(3.5);
  for (const char* key : {"z", "a"}) request.add_criteria()->set_key(key);
  request.mutable_criteria(0)->set_label("Zest, \"really\"");
  request.mutable_criteria(1)->set_description("line\nline");
  request.set_template_("Judge {{output}}");
  request.set_sample_rate(0.25);
  request.set_filter(R"({"properties": {"kind": "llm"}, "object_type": "span"})");
  request.set_temperature(1.5);
  request.set_target_prompt_id(test.database.Query("select id from prompt"));
  request.set_is_paused(true);
  const Judge judge = test.replica.CreateJudge(principal, request);

  CHECK(judge.criteria_size() == 2);
  CHECK(judge.criteria(0).SerializeAsString() == request.criteria(0).SerializeAsString());
  CHECK(judge.target_prompt_id() == request.target_prompt_id());
  const Judge read = *Get(test.replica, principal, judge.id());
  CHECK(read.SerializeAsString() == judge.SerializeAsString());
  v1::GetJudgeCriteriaRequest criteria;
  criteria.set_judge_id(judge.id());
  const auto response = test.replica.judges.GetCriteria(principal, criteria);
  REQUIRE(response.ok());
  CHECK(response->judge_id() == judge.id());
  CHECK(response->evaluation_type() == types::v1::EVALUATION_TYPE_SCORED);
  CHECK(response->score_min() == 1);
  CHECK(response->score_max() == 5);
  CHECK(response->pass_threshold() == 3.5);
  REQUIRE(response->criteria_size() == 2);
  CHECK(response->criteria(0).key() == "z");
  CHECK_FALSE(response->criteria(1).has_label());
}

TEST_CASE("what no judge can be is refused, naming the field, and nothing is stored") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const std::optional<std::string> no_key;
  const auto refusal = [&](auto change) {
    CreateJudgeRequest request = Scored("j");
    change(request);
    return test.replica.judges.Create({principal, no_key, test.Deadline()}, request).status();
  };
  CHECK(FieldsOf(refusal([](CreateJudgeRequest& request) { request.set_score_min(10); })) == "score_max");
  CHECK(FieldsOf(refusal([](CreateJudgeRequest& request) { request.set_pass_threshold(10.5); })) ==
        "pass_threshold");
  CHECK(FieldsOf(refusal([](CreateJudgeRequest& request) { request.set_pass_threshold(-1); })) ==
        "pass_threshold");
  const auto twice = [](CreateJudgeRequest& request) {
    for (int i = 0; i < 2; ++i) request.add_criteria()->set_key("twice");
  };
  // Each within its own limit, but written out too long.
  const auto too_long = [](CreateJudgeRequest& request) {
    for (int i = 0; i < 50; ++i) {
      request.add_criteria()->set_key(std::to_string(i));
      request.mutable_criteria(i)->set_description(std::string(4096, '\x01'));
    }
  };
  CHECK(FieldsOf(refusal(twice)) == "criteria[1].key");
  CHECK(FieldsOf(refusal(too_long)) == "criteria");
  CHECK(FieldsOf(refusal([](CreateJudgeRequest& request) { request.set_filter("[]"); })) == "filter");
  CHECK(ReasonOf(refusal([](CreateJudgeRequest& request) { request.set_filter(R"({"a":1,"a":1})"); })) ==
        errors::v1::REASON_DUPLICATE_KEY);
  CHECK(ReasonOf(refusal([](CreateJudgeRequest& request) { request.set_filter(R"({"a":"\u0000"})"); })) ==
        errors::v1::REASON_INVALID_TEXT);
  for (const char* prompt : {"p", "00000000-0000-7000-8000-000000000001"}) {
    CHECK(ReasonOf(refusal([&](CreateJudgeRequest& request) { request.set_target_prompt_id(prompt); })) ==
          errors::v1::REASON_PROMPT_NOT_FOUND);
  }
  CHECK(test.database.Query("select count(*) from judge") == "0");
  CHECK(test.database.Query("select count(*) from prompt") == "1");

  // The largest that fits.
  CreateJudgeRequest largest = Scored("j");
  for (int i = 0; i < 50; ++i) {
    types::v1::Criterion& criterion = *largest.add_criteria();
    criterion.set_key(std::string(98, 'k') + std::to_string(10 + i));
    criterion.set_label(std::string(200, 'l'));
    criterion.set_description(std::string(4096, 'd'));
  }
  largest.set_template_(std::string(65536, 't'));
  CHECK(test.replica.CreateJudge(principal, largest).criteria_size() == 50);
}

TEST_CASE("a judge's name is its own in the project") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const auth::Principal other = test.AddProject();
  const std::optional<std::string> no_key;
  const Judge judge = test.replica.CreateJudge(principal, Scored("taken"));
  test.replica.CreateJudge(other, Scored("taken"));
  const absl::Status created =
      test.other_replica.judges.Create({principal, no_key, test.Deadline()}, Scored("taken")).status();
  const Judge second = test.replica.CreateJudge(principal, Scored("free"));
  UpdateJudgeRequest change = Change(second);
  change.set_name("taken");
  for (const absl::Status& status : {created, test.replica.judges.Update(principal, change).status()}) {
    CHECK(ReasonOf(status) == errors::v1::REASON_ALREADY_EXISTS);
    CHECK(std::string(status.message()).find("a judge of this name") != std::string::npos);
  }
  change.set_automation_id(judge.id());
  CHECK(test.replica.judges.Update(principal, change).ok());
  CHECK(test.database.Query("select count(*) from prompt where slug like 'judge-%'") == "3");
}

TEST_CASE("a judge of another project, of no project or of no UUID is not found") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const Judge strangers = test.replica.CreateJudge(test.AddProject(), Scored("j"));
  for (const std::string& id : {strangers.id(), NewUuidV7(test.clock.Now()).ToString(), std::string("j")}) {
    CAPTURE(id);
    UpdateJudgeRequest update;
    update.set_automation_id(id);
    v1::LinkJudgeRequest link;
    link.set_automation_id(id);
    link.set_prompt_id(test.database.Query("select id from prompt where project_id = '" +
                                           principal.project_id.ToString() + "'"));
    v1::GetJudgeCriteriaRequest criteria;
    criteria.set_judge_id(id);
    for (const absl::Status& status :
         {Get(test.replica, principal, id).status(), test.replica.judges.Update(principal, update).status(),
          test.replica.judges.Link(principal, link).status(),
          test.replica.judges.GetCriteria(principal, criteria).status()}) {
      CHECK(ReasonOf(status) == errors::v1::REASON_JUDGE_NOT_FOUND);
    }
  }
  CHECK(test.replica.judges.List(principal, {})->automations().empty());
}

TEST_CASE("a change leaves alone what it does not name") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  CreateJudgeRequest request = Scored("before");
  request.add_criteria()->set_key("clarity");
  request.set_template_("t");
  request.set_pass_threshold(5);
  const Judge before = test.replica.CreateJudge(principal, request);

  UpdateJudgeRequest change = Change(before);
  change.set_score_max(8);
  change.set_is_paused(true);
  change.set_evaluation_type(types::v1::EVALUATION_TYPE_SCORED);
  change.set_target_prompt_id(before.task_id());
  const auto changed = test.replica.judges.Update(principal, change);
  REQUIRE(changed.ok());
  Judge expected = before;
  expected.set_score_max(8);
  expected.set_is_paused(true);
  expected.set_target_prompt_id(before.task_id());
  *expected.mutable_modified_at() = changed->judge().modified_at();
  CHECK(Get(test.other_replica, principal, before.id())->SerializeAsString() == expected.SerializeAsString());
  expected.clear_evaluation_count();  // counting is for reads
  expected.clear_positive_evaluations();
  CHECK(changed->judge().SerializeAsString() == expected.SerializeAsString());
  CHECK(test.database.Query("select revision, modified_at >= created_at from judge") == "2|t");
}

TEST_CASE("a change is checked together with what stays") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  CreateJudgeRequest created = Scored("j");
  created.set_pass_threshold(8);
  const Judge judge = test.replica.CreateJudge(principal, created);
  const auto refusal = [&](auto change) {
    UpdateJudgeRequest request = Change(judge);
    change(request);
    return test.replica.judges.Update(principal, request).status();
  };
  CHECK(FieldsOf(refusal([](UpdateJudgeRequest& request) { request.set_score_max(6); })) == "pass_threshold");
  CHECK(FieldsOf(refusal([](UpdateJudgeRequest& request) { request.set_score_min(10); })) == "score_max");
  CHECK(FieldsOf(refusal([](UpdateJudgeRequest& request) {
          request.set_evaluation_type(types::v1::EVALUATION_TYPE_BINARY);
        })) == "evaluation_type");
  CHECK(FieldsOf(refusal([](UpdateJudgeRequest& request) { request.set_filter("1"); })) == "filter");
  CHECK(ReasonOf(refusal([](UpdateJudgeRequest& request) { request.set_target_prompt_id("p"); })) ==
        errors::v1::REASON_PROMPT_NOT_FOUND);
  CHECK(Get(test.replica, principal, judge.id())->SerializeAsString() == judge.SerializeAsString());
  CHECK(test.database.Query("select revision from judge") == "1");
}

TEST_CASE("a judge can be changed whose filter the database has written longer than a request may be") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  CreateJudgeRequest request = Scored("of tiny numbers");
  request.set_filter(R"({"share": 1e-300})");
  UpdateJudgeRequest change = Change(test.replica.CreateJudge(principal, request));
  change.set_is_paused(true);
  const auto changed = test.replica.judges.Update(principal, change);
  REQUIRE(changed.ok());
  CHECK(changed->judge().is_paused());
}

TEST_CASE("a threshold that nobody has set follows the range, one that somebody has does not") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  UpdateJudgeRequest change = Change(test.replica.CreateJudge(principal, Scored("by default")));
  change.set_score_max(5);
  const auto changed = test.replica.judges.Update(principal, change);
  REQUIRE(changed.ok());
  CHECK(changed->judge().pass_threshold() == 3.5);

  CreateJudgeRequest strict = Scored("strict");
  strict.set_pass_threshold(9);
  change = Change(test.replica.CreateJudge(principal, strict));
  change.set_score_max(5);
  CHECK(FieldsOf(test.replica.judges.Update(principal, change).status()) == "pass_threshold");
}

TEST_CASE("linking makes a prompt the judge's target") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const Judge judge = test.replica.CreateJudge(principal, Scored("j"));
  v1::LinkJudgeRequest link;
  link.set_automation_id(judge.id());
  link.set_prompt_id(test.database.Query("select id from prompt where slug = 'support-bot'"));
  CHECK(test.replica.judges.Link(principal, link)->judge().target_prompt_id() == link.prompt_id());
  CHECK(Get(test.replica, principal, judge.id())->target_prompt_id() == link.prompt_id());
  for (const std::string& prompt : {judge.id(), std::string("support-bot")}) {
    link.set_prompt_id(prompt);
    CHECK(ReasonOf(test.replica.judges.Link(principal, link).status()) ==
          errors::v1::REASON_PROMPT_NOT_FOUND);
  }
}

TEST_CASE("changes that meet lose nothing of each other") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const Judge judge = test.replica.CreateJudge(principal, Scored("j"));
  constexpr int kChanges = 20;
  std::atomic<int> failed = 0;
  {
    const std::jthread thresholds([&] {
      UpdateJudgeRequest change = Change(judge);
      for (int i = 0; i < kChanges; ++i) {
        change.set_pass_threshold(i % 10);
        failed += test.replica.judges.Update(principal, change).ok() ? 0 : 1;
      }
    });
    const std::jthread templates([&] {
      UpdateJudgeRequest change = Change(judge);
      for (int i = 0; i < kChanges; ++i) {
        change.set_template_(std::to_string(i));
        failed += test.other_replica.judges.Update(principal, change).ok() ? 0 : 1;
      }
    });
  }
  CHECK(failed == 0);
  CHECK(test.database.Query("select revision, pass_threshold, template from judge") ==
        std::to_string(1 + 2 * kChanges) + "|9|" + std::to_string(kChanges - 1));
}

TEST_CASE("judges are listed by pages, by id, with their counts") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  std::vector<std::string> ids;
  for (const char* name : {"c", "a", "b"}) {
    CreateJudgeRequest request;
    request.set_name(name);
    ids.push_back(test.replica.CreateJudge(principal, request).id());
  }
  for (const auto& [span, result] : {std::pair{"s1", true}, {"s2", false}, {"s3", true}}) {
    v1::EvaluationInput input;
    input.set_span_id(span);
    input.set_evaluation_result(result);
    REQUIRE(test.replica.Record(principal, ids[1], input).ok());
  }

  v1::ListJudgesRequest list;
  list.set_page_size(2);
  const auto first = test.replica.judges.List(principal, list);
  REQUIRE(first.ok());
  REQUIRE(first->automations_size() == 2);
  CHECK(first->automations(0).id() == ids[0]);
  CHECK(first->automations(0).evaluation_count() == 0);
  CHECK_FALSE(first->automations(0).has_positive_rate());
  CHECK(first->automations(1).evaluation_count() == 3);
  CHECK(first->automations(1).positive_evaluations() == 2);
  CHECK(first->automations(1).positive_rate() == Approx(2.0 / 3));
  CHECK(Get(test.replica, principal, ids[1])->evaluation_count() == 3);
  list.set_page_token(first->next_page_token());
  const auto second = test.replica.judges.List(principal, list);
  REQUIRE(second->automations_size() == 1);
  CHECK(second->automations(0).id() == ids[2]);
  CHECK_FALSE(second->has_next_page_token());
  list.set_page_token("x");
  CHECK(FieldsOf(test.replica.judges.List(principal, list).status()) == "page_token");
}

TEST_CASE("a judge whose answer was lost is not made twice") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const std::optional<std::string> key = "k1";
  const auto create = [&](Replica& replica, const CreateJudgeRequest& request) {
    return replica.judges.Create({principal, key, test.Deadline()}, request);
  };
  const auto first = create(test.replica, Scored("j"));
  const auto again = create(test.other_replica, Scored("j"));
  REQUIRE(first.ok());
  REQUIRE(again.ok());
  CHECK(again->judge().id() == first->judge().id());
  CreateJudgeRequest other = Scored("j");
  other.set_score_max(20);
  CHECK(ReasonOf(create(test.replica, other).status()) == errors::v1::REASON_ALREADY_EXISTS);
}

TEST_CASE("a judge is remembered for five seconds, and a later revision is never forgotten for an earlier") {
  FakeClock clock(Time(std::chrono::seconds(1'000)));
  JudgeCache cache(clock);
  const JudgeKey key = {.project_id = NewUuidV7(clock.Now()), .judge_id = NewUuidV7(clock.Now())};
  const auto put = [&](int revision, Time read_at) {
    JudgeRules rules;
    rules.revision = revision;
    cache.Put(key, std::make_shared<const JudgeRules>(rules), read_at);
  };
  CHECK(cache.Find(key) == nullptr);
  put(1, clock.Now());
  put(2, clock.Now());
  put(1, clock.Now());
  REQUIRE(cache.Find(key) != nullptr);
  CHECK(cache.Find(key)->revision == 2);
  CHECK(cache.Find({.project_id = key.judge_id, .judge_id = key.judge_id}) == nullptr);
  clock.Advance(std::chrono::milliseconds(4'999));
  CHECK(cache.Find(key) != nullptr);
  clock.Advance(std::chrono::milliseconds(1));
  CHECK(cache.Find(key) == nullptr);
  // What took its time to be read is old already.
  put(3, clock.Now() - std::chrono::seconds(5));
  CHECK(cache.Find(key) == nullptr);
}

}  // namespace
}  // namespace verdict::feedback
