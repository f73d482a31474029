begin;
select project_id, span_id, trace_id, parent_id, session_id, name, kind, started_at, ended_at, created_at
  from span where false;
select project_id, trace_id, session_id, started_at, created_at from trace where false;
select project_id, session_id, session_text, name, created_at from session where false;
select 1 / count(*) from pg_indexes where indexname = 'span_stub';
select 1 / count(*) from pg_indexes where indexname = 'trace_stub';
select 1 / (count(*) / 3) from pg_class
 where oid in ('span'::regclass, 'trace'::regclass, 'session'::regclass) and relrowsecurity and relforcerowsecurity;
rollback;
