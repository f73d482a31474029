#include "services/feedback/garbage_store.h"

#include "common/pg/execute.h"
#include "common/status/macros.h"

namespace verdict::feedback {
namespace {

// Deletes rows of a table whose `since` is $1 milliseconds ago or more, the oldest first; `also` narrows it
// down.
//
// Every statement takes the same advisory lock for as long as it runs; who does not get it deletes nothing.
// The rows are found by an index, locked without waiting, looked at again if they changed meanwhile, and
// deleted where they stand. 1,000 is kRowsMax.
#define VERDICT_COLLECT(table, since, also)                                               \
  "delete from " table " where ctid = any (array(select ctid from " table " where " since \
  " < now() - $1::int8 * interval '1 ms' " also                                           \
  " and (select pg_try_advisory_xact_lock(8531321946284286721)) order by " since          \
  " limit 1000 for update skip locked))"

// A claim is made before its token ends, so the end's index finds it; `at` is looked at in case clocks
// differ.
constexpr pg::Statement kCollectRedemptions = {
    "collect_redemptions",
    VERDICT_COLLECT("redemption", "exp", "and at < now() - $1::int8 * interval '1 ms'")};

constexpr pg::Statement kCollectIdempotency = {"collect_idempotency",
                                               VERDICT_COLLECT("idempotency", "created_at", "")};

// Nothing is lost with a stub: a span or trace that arrives after all finds what is on it by its own id.
constexpr pg::Statement kCollectSpanStubs = {"collect_span_stubs",
                                             VERDICT_COLLECT("span", "created_at", "and trace_id is null")};

constexpr pg::Statement kCollectTraceStubs = {
    "collect_trace_stubs", VERDICT_COLLECT("trace", "created_at", "and started_at is null")};

// The same by the indexes that list topology, of one project after the other.
#define VERDICT_COLLECT_BY_PROJECT(table, arrived)                                   \
  "delete from " table                                                               \
  " where ctid = any (array(select found.place from project cross join lateral"      \
  " (select ctid as place from " table " where project_id = project.id and " arrived \
  " and created_at < now() - $1::int8 * interval '1 ms'"                             \
  " and (select pg_try_advisory_xact_lock(8531321946284286721)) order by created_at" \
  " limit 1000 for update skip locked) found limit 1000))"

constexpr pg::Statement kCollectSpans = {"collect_spans",
                                         VERDICT_COLLECT_BY_PROJECT("span", "trace_id is not null")};

constexpr pg::Statement kCollectTraces = {"collect_traces",
                                          VERDICT_COLLECT_BY_PROJECT("trace", "started_at is not null")};

constexpr pg::Statement kCollectSessions = {"collect_sessions",
                                            VERDICT_COLLECT_BY_PROJECT("session", "true")};

#undef VERDICT_COLLECT
#undef VERDICT_COLLECT_BY_PROJECT

// By Garbage.
constexpr pg::Statement kStatements[] = {kCollectRedemptions, kCollectIdempotency, kCollectSpanStubs,
                                         kCollectTraceStubs,  kCollectSpans,       kCollectTraces,
                                         kCollectSessions};

}  // namespace

std::span<const pg::Statement> GarbageStore::Statements() { return kStatements; }

absl::StatusOr<size_t> GarbageStore::Collect(Garbage kind, std::chrono::milliseconds age) const {
  ASSIGN_OR_RETURN(
      const pqxx::result deleted,
      pg::Execute(pool_, pg::Access::kWrite, kStatements[static_cast<size_t>(kind)], age.count()));
  return deleted.affected_rows();
}

}  // namespace verdict::feedback
