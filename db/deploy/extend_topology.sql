-- Spans arrive now, not only feedback that mentions them: sessions get their texts and names, and a row that only
-- feedback has mentioned can be told by what it lacks and collected by its age. What reads feedback may read topology
-- too, behind the same second wall.
begin;

alter table span
  add column ended_at timestamptz,
  add column created_at timestamptz not null default now(),
  add constraint span_name_length check (octet_length(name) <= 1000),
  add constraint span_kind_length check (octet_length(kind) <= 100);
comment on column span.created_at is 'When the row was made; a stub (trace_id is null) is collected by it.';
create index span_stub on span (created_at) where trace_id is null;

alter table trace
  add column started_at timestamptz,
  add column created_at timestamptz not null default now();
comment on column trace.started_at is 'When its first known span started; null while only feedback has mentioned it.';
comment on column trace.created_at is 'When the row was made; a stub (started_at is null) is collected by it.';
create index trace_stub on trace (created_at) where started_at is null;

create table session (
  project_id uuid not null,
  session_id uuid not null,
  session_text text not null,
  name text,
  created_at timestamptz not null default now(),
  primary key (project_id, session_id),
  constraint session_text_length check (octet_length(session_text) between 1 and 200),
  constraint session_name_length check (octet_length(name) <= 1000)
);
comment on table session is 'A conversation: traces that belong together.';
comment on column session.session_text is 'Its id in the spelling of its first writer.';

grant delete on span, trace to verdict_feedback;
grant select, insert, update on session to verdict_feedback;
grant select on session to verdict_aggregator;

alter table span enable row level security, force row level security;
create policy span_of_project on span for select to verdict_aggregator
  using (project_id = nullif(current_setting('app.project_id', true), '')::uuid);
create policy span_of_all on span to verdict_feedback, verdict_owner using (true);
alter table trace enable row level security, force row level security;
create policy trace_of_project on trace for select to verdict_aggregator
  using (project_id = nullif(current_setting('app.project_id', true), '')::uuid);
create policy trace_of_all on trace to verdict_feedback, verdict_owner using (true);
alter table session enable row level security, force row level security;
create policy session_of_project on session for select to verdict_aggregator
  using (project_id = nullif(current_setting('app.project_id', true), '')::uuid);
create policy session_of_all on session to verdict_feedback, verdict_owner using (true);

commit;
