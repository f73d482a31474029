#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/ids/entity_id.h"
#include "services/feedback/otlp_reader.h"
#include "services/feedback/test_service.h"
#include "tests/support/sanitized.h"
#include "tests/support/usage.h"

namespace verdict::feedback {
namespace {

namespace otlp = opentelemetry::proto;
using otlp::trace::v1::Span;
using ExportRequest = SpanService::ExportRequest;
using ExportResponse = SpanService::ExportResponse;
using Attributes = google::protobuf::RepeatedPtrField<otlp::common::v1::KeyValue>;

constexpr char kTrace[] = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr char kSpan[] = "00f067aa0ba902b7";
constexpr char kVersion[] = "0196f7e6-0b5c-7c7e-8a4e-1f2d3c4b5a69";

const std::vector<std::string> kSessionNames = {"zeroeval.session.id",
                                                "session.id",
                                                "gen_ai.conversation.id",
                                                "langfuse.session.id",
                                                "traceloop.association.properties.session_id",
                                                "conversation.id",
                                                "session_id",
                                                "trace.session_id",
                                                "langsmith.trace.session_id",
                                                "mlflow.trace.session"};

std::string Key(const std::string& id) { return EntityKey(id).ToString(); }
std::string Bytes(const std::string& hex) { return absl::HexStringToBytes(hex); }

void Add(Attributes& attributes, const std::string& key, const std::string& value) {
  auto& attribute = *attributes.Add();
  attribute.set_key(key);
  attribute.mutable_value()->set_string_value(value);
}
void Add(Attributes& attributes, const std::string& key, double value) {
  auto& attribute = *attributes.Add();
  attribute.set_key(key);
  attribute.mutable_value()->set_double_value(value);
}

Span MakeOtlpSpan(const std::string& span_id = kSpan, const std::string& trace_id = kTrace) {
  Span span;
  span.set_trace_id(Bytes(trace_id));
  span.set_span_id(Bytes(span_id));
  span.set_name("answer");
  span.set_start_time_unix_nano(1'780'088'059'746'999'999);
  return span;
}

// A span's id of a number.
std::string Id(int number) { return absl::StrCat(absl::Hex(number, absl::kZeroPad16)); }

Span With(Span span, const std::string& key, const std::string& value) {
  Add(*span.mutable_attributes(), key, value);
  return span;
}

ExportRequest Exported(const std::vector<Span>& spans) {
  ExportRequest request;
  auto& scope = *request.add_resource_spans()->add_scope_spans();
  for (const Span& span : spans) *scope.add_spans() = span;
  return request;
}

struct Result {  // of the judge "binary" or "scored"
  std::string judge = {};
  std::string label = {};
  std::optional<double> score = {};
  std::string explanation = {};
};

Span Judged(Span span, const Result& result) {
  auto& event = *span.add_events();
  event.set_name("gen_ai.evaluation.result");
  auto& attributes = *event.mutable_attributes();
  if (!result.judge.empty()) Add(attributes, "gen_ai.evaluation.name", result.judge);
  if (!result.label.empty()) Add(attributes, "gen_ai.evaluation.score.label", result.label);
  if (result.score) Add(attributes, "gen_ai.evaluation.score.value", *result.score);
  if (!result.explanation.empty()) Add(attributes, "gen_ai.evaluation.explanation", result.explanation);
  return span;
}

// A project with judges, and what is done with them here.
struct Fixture : JudgedProject {
  ExportResponse Export(const ExportRequest& request) {
    const auto response = test.replica.Export(principal, request);
    CHECK(response.status().message() == "");
    return response.value_or(ExportResponse());
  }
  ExportResponse Export(const std::vector<Span>& spans) { return Export(Exported(spans)); }
  // Why some of it was not stored; empty when all was.
  std::string Message(const std::vector<Span>& spans) {
    return Export(spans).partial_success().error_message();
  }
  std::string Query(const std::string& sql) const { return test.database.Query(sql); }
};

TEST_CASE("an exported span is stored as it was given") {
  Fixture f;
  Span span = MakeOtlpSpan();
  span.set_parent_span_id(Bytes("b7ad6b7169203331"));
  span.set_end_time_unix_nano(1'780'088'059'746'000'000);  // a millisecond's part before its start
  auto& attributes = *span.mutable_attributes();
  Add(attributes, "session.id", "chat-42");
  Add(attributes, "session.name", "Support");
  Add(attributes, "gen_ai.request.model", "gpt-4o");
  Add(attributes, "openinference.span.kind", "CHAIN");
  Add(attributes, "zeroeval.prompt_version_id", kVersion);

  CHECK_FALSE(f.Export({span}).has_partial_success());

  CHECK(f.Query("select span_id, trace_id, parent_id, session_id, name, kind, extract(epoch from started_at),"
                " ended_at = started_at, model, prompt_version_id from span") ==
        absl::StrCat(Key(kSpan), "|", Key(kTrace), "|", Key("b7ad6b7169203331"), "|", Key("chat-42"),
                     "|answer|chain|1780088059.746000|t|gpt-4o|", kVersion));
  CHECK(f.Query("select session_text, name from session") == "chat-42|Support");
  CHECK(f.Query("select trace_id, session_id from trace") == Key(kTrace) + "|" + Key("chat-42"));
}

TEST_CASE("of a session's names the first that the span has counts, and only then its resource's") {
  Fixture f;
  const auto session_of = [&](const std::vector<std::string>& on_span,
                              const std::vector<std::string>& on_resource) {
    f.Query("delete from span; delete from trace; delete from session");
    ExportRequest request = Exported({MakeOtlpSpan()});
    auto& resource = *request.mutable_resource_spans(0);
    // Against their order, so that this does not decide.
    for (auto name = on_span.rbegin(); name != on_span.rend(); ++name) {
      Add(*resource.mutable_scope_spans(0)->mutable_spans(0)->mutable_attributes(), *name, "span " + *name);
    }
    for (auto name = on_resource.rbegin(); name != on_resource.rend(); ++name) {
      Add(*resource.mutable_resource()->mutable_attributes(), *name, "resource " + *name);
    }
    f.Export(request);
    return f.Query("select session_text from session join span using (project_id, session_id)");
  };
  for (size_t i = 0; i < kSessionNames.size(); ++i) {
    const std::vector<std::string> rest(kSessionNames.begin() + static_cast<ptrdiff_t>(i),
                                        kSessionNames.end());
    CHECK(session_of(rest, {}) == "span " + kSessionNames[i]);
    CHECK(session_of({kSessionNames[i]}, kSessionNames) == "span " + kSessionNames[i]);
    CHECK(session_of({}, rest) == "resource " + kSessionNames[i]);
  }
  CHECK(session_of({}, {"service.name"}) == "");
}

// 10,000 spans and a session of 16 MiB, which is some 36 KiB once compressed: to carry it to each span would
// be 160 GB.
TEST_CASE("the session of a resource costs its spans no more than its limit") {
  constexpr double kSecondsMax = 1;  // of which some 30 ms are needed
  SpanService::ExportRequest request;
  auto& resource = *request.add_resource_spans();
  auto& attribute = *resource.mutable_resource()->add_attributes();
  attribute.set_key("session.id");
  attribute.mutable_value()->set_string_value(std::string(16 << 20, 's'));
  auto& scope = *resource.add_scope_spans();
  for (int i = 0; i < 10'000; ++i) scope.add_spans();
  const double start = test::ThreadCpuSeconds();
  const auto read = ReadExport(request);
  CHECK(test::ThreadCpuSeconds() - start < kSecondsMax * (test::kSanitized ? 10 : 1));
  REQUIRE(read.ok());
  CHECK(read->refusals.spans() == 10'000);
}

TEST_CASE("a session's id is a text or a whole number, and its name is of the same place") {
  Fixture f;
  Span number = MakeOtlpSpan(Id(1));
  auto& attribute = *number.add_attributes();
  attribute.set_key("session.id");
  attribute.mutable_value()->set_int_value(-7);
  Span other = With(With(MakeOtlpSpan(Id(2)), "zeroeval.session.id", ""), "session.id", "by the second name");
  Add(*other.mutable_attributes(), "gen_ai.conversation.id", 1.5);
  ExportRequest request = Exported({number, other, MakeOtlpSpan(Id(3))});
  auto& resource = *request.mutable_resource_spans(0)->mutable_resource()->mutable_attributes();
  Add(resource, "session.id", "of the resource");
  Add(resource, "session_name", "Third");
  Add(resource, "session.name", "Second");
  f.Export(request);
  CHECK(f.Query("select session_text, name from session order by session_text collate \"C\"") ==
        "-7|\nby the second name|\nof the resource|Second");
}

TEST_CASE("of the names of model and kind the first counts, and what has a model is of kind llm") {
  Fixture f;
  const auto stored = [&](const std::vector<std::pair<std::string, std::string>>& attributes) {
    f.Query("delete from span");
    Span span = MakeOtlpSpan();
    for (const auto& [key, value] : attributes) Add(*span.mutable_attributes(), key, value);
    CHECK(f.Message({span}) == "");
    return f.Query("select model, kind, prompt_version_id from span");
  };
  CHECK(stored({}) == "||");
  CHECK(stored({{"gen_ai.response.model", "c"}}) == "c|llm|");
  CHECK(stored({{"gen_ai.response.model", "c"}, {"llm.model", "b"}}) == "b|llm|");
  CHECK(stored({{"gen_ai.response.model", "c"}, {"llm.model", "b"}, {"gen_ai.request.model", "a"}}) ==
        "a|llm|");
  CHECK(stored({{"langfuse.observation.type", "Generation"}, {"llm.model", "b"}}) == "b|generation|");
  CHECK(stored({{"langfuse.observation.type", "c"}, {"traceloop.span.kind", "b"}}) == "|b|");
  CHECK(stored({{"traceloop.span.kind", "b"}, {"openinference.span.kind", "LLM"}}) == "|llm|");
  // What cannot be kept is left out.
  CHECK(stored({{"llm.model", std::string(200, 'm')}}) == std::string(200, 'm') + "|llm|");
  CHECK(stored({{"llm.model", std::string(201, 'm')}}) == "||");
  CHECK(stored({{"llm.model", std::string("m\0", 2)}, {"traceloop.span.kind", std::string(101, 'k')}}) ==
        "||");
  CHECK(stored({{"zeroeval.prompt_version_id", "7"}}) == "||");
  CHECK(stored({{"session.id", "s"}, {"session.name", std::string(1001, 'n')}}) == "||");
  CHECK(f.Query("select count(*) from session where name is null") == "1");
}

TEST_CASE("a span that cannot be stored is rejected by itself, with the reason") {
  Fixture f;
  struct Case {
    std::function<void(Span&)> spoil;
    std::string message;
  };
  const std::string id = std::string("Span ") + kSpan + ": ";
  const std::string bad_trace = id + "trace_id must be 16 bytes, not all of them zero.";
  const std::string session = id + "The session's id ";
  const std::vector<Case> cases = {
      {[](Span& span) { span.clear_trace_id(); }, bad_trace},
      {[](Span& span) { span.set_trace_id(std::string(15, 't')); }, bad_trace},
      {[](Span& span) { span.set_trace_id(std::string(17, 't')); }, bad_trace},
      {[](Span& span) { span.set_trace_id(std::string(16, '\0')); }, bad_trace},
      {[](Span& span) { span.clear_span_id(); }, "Span : span_id must be 8 bytes, not all of them zero."},
      {[](Span& span) { span.set_span_id("seven b"); },
       "Span 736576656e2062: span_id must be 8 bytes, not all of them zero."},
      {[](Span& span) { span.set_span_id(std::string(1000, 's')); },
       "Span 73737373737373737373737373737373: span_id must be 8 bytes, not all of them zero."},
      {[](Span& span) { span.set_span_id(std::string(8, '\0')); },
       "Span 0000000000000000: span_id must be 8 bytes, not all of them zero."},
      {[](Span& span) { span.set_parent_span_id("parent"); },
       id + "parent_span_id must be 8 bytes, or be left out."},
      {[](Span& span) { span.clear_start_time_unix_nano(); }, id + "start_time_unix_nano is required."},
      {[](Span& span) { span.set_name(std::string(1001, 'n')); },
       id + "name is 1001 bytes long; at most 1000 are allowed."},
      {[](Span& span) { span.set_name(std::string("n\0", 2)); }, id + "name contains U+0000."},
      {[](Span& span) { span = With(span, "session.id", std::string(201, 's')); },
       session + "is longer than 200 bytes."},
      {[](Span& span) { span = With(span, "session.id", std::string("s\0", 2)); },
       session + "contains U+0000."},
  };
  for (const Case& bad : cases) {
    f.Query("delete from span");
    Span span = Judged(MakeOtlpSpan(), {.judge = "binary", .label = "pass"});
    bad.spoil(span);
    const auto partial = f.Export({MakeOtlpSpan(Id(1)), span, MakeOtlpSpan(Id(2))}).partial_success();
    CHECK(partial.rejected_spans() == 1);
    CHECK(partial.error_message() == bad.message);
    CHECK(f.Query("select span_id from span order by 1") == Key(Id(1)) + "\n" + Key(Id(2)));
  }
  CHECK(f.Query("select count(*) from evaluation") == "0");
}

TEST_CASE("what is barely good is stored") {
  Fixture f;
  Span longest = With(MakeOtlpSpan(Id(1)), "session.id", std::string(200, 's'));
  longest.set_name(std::string(1000, 'n'));
  Span zero_parent = MakeOtlpSpan(Id(2));
  zero_parent.set_parent_span_id(std::string(8, '\0'));
  Span nameless = MakeOtlpSpan(Id(3));
  nameless.clear_name();
  Span latest = MakeOtlpSpan(Id(4));
  latest.set_start_time_unix_nano(UINT64_MAX);
  latest.set_end_time_unix_nano(1);
  Span unread = With(MakeOtlpSpan(Id(5)), "gen_ai.prompt", std::string("not kept\0", 9));
  CHECK(f.Message({longest, zero_parent, nameless, latest, unread}) == "");
  CHECK(f.Query("select count(*), count(parent_id) from span") == "5|0");
  CHECK(f.Query("select name from span where span_id = '" + Key(Id(3)) + "'") == "unknown");
  CHECK(f.Query("select extract(year from started_at), ended_at < started_at from span where span_id = '" +
                Key(Id(4)) + "'") == "2554|t");
}

TEST_CASE("of many refusals the first few are told and all are counted") {
  Fixture f;
  std::vector<Span> spans(100);
  for (Span& span : spans) span = Judged(MakeOtlpSpan(), {.judge = std::string(5'000, 'j')});
  for (size_t i = 0; i < 60; ++i) spans[i].clear_trace_id();
  const auto partial = f.Export(spans).partial_success();
  CHECK(partial.rejected_spans() == 60);
  CHECK(partial.error_message().size() <= 1'024);
  CHECK_THAT(partial.error_message(), Catch::EndsWith(" And 95 more."));
  CHECK(f.test.replica.otlp_metrics.rejected_spans.Value() == 60);
  CHECK(f.test.replica.otlp_metrics.refused_evaluations.Value() == 40);
}

TEST_CASE("an export has at most 10,000 spans and evaluations, and may have none") {
  Fixture f;
  CHECK_FALSE(f.Export(ExportRequest()).has_partial_success());
  ExportRequest request = Exported({MakeOtlpSpan()});
  // Spread over resources and scopes.
  for (int i = 1; i < 10'000; ++i) {
    if (i % 1'000 == 0) request.add_resource_spans();
    auto& resource = *request.mutable_resource_spans(request.resource_spans_size() - 1);
    auto& scope = i % 100 == 0 ? *resource.add_scope_spans() : *resource.mutable_scope_spans()->rbegin();
    *scope.add_spans() = MakeOtlpSpan(Id(i));
  }
  CHECK_FALSE(f.Export(request).has_partial_success());
  CHECK(f.Query("select count(*) from span") == "10000");

  f.Query("delete from span");
  *request.mutable_resource_spans(0)->mutable_scope_spans(0)->add_spans() = MakeOtlpSpan(Id(10'000));
  CHECK(ReasonOf(f.test.replica.Export(f.principal, request).status()) ==
        errors::v1::REASON_VALIDATION_ERROR);
  Span judged = MakeOtlpSpan();
  for (int i = 0; i < 10'001; ++i) judged = Judged(std::move(judged), {.judge = "binary", .label = "pass"});
  CHECK(ReasonOf(f.test.replica.Export(f.principal, Exported({judged})).status()) ==
        errors::v1::REASON_VALIDATION_ERROR);
  CHECK(f.Query("select count(*) from span") == "0");
}

// Were each compared with each, a statement's time would be over.
TEST_CASE("10,000 evaluations at once are stored, and again") {
  Fixture f;
  std::vector<Span> spans(10'000);
  for (size_t i = 0; i < spans.size(); ++i) {
    spans[i] = Judged(MakeOtlpSpan(Id(static_cast<int>(i) + 1)), {.judge = "scored", .score = 4});
  }
  CHECK(f.Message(spans) == "");
  CHECK(f.Query("select count(*) from evaluation where trace_id is not null") == "10000");
  CHECK(f.Message(spans) == "");
  CHECK(f.Query("select max(revision) from evaluation") == "1");
}

TEST_CASE("children may come before their root, whose session covers the trace whenever it comes") {
  Fixture f;
  Span child = Judged(MakeOtlpSpan(Id(2)), {.judge = "binary", .label = "yes"});
  child.set_parent_span_id(Bytes(Id(1)));
  REQUIRE(f.Message({child}) == "");
  v1::SubmitCompletionFeedbackRequest vote = Vote(true);
  vote.set_completion_id(Id(2));
  REQUIRE(f.test.replica.Submit(f.principal, vote).response.ok());
  const std::string places =
      "select trace_id, session_id from feedback union select trace_id, session_id from evaluation";
  CHECK(f.Query(places) == Key(kTrace) + "|");
  REQUIRE(f.Message({With(MakeOtlpSpan(Id(1)), "gen_ai.conversation.id", "chat-1")}) == "");
  CHECK(f.Query(places) == Key(kTrace) + "|" + Key("chat-1"));
  // And of what comes later.
  REQUIRE(f.Message({Judged(MakeOtlpSpan(Id(3)), {.judge = "binary", .label = "no"})}) == "");
  CHECK(f.Query(places) == Key(kTrace) + "|" + Key("chat-1"));
}

TEST_CASE("spans of SDK and OpenTelemetry join in one trace, whatever the spelling") {
  Fixture f;
  v1::Span by_sdk = MakeSpan("00F067AA0BA902B7", Key(kTrace));
  by_sdk.set_session_id("chat-1");
  by_sdk.set_attributes(R"({"model": "gpt-4o", "zeroeval": {"prompt_version_id": ")" + std::string(kVersion) +
                        R"("}})");
  const auto created = f.test.replica.CreateSpans(f.principal, Spans({by_sdk})).response;
  REQUIRE(created.ok());
  CHECK_FALSE(created->spans(0).has_attributes());
  Span child = MakeOtlpSpan(Id(2));
  child.set_parent_span_id(Bytes(kSpan));
  REQUIRE(f.Message({child, MakeOtlpSpan()}) == "");
  CHECK(f.Query("select s.span_id, s.parent_id, t.session_id, s.model, s.prompt_version_id from span s"
                " join trace t using (project_id, trace_id) order by s.parent_id nulls first") ==
        absl::StrCat(Key(kSpan), "||", Key("chat-1"), "|gpt-4o|", kVersion, "\n", Key(Id(2)), "|", Key(kSpan),
                     "|", Key("chat-1"), "||"));
}

TEST_CASE("of a span that stands twice in an export the later one counts, and keeps what it leaves out") {
  Fixture f;
  Span first = With(With(MakeOtlpSpan(), "llm.model", "m"), "zeroeval.prompt_version_id", kVersion);
  Span later = MakeOtlpSpan();
  later.set_name("renamed");
  REQUIRE(f.Message({first, later}) == "");
  const std::string stored = "select name, model, kind, prompt_version_id from span";
  CHECK(f.Query(stored) == std::string("renamed|m|llm|") + kVersion);
  REQUIRE(f.Message({MakeOtlpSpan()}) == "");
  CHECK(f.Query(stored) == std::string("answer|m|llm|") + kVersion);
}

TEST_CASE("the same export again changes nothing") {
  Fixture f;
  const std::vector<Span> spans = {Judged(Judged(With(MakeOtlpSpan(Id(2)), "session.id", "chat"),
                                                 {.judge = "scored", .score = 3.3, .explanation = "so so"}),
                                          {.judge = "binary", .score = 0}),
                                   Judged(MakeOtlpSpan(Id(1)), {.judge = "unknown", .label = "pass"})};
  const auto state = [&] {
    return f.Query("select * from span order by 1, 2") + f.Query("select * from trace") +
           f.Query("select * from session") + f.Query("select * from evaluation order by id") +
           f.Query("select * from evaluation_history");
  };
  const auto response = f.Export(spans);
  const std::string before = state();
  CHECK(f.Query("select count(*) from evaluation") == "2");
  CHECK(f.Export(spans).SerializeAsString() == response.SerializeAsString());
  CHECK(state() == before);

  // Control: another verdict is a new revision.
  f.Export({Judged(MakeOtlpSpan(Id(2)), {.judge = "binary", .score = 1})});
  CHECK(f.Query("select evaluation_result, revision from evaluation where evaluation_type = 1") == "t|2");
  CHECK(f.Query("select evaluation_result, revision from evaluation_history") == "f|1");
}

TEST_CASE("an exported evaluation is one that the judge's own API could have recorded") {
  Fixture f;
  const Span span = With(MakeOtlpSpan(), "session.id", "chat");
  REQUIRE(f.Message({Judged(span, {.judge = "scored", .score = 4, .explanation = "clear"})}) == "");
  CHECK(f.Query("select judge_id, span_id, span_text, client_id, evaluation_result, evaluation_reason, score,"
                " score_min, score_max, submitted_by, trace_id, session_id, revision from evaluation") ==
        absl::StrCat(f.scored.id(), "|", Key(kSpan), "|", kSpan, "||t|clear|4|1|5|",
                     f.principal.key_id.ToString(), "|", Key(kTrace), "|", Key("chat"), "|1"));
  v1::EvaluationInput input;
  input.set_span_id(kSpan);
  input.set_score(1);
  REQUIRE(f.test.replica.Record(f.principal, f.scored.id(), input).ok());
  CHECK(f.Query("select evaluation_result, score, revision from evaluation") == "f|1|2");
}

TEST_CASE("what an evaluation says is read of its label and its score, by the judge's type") {
  Fixture f;
  const auto stored = [&](const Result& result) {
    f.Query("delete from evaluation");
    const auto response = f.Export({Judged(MakeOtlpSpan(), result)});
    CHECK(response.partial_success().rejected_spans() == 0);
    CHECK(f.Query("select count(*) from span") == "1");
    const std::string found = f.Query("select evaluation_result, score from evaluation");
    return found.empty() ? response.partial_success().error_message() : found;
  };
  for (const char* label : {"pass", "PASS", "true", "Yes"}) {
    CHECK(stored({.judge = "binary", .label = label}) == "t|");
    CHECK(stored({.judge = "binary", .label = label, .score = 0}) == "t|");
    CHECK(stored({.judge = "scored", .label = label, .score = 1}) == "t|1");
  }
  for (const char* label : {"fail", "False", "no"}) {
    CHECK(stored({.judge = "binary", .label = label}) == "f|");
    CHECK(stored({.judge = "scored", .label = label, .score = 5}) == "f|5");
  }
  CHECK(stored({.judge = "binary", .score = 1}) == "t|");
  CHECK(stored({.judge = "binary", .label = "relevant", .score = 0}) == "f|");
  CHECK(stored({.judge = "scored", .label = "relevant", .score = 3.8}) == "t|3.8");
  CHECK(stored({.judge = "scored", .score = 3.7}) == "f|3.7");

  const std::string of_span = std::string("An evaluation of span ") + kSpan + ": ";
  const std::string no_result =
      of_span +
      "gen_ai.evaluation.score.label must be pass or fail, or gen_ai.evaluation.score.value 1 or 0: the judge"
      " is binary.";
  CHECK(stored({.judge = "binary"}) == no_result);
  CHECK(stored({.judge = "binary", .label = "relevant"}) == no_result);
  CHECK(stored({.judge = "binary", .score = 0.5}) == no_result);
  CHECK(stored({.judge = "binary", .score = std::nan("")}) == no_result);
  CHECK(stored({.judge = "scored", .label = "pass"}) == of_span + "score is required of a scored judge.");
  const std::string out_of_range = of_span + "score must lie between 1 and 5, the judge's range.";
  for (const double score : {0.9, 5.1, std::nan(""), HUGE_VAL}) {
    CHECK(stored({.judge = "scored", .score = score}) == out_of_range);
  }
  CHECK(stored({.label = "pass"}) == of_span + "gen_ai.evaluation.name is required.");
  CHECK(stored({.judge = "binary", .label = "pass", .explanation = std::string("\0", 1)}) ==
        of_span + "gen_ai.evaluation.explanation contains U+0000.");
  const std::string create =
      " in this project; create it with POST /signals/projects/{project_id}/automations.";
  CHECK(stored({.judge = "helpful", .label = "pass"}) == of_span + "No judge `helpful`" + create);
  CHECK_THAT(stored({.judge = std::string(201, 'j')}), Catch::StartsWith(of_span + "No judge `jjj"));
  CHECK_THAT(stored({.judge = std::string("binary\0", 7)}), Catch::StartsWith(of_span + "No judge `binary"));

  // Another project's judge is none of this one's.
  const auth::Principal stranger = f.test.AddProject();
  const auto response = f.test.replica.Export(
      stranger, Exported({Judged(MakeOtlpSpan(), {.judge = "binary", .label = "pass"})}));
  REQUIRE(response.ok());
  CHECK(response->partial_success().error_message() == of_span + "No judge `binary`" + create);
}

TEST_CASE("a long explanation is cut at a character") {
  Fixture f;
  const auto stored = [&](const std::string& explanation) {
    f.Export({Judged(MakeOtlpSpan(), {.judge = "binary", .label = "pass", .explanation = explanation})});
    return f.Query("select evaluation_reason from evaluation");
  };
  CHECK(stored(std::string(65'536, 'e')) == std::string(65'536, 'e'));
  CHECK(stored(std::string(65'537, 'e')) == std::string(65'533, 'e') + "...");
  CHECK(stored(std::string(65'532, 'e') + "\xe2\x82\xac\xe2\x82\xac") == std::string(65'532, 'e') + "...");
}

TEST_CASE("of an event that is no evaluation's nothing is read") {
  Fixture f;
  Span span = Judged(MakeOtlpSpan(), {.judge = "binary", .label = "pass"});
  span.mutable_events(0)->set_name("gen_ai.evaluation");
  CHECK(f.Message({span}) == "");
  CHECK(f.Query("select count(*) from evaluation") == "0");
}

TEST_CASE("spans and evaluations of an export are stored together or not at all") {
  Fixture f;
  const ExportRequest request =
      Exported({MakeOtlpSpan(Id(1)), Judged(MakeOtlpSpan(), {.judge = "binary", .label = "pass"})});
  f.Query(
      "create function fault() returns trigger language plpgsql as"
      " $$ begin raise exception 'fault'; end $$;"
      "create trigger fault before insert on evaluation for each row execute function fault()");
  CHECK_FALSE(f.test.replica.Export(f.principal, request).ok());
  const std::string counts =
      "select (select count(*) from span), (select count(*) from trace), (select count(*) from evaluation)";
  CHECK(f.Query(counts) == "0|0|0");

  // Control: it was the fault.
  f.Query("drop trigger fault on evaluation");
  CHECK(f.test.replica.Export(f.principal, request).ok());
  CHECK(f.Query(counts) == "2|1|1");
}

}  // namespace
}  // namespace verdict::feedback
