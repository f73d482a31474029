-- Topology may be kept for a time only, so its oldest rows must be found without looking at all. Rows come in the order
-- of the index, which makes its upkeep cheap.
begin;

create index span_created_at on span (created_at);
create index trace_created_at on trace (created_at);
create index session_created_at on session (created_at);
grant delete on session to verdict_feedback;

commit;
