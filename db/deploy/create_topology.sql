-- Feedback on a span counts for its trace and its session too, and may arrive before any of them. Whoever mentions a
-- span or trace first makes its row, so both sides meet in the primary key and no feedback is left unjoined.
-- No foreign keys here: they would cost every write more than half as much again; the services check instead.
begin;

create table span (
  project_id uuid not null,
  span_id uuid not null,
  trace_id uuid,
  parent_id uuid,
  session_id uuid,
  name text,
  kind text,
  started_at timestamptz,
  primary key (project_id, span_id)
) with (fillfactor = 80);
comment on table span is 'One step of a trace, as far as it is known; a completion is a span.';
comment on column span.trace_id is 'Null while only feedback has mentioned the span.';
comment on column span.session_id is 'The span''s own session; where null, its trace''s counts.';

create table trace (
  project_id uuid not null,
  trace_id uuid not null,
  session_id uuid,
  primary key (project_id, trace_id)
) with (fillfactor = 80);
comment on table trace is 'One request through an application: a tree of spans.';

grant select, insert, update on span, trace to verdict_feedback;
grant select on span, trace to verdict_aggregator;

commit;
