#include "services/aggregator/topology_store.h"

#include <string>

#include <pqxx/pqxx>

#include "common/pg/execute.h"
#include "common/pg/value.h"
#include "services/aggregator/store_read.h"

namespace verdict::aggregator {
namespace {

using pg::Statement;

// Milliseconds since 1970. PostgreSQL stamps rows by the microsecond; rounded down, so that a start_date that
// was read off a row finds it.
#define MILLISECONDS(column) "floor(extract(epoch from " column ") * 1000)::int8"

// The parameters of a TopologySelection. Cursors are planned for the values that they are opened with, so a
// filter that is not given costs nothing and one that is given finds its index. Traces and sessions are
// looked up for the rows that are wanted only: a page costs as much as the page, and the rows that `offset`
// skips.
#define SELECTED(table, id, within, arrived)                                                            \
  "(select * from " table " where project_id = $1::uuid and " arrived " and ($2::uuid is null or " id   \
  " = $2) and ($3::uuid is null or " within                                                             \
  " = $3)"                                                                                              \
  " and ($4::timestamptz is null or created_at >= $4) and ($5::timestamptz is null or created_at < $5)" \
  " order by created_at desc, " id " desc limit $6::int4 offset $7::int4) " table

// Beside each row: its session in the spelling of its first writer, while that is kept. `key` is a column:
// row-level security keeps the index from expressions that it does not know to be free of leaks.
#define SESSION_TEXT(key) "coalesce(session_text, " key "::text)"
#define WITH_SESSION(key)                                \
  " left join lateral (select session_text from session" \
  "  where project_id = $1::uuid and session.session_id = " key " limit 1) session on true"

// `placed` is no part of the query around it, for its `limit`, so that its session is a column.
constexpr Statement kOpenSpans = {
    .name = "open_spans",
    .sql = "declare found no scroll cursor for select project_id, span_id, " MILLISECONDS("created_at") ", "
           SESSION_TEXT("placed.session_id") ", name, " MILLISECONDS("started_at") ", " MILLISECONDS("ended_at")
           ", trace_id, parent_id, kind, prompt_version_id, model"
           " from " SELECTED("span", "span_id", "trace_id", "trace_id is not null")
           " cross join lateral (select coalesce(span.session_id, (select trace.session_id from trace"
           "  where project_id = $1::uuid and trace.trace_id = span.trace_id)) as session_id limit 1) placed"
           WITH_SESSION("placed.session_id") " order by created_at desc, span_id desc"};

// Of several roots, the one that came first.
constexpr Statement kOpenTraces = {
    .name = "open_traces",
    .sql = "declare found no scroll cursor for select project_id, trace_id, " MILLISECONDS("created_at") ", "
           SESSION_TEXT("trace.session_id") ", root.name, " MILLISECONDS("started_at") ", "
           MILLISECONDS("root.ended_at") ", span_count"
           " from " SELECTED("trace", "trace_id", "session_id", "started_at is not null")
           WITH_SESSION("trace.session_id")
           " left join lateral (select name, ended_at from span"
           "  where project_id = $1::uuid and span.trace_id = trace.trace_id and parent_id is null"
           "  order by span.created_at, span_id limit 1) root on true"
           " cross join lateral (select count(*) as span_count from span"
           "  where project_id = $1::uuid and span.trace_id = trace.trace_id) spans"
           " order by created_at desc, trace_id desc"};

constexpr Statement kOpenSessions = {
    .name = "open_sessions",
    .sql = "declare found no scroll cursor for select project_id, session_id, " MILLISECONDS("created_at") ", "
           "session_text, name, trace_count"
           " from " SELECTED("session", "session_id", "session_id", "true")
           " cross join lateral (select count(*) as trace_count from trace"
           "  where project_id = $1::uuid and trace.session_id = session.session_id) traces"
           " order by created_at desc, session_id desc"};

enum Column : int {
  kProjectId,
  kId,
  kCreatedAt,
  kSessionText,
  kName,
  // Of spans and traces.
  kStartedAt,
  kEndedAt,
  // Of spans.
  kTraceId,
  kParentId,
  kKind,
  kPromptVersionId,
  kModel,
};
// Of traces and of sessions, the last column.
constexpr int kSpanCount = kEndedAt + 1;
constexpr int kTraceCount = kName + 1;

// When it started and ended, and the time between, unless it ended before it started, by a clock set back.
template <typename Element>
void ReadTimes(const pg::Row& row, Element& element) {
  const Time started_at = pg::TimeFrom(row[kStartedAt]);
  *element.mutable_started_at() = ToProto(started_at);
  if (row[kEndedAt].is_null()) return;
  const Time ended_at = pg::TimeFrom(row[kEndedAt]);
  *element.mutable_ended_at() = ToProto(ended_at);
  if (ended_at >= started_at) {
    element.set_duration_ms(static_cast<double>((ended_at - started_at).count()));
  }
}

void Read(const pg::Row& row, v1::Span& span) {
  span.set_trace_id(pg::StringFrom(row[kTraceId]));
  if (!row[kParentId].is_null()) span.set_parent_span_id(pg::StringFrom(row[kParentId]));
  if (!row[kSessionText].is_null()) span.set_session_id(pg::StringFrom(row[kSessionText]));
  if (!row[kName].is_null()) span.set_name(pg::StringFrom(row[kName]));
  if (!row[kKind].is_null()) span.set_kind(pg::StringFrom(row[kKind]));
  ReadTimes(row, span);
  if (!row[kPromptVersionId].is_null()) span.set_prompt_version_id(pg::StringFrom(row[kPromptVersionId]));
  if (!row[kModel].is_null()) span.set_model(pg::StringFrom(row[kModel]));
}

void Read(const pg::Row& row, v1::Trace& trace) {
  if (!row[kSessionText].is_null()) trace.set_session_id(pg::StringFrom(row[kSessionText]));
  if (!row[kName].is_null()) trace.set_name(pg::StringFrom(row[kName]));
  ReadTimes(row, trace);
  trace.set_span_count(row[kSpanCount].as<int>());
}

void Read(const pg::Row& row, v1::Session& session) {
  session.set_id(pg::StringFrom(row[kSessionText]));
  if (!row[kName].is_null()) session.set_name(pg::StringFrom(row[kName]));
  session.set_trace_count(row[kTraceCount].as<int>());
}

template <typename Element>
Element ElementFrom(const pg::Row& row) {
  Element element;
  element.set_id(pg::StringFrom(row[kId]));
  element.set_project_id(pg::StringFrom(row[kProjectId]));
  Read(row, element);
  *element.mutable_created_at() = ToProto(pg::TimeFrom(row[kCreatedAt]));
  return element;
}

}  // namespace

template <typename Element>
absl::Status TopologyStore::List(const Statement& list, const Uuid& project_id,
                                 const TopologySelection& selection, Take<Element> take) const {
  const auto open = [&](pqxx::transaction_base& transaction) {
    pg::Execute(transaction, list, project_id, selection.id, selection.within, selection.start_date,
                selection.end_date, selection.limit, selection.offset);
    return absl::OkStatus();
  };
  return PassOn<Element>(reads_, streams_, project_id, open, ElementFrom<Element>, take);
}

absl::Status TopologyStore::ListSpans(const Uuid& project_id, const TopologySelection& selection,
                                      Take<v1::Span> take) const {
  return List(kOpenSpans, project_id, selection, take);
}

absl::Status TopologyStore::ListTraces(const Uuid& project_id, const TopologySelection& selection,
                                       Take<v1::Trace> take) const {
  return List(kOpenTraces, project_id, selection, take);
}

absl::Status TopologyStore::ListSessions(const Uuid& project_id, const TopologySelection& selection,
                                         Take<v1::Session> take) const {
  return List(kOpenSessions, project_id, selection, take);
}

std::vector<Statement> TopologyStore::TopologyStatements() {
  return {kOpenSpans, kOpenTraces, kOpenSessions};
}

}  // namespace verdict::aggregator
