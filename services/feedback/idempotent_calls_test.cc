#include "services/feedback/idempotent_calls.h"

#include <string>

#include <catch2/catch.hpp>

#include "services/feedback/test_service.h"

namespace verdict::feedback {
namespace {

using v1::CreateSpansResponse;

// A request without an id, so that what it makes shows how often it ran.
v1::CreateSpansRequest Nameless(const std::string& trace_id = "t1") {
  return Spans({MakeSpan("", trace_id)});
}

// Runs blocking calls, whose answers say how many have run.
class Counted {
 public:
  explicit Counted(Replica& replica, const auth::Principal& principal)
      : replica_(replica), principal_(principal) {}

  auto Run(const std::string& key, const google::protobuf::Message& request,
           const absl::Status& result = absl::OkStatus(),
           IdempotentCalls::WorthKeeping<CreateSpansResponse> worth_keeping = nullptr) {
    const std::optional<std::string> idempotency_key = key;
    return replica_.calls.Run<CreateSpansResponse>(
        {principal_, idempotency_key, TestService::Deadline()}, request,
        [&]() -> absl::StatusOr<CreateSpansResponse> {
          ++runs;
          if (!result.ok()) return result;
          CreateSpansResponse response;
          response.add_spans()->set_id(std::to_string(runs));
          return response;
        },
        worth_keeping);
  }

  int runs = 0;

 private:
  Replica& replica_;
  const auth::Principal& principal_;
};

TEST_CASE("an equal request under the same key gets the first answer, another one is refused") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const auto first = test.replica.CreateSpans(principal, Nameless(), "k1");
  const auto again = test.other_replica.CreateSpans(principal, Nameless(), "k1");
  REQUIRE(first.response.ok());
  REQUIRE(again.response.ok());
  CHECK_FALSE(first.replayed);
  CHECK(again.replayed);
  CHECK(again.response->SerializeAsString() == first.response->SerializeAsString());
  CHECK(test.database.Query("select count(*) from span") == "1");
  CHECK(ReasonOf(test.replica.CreateSpans(principal, Nameless("t2"), "k1").response.status()) ==
        errors::v1::REASON_IDEMPOTENCY_MISMATCH);
  // The same fields of another RPC are another request.
  Counted counted(test.replica, principal);
  v1::CreateSpansResponse other_type;
  REQUIRE(other_type.ParseFromString(Nameless().SerializeAsString()));
  CHECK(ReasonOf(counted.Run("k1", other_type).response.status()) == errors::v1::REASON_IDEMPOTENCY_MISMATCH);
  CHECK(counted.runs == 0);
}

TEST_CASE("a key belongs to its owner and its project, and without one every request runs") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  auth::Principal other_key = principal;
  other_key.key_id = NewUuidV7(test.clock.Now());
  auth::Principal other_project = test.AddProject();
  other_project.key_id = principal.key_id;
  for (const auto& caller : {principal, other_key, other_project}) {
    CHECK_FALSE(test.replica.CreateSpans(caller, Nameless(), "k1").replayed);
    CHECK(test.replica.CreateSpans(caller, Nameless(), "k1").replayed);
  }
  CHECK(test.database.Query("select count(*) from span") == "3");
  CHECK_FALSE(test.replica.CreateSpans(principal, Nameless()).replayed);
  CHECK_FALSE(test.replica.CreateSpans(principal, Nameless()).replayed);
  CHECK(test.database.Query("select count(*) from span") == "5");
}

TEST_CASE("while a request runs, an equal one is told to come back, in another process too") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  Counted outer(test.replica, principal), inner(test.other_replica, principal);
  const std::optional<std::string> key = "k1";
  const auto answer = test.replica.calls.Run<CreateSpansResponse>(
      {principal, key, TestService::Deadline()}, Nameless(), [&]() -> absl::StatusOr<CreateSpansResponse> {
        CHECK(ReasonOf(inner.Run("k1", Nameless()).response.status()) ==
              errors::v1::REASON_IDEMPOTENCY_IN_PROGRESS);
        CHECK(ReasonOf(inner.Run("k1", Nameless("t2")).response.status()) ==
              errors::v1::REASON_IDEMPOTENCY_MISMATCH);
        CHECK(ReasonOf(outer.Run("k1", Nameless()).response.status()) ==
              errors::v1::REASON_IDEMPOTENCY_IN_PROGRESS);
        return CreateSpansResponse();
      });
  CHECK(answer.response.ok());
  CHECK(inner.runs + outer.runs == 0);
}

TEST_CASE(
    "the claim of a process that died is taken over after a minute, and what it made is not made again") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const auto first = test.replica.CreateSpans(principal, Nameless(), "k1");
  REQUIRE(first.response.ok());
  // As a process leaves it that dies between the two commits.
  test.database.Query("update idempotency set response = null");
  CHECK(ReasonOf(test.replica.CreateSpans(principal, Nameless(), "k1").response.status()) ==
        errors::v1::REASON_IDEMPOTENCY_IN_PROGRESS);
  test.database.Query("update idempotency set created_at = now() - interval '61 seconds'");
  const auto again = test.other_replica.CreateSpans(principal, Nameless(), "k1");
  REQUIRE(again.response.ok());
  CHECK_FALSE(again.replayed);
  CHECK(again.response->SerializeAsString() == first.response->SerializeAsString());
  CHECK(test.database.Query("select count(*) from span") == "1");
  CHECK(test.replica.CreateSpans(principal, Nameless(), "k1").replayed);
}

TEST_CASE("a request that fails gives its key back") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  Counted counted(test.replica, principal);
  CHECK(ReasonOf(counted.Run("k1", Nameless(), error::QueueFull()).response.status()) ==
        errors::v1::REASON_OVERLOADED);
  CHECK(test.database.Query("select count(*) from idempotency") == "0");
  CHECK(counted.Run("k1", Nameless("t2")).response.ok());
  CHECK(counted.runs == 2);

  // The same of a call that answers later.
  v1::CreateSpansRequest bad = Nameless();
  bad.mutable_spans(0)->set_name(std::string(1, '\0'));
  CHECK_FALSE(test.replica.CreateSpans(principal, bad, "k2").response.ok());
  CHECK(test.replica.CreateSpans(principal, Nameless(), "k2").response.ok());
}

TEST_CASE("an answer that is not worth keeping lets an equal request run again") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  Counted counted(test.replica, principal);
  const auto never = [](const CreateSpansResponse&) { return false; };
  CHECK(counted.Run("k1", Nameless(), absl::OkStatus(), never).response.ok());
  const auto again = counted.Run("k1", Nameless());
  CHECK_FALSE(again.replayed);
  CHECK(again.response->spans(0).id() == "2");
  CHECK(counted.Run("k1", Nameless()).replayed);
}

TEST_CASE("an answer too long to keep is given again by running again, and makes the same") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  v1::CreateSpansRequest request;
  for (int i = 0; i < 1'200; ++i) {
    *request.add_spans() = MakeSpan("", "t1");
    request.mutable_spans(i)->set_name(std::string(1'000, 'n'));
  }
  const auto first = test.replica.CreateSpans(principal, request, "k1");
  const auto again = test.other_replica.CreateSpans(principal, request, "k1");
  REQUIRE(first.response.ok());
  REQUIRE(again.response.ok());
  CHECK(again.response->SerializeAsString() == first.response->SerializeAsString());
  CHECK(test.database.Query("select count(*) from span") == "1200");
  CHECK(test.database.Query("select octet_length(response) from idempotency") == "0");
  request.mutable_spans(0)->set_name("other");
  CHECK(ReasonOf(test.replica.CreateSpans(principal, request, "k1").response.status()) ==
        errors::v1::REASON_IDEMPOTENCY_MISMATCH);
}

TEST_CASE("after a day a key can be used again") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  REQUIRE(test.replica.CreateSpans(principal, Nameless(), "k1").response.ok());
  test.database.Query("update idempotency set created_at = now() - interval '23 hours 59 minutes'");
  CHECK(test.replica.CreateSpans(principal, Nameless(), "k1").replayed);
  test.database.Query("update idempotency set created_at = now() - interval '24 hours 1 minute'");
  const auto answer = test.replica.CreateSpans(principal, Nameless("t2"), "k1");
  CHECK(answer.response.ok());
  CHECK_FALSE(answer.replayed);
}

TEST_CASE("equal requests that meet in two processes run once between them") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const v1::CreateSpansRequest request = Nameless();
  Answers<CreateSpansResponse> answers;
  std::vector<std::optional<std::string>> keys;
  for (int i = 0; i < 32; ++i) keys.emplace_back("k" + std::to_string(i));
  for (const auto& key : keys) {
    for (Replica* replica : {&test.replica, &test.other_replica}) {
      const WriteCall call = {principal, key, TestService::Deadline()};
      replica->calls.RunAsync<CreateSpansResponse>(
          call, request,
          [replica, call, &request](SpanService::Done done) {
            replica->spans.Create(call, request, std::move(done));
          },
          answers.Expect());
    }
  }
  int ran = 0;
  for (const auto& answer : answers.Wait()) {
    if (answer.response.ok()) {
      if (!answer.replayed) ++ran;
    } else {
      CHECK(ReasonOf(answer.response.status()) == errors::v1::REASON_IDEMPOTENCY_IN_PROGRESS);
    }
  }
  CHECK(ran == 32);
  CHECK(test.database.Query("select count(*) from span") == "32");
}

TEST_CASE("a call is refused when the executor is full or its time is over, and its key stays free") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const v1::CreateSpansRequest request = Nameless();
  const std::optional<std::string> key = "k1";
  const auto run = [&](IdempotentCalls& calls, std::chrono::steady_clock::time_point deadline) {
    Answers<CreateSpansResponse> answers;
    calls.RunAsync<CreateSpansResponse>(
        {principal, key, deadline}, request, [](SpanService::Done done) { done(CreateSpansResponse()); },
        answers.Expect());
    return ReasonOf(answers.Wait().front().response.status());
  };
  rpc::Executor full(1, 0);
  IdempotentCalls no_room(test.replica.idempotency_store, full);
  CHECK(run(no_room, TestService::Deadline()) == errors::v1::REASON_OVERLOADED);
  CHECK(run(test.replica.calls, std::chrono::steady_clock::now()) == errors::v1::REASON_DEADLINE_EXCEEDED);
  CHECK(test.database.Query("select count(*) from idempotency") == "0");
}

}  // namespace
}  // namespace verdict::feedback
