#include <set>
#include <string>

#include <catch2/catch.hpp>
#include <pqxx/pqxx>

#include "services/feedback/test_service.h"

namespace verdict::feedback {
namespace {

using v1::SubmitCompletionFeedbackResponse;

TEST_CASE("the same request under the same Idempotency-Key gets the same answer and stores nothing") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  v1::SubmitCompletionFeedbackRequest request = Vote(true, "first");
  request.set_metadata(R"({"a": 1, "b": 2})");
  const auto first = test.replica.Submit(principal, request, "k1");
  REQUIRE(test.replica.Submit(principal, Vote(false, "second")).response.ok());

  request.set_metadata(R"({"b":2,"a":1})");
  const auto again = test.other_replica.Submit(principal, request, "k1");

  REQUIRE(first.response.ok());
  REQUIRE(again.response.ok());
  CHECK_FALSE(first.replayed);
  CHECK(again.replayed);
  request.set_metadata(first.response->feedback().metadata());
  v1::CompletionFeedback replayed = again.response->feedback();
  replayed.set_metadata(request.metadata());
  CHECK(replayed.SerializeAsString() == first.response->feedback().SerializeAsString());
  CHECK(test.database.Query("select reason, revision from feedback") == "second|2");
}

TEST_CASE("another request under the same Idempotency-Key is refused") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  REQUIRE(test.replica.Submit(principal, Vote(true), "k1").response.ok());
  const auto refusal = [&](auto change) {
    v1::SubmitCompletionFeedbackRequest request = Vote(true);
    change(request);
    return ReasonOf(test.replica.Submit(principal, request, "k1").response.status());
  };
  CHECK(refusal([](auto& request) { request.set_thumbs_up(false); }) ==
        errors::v1::REASON_IDEMPOTENCY_MISMATCH);
  CHECK(refusal([](auto& request) { request.set_reason(""); }) == errors::v1::REASON_IDEMPOTENCY_MISMATCH);
  CHECK(refusal([](auto& request) { request.set_completion_id("c2"); }) ==
        errors::v1::REASON_IDEMPOTENCY_MISMATCH);
  CHECK(refusal([](auto& request) { request.mutable_created_by()->set_id("grace"); }) ==
        errors::v1::REASON_IDEMPOTENCY_MISMATCH);
  CHECK(test.database.Query("select count(*), max(revision) from feedback") == "1|1");
}

TEST_CASE("another API key's Idempotency-Key is another key") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  auth::Principal other = principal;
  other.key_id = NewUuidV7(test.clock.Now());
  REQUIRE(test.replica.Submit(principal, Vote(true), "k1").response.ok());
  const auto answer = test.replica.Submit(other, Vote(false), "k1");
  CHECK(answer.response.ok());
  CHECK_FALSE(answer.replayed);
}

TEST_CASE("a request that failed leaves its Idempotency-Key unused") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  v1::SubmitCompletionFeedbackRequest request = Vote(true);
  request.set_prompt_slug("unknown");
  CHECK_FALSE(test.replica.Submit(principal, request, "k1").response.ok());
  CHECK(test.database.Query("select count(*) from idempotency") == "0");
  CHECK(test.replica.Submit(principal, Vote(false), "k1").response.ok());
}

TEST_CASE("after a day an Idempotency-Key can be used again") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  REQUIRE(test.replica.Submit(principal, Vote(true), "k1").response.ok());
  test.database.Query("update idempotency set created_at = now() - interval '25 hours'");
  const auto answer = test.replica.Submit(principal, Vote(false), "k1");
  CHECK(answer.response.ok());
  CHECK_FALSE(answer.replayed);
  CHECK(test.database.Query("select thumbs_up, revision from feedback") == "f|2");
  CHECK(test.replica.Submit(principal, Vote(false), "k1").replayed);
}

TEST_CASE("while a request runs, another under its Idempotency-Key is told to come back") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  REQUIRE(test.replica.Submit(principal, Vote(true)).response.ok());
  pqxx::connection connection(test.database.Dsn("owner"));
  pqxx::work lock(connection);
  lock.exec("select from feedback for update");

  const v1::SubmitCompletionFeedbackRequest request = Vote(false);
  const std::optional<std::string> key = "k1";
  Answers<SubmitCompletionFeedbackResponse> running;
  test.replica.feedback.Submit({principal, key, test.Deadline()}, request, running.Expect());
  const auto second = test.replica.Submit(principal, request, key);
  CHECK(ReasonOf(second.response.status()) == errors::v1::REASON_IDEMPOTENCY_IN_PROGRESS);
  lock.abort();
  CHECK(running.Wait().front().response.ok());
  CHECK(test.replica.Submit(principal, request, key).replayed);
}

TEST_CASE("requests that meet in two processes under one Idempotency-Key are stored once") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const v1::SubmitCompletionFeedbackRequest request = Vote(true);
  Answers<SubmitCompletionFeedbackResponse> answers;
  std::vector<std::optional<std::string>> keys;
  for (int i = 0; i < 32; ++i) keys.emplace_back("k" + std::to_string(i));
  for (const auto& key : keys) {
    test.replica.feedback.Submit({principal, key, test.Deadline()}, request, answers.Expect());
    test.other_replica.feedback.Submit({principal, key, test.Deadline()}, request, answers.Expect());
  }
  int stored = 0;
  for (const auto& answer : answers.Wait()) {
    CHECK(answer.response.ok());
    if (!answer.replayed) ++stored;
  }
  CHECK(stored == 32);
  CHECK(test.database.Query("select revision from feedback") == "32");
}

}  // namespace
}  // namespace verdict::feedback
