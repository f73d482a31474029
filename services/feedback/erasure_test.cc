#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "services/feedback/test_service.h"

namespace verdict::feedback {
namespace {

v1::SubmitCompletionFeedbackRequest VoteOf(const std::string& user, const std::string& completion,
                                           const std::string& reason) {
  v1::SubmitCompletionFeedbackRequest request = Vote(true, reason);
  request.set_completion_id(completion);
  request.mutable_created_by()->set_id(user);
  return request;
}

absl::StatusOr<v1::EraseUserResponse> Erase(TestService& test, const auth::Principal& principal,
                                            const std::string& user) {
  v1::EraseUserRequest request;
  request.set_user_id(user);
  return test.replica.feedback.EraseUser(principal, request, TestService::Deadline());
}

absl::Status Delete(TestService& test, const auth::Principal& principal, const std::string& id) {
  v1::DeleteFeedbackRequest request;
  request.set_feedback_id(id);
  return test.replica.feedback.Delete(principal, request).status();
}

// Every row of the tables that may say something of a rater, as text.
std::string Dump(const TestService& test, const std::string& project) {
  std::string dump;
  for (const char* table :
       {"feedback", "feedback_history", "evaluation", "evaluation_history", "redemption"}) {
    dump += test.database.Query("select string_agg(t::text, '|') from " + std::string(table) +
                                " t where project_id = '" + project + "'");
  }
  return dump;
}

TEST_CASE("an erased end user is in no table, and nobody else is touched") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const auth::Principal neighbour = test.AddProject();
  const std::string project = principal.project_id.ToString();
  for (const auto& caller : {principal, neighbour}) {
    for (const char* user : {"mallory-7", "alice"}) {
      REQUIRE(test.replica.Submit(caller, VoteOf(user, "c1", std::string("first of ") + user)).response.ok());
      REQUIRE(
          test.replica.Submit(caller, VoteOf(user, "c1", std::string("second of ") + user)).response.ok());
      REQUIRE(
          test.replica.Submit(caller, VoteOf(user, "c2", std::string("withdrawn of ") + user)).response.ok());
      v1::WithdrawCompletionFeedbackRequest withdrawal;
      withdrawal.set_prompt_slug("support-bot");
      withdrawal.set_completion_id("c2");
      withdrawal.mutable_created_by()->set_id(user);
      REQUIRE(test.replica.feedback.Withdraw(caller, withdrawal).ok());
    }
  }
  const std::string token = test.Mint(principal, [](token::TokenClaims& claims) {
    claims.subject.emplace();
    claims.subject->set_id("mallory-7");
    claims.subject->set_email("mallory-7@example.com");
  });
  REQUIRE(test.replica.Redeem(token, Redemption(true, "token of mallory-7")).response.ok());
  const std::string neighbours_rows = Dump(test, neighbour.project_id.ToString());
  REQUIRE(Dump(test, project).find("withdrawn of mallory-7") != std::string::npos);

  const auto erased = Erase(test, principal, "mallory-7");

  REQUIRE(erased.ok());
  CHECK(erased->feedback_count() == 2);  // the completion's and the token's
  CHECK(erased->revision_count() == 2);  // the replaced one and the withdrawn one
  CHECK(erased->claim_count() == 1);
  CHECK(Dump(test, project).find("mallory-7") == std::string::npos);
  CHECK(test.database.Query(
            "select string_agg(reason, ',' order by reason) from (select reason from feedback where "
            "project_id = '" +
            project +
            "' union all select reason from feedback_history where "
            "project_id = '" +
            project + "') r") == "first of alice,second of alice,withdrawn of alice");
  CHECK(Dump(test, neighbour.project_id.ToString()) == neighbours_rows);

  SECTION("again, there is nothing left to erase") {
    const auto again = Erase(test, principal, "mallory-7");
    REQUIRE(again.ok());
    CHECK(again->SerializeAsString().empty());
  }
  SECTION("the token stays used, and what it redeemed cannot be guessed any more") {
    const auto replay = test.replica.Redeem(token, Redemption(true, "token of mallory-7"));
    CHECK(ReasonOf(replay.response.status()) == errors::v1::REASON_TOKEN_REVOKED);
    CHECK(Dump(test, project).find("mallory-7") == std::string::npos);
  }
}

TEST_CASE("more than one bit is erased in one call") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const std::string project = principal.project_id.ToString();
  test.database.Query(
      "insert into feedback (project_id, id, target_type, target_id, target_text, rater_kind, rater_id, "
      "thumbs_up, "
      "via, submitted_by, created_at, updated_at) select '" +
      project +
      "', gen_random_uuid(), 1, gen_random_uuid(), "
      "'c', 1, 'busy', true, 1, gen_random_uuid(), now(), now() from generate_series(1, 1001)");
  const auto erased = Erase(test, principal, "busy");
  REQUIRE(erased.ok());
  CHECK(erased->feedback_count() == 1001);
  CHECK(test.database.Query("select count(*) from feedback") == "0");
}

// Each of two erasures finds what the other has locked, and what a withdrawal has just moved into the
// history.
TEST_CASE("an erasure that answers has left nothing, also beside another one and beside withdrawals") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  constexpr int kCompletions = 500;
  for (int i = 0; i < kCompletions; ++i) {
    REQUIRE(test.replica.Submit(principal, VoteOf("busy", "c" + std::to_string(i), "r")).response.ok());
  }
  std::atomic<int> failed = 0;
  std::atomic<bool> withdrawn = false;
  {
    std::vector<std::jthread> threads;
    threads.emplace_back([&] {
      for (int i = 0; i < kCompletions; ++i) {
        v1::WithdrawCompletionFeedbackRequest withdrawal;
        withdrawal.set_prompt_slug("support-bot");
        withdrawal.set_completion_id("c" + std::to_string(i));
        withdrawal.mutable_created_by()->set_id("busy");
        if (!test.other_replica.feedback.Withdraw(principal, withdrawal).ok()) ++failed;
      }
      withdrawn = true;
    });
    for (Replica* replica : {&test.replica, &test.other_replica}) {
      threads.emplace_back([&, replica] {
        v1::EraseUserRequest request;
        request.set_user_id("busy");
        if (!replica->feedback.EraseUser(principal, request, TestService::Deadline()).ok()) ++failed;
        // Nobody writes for that user: what is there now was there before.
        const std::string left = test.database.Query(
            "select (select count(*) from feedback) + (select count(*) from feedback_history)");
        if (left != "0") ++failed;
      });
    }
  }
  CHECK(withdrawn);
  CHECK(failed == 0);
}

TEST_CASE("an erasure whose time is over says that some is left, and a repeat erases it") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  REQUIRE(test.replica.Submit(principal, VoteOf("bob", "c1", "r")).response.ok());
  v1::EraseUserRequest request;
  request.set_user_id("bob");
  for (int i = 0; i < 300; ++i) {
    REQUIRE(test.replica.Submit(principal, VoteOf("bob", "c" + std::to_string(i), "r")).response.ok());
  }
  const auto late = test.replica.feedback.EraseUser(principal, request, std::chrono::steady_clock::now());
  CHECK(ReasonOf(late.status()) == errors::v1::REASON_DEADLINE_EXCEEDED);
  REQUIRE(Erase(test, principal, "bob").ok());
  CHECK(test.database.Query("select count(*) from feedback") == "0");
}

TEST_CASE("a deleted record leaves no revision, and a later vote is a new record") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  REQUIRE(test.replica.Submit(principal, Vote(true, "one")).response.ok());
  const auto stored = test.replica.Submit(principal, Vote(false, "two"));
  REQUIRE(stored.response.ok());
  const std::string id = stored.response->feedback().id();

  REQUIRE(Delete(test, test.AddProject(), id).ok());  // another project's: not its to delete
  CHECK(test.database.Query("select count(*) from feedback") == "1");
  for (int i = 0; i < 2; ++i) {
    REQUIRE(Delete(test, principal, id).ok());
    CHECK(test.database.Query(
              "select (select count(*) from feedback), (select count(*) from feedback_history)") == "0|0");
  }
  CHECK(Delete(test, principal, "not-an-id").ok());

  const auto later = test.replica.Submit(principal, Vote(true, "three"));
  REQUIRE(later.response.ok());
  CHECK(later.response->feedback().id() != id);
}

TEST_CASE("of a deleted record that came by token, its token does not tell what it said") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const std::string token = test.Mint(principal);
  const auto stored = test.replica.Redeem(token, Redemption(true, "guess me"));
  REQUIRE(stored.response.ok());
  REQUIRE(Delete(test, principal, stored.response->feedback().id()).ok());
  CHECK(test.database.Query("select state, fp from redemption") == "2|");
  CHECK(ReasonOf(test.replica.Redeem(token, Redemption(true, "guess me")).response.status()) ==
        errors::v1::REASON_TOKEN_REVOKED);
}

TEST_CASE("an evaluation is deleted by its id, with its history") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const std::string id = NewUuidV7(test.clock.Now()).ToString();
  test.database.Query(
      "insert into evaluation (project_id, id, judge_id, span_id, span_text, evaluation_type, "
      "evaluation_result, "
      "submitted_by, created_at, updated_at) values ('" +
      principal.project_id.ToString() + "', '" + id +
      "', gen_random_uuid(), gen_random_uuid(), 's', 1, true, gen_random_uuid(), now(), now());"
      "update evaluation set revision = 2");
  REQUIRE(test.database.Query("select count(*) from evaluation_history") == "1");
  REQUIRE(Delete(test, principal, id).ok());
  CHECK(test.database.Query(
            "select (select count(*) from evaluation), (select count(*) from evaluation_history)") == "0|0");
}

// A write that the deletion waits for adds to the history after the deletion has begun: that must go too.
TEST_CASE("deletions beside writers leave no history without its record") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  std::atomic<bool> done = false;
  int stored = 0;
  std::jthread writer([&] {
    for (int i = 0; i < 300; ++i)
      stored += test.other_replica.Submit(principal, Vote(i % 2 == 0)).response.ok() ? 1 : 0;
    done = true;
  });
  while (!done) {
    const std::string id = test.database.Query("select id from feedback");
    if (!id.empty()) REQUIRE(Delete(test, principal, id).ok());
  }
  writer.join();
  CHECK(stored == 300);
  CHECK(test.database.Query("select count(*) from feedback_history h where not exists "
                            "(select from feedback f where f.id = h.id)") == "0");
}

}  // namespace
}  // namespace verdict::feedback
