#include <set>
#include <string>

#include <catch2/catch.hpp>

#include "services/feedback/test_service.h"
#include "tests/support/await.h"

namespace verdict::feedback {
namespace {

using namespace std::chrono_literals;

TEST_CASE("64 redemptions of one token at once make one record, and all get its answer") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const std::string token = test.Mint(principal);
  const v1::RedeemTokenRequest request = Redemption(true, "good");

  Answers<v1::RedeemTokenResponse> answers;
  for (int i = 0; i < 64; ++i) {
    Replica& replica = i % 2 == 0 ? test.replica : test.other_replica;
    replica.feedback.Redeem(token, test.Deadline(), request, answers.Expect());
  }

  std::set<std::string> ids;
  int stored = 0;
  for (const auto& answer : answers.Wait()) {
    REQUIRE(answer.response.ok());
    ids.insert(answer.response->feedback().SerializeAsString());
    if (!answer.replayed) ++stored;
  }
  CHECK(ids.size() == 1);
  CHECK(stored == 1);
  CHECK(test.database.Query("select count(*), max(revision) from feedback") == "1|1");
}

TEST_CASE("of redemptions with different values one wins and the token is used for all others") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const std::string token = test.Mint(principal);
  std::vector<v1::RedeemTokenRequest> requests;
  for (int i = 0; i < 64; ++i) requests.push_back(Redemption(true, "reason " + std::to_string(i)));

  Answers<v1::RedeemTokenResponse> answers;
  for (size_t i = 0; i < requests.size(); ++i) {
    Replica& replica = i % 2 == 0 ? test.replica : test.other_replica;
    replica.feedback.Redeem(token, test.Deadline(), requests[i], answers.Expect());
  }

  std::vector<std::string> winners;
  for (const auto& answer : answers.Wait()) {
    if (answer.response.ok()) {
      winners.push_back(answer.response->feedback().reason());
    } else {
      CHECK(ReasonOf(answer.response.status()) == errors::v1::REASON_TOKEN_USED);
    }
  }
  REQUIRE(winners.size() == 1);
  CHECK(test.database.Query("select reason, revision from feedback") == winners[0] + "|1");
}

TEST_CASE("a redemption answers what was stored, as the token's own rater") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  token::TokenClaims claims;
  const std::string token = test.Mint(principal, [&](auto& minted) { claims = minted; });
  v1::RedeemTokenRequest request = Redemption(false, "too vague");
  request.set_expected_output("steps");
  request.set_metadata(R"({"page": 3})");

  const auto answer = test.replica.Redeem(token, request);

  REQUIRE(answer.response.ok());
  const v1::TokenFeedback& feedback = answer.response->feedback();
  CHECK(feedback.resource_type() == types::v1::ENTITY_TYPE_EVAL_RUN);
  CHECK(feedback.resource_id() == "run-42");
  CHECK_FALSE(feedback.thumbs_up());
  CHECK(feedback.reason() == "too vague");
  CHECK(feedback.expected_output() == "steps");
  CHECK(feedback.metadata() == R"({"page": 3})");
  CHECK(feedback.created_by().id() == claims.jti.ToString());
  CHECK(test.database.Query(
            "select target_type, target_text, rater_kind, rater_id, via, submitted_by, reason, "
            "expected_output, metadata from feedback") == "4|run-42|2|" + claims.jti.ToString() + "|2|" +
                                                              claims.jti.ToString() +
                                                              R"(|too vague|steps|{"page": 3})");
}

TEST_CASE("tokens of one subject write one record, and an API write of that person the same") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const auto for_grace = [](token::TokenClaims& claims) {
    claims.type = types::v1::ENTITY_TYPE_SPAN;
    claims.resource = "c1";
    claims.subject.emplace();
    claims.subject->set_id("grace");
    claims.subject->set_name("Grace");
  };
  const auto first = test.replica.Redeem(test.Mint(principal, for_grace), Redemption(true));
  const auto second = test.replica.Redeem(test.Mint(principal, for_grace), Redemption(false));
  v1::SubmitCompletionFeedbackRequest request = Vote(true);
  request.mutable_created_by()->set_id("grace");
  const auto third = test.replica.Submit(principal, request);

  REQUIRE(first.response.ok());
  REQUIRE(second.response.ok());
  REQUIRE(third.response.ok());
  CHECK(second.response->feedback().id() == first.response->feedback().id());
  CHECK(third.response->feedback().id() == first.response->feedback().id());
  CHECK(second.response->feedback().created_by().name() == "Grace");
  CHECK(test.database.Query(
            "select count(*), max(revision), max(via), bool_and(prompt_id is not null) from feedback") ==
        "1|3|1|t");
}

TEST_CASE("a token cannot take a named person's record by its id") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  token::TokenClaims claims;
  const std::string token = test.Mint(principal, [&](auto& minted) {
    minted.type = types::v1::ENTITY_TYPE_SPAN;
    minted.resource = "c1";
    claims = minted;
  });
  v1::SubmitCompletionFeedbackRequest request = Vote(true);
  request.mutable_created_by()->set_id(claims.jti.ToString());
  REQUIRE(test.replica.Submit(principal, request).response.ok());
  REQUIRE(test.replica.Redeem(token, Redemption(false)).response.ok());
  CHECK(test.database.Query("select rater_kind, thumbs_up from feedback order by 1") == "1|t\n2|f");
}

TEST_CASE("the same values again get the same answer, also after the token's end") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  token::TokenClaims claims;
  const std::string token = test.Mint(principal, [&](auto& minted) { claims = minted; });
  v1::RedeemTokenRequest request = Redemption(true);
  request.set_metadata(R"({"a": 1, "b": [2]})");
  const auto first = test.replica.Redeem(token, request);
  const std::string ended = test.Mint(principal, [&](auto& minted) {
    minted = claims;
    minted.iat -= 2h;
    minted.exp -= 2h;
  });
  request.set_metadata(R"({"b":[2],"a":1})");
  const auto again = test.other_replica.Redeem(ended, request);

  REQUIRE(first.response.ok());
  REQUIRE(again.response.ok());
  CHECK_FALSE(first.replayed);
  CHECK(again.replayed);
  CHECK(again.response->feedback().id() == first.response->feedback().id());
  CHECK(again.response->feedback().created_at().SerializeAsString() ==
        first.response->feedback().created_at().SerializeAsString());
  CHECK(again.response->feedback().updated_at().SerializeAsString() ==
        first.response->feedback().updated_at().SerializeAsString());
  CHECK(ReasonOf(test.replica.Redeem(ended, Redemption(false)).response.status()) ==
        errors::v1::REASON_TOKEN_USED);
}

TEST_CASE("how old tokens are when they are redeemed is measured, once each") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const std::string token = test.Mint(principal, [](token::TokenClaims& claims) {
    claims.iat -= 36min;
    claims.exp = claims.iat + 1h;
  });
  for (int i = 0; i < 2; ++i) REQUIRE(test.replica.Redeem(token, Redemption(true)).response.ok());
  const std::string page = test.replica.registry.Text();
  CHECK_THAT(page, Catch::Contains("verdict_token_age_fraction_bucket{le=\"0.5\"} 0\n"));
  CHECK_THAT(page, Catch::Contains("verdict_token_age_fraction_bucket{le=\"0.75\"} 1\n"));
}

TEST_CASE("a replay tells nothing of what the same subject has written since") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const std::string token = test.Mint(principal, [](token::TokenClaims& claims) {
    claims.type = types::v1::ENTITY_TYPE_SPAN;
    claims.resource = "c1";
    claims.subject.emplace();
    claims.subject->set_id("grace");
  });
  const auto first = test.replica.Redeem(token, Redemption(true));
  v1::SubmitCompletionFeedbackRequest request = Vote(false, "secret");
  request.mutable_created_by()->set_id("grace");
  REQUIRE(test.replica.Submit(principal, request).response.ok());

  const auto again = test.replica.Redeem(token, Redemption(true));

  REQUIRE(again.response.ok());
  CHECK(again.response->feedback().SerializeAsString() == first.response->feedback().SerializeAsString());
  CHECK(test.database.Query("select reason from feedback") == "secret");
}

TEST_CASE("a replay of a withdrawn redemption says that the token is used") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const std::string token = test.Mint(principal);
  REQUIRE(test.replica.Redeem(token, Redemption(true)).response.ok());
  test.database.Query("delete from feedback");
  CHECK(ReasonOf(test.replica.Redeem(token, Redemption(true)).response.status()) ==
        errors::v1::REASON_TOKEN_USED);
}

TEST_CASE("a token that has ended, was revoked, or is older than its project allows stores nothing") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  token::TokenClaims claims;
  const auto refused = [&](const std::string& token) {
    CHECK(ReasonOf(test.replica.feedback.Peek(token).status()) ==
          ReasonOf(test.replica.Redeem(token, Redemption(true)).response.status()));
    return ReasonOf(test.replica.Redeem(token, Redemption(true)).response.status());
  };

  CHECK(refused(test.Mint(principal, [](auto& minted) {
          minted.iat -= 2h;
          minted.exp -= 2h;
        })) == errors::v1::REASON_TOKEN_EXPIRED);

  const std::string revoked = test.Mint(principal, [&](auto& minted) { claims = minted; });
  test.database.Query("insert into redemption (project_id, jti, state, exp) values ('" +
                      principal.project_id.ToString() + "', '" + claims.jti.ToString() +
                      "', 2, now() + interval '1 h')");
  CHECK(refused(revoked) == errors::v1::REASON_TOKEN_REVOKED);

  const std::string old = test.Mint(principal);
  test.database.Query("update project set tokens_valid_after = now() + interval '1 second'");
  CHECK(refused(old) == errors::v1::REASON_TOKEN_REVOKED);

  CHECK(test.database.Query("select count(*) from feedback") == "0");
  CHECK(test.database.Query("select count(*) from redemption where state = 1") == "0");
}

TEST_CASE("the database's clock says whether a token has ended, however wrong the process's is") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const FakeClock fast(test.clock.Now() + 5min);
  const FakeClock slow(test.clock.Now() - 5min);
  Replica ahead(test.database.Dsn("feedback"), *test.keys, fast);
  Replica behind(test.database.Dsn("feedback"), *test.keys, slow);
  const auto token = [&](std::chrono::milliseconds iat, std::chrono::milliseconds exp) {
    return test.Mint(principal, [&](token::TokenClaims& claims) {
      claims.exp = claims.iat + exp;
      claims.iat += iat;
    });
  };

  CHECK(ahead.feedback.Peek(token(0ms, 2min)).ok());
  CHECK(ahead.Redeem(token(0ms, 2min), Redemption(true)).response.ok());
  CHECK(behind.Redeem(token(-10min, 2min), Redemption(true)).response.ok());
  CHECK(test.database.Query("select count(*) from feedback") == "2");
  for (Replica* replica : {&ahead, &behind, &test.replica}) {
    // Over for a millisecond, and from this very moment on.
    for (const auto exp : {-1ms, 0ms}) {
      const std::string over = token(-10min, exp);
      CHECK(ReasonOf(replica->Redeem(over, Redemption(true)).response.status()) ==
            errors::v1::REASON_TOKEN_EXPIRED);
      CHECK(ReasonOf(replica->feedback.Peek(over).status()) == errors::v1::REASON_TOKEN_EXPIRED);
    }
  }
  CHECK(test.database.Query("select count(*) from feedback") == "2");
  // Only that a token comes from the future is for the process to judge.
  CHECK(ReasonOf(behind.Redeem(token(0ms, 2min), Redemption(true)).response.status()) ==
        errors::v1::REASON_TOKEN_INVALID);
}

TEST_CASE("a request that is not stored leaves the token usable") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const std::string token = test.Mint(principal);
  v1::RedeemTokenRequest request = Redemption(true);
  request.set_metadata("[]");
  CHECK(ReasonOf(test.replica.Redeem(token, request).response.status()) ==
        errors::v1::REASON_VALIDATION_ERROR);
  CHECK(test.replica.Redeem(token, Redemption(true)).response.ok());
}

TEST_CASE("a redemption that the database does not store leaves the token usable") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const std::string token = test.Mint(principal);
  const std::string database = test.database.Query("select current_database()");
  const auto refused = [&] {
    return ReasonOf(test.replica.Redeem(token, Redemption(true)).response.status());
  };

  // The statement fails after the token was claimed.
  test.database.Query("alter table feedback add constraint refused check (false)");
  CHECK(refused() == errors::v1::REASON_INTERNAL);
  test.database.Query("alter table feedback drop constraint refused");

  // Away: connections end, and new ones are refused.
  test.database.Query(
      "revoke connect on database " + database + " from public, verdict_feedback;" +
      "select pg_terminate_backend(pid, 20000) from pg_stat_activity where datname = current_database() and "
      "usename = 'verdict_feedback'");
  CHECK(refused() == errors::v1::REASON_UNAVAILABLE);
  test.database.Query("grant connect on database " + database + " to verdict_feedback");

  CHECK(test.database.Query("select count(*) from redemption") == "0");
  // The writers wait a little before they connect again.
  test::Await("the token to be redeemed", [&] {
    const auto stored = test.replica.Redeem(token, Redemption(true));
    return stored.response.ok() && !stored.replayed;
  });
}

TEST_CASE("the token comes as credential or in the body") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const std::string token = test.Mint(principal);
  const std::string other = test.Mint(principal);
  v1::RedeemTokenRequest with_token = Redemption(true);
  with_token.set_token(token);

  const auto reason = [&](std::string_view bearer, const v1::RedeemTokenRequest& request) {
    return ReasonOf(test.replica.Redeem(bearer, request).response.status());
  };
  CHECK(reason("", Redemption(true)) == errors::v1::REASON_TOKEN_INVALID);
  CHECK(reason("vk_something", Redemption(true)) == errors::v1::REASON_TOKEN_INVALID);
  CHECK(reason(token + "x", Redemption(true)) == errors::v1::REASON_TOKEN_INVALID);
  const auto differ = test.replica.Redeem(other, with_token);
  CHECK(DetailsOf(differ.response.status()).violations.at(0).field == "token");
  CHECK(test.replica.Redeem("vk_something", with_token).response.ok());  // an API key beside it says nothing
  CHECK(test.replica.Redeem(token, with_token).replayed);
  CHECK(test.replica.Redeem("", with_token).replayed);
}

TEST_CASE("a peek says what the page needs and consumes nothing") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const std::string token = test.Mint(principal, [](token::TokenClaims& claims) {
    claims.subject.emplace();
    claims.subject->set_id("grace");
    claims.subject->set_email("grace@example.com");
    claims.subject->set_name("Grace");
  });
  for (int i = 0; i < 2; ++i) {
    const auto peek = test.replica.feedback.Peek(token);
    REQUIRE(peek.ok());
    CHECK(peek->resource_type() == types::v1::ENTITY_TYPE_EVAL_RUN);
    CHECK(peek->resource_id() == "run-42");
    CHECK(peek->subject_name() == "Grace");
    CHECK(peek->SerializeAsString().find("grace@") == std::string::npos);
    CHECK(FromProto(peek->expires_at()) > test.clock.Now());
  }
  REQUIRE(test.replica.Redeem(token, Redemption(true)).response.ok());
  CHECK(ReasonOf(test.replica.feedback.Peek(token).status()) == errors::v1::REASON_TOKEN_USED);
  CHECK(ReasonOf(test.replica.feedback.Peek("").status()) == errors::v1::REASON_TOKEN_INVALID);
  CHECK(ReasonOf(test.replica.feedback.Peek("vk_something").status()) == errors::v1::REASON_TOKEN_INVALID);
}

TEST_CASE("one id in two tokens counts once, though they name different resources") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  token::TokenClaims claims;
  const std::string token = test.Mint(principal, [&](auto& minted) { claims = minted; });
  const std::string twin = test.Mint(principal, [&](auto& minted) {
    minted = claims;
    minted.resource = "run-43";
  });
  const v1::RedeemTokenRequest request = Redemption(true);
  Answers<v1::RedeemTokenResponse> answers;
  test.replica.feedback.Redeem(token, test.Deadline(), request, answers.Expect());
  test.replica.feedback.Redeem(twin, test.Deadline(), request, answers.Expect());
  int stored = 0;
  for (const auto& answer : answers.Wait()) stored += answer.response.ok() ? 1 : 0;
  CHECK(stored == 1);
  CHECK(test.database.Query("select count(*) from feedback") == "1");
}

}  // namespace
}  // namespace verdict::feedback
