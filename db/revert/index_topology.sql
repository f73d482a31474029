begin;
revoke delete on session from verdict_feedback;
drop index session_created_at, trace_created_at, span_created_at;
commit;
