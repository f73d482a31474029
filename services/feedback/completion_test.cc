#include <set>
#include <string>

#include <catch2/catch.hpp>

#include "common/ids/entity_id.h"
#include "services/feedback/test_service.h"

namespace verdict::feedback {
namespace {

using v1::SubmitCompletionFeedbackResponse;

TEST_CASE("64 votes of one user at once make one row with 64 revisions") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  std::vector<v1::SubmitCompletionFeedbackRequest> votes;
  for (int i = 0; i < 64; ++i) votes.push_back(Vote(i % 2 == 0, std::to_string(i)));

  Answers<SubmitCompletionFeedbackResponse> answers;
  for (size_t i = 0; i < votes.size(); ++i) {
    Replica& replica = i % 2 == 0 ? test.replica : test.other_replica;
    replica.feedback.Submit({principal, std::nullopt, test.Deadline()}, votes[i], answers.Expect());
  }

  std::set<std::string> ids;
  for (const auto& answer : answers.Wait()) {
    REQUIRE(answer.response.ok());
    ids.insert(answer.response->feedback().id() +
               answer.response->feedback().created_at().SerializeAsString());
  }
  CHECK(ids.size() == 1);
  CHECK(test.database.Query("select count(*), max(revision) from feedback") == "1|64");
  CHECK(test.database.Query("select count(*), min(revision), max(revision) from feedback_history") ==
        "63|1|63");
  CHECK(test.database.Query("select count(distinct reason) from (select reason from feedback union all "
                            "select reason from feedback_history) all_revisions") == "64");
}

TEST_CASE("a vote answers what was stored, in the caller's spelling") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  v1::SubmitCompletionFeedbackRequest request = Vote(false, "too vague");
  request.set_completion_id("550E8400-E29B-41D4-A716-446655440000");
  request.set_expected_output("");
  request.set_metadata(R"({"channel": "web"})");

  const auto answer = test.replica.Submit(principal, request);

  REQUIRE(answer.response.ok());
  const v1::CompletionFeedback& feedback = answer.response->feedback();
  CHECK(Uuid::Parse(feedback.id()).has_value());
  CHECK(feedback.completion_id() == request.completion_id());
  CHECK(feedback.prompt_id() == test.database.Query("select id from prompt"));
  CHECK(feedback.project_id() == principal.project_id.ToString());
  CHECK_FALSE(feedback.thumbs_up());
  CHECK(feedback.reason() == "too vague");
  CHECK(feedback.has_expected_output());
  CHECK(feedback.metadata() == request.metadata());
  CHECK(feedback.created_by().email() == "ada@example.com");
  CHECK(feedback.created_at().seconds() > 0);
  CHECK(feedback.created_at().SerializeAsString() == feedback.updated_at().SerializeAsString());
  CHECK(test.database.Query(
            "select target_id, target_text, rater_kind, rater_id, rater_name, via, submitted_by, "
            "expected_output = '' from feedback") ==
        "550e8400-e29b-41d4-a716-446655440000|" + request.completion_id() + "|0|" + principal.user.id() +
            "|Ada|1|" + principal.key_id.ToString() + "|t");
  CHECK(test.database.Query("select span_id from span") == "550e8400-e29b-41d4-a716-446655440000");
}

TEST_CASE("a repeat replaces all values, also with absent ones, and keeps what was") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  v1::SubmitCompletionFeedbackRequest request = Vote(false, "too vague");
  request.set_metadata("{}");
  const auto first = test.replica.Submit(principal, request);
  const auto second = test.replica.Submit(principal, Vote(true));

  REQUIRE(first.response.ok());
  REQUIRE(second.response.ok());
  CHECK(second.response->feedback().id() == first.response->feedback().id());
  CHECK(second.response->feedback().created_at().SerializeAsString() ==
        first.response->feedback().created_at().SerializeAsString());
  CHECK(test.database.Query("select thumbs_up, reason, metadata, revision from feedback") == "t|||2");
  CHECK(test.database.Query("select thumbs_up, reason, metadata, revision from feedback_history") ==
        "f|too vague|{}|1");
}

TEST_CASE("feedback joins the trace and session that its span has by then") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const std::string project = "'" + principal.project_id.ToString() + "'";
  const std::string trace = "'00000000-0000-7000-8000-00000000000a'";
  const std::string session = "'00000000-0000-7000-8000-00000000000b'";
  test.database.Query("insert into trace (project_id, trace_id, session_id) values (" + project + "," +
                      trace + "," + session + "); insert into span (project_id, span_id, trace_id) values (" +
                      project + ", '" + EntityKey("c1").ToString() + "'," + trace + ")");
  REQUIRE(test.replica.Submit(principal, Vote(true)).response.ok());
  CHECK(test.database.Query("select trace_id = " + trace + ", session_id = " + session + " from feedback") ==
        "t|t");
}

TEST_CASE("a named end user is somebody else than a user of the same id") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  v1::SubmitCompletionFeedbackRequest request = Vote(false);
  request.mutable_created_by()->set_id(principal.user.id());
  request.mutable_created_by()->set_name("Mallory");
  const auto own = test.replica.Submit(principal, Vote(true));
  const auto named = test.replica.Submit(principal, request);
  REQUIRE(own.response.ok());
  REQUIRE(named.response.ok());
  CHECK(named.response->feedback().created_by().name() == "Mallory");
  CHECK(test.database.Query("select rater_kind, thumbs_up from feedback order by 1") == "0|t\n1|f");
}

TEST_CASE("two tenants with equal ids never meet") {
  TestService test;
  const auth::Principal one = test.AddProject();
  auth::Principal two = test.AddProject();
  two.user = one.user;
  two.key_id = one.key_id;
  token::TokenClaims claims;
  const std::string token_one = test.Mint(one, [&](auto& minted) { claims = minted; });
  const std::string token_two = test.Mint(two, [&](auto& minted) { minted.jti = claims.jti; });

  const v1::SubmitCompletionFeedbackRequest vote_one = Vote(true, "one");
  const v1::SubmitCompletionFeedbackRequest vote_two = Vote(false, "two");
  const v1::RedeemTokenRequest redemption_one = Redemption(true, "one");
  const v1::RedeemTokenRequest redemption_two = Redemption(false, "two");
  const std::optional<std::string> key = "same";
  Answers<SubmitCompletionFeedbackResponse> votes;
  Answers<v1::RedeemTokenResponse> redemptions;
  test.replica.feedback.Submit({one, key, test.Deadline()}, vote_one, votes.Expect());
  test.replica.feedback.Submit({two, key, test.Deadline()}, vote_two, votes.Expect());
  test.replica.feedback.Redeem(token_one, test.Deadline(), redemption_one, redemptions.Expect());
  test.replica.feedback.Redeem(token_two, test.Deadline(), redemption_two, redemptions.Expect());
  for (const auto& answer : votes.Wait()) CHECK((answer.response.ok() && !answer.replayed));
  for (const auto& answer : redemptions.Wait()) CHECK((answer.response.ok() && !answer.replayed));

  CHECK(test.database.Query(
            "select count(*), count(distinct (project_id, reason)), max(revision) from feedback") == "4|2|1");
  v1::GetCompletionFeedbackRequest get;
  get.set_prompt_slug("support-bot");
  get.set_completion_id("c1");
  CHECK(test.replica.feedback.Get(one, get)->feedback().reason() == "one");
  CHECK(test.replica.feedback.Get(two, get)->feedback().reason() == "two");
  v1::WithdrawCompletionFeedbackRequest withdraw;
  withdraw.set_prompt_slug("support-bot");
  withdraw.set_completion_id("c1");
  REQUIRE(test.replica.feedback.Withdraw(one, withdraw).ok());
  CHECK_FALSE(test.replica.feedback.Get(one, get).ok());
  CHECK(test.replica.feedback.Get(two, get).ok());
}

TEST_CASE("a withdrawn record is gone, its history stays, and the next vote is a new record") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const auto first = test.replica.Submit(principal, Vote(true, "first"));
  REQUIRE(first.response.ok());
  REQUIRE(test.replica.Submit(principal, Vote(false, "second")).response.ok());
  v1::SubmitCompletionFeedbackRequest strangers = Vote(true);
  strangers.mutable_created_by()->set_id("grace");
  REQUIRE(test.replica.Submit(principal, strangers).response.ok());

  v1::WithdrawCompletionFeedbackRequest withdraw;
  withdraw.set_prompt_slug("support-bot");
  withdraw.set_completion_id("c1");
  CHECK(test.replica.feedback.Withdraw(principal, withdraw).ok());
  CHECK(test.replica.feedback.Withdraw(principal, withdraw).ok());

  v1::GetCompletionFeedbackRequest get;
  get.set_prompt_slug("support-bot");
  get.set_completion_id("c1");
  CHECK(ReasonOf(test.replica.feedback.Get(principal, get).status()) ==
        errors::v1::REASON_FEEDBACK_NOT_FOUND);
  get.mutable_created_by()->set_id("grace");
  CHECK(test.replica.feedback.Get(principal, get).ok());
  CHECK(test.database.Query(
            "select revision, reason, withdrawn_at is not null from feedback_history order by 1") ==
        "1|first|f\n2|second|t");

  const auto third = test.replica.Submit(principal, Vote(true));
  REQUIRE(third.response.ok());
  CHECK(third.response->feedback().id() != first.response->feedback().id());
  CHECK(test.database.Query("select revision from feedback where rater_kind = 0") == "1");
}

TEST_CASE("one's own feedback is read back by any spelling, under any of the project's prompts") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  v1::SubmitCompletionFeedbackRequest request = Vote(true, "good");
  request.set_completion_id("550e8400-e29b-41d4-a716-446655440000");
  request.set_metadata(R"({"b":1,"a":2})");
  const auto stored = test.replica.Submit(principal, request);
  REQUIRE(stored.response.ok());
  v1::CreatePromptRequest other;
  other.set_slug("other");
  REQUIRE(test.replica.prompts.Create(principal, other).ok());

  v1::GetCompletionFeedbackRequest get;
  get.set_prompt_slug("other");
  get.set_completion_id("550e8400e29b41d4a716446655440000");
  const auto found = test.replica.feedback.Get(principal, get);

  REQUIRE(found.ok());
  CHECK(found->feedback().id() == stored.response->feedback().id());
  CHECK(found->feedback().completion_id() == get.completion_id());
  CHECK(found->feedback().prompt_id() == stored.response->feedback().prompt_id());
  CHECK(found->feedback().reason() == "good");
  CHECK(found->feedback().metadata() == R"({"a": 2, "b": 1})");
  CHECK(found->feedback().created_by().id() == principal.user.id());
}

TEST_CASE("an unknown prompt is not found, and the message says how to create it") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  v1::SubmitCompletionFeedbackRequest request = Vote(true);
  request.set_prompt_slug("support-bto");
  v1::GetCompletionFeedbackRequest get;
  get.set_prompt_slug("support-bto");
  get.set_completion_id("c1");
  v1::WithdrawCompletionFeedbackRequest withdraw;
  withdraw.set_prompt_slug("support-bto");
  withdraw.set_completion_id("c1");
  for (const absl::Status& status : {test.replica.Submit(principal, request).response.status(),
                                     test.replica.feedback.Get(principal, get).status(),
                                     test.replica.feedback.Withdraw(principal, withdraw).status()}) {
    CHECK(ReasonOf(status) == errors::v1::REASON_PROMPT_NOT_FOUND);
    CHECK(std::string(status.message()).find("verdictctl prompt create --project ID support-bto") !=
          std::string::npos);
  }
  CHECK(test.database.Query("select count(*) from feedback") == "0");
  CHECK(test.database.Query("select count(*) from span") == "0");

  v1::CreatePromptRequest create;
  create.set_slug("support-bto");
  REQUIRE(test.other_replica.prompts.Create(principal, create).ok());
  CHECK(test.replica.Submit(principal, request).response.ok());
}

TEST_CASE("the admin key has no user and must name one") {
  TestService test;
  auth::Principal admin = test.AddProject();
  admin.user.Clear();
  admin.key_id = {};
  admin.admin = true;
  v1::SubmitCompletionFeedbackRequest request = Vote(true);
  const absl::Status status = test.replica.Submit(admin, request).response.status();
  CHECK(DetailsOf(status).violations.at(0).field == "created_by");
  request.mutable_created_by()->set_id("grace");
  CHECK(test.replica.Submit(admin, request).response.ok());
}

TEST_CASE("metadata that is no JSON object is refused, whichever way it comes") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  v1::SubmitCompletionFeedbackRequest request = Vote(true);
  for (const char* metadata : {"", "[]", "{", R"({"a":1e400})", R"({"a":"\u0000"})"}) {
    request.set_metadata(metadata);
    CHECK(test.replica.Submit(principal, request).response.status().code() ==
          absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("a prompt is created once and listed by pages") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  test.AddProject();
  v1::CreatePromptRequest create;
  for (const char* slug : {"b", "a", "c"}) {
    create.set_slug(slug);
    REQUIRE(test.replica.prompts.Create(principal, create).ok());
  }
  CHECK(ReasonOf(test.replica.prompts.Create(principal, create).status()) ==
        errors::v1::REASON_ALREADY_EXISTS);

  v1::ListPromptsRequest list;
  list.set_page_size(2);
  std::vector<std::string> slugs;
  do {
    const auto page = test.replica.prompts.List(principal, list);
    REQUIRE(page.ok());
    for (const auto& prompt : page->prompts()) slugs.push_back(prompt.slug());
    list.set_page_token(page->next_page_token());
  } while (!list.page_token().empty());
  CHECK(slugs == std::vector<std::string>{"support-bot", "b", "a", "c"});
  list.set_page_token("x");
  CHECK(ReasonOf(test.replica.prompts.List(principal, list).status()) == errors::v1::REASON_VALIDATION_ERROR);
}

}  // namespace
}  // namespace verdict::feedback
