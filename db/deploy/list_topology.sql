-- Spans know which version of a prompt they were made with, and their feedback shows it. Spans, traces and sessions are
-- listed by project, those that came last first; one more index each lists and counts a trace's spans, and a session's
-- traces. Rows that came in one transaction have one created_at, so keys without their ids are stored once for all of
-- them, and what is sorted by id is never more than came at once. Retention goes by the same indexes, project by
-- project: those on created_at alone would cost every write, and would be what the planner takes for a list, whose
-- project may have none of the latest rows.
begin;

alter table span
  add column prompt_version_id uuid,
  add column model text,
  add constraint span_model_length check (octet_length(model) between 1 and 200);
comment on column span.prompt_version_id is 'The version of the prompt that it was made with, as its writer says.';
create index span_project on span (project_id, created_at) where trace_id is not null;
create index span_trace on span (project_id, trace_id, created_at) where trace_id is not null;
create index trace_project on trace (project_id, created_at) where started_at is not null;
create index trace_session on trace (project_id, session_id, created_at) where session_id is not null;
create index session_project on session (project_id, created_at);
drop index span_created_at, trace_created_at, session_created_at;

alter table feedback
  add column prompt_version_id uuid,
  add constraint feedback_prompt_version_of_span check (prompt_version_id is null or target_type = 1);
comment on column feedback.prompt_version_id is 'The version of the prompt that the span was made with, once it has told.';

commit;
