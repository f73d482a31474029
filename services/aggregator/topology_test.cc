#include <algorithm>
#include <random>

#include <catch2/catch.hpp>

#include "common/ids/entity_id.h"
#include "common/status/error.h"
#include "services/aggregator/test_feedback.h"
#include "tests/support/seed.h"

namespace verdict::aggregator {
namespace {

using std::chrono::milliseconds;

auto ListSpans(const TestAggregator& aggregator, const v1::ListSpansRequest& request = {},
               const Uuid& project = kProject) {
  return Stream(aggregator, &TopologyService::ListSpans, request, project);
}
auto ListTraces(const TestAggregator& aggregator, const v1::ListTracesRequest& request = {},
                const Uuid& project = kProject) {
  return Stream(aggregator, &TopologyService::ListTraces, request, project);
}
auto ListSessions(const TestAggregator& aggregator, const v1::ListSessionsRequest& request = {},
                  const Uuid& project = kProject) {
  return Stream(aggregator, &TopologyService::ListSessions, request, project);
}

const auto& ElementsOf(const v1::ListSpansResponse& response) { return response.spans(); }
const auto& ElementsOf(const v1::ListTracesResponse& response) { return response.traces(); }
const auto& ElementsOf(const v1::ListSessionsResponse& response) { return response.sessions(); }

// The ids of all that was sent, in their order.
template <typename Response>
std::vector<std::string> Ids(const Streamed<Response>& read) {
  INFO(read.status);
  CHECK(read.status.ok());
  std::vector<std::string> ids;
  for (const Response& message : read.messages) {
    for (const auto& element : ElementsOf(message)) ids.push_back(element.id());
  }
  return ids;
}

std::string KeyText(const std::string& id) { return EntityKey(id).ToString(); }

TEST_CASE("a span is listed with all that is kept of it, its ids as UUIDs and its session as first spelt") {
  const TestAggregator aggregator;
  const Uuid version = NewUuidV7(kNow);
  aggregator.Insert(SessionRow{.id = "chat-42"});
  aggregator.Insert(
      TraceRow{.id = "4bf92f3577b34da6a3ce929d0e0e4736", .session = KeyText("chat-42"), .created_at = kNow});
  aggregator.Insert(SpanRow{.id = "chatcmpl-1",
                            .trace = "4bf92f3577b34da6a3ce929d0e0e4736",
                            .parent = "00f067aa0ba902b7",
                            .name = "answer",
                            .kind = "llm",
                            .started_at = kNow,
                            .ended_at = kNow + milliseconds(812),
                            .prompt_version = version,
                            .model = "gpt-4o-mini",
                            .created_at = kNow + milliseconds(1)});
  // In a session of its own, whose row was collected.
  aggregator.Insert(SpanRow{.id = "00f067aa0ba902b7",
                            .trace = "4bf92f3577b34da6a3ce929d0e0e4736",
                            .session = "gone",
                            .started_at = kNow,
                            .ended_at = kNow - milliseconds(1)});

  const auto read = ListSpans(aggregator);
  REQUIRE(Ids(read) == std::vector{KeyText("chatcmpl-1"), KeyText("00f067aa0ba902b7")});
  const auto spans = read.All();
  const v1::Span& full = spans.spans(0);
  CHECK(full.trace_id() == "4bf92f35-77b3-4da6-a3ce-929d0e0e4736");
  CHECK(full.parent_span_id() == "00f067aa-0ba9-02b7-0000-000000000000");
  CHECK(full.session_id() == "chat-42");
  CHECK(full.project_id() == kProject.ToString());
  CHECK(full.name() == "answer");
  CHECK(full.kind() == "llm");
  CHECK(FromProto(full.started_at()) == kNow);
  CHECK(FromProto(full.ended_at()) == kNow + milliseconds(812));
  CHECK(full.duration_ms() == 812);
  CHECK(full.prompt_version_id() == version.ToString());
  CHECK(full.model() == "gpt-4o-mini");
  CHECK(FromProto(full.created_at()) == kNow + milliseconds(1));
  const v1::Span& bare = spans.spans(1);
  CHECK(bare.session_id() == KeyText("gone"));
  CHECK(FromProto(bare.ended_at()) == kNow - milliseconds(1));
  CHECK_FALSE((bare.has_parent_span_id() || bare.has_kind() || bare.has_duration_ms() ||
               bare.has_prompt_version_id() || bare.has_model()));
}

TEST_CASE("a trace has the name and the end of its root, and as many spans as came") {
  const TestAggregator aggregator;
  aggregator.Insert(TraceRow{.id = "t", .session = "chat-42", .created_at = kNow + milliseconds(9)});
  const auto trace = [&] {
    const auto traces = ListTraces(aggregator).All();
    REQUIRE(traces.traces_size() == 1);
    return traces.traces(0);
  };
  aggregator.Insert(SpanRow{.id = "child", .trace = "t", .parent = "root"});
  aggregator.Insert(SpanRow{.id = "mentioned by feedback", .trace = {}, .name = {}, .started_at = {}});
  const v1::Trace without_root = trace();
  CHECK(without_root.id() == KeyText("t"));
  CHECK(without_root.project_id() == kProject.ToString());
  CHECK(without_root.session_id() == KeyText("chat-42"));
  CHECK(FromProto(without_root.started_at()) == kNow);
  CHECK(FromProto(without_root.created_at()) == kNow + milliseconds(9));
  CHECK(without_root.span_count() == 1);
  CHECK_FALSE((without_root.has_name() || without_root.has_ended_at() || without_root.has_duration_ms()));

  aggregator.Insert(SessionRow{.id = "chat-42"});
  aggregator.Insert(SpanRow{.id = "root",
                            .trace = "t",
                            .name = "request",
                            .started_at = kNow + milliseconds(1),
                            .ended_at = kNow + milliseconds(1'204),
                            .created_at = kNow + milliseconds(1)});
  // A second root, which came later, and another trace's.
  aggregator.Insert(SpanRow{.trace = "t", .name = "late", .created_at = kNow + milliseconds(2)});
  aggregator.Insert(SpanRow{.trace = "u", .name = "other"});
  const v1::Trace whole = trace();
  CHECK(whole.session_id() == "chat-42");
  CHECK(whole.name() == "request");
  CHECK(FromProto(whole.ended_at()) == kNow + milliseconds(1'204));
  CHECK(whole.duration_ms() == 1'204);
  CHECK(whole.span_count() == 3);
  aggregator.database.Query("update trace set started_at = started_at + interval '1 day'");
  CHECK_FALSE(trace().has_duration_ms());
}

TEST_CASE("a session is found by either spelling, and so are its traces") {
  const TestAggregator aggregator;
  // As ZeroEval's Python SDK and its TypeScript SDK spell it.
  const std::string uuid = "d5b82663-4051-5a4c-9808-616c909bbbc5";
  aggregator.Insert(SessionRow{.id = "chat-42", .name = "Billing question", .created_at = kNow});
  aggregator.Insert(SessionRow{.id = "empty", .created_at = kNow + milliseconds(1)});
  aggregator.Insert(TraceRow{.id = "t", .session = "chat-42"});
  aggregator.Insert(TraceRow{.id = "u", .session = uuid, .created_at = kNow + milliseconds(1)});
  aggregator.Insert(TraceRow{.id = "v"});
  CHECK(Ids(ListSessions(aggregator)) == std::vector<std::string>{"empty", "chat-42"});
  for (const std::string& spelling : {std::string("chat-42"), uuid}) {
    v1::ListSessionsRequest request;
    request.set_id(spelling);
    const auto sessions = ListSessions(aggregator, request).All();
    REQUIRE(sessions.sessions_size() == 1);
    const v1::Session& session = sessions.sessions(0);
    CHECK(session.id() == "chat-42");
    CHECK(session.project_id() == kProject.ToString());
    CHECK(session.name() == "Billing question");
    CHECK(session.trace_count() == 2);
    CHECK(FromProto(session.created_at()) == kNow);
    v1::ListTracesRequest traces;
    traces.set_session_id(spelling);
    CHECK(Ids(ListTraces(aggregator, traces)) == std::vector{KeyText("u"), KeyText("t")});
  }
  const auto sessions = ListSessions(aggregator).All();
  CHECK(sessions.sessions(0).trace_count() == 0);
  CHECK_FALSE(sessions.sessions(0).has_name());
}

TEST_CASE("what feedback alone has mentioned is not listed until it comes") {
  const TestAggregator aggregator;
  aggregator.Insert(SpanRow{.id = "s", .trace = {}, .name = {}, .started_at = {}});
  aggregator.Insert(TraceRow{.id = "t", .started_at = {}});
  v1::ListSpansRequest span;
  span.set_id("s");
  v1::ListTracesRequest trace;
  trace.set_id("t");
  CHECK(Ids(ListSpans(aggregator)).empty());
  CHECK(Ids(ListSpans(aggregator, span)).empty());
  CHECK(Ids(ListTraces(aggregator)).empty());
  CHECK(Ids(ListTraces(aggregator, trace)).empty());
  aggregator.database.Query("update span set trace_id = '" + KeyText("t") +
                            "', name = 'answer', started_at = now(); update trace set started_at = now()");
  CHECK(Ids(ListSpans(aggregator)) == std::vector{KeyText("s")});
  CHECK(Ids(ListSpans(aggregator, span)) == std::vector{KeyText("s")});
  CHECK(Ids(ListTraces(aggregator)) == std::vector{KeyText("t")});
  CHECK(Ids(ListTraces(aggregator, trace)) == std::vector{KeyText("t")});
}

TEST_CASE("another project's topology is like none") {
  const TestAggregator aggregator;
  aggregator.Insert(SpanRow{.project = kOtherProject, .id = "s", .session = "session-1"});
  aggregator.Insert(TraceRow{.project = kOtherProject, .session = "session-1"});
  aggregator.Insert(SessionRow{.project = kOtherProject});
  v1::ListSpansRequest spans;
  v1::ListTracesRequest traces;
  v1::ListSessionsRequest sessions;
  const bool by_id = GENERATE(false, true);
  if (by_id) {
    spans.set_id("s");
    spans.set_trace_id("trace-1");
    traces.set_id("trace-1");
    traces.set_session_id("session-1");
    sessions.set_id("session-1");
  }
  CHECK(Ids(ListSpans(aggregator, spans, kOtherProject)).size() == 1);
  CHECK(Ids(ListTraces(aggregator, traces, kOtherProject)).size() == 1);
  CHECK(Ids(ListSessions(aggregator, sessions, kOtherProject)).size() == 1);
  // One empty message each, as for what nobody has.
  const auto spans_read = ListSpans(aggregator, spans);
  const auto traces_read = ListTraces(aggregator, traces);
  const auto sessions_read = ListSessions(aggregator, sessions);
  REQUIRE((spans_read.messages.size() == 1 && traces_read.messages.size() == 1 &&
           sessions_read.messages.size() == 1));
  CHECK(spans_read.messages[0].ByteSizeLong() == 0);
  CHECK(traces_read.messages[0].ByteSizeLong() == 0);
  CHECK(sessions_read.messages[0].ByteSizeLong() == 0);
}

TEST_CASE("a filter's time of topology must be a date") {
  const TestAggregator aggregator;
  const auto check = [&](auto list, auto request) {
    request.mutable_end_date()->set_seconds(INT64_MAX);
    CHECK(DetailsOf(list(request).status).violations.at(0).field == "end_date");
    request.mutable_start_date()->set_seconds(INT64_MIN);
    CHECK(DetailsOf(list(request).status).violations.at(0).field == "start_date");
  };
  check([&](const auto& request) { return ListSpans(aggregator, request); }, v1::ListSpansRequest());
  check([&](const auto& request) { return ListTraces(aggregator, request); }, v1::ListTracesRequest());
  check([&](const auto& request) { return ListSessions(aggregator, request); }, v1::ListSessionsRequest());
}

// What stands in the database, said once more.
struct Model {
  std::string id;
  std::string key;
  std::optional<std::string> within;
  Time created_at;
};

// Lists with many combinations of filters and pages, and compares with the model.
template <typename Request>
void CheckFilters(std::mt19937_64& random, std::vector<Model> model,
                  const std::vector<std::string>& containers, auto set_within, auto list) {
  std::ranges::sort(model, [](const Model& a, const Model& b) {
    return a.created_at != b.created_at ? a.created_at > b.created_at : a.key > b.key;
  });
  for (int i = 0; i < 40; ++i) {
    Request request;
    std::optional<std::string> within;
    if (!containers.empty() && random() % 2 == 0) within = containers[random() % containers.size()];
    if (within) set_within(request, *within);
    if (random() % 8 == 0) request.set_id(model[random() % model.size()].id);
    if (random() % 2 == 0) *request.mutable_start_date() = ToProto(kNow + milliseconds(random() % 15));
    if (random() % 2 == 0) *request.mutable_end_date() = ToProto(kNow + milliseconds(5 + random() % 20));
    if (random() % 2 == 0) request.set_limit(1 + static_cast<int>(random() % 60));
    if (random() % 2 == 0) request.set_offset(static_cast<int>(random() % 120));
    CAPTURE(request.GetTypeName(), request.ShortDebugString());
    std::vector<std::string> expected;
    for (const Model& element : model) {
      if (within && element.within != within) continue;
      if (request.has_id() && element.id != request.id()) continue;
      if (request.has_start_date() && element.created_at < FromProto(request.start_date())) continue;
      if (request.has_end_date() && element.created_at >= FromProto(request.end_date())) continue;
      expected.push_back(element.id);
    }
    expected.erase(expected.begin(),
                   expected.begin() + std::min<std::ptrdiff_t>(request.offset(), std::ssize(expected)));
    if (request.has_limit()) expected.resize(std::min<size_t>(expected.size(), request.limit()));
    REQUIRE(Ids(list(request)) == expected);
  }
}

TEST_CASE("lists are what their filters let pass, those that came last first, then by id") {
  const TestAggregator aggregator;
  std::mt19937_64 random(NewSeed("topology_test"));
  std::vector<Model> spans, traces, sessions;
  std::vector<std::string> trace_ids, session_ids;
  std::string sql;
  // As many of a kind as its default limit, so that every list without a limit is whole.
  for (int i = 0; i < 50; ++i) {
    const std::string id = "session-" + std::to_string(i);
    const SessionRow row = {.id = id, .created_at = kNow + milliseconds(random() % 20)};
    sql += SqlOf(row) + ";";
    sessions.push_back({.id = id, .key = KeyText(id), .within = {}, .created_at = row.created_at});
    session_ids.push_back(id);
  }
  for (int i = 0; i < 50; ++i) {
    const std::string id = NewUuidV7(kNow).ToString();
    std::optional<std::string> session;
    if (random() % 4 > 0) session = session_ids[random() % 3];
    const TraceRow row = {.id = id, .session = session, .created_at = kNow + milliseconds(random() % 20)};
    sql += SqlOf(row) + ";";
    traces.push_back({.id = id, .key = id, .within = session, .created_at = row.created_at});
    trace_ids.push_back(id);
  }
  for (int i = 0; i < 250; ++i) {
    const SpanRow row = {.trace = trace_ids[random() % 4], .created_at = kNow + milliseconds(random() % 20)};
    sql += SqlOf(row) + ";";
    spans.push_back({.id = row.id, .key = row.id, .within = row.trace, .created_at = row.created_at});
  }
  aggregator.database.Query(sql + "select 1");

  CheckFilters<v1::ListSpansRequest>(
      random, spans, {trace_ids.begin(), trace_ids.begin() + 5},
      [](auto& request, const std::string& trace) { request.set_trace_id(trace); },
      [&](const auto& request) { return ListSpans(aggregator, request); });
  CheckFilters<v1::ListTracesRequest>(
      random, traces, {session_ids.begin(), session_ids.begin() + 4},
      [](auto& request, const std::string& session) { request.set_session_id(session); },
      [&](const auto& request) { return ListTraces(aggregator, request); });
  CheckFilters<v1::ListSessionsRequest>(
      random, sessions, {}, [](auto&, const std::string&) {},
      [&](const auto& request) { return ListSessions(aggregator, request); });
}

// `count` spans of a trace each, and of as many sessions, of names of so many bytes; a hundred came at a
// time.
void InsertMany(const TestAggregator& aggregator, int count, int name_bytes) {
  aggregator.database.Query(
      "create temp table one as select gen_random_uuid() as span_id, gen_random_uuid() as trace_id,"
      " gen_random_uuid() as session_id, now() - n / 100 * interval '1 s' as at from generate_series(1, " +
      std::to_string(count) + ") n; insert into span (project_id, span_id, trace_id, name, started_at," +
      " created_at) select '" + kProject.ToString() + "', span_id, trace_id, repeat('x', " +
      std::to_string(name_bytes) + "), at, at from one;" +
      "insert into trace (project_id, trace_id, session_id, started_at, created_at) select '" +
      kProject.ToString() + "', trace_id, session_id, at, at from one;" +
      "insert into session (project_id, session_id, session_text, created_at) select '" +
      kProject.ToString() + "', session_id, session_id, at from one");
}

TEST_CASE("pages have their defaults, and follow each other until there is no more") {
  const TestAggregator aggregator;
  InsertMany(aggregator, 5'100, 4);
  CHECK(Ids(ListSpans(aggregator)).size() == 5'000);
  CHECK(Ids(ListTraces(aggregator)).size() == 50);
  CHECK(Ids(ListSessions(aggregator)).size() == 50);
  const auto check_pages = [&](auto list, auto request, int limit, const std::string& table) {
    std::string ids;
    std::vector<std::string> page;
    do {
      request.set_limit(limit);
      page = Ids(list(request));
      for (const std::string& id : page) ids += (ids.empty() ? "" : "\n") + id;
      request.set_offset(request.offset() + limit);
    } while (std::ssize(page) == limit);
    CHECK(ids == aggregator.database.Query("select " + table + "_id from " + table +
                                           " order by created_at desc, " + table + "_id desc"));
    request.set_offset(1'000'000);
    CHECK(Ids(list(request)).empty());
  };
  check_pages([&](const auto& request) { return ListSpans(aggregator, request); }, v1::ListSpansRequest(),
              1'700,
              "span");  // three full pages, then an empty one
  check_pages([&](const auto& request) { return ListTraces(aggregator, request); }, v1::ListTracesRequest(),
              500, "trace");
  check_pages([&](const auto& request) { return ListSessions(aggregator, request); },
              v1::ListSessionsRequest(), 500, "session");
}

TEST_CASE("a start_date that was read off a row finds it, and an end_date does not") {
  const TestAggregator aggregator;
  aggregator.Insert(SpanRow());
  aggregator.database.Query("update span set created_at = '2026-01-01T00:00:00.0019Z'");
  const auto created_at = ListSpans(aggregator).All().spans(0).created_at();
  CHECK(FromProto(created_at) == kNow + milliseconds(1));
  v1::ListSpansRequest request;
  *request.mutable_start_date() = created_at;
  CHECK(Ids(ListSpans(aggregator, request)).size() == 1);
  *request.mutable_start_date() = ToProto(kNow + milliseconds(2));
  CHECK(Ids(ListSpans(aggregator, request)).empty());
  request.clear_start_date();
  *request.mutable_end_date() = created_at;
  CHECK(Ids(ListSpans(aggregator, request)).empty());
}

TEST_CASE("10,000 spans are streamed in bounded messages, and a caller that goes away frees its connection") {
  const TestAggregator aggregator;
  const int name_bytes = GENERATE(10, 1'000);  // few of them are kept, most are streamed
  InsertMany(aggregator, 10'000, name_bytes);
  v1::ListSpansRequest request;
  request.set_limit(10'000);
  const auto read = ListSpans(aggregator, request);
  CHECK(Ids(read).size() == 10'000);
  REQUIRE(read.messages.size() > 20);
  CHECK(read.messages[0].spans().empty());
  for (const auto& message : read.messages) {
    CHECK(message.spans_size() <= 500);
    CHECK(message.ByteSizeLong() <= (1 << 20) + 64);
  }
  // There is one connection for streams.
  for (int taken = 0; taken < 3; ++taken) {
    int left = taken;
    CHECK(ReasonOf(aggregator.topology.ListSpans({.project_id = kProject}, request, [&](const auto&) {
            return left-- > 0;
          })) == errors::v1::REASON_CANCELLED);
  }
  CHECK(Ids(ListSpans(aggregator, request)).size() == 10'000);
}

}  // namespace
}  // namespace verdict::aggregator
