begin;
drop table session;
drop policy span_of_project on span;
drop policy span_of_all on span;
alter table span disable row level security, no force row level security;
drop policy trace_of_project on trace;
drop policy trace_of_all on trace;
alter table trace disable row level security, no force row level security;
revoke delete on span, trace from verdict_feedback;
alter table trace drop column started_at, drop column created_at;
alter table span
  drop constraint span_name_length, drop constraint span_kind_length,
  drop column ended_at, drop column created_at;
commit;
