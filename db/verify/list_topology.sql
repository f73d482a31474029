begin;
select prompt_version_id, model from span where false;
select prompt_version_id from feedback where false;
select 1 / (count(*) / 5) from pg_indexes
 where indexname in ('span_project', 'span_trace', 'trace_project', 'trace_session', 'session_project');
rollback;
