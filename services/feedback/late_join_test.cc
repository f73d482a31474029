#include <algorithm>
#include <barrier>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>
#include <pqxx/pqxx>

#include "absl/synchronization/notification.h"
#include "common/ids/entity_id.h"
#include "services/feedback/test_service.h"

// What comes first, a span or what is said of it, is a race; whoever wins it, everything must be placed.
namespace verdict::feedback {
namespace {

constexpr int kSpansPerTrace = 4;
constexpr size_t kRatersPerSpan = 2;
constexpr size_t kBatchRows = 32;

struct Target {
  Uuid span_id = {};
  Uuid trace_id = {};
  Uuid session_id = {};
  bool is_root = false;
};
using Targets = std::vector<Target>;
using Store = std::function<void(const Targets&)>;

// Each element is a thread.
struct Sides {
  std::vector<Store> feedback = {};
  std::vector<Store> evaluations = {};
  std::vector<Store> spans = {};
};

// The spans of traces as they arrive: some traces at a time, of each the children, then the roots.
std::vector<Targets> Arrivals(int traces, std::mt19937_64& random) {
  std::vector<Targets> batches;
  const int traces_at_a_time = static_cast<int>(kBatchRows) / (kSpansPerTrace - 1);
  for (int first = 0; first < traces; first += traces_at_a_time) {
    Targets children, roots;
    for (int i = first; i < std::min(first + traces_at_a_time, traces); ++i) {
      const std::string trace = "trace-" + std::to_string(i);
      for (int span = 0; span < kSpansPerTrace; ++span) {
        const std::string id = trace + "-" + std::to_string(span);
        (span == 0 ? roots : children)
            .push_back(
                {EntityKey(id), EntityKey(trace), EntityKey("chat-" + std::to_string(i / 10)), span == 0});
      }
    }
    std::ranges::shuffle(children, random);
    batches.push_back(std::move(children));
    batches.push_back(std::move(roots));
  }
  return batches;
}

void Race(const Sides& sides, int traces, uint64_t seed) {
  std::mt19937_64 random(seed);
  const std::vector<Targets> arrivals = Arrivals(traces, random);
  // All threads begin each of their batches at the same time, so that the kinds stay at the same spans.
  std::barrier round(
      static_cast<ptrdiff_t>(sides.feedback.size() + sides.evaluations.size() + sides.spans.size()));
  std::vector<std::jthread> threads;
  for (const auto* stores : {&sides.feedback, &sides.evaluations, &sides.spans}) {
    for (size_t first = 0; first < stores->size(); ++first) {
      threads.emplace_back([&arrivals, &round, stores, first] {
        for (size_t i = first; i < arrivals.size(); i += stores->size()) {
          round.arrive_and_wait();
          (*stores)[first](arrivals[i]);
        }
        round.arrive_and_drop();
      });
    }
  }
}

// The rows of `table` that are not where their span is.
std::string Misplaced(const TestService& test, const std::string& table, const std::string& span_id) {
  return test.database.Query("select count(*) from " + table +
                             " f join span s on s.project_id = f.project_id and s.span_id = f." + span_id +
                             " join trace t on t.project_id = s.project_id and t.trace_id = s.trace_id"
                             " where t.session_id is null or (f.trace_id, f.session_id) is distinct from "
                             "(t.trace_id, t.session_id)");
}

Store FeedbackStoreOf(TestService& test, const auth::Principal& principal) {
  auto store = std::make_shared<BatchStore>(
      pg::ConnectionOptions{.dsn = test.database.Dsn("feedback"), .application_name = "feedback"},
      test.replica.prompt_cache, test.replica.judge_cache);
  return [store, &principal](const Targets& targets) {
    std::vector<FeedbackWrite> writes;
    for (const Target& target : targets) {
      for (size_t rater = 0; rater < kRatersPerSpan; ++rater) {
        const Time now = SystemClock().Now();
        writes.push_back({.key = {.project_id = principal.project_id,
                                  .target_type = types::v1::ENTITY_TYPE_SPAN,
                                  .target_id = target.span_id,
                                  .rater_kind = RaterKind::kEndUser,
                                  .rater_id = std::to_string(rater)},
                          .id = NewUuidV7(now),
                          .target_text = target.span_id.ToString(),
                          .thumbs_up = true,
                          .at = now});
      }
    }
    std::vector<const FeedbackWrite*> batch;
    for (const FeedbackWrite& write : writes) batch.push_back(&write);
    const auto stored = store->Store(batch);
    if (!stored.ok()) throw std::runtime_error(std::string(stored.status().message()));
  };
}

Store EvaluationStoreOf(TestService& test, const auth::Principal& principal, const v1::Judge& judge) {
  auto store = std::make_shared<EvaluationBatchStore>(
      pg::ConnectionOptions{.dsn = test.database.Dsn("feedback"), .application_name = "evaluations"},
      test.replica.judge_cache);
  return [store, &principal, judge_id = Uuid::Parse(judge.id()).value()](const Targets& targets) {
    std::vector<v1::EvaluationInput> inputs(targets.size());
    std::vector<EvaluationWrite> writes;
    for (size_t i = 0; i < targets.size(); ++i) {
      const Time now = SystemClock().Now();
      inputs[i].set_span_id(targets[i].span_id.ToString());
      inputs[i].set_evaluation_result(true);
      writes.push_back(
          {.key = {.project_id = principal.project_id, .judge_id = judge_id, .span_id = targets[i].span_id},
           .id = NewUuidV7(now),
           .input = &inputs[i],
           .at = now});
    }
    std::vector<const EvaluationWrite*> batch;
    for (const EvaluationWrite& write : writes) batch.push_back(&write);
    const auto stored = store->Store(batch);
    if (!stored.ok()) throw std::runtime_error(std::string(stored.status().message()));
  };
}

Store SpanStoreOf(TestService& test, const auth::Principal& principal) {
  auto store = std::make_shared<SpanStore>(
      pg::ConnectionOptions{.dsn = test.database.Dsn("feedback"), .application_name = "spans"});
  return [store, &principal](const Targets& targets) {
    SpanWrite write = {.project_id = principal.project_id};
    for (const Target& target : targets) {
      SpanRow& row = write.spans.emplace_back(
          SpanRow{.span_id = target.span_id, .trace_id = target.trace_id, .name = "n", .started_at = Time()});
      row.prompt_version_id = target.span_id;
      if (target.is_root) {
        row.session = {.id = target.session_id, .text = "chat"};
      } else {
        row.parent_id = target.trace_id;
      }
    }
    const auto stored = store->Store(std::vector<const SpanWrite*>{&write});
    if (!stored.ok()) throw std::runtime_error(std::string(stored.status().message()));
  };
}

// Runs a statement that takes a project and the targets' columns as arrays: spans, traces, sessions (of
// roots).
class Sql {
 public:
  Sql(const TestService& test, const auth::Principal& principal)
      : connection_(std::make_shared<pqxx::connection>(test.database.Dsn("feedback"))),
        project_(principal.project_id.ToString()) {}

  pqxx::result Run(const std::string& sql, const Targets& targets) const {
    std::string spans, traces, sessions;
    for (const Target& target : targets) {
      const char* comma = spans.empty() ? "" : ",";
      spans += comma + target.span_id.ToString();
      traces += comma + target.trace_id.ToString();
      sessions += comma + (target.is_root ? target.session_id.ToString() : "null");
    }
    pqxx::work transaction(*connection_);
    const pqxx::result result = transaction.exec_params(
        "with b as materialized (select $1::uuid as project_id, * from"
        " unnest($2::uuid[], $3::uuid[], $4::uuid[]) as t (span_id, trace_id, session_id)) " +
            sql,
        project_, "{" + spans + "}", "{" + traces + "}", "{" + sessions + "}");
    transaction.commit();
    return result;
  }

 private:
  std::shared_ptr<pqxx::connection> connection_;
  std::string project_;
};

TEST_CASE("everything that races with its spans is placed in trace and session") {
  constexpr int kTraces = 2'600;  // 20,800 pieces of feedback
  const uint64_t seed = std::random_device()();
  INFO("seed " << seed);
  TestService test;
  const auth::Principal principal = test.AddProject();
  v1::CreateJudgeRequest create;
  create.set_name("j");
  const v1::Judge judge = test.replica.CreateJudge(principal, create);
  Sides sides;
  for (int i = 0; i < 4; ++i) {
    sides.feedback.push_back(FeedbackStoreOf(test, principal));
    sides.evaluations.push_back(EvaluationStoreOf(test, principal, judge));
    sides.spans.push_back(SpanStoreOf(test, principal));
  }

  Race(sides, kTraces, seed);

  const size_t spans = size_t{kTraces} * kSpansPerTrace;
  CHECK(test.database.Query("select count(*) from feedback") == std::to_string(spans * kRatersPerSpan));
  CHECK(test.database.Query("select count(*) from evaluation") == std::to_string(spans));
  CHECK(test.database.Query("select count(*) from feedback where trace_id is null or session_id is null") ==
        "0");
  CHECK(test.database.Query("select count(*) from evaluation where trace_id is null or session_id is null") ==
        "0");
  CHECK(test.database.Query(
            "select count(*) from feedback where prompt_version_id is distinct from target_id") == "0");
  CHECK(Misplaced(test, "feedback", "target_id") == "0");
  CHECK(Misplaced(test, "evaluation", "span_id") == "0");
  CHECK(test.database.Query("select count(*) from span where trace_id is null") == "0");
}

// The obvious code, in the same race: the writer of feedback looks its span up and then inserts, the writer
// of spans updates what waits. Nothing stands in the way of a span that comes between look-up and insert.
TEST_CASE("without a row in which both sides meet, the race leaves feedback behind") {
  TestService test;
  const auth::Principal principal = test.AddProject();
  absl::Notification looked_up, spans_stored;
  const Sides sides = {
      .feedback = {[&, sql = Sql(test, principal)](const Targets& targets) {
        Targets found;
        const pqxx::result places = sql.Run(
            "select b.span_id, s.trace_id from b left join span s on s.project_id = b.project_id"
            " and s.span_id = b.span_id",
            targets);
        for (const auto& place : places) {
          found.push_back({.span_id = Uuid::Parse(place[0].c_str()).value(),
                           .trace_id = place[1].is_null() ? Uuid{} : Uuid::Parse(place[1].c_str()).value()});
        }
        if (!looked_up.HasBeenNotified()) looked_up.Notify();
        spans_stored.WaitForNotification();
        sql.Run(
            "insert into feedback (project_id, id, target_type, target_id, target_text, rater_kind, rater_id,"
            " thumbs_up, via, submitted_by, created_at, updated_at, trace_id)"
            " select project_id, gen_random_uuid(), 1, span_id, 's', 1, 'r', true, 1, project_id, now(), "
            "now(),"
            " nullif(trace_id, '00000000-0000-0000-0000-000000000000') from b",
            found);
      }},
      .spans = {[&, sql = Sql(test, principal)](const Targets& targets) {
        looked_up.WaitForNotification();
        sql.Run(
            "insert into span (project_id, span_id, trace_id, started_at)"
            " select project_id, span_id, trace_id, now() from b",
            targets);
        sql.Run(
            "update feedback f set trace_id = b.trace_id from b where f.project_id = b.project_id"
            " and f.target_type = 1 and f.target_id = b.span_id and f.trace_id is null",
            targets);
        if (!spans_stored.HasBeenNotified()) spans_stored.Notify();
      }}};

  Race(sides, 100, 1);

  CHECK(test.database.Query("select count(*) from feedback") == std::to_string(100 * kSpansPerTrace));
  CHECK(test.database.Query("select count(*) > 0 from feedback f join span s on s.span_id = f.target_id"
                            " where f.trace_id is null") == "t");
}

}  // namespace
}  // namespace verdict::feedback
