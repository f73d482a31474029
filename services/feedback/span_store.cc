#include "services/feedback/span_store.h"

#include <array>
#include <iterator>
#include <optional>
#include <span>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/node_hash_map.h"
#include "common/pg/columns.h"
#include "common/pg/execute.h"
#include "common/pg/param.h"
#include "common/pg/session.h"
#include "common/pg/value.h"
#include "common/status/macros.h"
#include "services/feedback/errors.h"
#include "services/feedback/evaluation_batch_store.h"
#include "services/feedback/judge_store.h"

namespace verdict::feedback {
namespace {

// A batch of spans is one transaction of these statements. Feedback and evaluations of a span that has not
// arrived have made a stub of it: both sides lock the same row, and the one that comes second sees the first.
// So what waits is looked for by later statements, whose snapshots are taken once the rows are locked. All
// rows are locked in the order spans, traces, sessions, each sorted by its key, as in kStoreFeedback. Whoever
// changes feedback or evaluations locks their span or trace first, so that those need no order. What judges
// say of the spans is stored last, and so finds its place.

// What a span has been given stays: its trace, so that a repeat cannot take it out of there, and its session.
// A trace takes the first session that any of its spans names, and keeps it: its root's when several arrive
// at once, else that of the one that started first. Returns the traces.
constexpr pg::Statement kStoreSpans = {"store_spans", R"sql(
with sp as (
  insert into span as s (project_id, span_id, trace_id, parent_id, session_id, name, kind, started_at, ended_at,
                         prompt_version_id, model)
  select project_id, span_id, trace_id, parent_id, session_id, name, kind, started_at, ended_at, prompt_version_id, model
    from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::timestamptz[],
                $9::timestamptz[], $10::uuid[], $11::text[])
         as b (project_id, span_id, trace_id, parent_id, session_id, name, kind, started_at, ended_at,
               prompt_version_id, model)
   order by project_id, span_id
  on conflict (project_id, span_id) do update
     set trace_id = coalesce(s.trace_id, excluded.trace_id), parent_id = coalesce(excluded.parent_id, s.parent_id),
         session_id = coalesce(s.session_id, excluded.session_id), name = excluded.name,
         kind = coalesce(excluded.kind, s.kind), started_at = excluded.started_at,
         ended_at = coalesce(excluded.ended_at, s.ended_at),
         prompt_version_id = coalesce(excluded.prompt_version_id, s.prompt_version_id),
         model = coalesce(excluded.model, s.model)
  returning s.project_id, s.trace_id, s.parent_id, s.session_id, s.started_at)
insert into trace as t (project_id, trace_id, session_id, started_at)
select project_id, trace_id,
       (array_agg(session_id order by parent_id is not null, started_at, session_id)
          filter (where session_id is not null))[1],
       min(started_at)
  from sp
 group by project_id, trace_id
 order by project_id, trace_id
on conflict (project_id, trace_id) do update
   set session_id = coalesce(t.session_id, excluded.session_id),
       started_at = least(t.started_at, excluded.started_at)
returning t.project_id, t.trace_id, t.session_id is not null)sql"};

// A session bears the latest name that it was given, and its id as it was first spelt.
constexpr pg::Statement kStoreSessions = {"store_sessions", R"sql(
insert into session as s (project_id, session_id, session_text, name)
select project_id, session_id, session_text, name
  from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) as b (project_id, session_id, session_text, name)
 order by project_id, session_id
on conflict (project_id, session_id) do update set name = excluded.name
 where excluded.name is not null and s.name is distinct from excluded.name)sql"};

// What is on the spans themselves: their trace and session, and of feedback the version of the prompt, where
// these are news. A session that is known is not forgotten, though its trace may have been collected.
constexpr pg::Statement kPlaceOnSpans = {"place_on_spans", R"sql(
with place as materialized (
  select b.project_id, b.span_id, s.trace_id, coalesce(s.session_id, t.session_id) as session_id, s.prompt_version_id
    from unnest($1::uuid[], $2::uuid[]) as b (project_id, span_id)
    cross join lateral (
         select s.trace_id, s.session_id, s.prompt_version_id from span s
          where s.project_id = b.project_id and s.span_id = b.span_id limit 1) s
    cross join lateral (
         select t.session_id from trace t
          where t.project_id = b.project_id and t.trace_id = s.trace_id limit 1) t),
placed as (
  update feedback f set trace_id = p.trace_id, session_id = coalesce(p.session_id, f.session_id),
                        prompt_version_id = coalesce(p.prompt_version_id, f.prompt_version_id)
    from place p
   where f.project_id = p.project_id and f.target_type = 1 and f.target_id = p.span_id
     and (f.trace_id is null or f.session_id is distinct from coalesce(p.session_id, f.session_id)
          or f.prompt_version_id is distinct from coalesce(p.prompt_version_id, f.prompt_version_id)))
update evaluation e set trace_id = p.trace_id, session_id = coalesce(p.session_id, e.session_id)
  from place p
 where e.project_id = p.project_id and e.span_id = p.span_id
   and (e.trace_id is null or e.session_id is distinct from coalesce(p.session_id, e.session_id)))sql"};

// What is on the traces and their other spans: the session, where it has just become known.
constexpr pg::Statement kPlaceInTraces = {"place_in_traces", R"sql(
with place as materialized (
  select b.project_id, b.trace_id, t.session_id
    from unnest($1::uuid[], $2::uuid[]) as b (project_id, trace_id)
    cross join lateral (
         select t.session_id from trace t
          where t.project_id = b.project_id and t.trace_id = b.trace_id limit 1) t),
placed as (
  update feedback f set session_id = p.session_id
    from place p
   where f.project_id = p.project_id and f.trace_id = p.trace_id and f.session_id is null)
update evaluation e set session_id = p.session_id
  from place p
 where e.project_id = p.project_id and e.trace_id = p.trace_id and e.session_id is null)sql"};

std::span<const pg::Statement> Statements() {
  static const std::array statements = {kStoreSpans,    kStoreSessions,    kPlaceOnSpans,
                                        kPlaceInTraces, kFindJudgesByName, kStoreNewEvaluations};
  return statements;
}

using EntityKeys = std::pair<Uuid, Uuid>;  // project, entity

// A batch with each span and each session once, which is what an upsert takes.
struct Batch {
  absl::flat_hash_map<EntityKeys, SpanRow> spans;
  absl::flat_hash_map<EntityKeys, SpanSessionRow> sessions;
};

// What of a batch kStoreEvaluations takes.
struct Evaluation {
  v1::EvaluationInput input = {};
  const JudgeRules* judge = nullptr;
  EvaluationWrite write = {};
};

// What kStoreSpans does with a span that is there already.
void Repeat(const SpanRow& later, SpanRow& row) {
  if (later.parent_id) row.parent_id = later.parent_id;
  if (!row.session) row.session = later.session;
  row.name = later.name;
  if (later.kind) row.kind = later.kind;
  row.started_at = later.started_at;
  if (later.ended_at) row.ended_at = later.ended_at;
  if (later.prompt_version_id) row.prompt_version_id = later.prompt_version_id;
  if (later.model) row.model = later.model;
}

Batch Gather(absl::Span<const SpanWrite* const> writes) {
  Batch batch;
  for (const SpanWrite* write : writes) {
    for (const SpanRow& span : write->spans) {
      const auto [entry, is_new] = batch.spans.try_emplace({write->project_id, span.span_id}, span);
      if (!is_new) Repeat(span, entry->second);
      if (!span.session) continue;
      const auto [session, is_new_session] =
          batch.sessions.try_emplace({write->project_id, span.session->id}, *span.session);
      if (!is_new_session && span.session->name) session->second.name = span.session->name;
    }
  }
  return batch;
}

pqxx::result StoreSpans(pqxx::transaction_base& transaction, const Batch& batch) {
  pg::Columns<11> columns;
  for (const auto& [key, span] : batch.spans) {
    columns.AddRow(key.first, span.span_id, span.trace_id, span.parent_id,
                   span.session ? std::optional(span.session->id) : std::nullopt, span.name, span.kind,
                   span.started_at, span.ended_at, span.prompt_version_id, span.model);
  }
  return columns.Execute(transaction, kStoreSpans);
}

void StoreSessions(pqxx::transaction_base& transaction, const Batch& batch) {
  if (batch.sessions.empty()) return;
  pg::Array projects, sessions, texts, names;
  for (const auto& [key, session] : batch.sessions) {
    projects.Add(key.first);
    sessions.Add(session.id);
    texts.Add(session.text);
    names.Add(session.name);
  }
  pg::Execute(transaction, kStoreSessions, std::move(projects), std::move(sessions), std::move(texts),
              std::move(names));
}

void PlaceOnSpans(pqxx::transaction_base& transaction, const Batch& batch) {
  pg::Array projects, spans;
  for (const auto& [key, span] : batch.spans) {
    projects.Add(key.first);
    spans.Add(span.span_id);
  }
  pg::Execute(transaction, kPlaceOnSpans, std::move(projects), std::move(spans));
}

// `stored` is the result of kStoreSpans.
void PlaceInTraces(pqxx::transaction_base& transaction, const pqxx::result& stored) {
  pg::Array projects, traces;
  bool any = false;
  for (const auto& row : stored) {
    const bool has_session = row[2].as<bool>();
    if (!has_session) continue;
    any = true;
    projects.Add(pg::TextFrom(row[0]));
    traces.Add(pg::TextFrom(row[1]));
  }
  if (any) pg::Execute(transaction, kPlaceInTraces, std::move(projects), std::move(traces));
}

// Stores what judges say of the spans, which are locked by now, and answers each write.
std::vector<StoredSpans> StoreEvaluationsOf(pqxx::transaction_base& transaction,
                                            absl::Span<const SpanWrite* const> writes) {
  std::vector<StoredSpans> answers(writes.size());
  absl::flat_hash_set<JudgeName> names;
  for (const SpanWrite* write : writes) {
    for (const SpanEvaluation& said : write->evaluations) names.emplace(write->project_id, said.judge_name);
  }
  if (names.empty()) return answers;
  const auto judges = FindJudgesByName(transaction, names);

  // Each key once: the later one counts.
  absl::node_hash_map<EvaluationKey, Evaluation> evaluations;
  for (size_t i = 0; i < writes.size(); ++i) {
    for (const SpanEvaluation& said : writes[i]->evaluations) {
      const auto judge = judges.find({writes[i]->project_id, said.judge_name});
      Evaluation evaluation = {.input = said.input};
      const absl::Status status =
          judge == judges.end() ? error::JudgeNameNotFound(said.judge_name)
                                : SetScore(judge->second.rules, said.label, said.score, evaluation.input);
      if (!status.ok()) {
        answers[i].refused.push_back({said.input.span_id(), status});
        continue;
      }
      evaluation.judge = &judge->second.rules;
      evaluation.write = {
          .key = {.project_id = writes[i]->project_id, .judge_id = judge->second.id, .span_id = said.span_id},
          .id = said.id,
          .submitted_by = writes[i]->submitted_by,
          .at = writes[i]->at};
      evaluations.insert_or_assign(evaluation.write.key, std::move(evaluation));
    }
  }
  std::vector<CheckedEvaluation> checked;
  for (auto& [key, evaluation] : evaluations) {
    evaluation.write.input = &evaluation.input;
    checked.push_back({&evaluation.write, evaluation.judge});
  }
  StoreEvaluations(transaction, checked);
  return answers;
}

}  // namespace

SpanStore::SpanStore(pg::ConnectionOptions connection) {
  connection.statements = Statements();
  connection.generic_plans = true;
  session_ = std::make_unique<pg::Session>(std::move(connection));
}

SpanStore::~SpanStore() = default;

absl::StatusOr<std::vector<absl::StatusOr<StoredSpans>>> SpanStore::Store(
    absl::Span<const SpanWrite* const> writes) {
  const Batch batch = Gather(writes);
  std::vector<StoredSpans> answers;
  RETURN_IF_ERROR(
      session_->WithTransaction(pg::Isolation::kReadCommitted, [&](pqxx::transaction_base& transaction) {
        const pqxx::result stored = StoreSpans(transaction, batch);
        StoreSessions(transaction, batch);
        PlaceOnSpans(transaction, batch);
        PlaceInTraces(transaction, stored);
        answers = StoreEvaluationsOf(transaction, writes);
        return absl::OkStatus();
      }));
  return std::vector<absl::StatusOr<StoredSpans>>(std::make_move_iterator(answers.begin()),
                                                  std::make_move_iterator(answers.end()));
}

}  // namespace verdict::feedback
