begin;
alter table feedback drop constraint feedback_prompt_version_of_span, drop column prompt_version_id;
create index span_created_at on span (created_at);
create index trace_created_at on trace (created_at);
create index session_created_at on session (created_at);
drop index span_project, span_trace, trace_project, trace_session, session_project;
alter table span drop constraint span_model_length, drop column prompt_version_id, drop column model;
commit;
