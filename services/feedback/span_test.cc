#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "common/ids/entity_id.h"
#include "services/feedback/test_service.h"
#include "tests/support/await.h"

namespace verdict::feedback {
namespace {

constexpr char kVersion[] = "0196f7e6-0b5c-7c7e-8a4e-1f2d3c4b5a69";
constexpr char kOtherVersion[] = "0196f7e6-0b5c-7c7e-8a4e-1f2d3c4b5a70";

// As ZeroEval's SDK sends them.
std::string Attributes(const std::string& version) {
  return R"({"model": "gpt-4o", "task": null, "zeroeval": {"prompt_version": 1, "prompt_version_id": ")" +
         version + R"("}})";
}

std::string Key(const std::string& id) { return EntityKey(id).ToString(); }

v1::Span Child(const std::string& id, const std::string& trace_id, const std::string& parent_id) {
  v1::Span span = MakeSpan(id, trace_id);
  span.set_parent_span_id(parent_id);
  return span;
}

v1::Span InSession(v1::Span span, const std::string& session_id) {
  span.set_session_id(session_id);
  return span;
}

v1::SubmitCompletionFeedbackRequest VoteOn(const std::string& span_id) {
  v1::SubmitCompletionFeedbackRequest request = Vote(true);
  request.set_completion_id(span_id);
  return request;
}

// Trace and session of the feedback on a span.
std::string PlaceOf(const TestService& test, const std::string& span_id) {
  return test.database.Query("select trace_id, session_id from feedback where target_id = '" + Key(span_id) +
                             "'");
}

TEST_CASE("a span is stored as it was given, and answered with its spelling") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  v1::Span span = Child("00F067AA0BA902B7", "4BF92F3577B34DA6A3CE929D0E0E4736", "b7ad6b7169203331");
  span.set_session_id("chat-42");
  span.set_session_name("Support");
  span.set_kind("llm");
  *span.mutable_ended_at() = ToProto(FromProto(span.started_at()) + std::chrono::milliseconds(1'500));

  const auto answer = test.replica.CreateSpans(principal, Spans({span}));

  REQUIRE(answer.response.ok());
  REQUIRE(answer.response->spans_size() == 1);
  CHECK(answer.response->spans(0).SerializeAsString() == span.SerializeAsString());
  CHECK(test.database.Query(
            "select span_id, trace_id, parent_id, session_id, name, kind, extract(epoch from started_at),"
            " ended_at - started_at from span") ==
        "00f067aa-0ba9-02b7-0000-000000000000|4bf92f35-77b3-4da6-a3ce-929d0e0e4736|"
        "b7ad6b71-6920-3331-0000-000000000000|d5b82663-4051-5a4c-9808-616c909bbbc5|answer|llm|1780088059."
        "000000|"
        "00:00:01.5");
  CHECK(test.database.Query("select trace_id, session_id, extract(epoch from started_at) from trace") ==
        "4bf92f35-77b3-4da6-a3ce-929d0e0e4736|d5b82663-4051-5a4c-9808-616c909bbbc5|1780088059.000000");
  CHECK(test.database.Query("select session_id, session_text, name from session") ==
        "d5b82663-4051-5a4c-9808-616c909bbbc5|chat-42|Support");
}

TEST_CASE("of a span's attributes its prompt and its model are kept, also when a repeat has none") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  v1::Span span = MakeSpan("s1", "t1");
  span.set_attributes(Attributes(kVersion));
  const auto answer = test.replica.CreateSpans(principal, Spans({span, MakeSpan("s2", "t1")}));
  REQUIRE(answer.response.ok());
  CHECK_FALSE(answer.response->spans(0).has_attributes());
  const std::string stored =
      "select prompt_version_id, model from span where name = 'answer' and model is not null";
  CHECK(test.database.Query(stored) == std::string(kVersion) + "|gpt-4o");
  span.set_attributes("{\"model\": 4");  // no matter
  REQUIRE(test.replica.CreateSpans(principal, Spans({span})).response.ok());
  CHECK(test.database.Query(stored) == std::string(kVersion) + "|gpt-4o");
  span.set_attributes(Attributes(kOtherVersion));
  REQUIRE(test.replica.CreateSpans(principal, Spans({span})).response.ok());
  CHECK(test.database.Query(stored) == std::string(kOtherVersion) + "|gpt-4o");
}

TEST_CASE("feedback shows the prompt's version that its span tells, whichever comes first, and keeps it") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  v1::Span span = MakeSpan("s1", "t1");
  span.set_attributes(Attributes(kVersion));
  const auto submit = [&](const std::optional<std::string>& key = {}) {
    return test.replica.Submit(principal, VoteOn("s1"), key).response->feedback().prompt_version_id();
  };
  const auto get = [&] {
    v1::GetCompletionFeedbackRequest request;
    request.set_prompt_slug("support-bot");
    request.set_completion_id("s1");
    return test.replica.feedback.Get(principal, request)->feedback().prompt_version_id();
  };
  SECTION("the span") {
    REQUIRE(test.replica.CreateSpans(principal, Spans({span})).response.ok());
    CHECK(submit("k") == kVersion);
    CHECK(submit("k") == kVersion);  // replayed
  }
  SECTION("the feedback") {
    CHECK(submit("k").empty());
    REQUIRE(test.other_replica.CreateSpans(principal, Spans({MakeSpan("s1", "t1")})).response.ok());
    CHECK(get().empty());
    REQUIRE(test.other_replica.CreateSpans(principal, Spans({span})).response.ok());
    CHECK(submit("k").empty());  // the answer of then
  }
  CHECK(get() == kVersion);
  CHECK(test.database.Query("select revision from feedback") == "1");
  // Also when the span has been collected, and comes again without it.
  test.database.Query("delete from span");
  CHECK(submit() == kVersion);
  REQUIRE(test.replica.CreateSpans(principal, Spans({MakeSpan("s1", "t1")})).response.ok());
  CHECK(submit() == kVersion);
  CHECK(get() == kVersion);
  span.set_attributes(Attributes(kOtherVersion));
  REQUIRE(test.replica.CreateSpans(principal, Spans({span})).response.ok());
  CHECK(get() == kOtherVersion);
}

TEST_CASE("a span's session is named by its id or by an object, and an empty text is none") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  v1::Span by_object = MakeSpan("s1", "t1");
  by_object.set_session_id("");
  by_object.mutable_session()->set_id("chat-1");
  by_object.mutable_session()->set_name("One");
  v1::Span by_both = InSession(MakeSpan("s2", "t2"), "chat-2");
  by_both.set_session_name("Two");
  by_both.mutable_session()->set_id("chat-3");
  by_both.mutable_session()->set_name("Three");
  v1::Span by_neither = Child("s3", "t3", "");
  by_neither.set_session_id("");
  by_neither.set_session_name("");
  by_neither.set_kind("");

  const auto answer = test.replica.CreateSpans(principal, Spans({by_object, by_both, by_neither}));

  REQUIRE(answer.response.ok());
  CHECK(answer.response->spans(0).session_id() == "chat-1");
  CHECK(answer.response->spans(0).session_name() == "One");
  CHECK(answer.response->spans(1).session_id() == "chat-2");
  CHECK_FALSE(answer.response->spans(2).has_session_id());
  CHECK_FALSE(answer.response->spans(2).has_session_name());
  CHECK_FALSE(answer.response->spans(2).has_parent_span_id());
  CHECK_FALSE(answer.response->spans(2).has_kind());
  CHECK(test.database.Query("select session_text, name from session order by 1") == "chat-1|One\nchat-2|Two");
  CHECK(test.database.Query("select count(*) from span where span_id = '" + Key("s3") +
                            "' and session_id is null and parent_id is null and kind is null") == "1");
}

TEST_CASE("a session keeps its first spelling and takes the latest name") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  v1::Span named = InSession(MakeSpan("s1", "t1"), "chat-42");
  named.set_session_name("First");
  v1::Span renamed = InSession(MakeSpan("s2", "t2"), Key("chat-42"));
  renamed.set_session_name("Second");
  const v1::Span nameless = InSession(MakeSpan("s3", "t3"), "chat-42");
  REQUIRE(test.replica.CreateSpans(principal, Spans({named, renamed, nameless})).response.ok());
  CHECK(test.database.Query("select session_text, name from session") == "chat-42|Second");
  renamed.set_session_name("Third");
  REQUIRE(test.other_replica.CreateSpans(principal, Spans({renamed})).response.ok());
  REQUIRE(test.replica.CreateSpans(principal, Spans({nameless})).response.ok());
  CHECK(test.database.Query("select session_text, name from session") == "chat-42|Third");
}

TEST_CASE("a span without an id gets one") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  v1::Span absent = MakeSpan("", "t1");
  absent.clear_id();
  const auto answer = test.replica.CreateSpans(principal, Spans({absent, MakeSpan("", "t1")}));
  REQUIRE(answer.response.ok());
  CHECK(Uuid::Parse(answer.response->spans(0).id()).has_value());
  CHECK(answer.response->spans(0).id()[14] == '7');
  CHECK(answer.response->spans(0).id() != answer.response->spans(1).id());
  CHECK(test.database.Query("select span_id from span order by 1") ==
        answer.response->spans(0).id() + "\n" + answer.response->spans(1).id());
}

TEST_CASE("a repeat replaces what it says and keeps what it leaves out, in one batch as in two") {
  TestService test;
  const bool one_batch = GENERATE(true, false);
  const auth::Principal principal = test.AddProject();
  v1::Span first = Child("s1", "t1", "s0");
  first.set_kind("llm");
  v1::Span later = InSession(MakeSpan("s1", "t2"), "chat-1");
  later.set_name("other");
  *later.mutable_ended_at() = ToProto(FromProto(later.started_at()) + std::chrono::seconds(2));
  v1::Span last = InSession(MakeSpan("s1", "t1"), "chat-2");
  last.set_kind("tool");
  if (one_batch) {
    REQUIRE(test.replica.CreateSpans(principal, Spans({first, later, last})).response.ok());
  } else {
    for (const v1::Span& span : {first, later, last}) {
      REQUIRE(test.replica.CreateSpans(principal, Spans({span})).response.ok());
    }
  }
  CHECK(test.database.Query(
            "select trace_id, parent_id, session_id, name, kind, ended_at - started_at from span") ==
        Key("t1") + "|" + Key("s0") + "|" + Key("chat-1") + "|answer|tool|00:00:02");
  // A trace that the span is not in is not made.
  CHECK(test.database.Query("select trace_id, session_id from trace") == Key("t1") + "|" + Key("chat-1"));
}

TEST_CASE("a trace takes the session of its root, or else the first that comes, and keeps it") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  REQUIRE(test.replica
              .CreateSpans(principal, Spans({InSession(Child("s1", "t1", "s0"), "chat-of-child"),
                                             InSession(MakeSpan("s0", "t1"), "chat-of-root")}))
              .response.ok());
  CHECK(test.database.Query("select session_id from trace") == Key("chat-of-root"));
  REQUIRE(test.replica.CreateSpans(principal, Spans({InSession(Child("s2", "t1", "s0"), "chat-late")}))
              .response.ok());
  CHECK(test.database.Query("select session_id from trace") == Key("chat-of-root"));
}

TEST_CASE("a session that only the late root names reaches every row of the trace") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const std::string place = Key("t1") + "|" + Key("chat-1");
  REQUIRE(test.replica.Submit(principal, VoteOn("child")).response.ok());
  REQUIRE(test.replica.Submit(principal, VoteOn("root")).response.ok());
  CHECK(PlaceOf(test, "child") == "|");

  REQUIRE(test.replica.CreateSpans(principal, Spans({Child("child", "t1", "root")})).response.ok());
  CHECK(PlaceOf(test, "child") == Key("t1") + "|");
  REQUIRE(test.replica.Submit(principal, VoteOn("child")).response.ok());
  REQUIRE(test.replica
              .Redeem(test.Mint(principal,
                                [](token::TokenClaims& claims) {
                                  claims.type = types::v1::ENTITY_TYPE_TRACE;
                                  claims.resource = "t1";
                                }),
                      Redemption(true))
              .response.ok());

  REQUIRE(test.other_replica.CreateSpans(principal, Spans({InSession(MakeSpan("root", "t1"), "chat-1")}))
              .response.ok());
  CHECK(PlaceOf(test, "child") == place);
  CHECK(PlaceOf(test, "root") == place);
  CHECK(PlaceOf(test, "t1") == place);
  REQUIRE(test.replica.CreateSpans(principal, Spans({Child("grandchild", "t1", "child")})).response.ok());
  REQUIRE(test.replica.Submit(principal, VoteOn("grandchild")).response.ok());
  CHECK(PlaceOf(test, "grandchild") == place);
  // Being placed is no revision.
  CHECK(test.database.Query("select max(revision) from feedback where target_id = '" + Key("root") + "'") ==
        "1");
}

TEST_CASE("a span's own session counts before its trace's, also when it comes later") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  REQUIRE(test.replica
              .CreateSpans(principal,
                           Spans({InSession(MakeSpan("root", "t1"), "chat-1"), Child("child", "t1", "root")}))
              .response.ok());
  REQUIRE(test.replica.Submit(principal, VoteOn("child")).response.ok());
  CHECK(PlaceOf(test, "child") == Key("t1") + "|" + Key("chat-1"));
  REQUIRE(test.replica.CreateSpans(principal, Spans({InSession(Child("child", "t1", "root"), "chat-2")}))
              .response.ok());
  CHECK(PlaceOf(test, "child") == Key("t1") + "|" + Key("chat-2"));
  CHECK(test.database.Query("select session_id from trace") == Key("chat-1"));
}

TEST_CASE("feedback keeps its session when its trace has been collected and its span comes again") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  REQUIRE(test.replica.Submit(principal, VoteOn("leaf")).response.ok());
  REQUIRE(test.replica
              .CreateSpans(principal,
                           Spans({Child("leaf", "t", "root"), InSession(MakeSpan("root", "t"), "chat")}))
              .response.ok());
  REQUIRE(PlaceOf(test, "leaf") == Key("t") + "|" + Key("chat"));
  test.database.Query("delete from span; delete from trace; delete from session");
  REQUIRE(test.replica.CreateSpans(principal, Spans({Child("leaf", "t", "root")})).response.ok());
  CHECK(PlaceOf(test, "leaf") == Key("t") + "|" + Key("chat"));
}

TEST_CASE("equal ids of two projects are different spans") {
  TestService test;
  const auth::Principal one = test.AddProject();
  const auth::Principal two = test.AddProject();
  REQUIRE(test.replica.Submit(two, VoteOn("s1")).response.ok());
  REQUIRE(test.replica.CreateSpans(one, Spans({InSession(MakeSpan("s1", "t1"), "chat-1")})).response.ok());
  CHECK(PlaceOf(test, "s1") == "|");
  REQUIRE(test.replica.CreateSpans(two, Spans({InSession(MakeSpan("s1", "t2"), "chat-2")})).response.ok());
  CHECK(PlaceOf(test, "s1") == Key("t2") + "|" + Key("chat-2"));
  CHECK(test.database.Query("select count(*) from span where project_id = '" + one.project_id.ToString() +
                            "' and trace_id = '" + Key("t1") + "'") == "1");
}

TEST_CASE("requests of many projects and sizes that are stored together are all answered and stored") {
  TestService test;
  std::vector<auth::Principal> principals = {test.AddProject(), test.AddProject()};
  Answers<v1::CreateSpansResponse> answers;
  std::vector<v1::CreateSpansRequest> requests;
  const std::optional<std::string> no_key;
  int spans = 0;
  for (int i = 0; i < 40; ++i) {
    v1::CreateSpansRequest request;
    for (int n = 0; n <= i * 10; ++n) {
      // The same ids in both projects, and every second one in an earlier request too.
      *request.add_spans() = MakeSpan("s" + std::to_string(i / 4) + "-" + std::to_string(n), "t");
    }
    spans += request.spans_size();
    requests.push_back(std::move(request));
  }
  for (size_t i = 0; i < requests.size(); ++i) {
    const WriteCall call = {principals[i % 2], no_key, TestService::Deadline()};
    test.replica.spans.Create(call, requests[i], [done = answers.Expect()](auto response) mutable {
      done(std::move(response), false);
    });
  }
  int answered = 0;
  for (const auto& answer : answers.Wait()) {
    REQUIRE(answer.response.ok());
    answered += answer.response->spans_size();
  }
  CHECK(answered == spans);
  // Of four requests in a row, two are of each project; the larger one of the two has the spans of both.
  std::vector<size_t> distinct(2);
  for (size_t i = 2; i < requests.size(); i += 4) {
    distinct[0] += requests[i].spans_size();
    distinct[1] += requests[i + 1].spans_size();
  }
  for (size_t i = 0; i < principals.size(); ++i) {
    CHECK(test.database.Query("select count(*) from span where project_id = '" +
                              principals[i].project_id.ToString() + "'") == std::to_string(distinct[i]));
  }
}

TEST_CASE("10,000 spans are taken, and none is no work") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  v1::CreateSpansRequest request;
  CHECK(test.replica.CreateSpans(principal, request).response.ok());
  for (int i = 0; i < 10'000; ++i) *request.add_spans() = MakeSpan("s" + std::to_string(i), "t1");
  CHECK(test.replica.CreateSpans(principal, request).response.ok());
  CHECK(test.database.Query("select count(*) from span") == "10000");
}

TEST_CASE("what waits for a batch is found by index, not by reading tables") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const std::string project = "'" + principal.project_id.ToString() + "'::uuid";
  test.database.Query(
      "insert into span (project_id, span_id, trace_id, name, started_at)"
      " select " +
      project +
      ", md5('s' || i)::uuid, md5('t' || i / 4)::uuid, 'n', now() from generate_series(1, 20000) i;"
      "insert into trace (project_id, trace_id, started_at)"
      " select " +
      project +
      ", md5('t' || i)::uuid, now() from generate_series(0, 5000) i;"
      "insert into session (project_id, session_id, session_text)"
      " select " +
      project +
      ", md5('c' || i)::uuid, 'chat' from generate_series(1, 5000) i;"
      "insert into feedback (project_id, id, target_type, target_id, target_text, rater_kind, rater_id, "
      "thumbs_up, via,"
      " submitted_by, created_at, updated_at, trace_id)"
      " select " +
      project + ", gen_random_uuid(), 1, md5('s' || i)::uuid, 's', 1, 'r', true, 1, " + project +
      ", now(), now(), md5('t' || i / 4)::uuid from generate_series(1, 20000) i;"
      "insert into evaluation (project_id, id, judge_id, span_id, span_text, evaluation_type, "
      "evaluation_result,"
      " submitted_by, created_at, updated_at, trace_id)"
      " select " +
      project + ", gen_random_uuid(), " + project + ", md5('s' || i)::uuid, 's', 1, true, " + project +
      ", now(), now(), md5('t' || i / 4)::uuid from generate_series(1, 20000) i");
  test.database.Query("analyze");
  const auto scans = [&] {
    return test.database.Query("select relname, seq_scan from pg_stat_user_tables order by 1");
  };
  const std::string before = scans();

  v1::CreateSpansRequest request;
  for (int i = 0; i < 400; ++i)
    *request.add_spans() = InSession(MakeSpan("s" + std::to_string(i), "t1"), "chat-1");
  for (const char* id : {"select md5('s5')::uuid", "select md5('s9')::uuid", "select md5('s13')::uuid"}) {
    *request.add_spans() = InSession(MakeSpan(test.database.Query(id), "t1"), "chat-1");
  }
  {
    SpanStore store({.dsn = test.database.Dsn("feedback"), .application_name = "once"});
    SpanQueue queue({}, {[&store](auto batch) { return store.Store(batch); }},
                    test.replica.span_queue_metrics);
    SpanService spans(queue, test.clock, test.replica.otlp_metrics);
    const std::optional<std::string> no_key;
    Answers<v1::CreateSpansResponse> answers;
    spans.Create({principal, no_key, TestService::Deadline()}, request,
                 [done = answers.Expect()](auto response) mutable { done(std::move(response), false); });
    REQUIRE(answers.Wait().front().response.ok());
  }

  // A connection tells what it did when it ends.
  test::Await("the end of the connection", [&] {
    return test.database.Query("select count(*) from pg_stat_activity where application_name = 'once'") ==
           "0";
  });
  CHECK(scans() == before);
  // The spans of three traces, of which each brought its session.
  CHECK(test.database.Query("select count(*) from feedback where session_id is not null") == "12");
  CHECK(test.database.Query("select count(*) from evaluation where session_id is not null") == "12");
}

// A request that the service lets pass and the schema does not: U+0000, which the RPC layer would have
// refused.
TEST_CASE("a request that the database refuses fails alone and whole") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  const std::optional<std::string> no_key;
  v1::Span bad = MakeSpan("bad", "t1");
  bad.set_name(std::string("a\0b", 3));
  const std::vector<v1::CreateSpansRequest> requests = {Spans({MakeSpan("s1", "t1")}),
                                                        Spans({MakeSpan("beside bad", "t1"), bad}),
                                                        Spans({MakeSpan("s2", "t1")})};
  SpanStore store({.dsn = test.database.Dsn("feedback"), .application_name = "span writer"});
  // All of them in one batch of one writer.
  SpanQueue queue({}, {[&store](auto batch) { return store.Store(batch); }}, test.replica.span_queue_metrics);
  SpanService spans(queue, test.clock, test.replica.otlp_metrics);
  std::vector<Answers<v1::CreateSpansResponse>> answers(requests.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    spans.Create({principal, no_key, TestService::Deadline()}, requests[i],
                 [done = answers[i].Expect()](auto response) mutable { done(std::move(response), false); });
  }
  CHECK(answers[0].Wait().front().response.ok());
  CHECK(ReasonOf(answers[1].Wait().front().response.status()) == errors::v1::REASON_INVALID_TEXT);
  CHECK(answers[2].Wait().front().response.ok());
  CHECK(test.database.Query("select count(*) from span") == "2");
}

}  // namespace
}  // namespace verdict::feedback
