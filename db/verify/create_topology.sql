begin;
select project_id, span_id, trace_id, parent_id, session_id, name, kind, started_at from span where false;
select project_id, trace_id, session_id from trace where false;
rollback;
