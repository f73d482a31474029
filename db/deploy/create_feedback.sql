-- The heart of the product: one row per target, rater and judge, enforced here and nowhere else, because two requests
-- of one rater may meet in two processes. What a row said before is kept, by a trigger that no writer can forget.
-- No foreign keys: they would cost every write more than half as much again; the services check instead.
begin;

create table feedback (
  project_id uuid not null,
  id uuid not null,
  target_type smallint not null,
  target_id uuid not null,
  target_text text not null,
  prompt_id uuid,
  rater_kind smallint not null,
  rater_id text collate "C" not null,
  rater_email text,
  rater_name text,
  judge_id uuid,
  thumbs_up boolean not null,
  reason text,
  expected_output text,
  metadata jsonb,
  via smallint not null,
  submitted_by uuid not null,
  trace_id uuid,
  session_id uuid,
  revision integer not null default 1,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  primary key (project_id, id),
  constraint feedback_key unique nulls not distinct
    (project_id, target_type, target_id, rater_kind, rater_id, judge_id),
  constraint feedback_target_type_known check (target_type between 1 and 5),
  constraint feedback_target_text_length check (octet_length(target_text) between 1 and 200),
  constraint feedback_prompt_of_span check (prompt_id is null or target_type = 1),
  constraint feedback_rater_kind_known check (rater_kind between 0 and 2),
  constraint feedback_rater_id_length check (octet_length(rater_id) between 1 and 200),
  constraint feedback_rater_email_length check (octet_length(rater_email) <= 254),
  constraint feedback_rater_name_length check (octet_length(rater_name) <= 100),
  constraint feedback_reason_length check (octet_length(reason) <= 65536),
  constraint feedback_expected_output_length check (octet_length(expected_output) <= 65536),
  constraint feedback_metadata_object check (jsonb_typeof(metadata) = 'object'),
  -- The service takes 16 KiB; jsonb adds a blank behind each colon and comma.
  constraint feedback_metadata_length check (octet_length(metadata::text) <= 65536),
  -- A key's user never comes by token, an anonymous rater never otherwise.
  constraint feedback_via_known check (via in (1, 2)),
  constraint feedback_via_of_rater check (rater_kind = 1 or via = case rater_kind when 0 then 1 else 2 end),
  -- A trace and a session are their own place; eval runs and annotations stand in neither.
  constraint feedback_place check (
    case target_type
      when 1 then true
      when 2 then trace_id is not distinct from target_id
      when 3 then trace_id is null and session_id is not distinct from target_id
      else trace_id is null and session_id is null
    end),
  constraint feedback_revision_positive check (revision >= 1),
  constraint feedback_updated_later check (updated_at >= created_at)
) with (fillfactor = 85);
comment on table feedback is 'What one rater thinks of one target now.';
comment on column feedback.target_type is
  'Number of verdict.types.v1.EntityType: 1 span, 2 trace, 3 session, 4 eval run, 5 annotation.';
comment on column feedback.target_text is 'The target''s id in the spelling of its writer.';
comment on column feedback.prompt_id is 'The prompt that the last write named; not part of the key.';
comment on column feedback.rater_kind is
  '0 the API key''s user, 1 an end user named by the caller or the token''s subject, 2 the bearer of an anonymous token.';
comment on column feedback.rater_id is 'Unique per kind: a user''s UUID, the application''s own id, or the token''s id.';
comment on column feedback.via is 'Which way the last write came: 1 API, 2 token.';
comment on column feedback.submitted_by is 'The API key of the last write, or the token''s id.';
comment on column feedback.trace_id is 'The target''s trace, null until known.';
comment on column feedback.session_id is 'The target''s session, null until known.';
create index feedback_trace on feedback (project_id, trace_id, created_at, id) where trace_id is not null;
create index feedback_session on feedback (project_id, session_id, created_at, id) where session_id is not null;

create table feedback_history (
  project_id uuid not null,
  id uuid not null,
  revision integer not null,
  thumbs_up boolean not null,
  reason text,
  expected_output text,
  metadata jsonb,
  submitted_by uuid not null,
  written_at timestamptz(3) not null,
  withdrawn_at timestamptz(3),
  primary key (project_id, id, revision)
);
comment on table feedback_history is 'What feedback said before it was replaced or withdrawn.';
comment on column feedback_history.written_at is 'When this revision was written.';
comment on column feedback_history.withdrawn_at is 'When the record was withdrawn, on its last revision only.';

-- Fires for new revisions only, not when a late span fills in trace and session. Withdrawals are not its business:
-- whether a deleted row is kept (withdrawn) or not (erased) is known only to the statement that deletes it.
create function keep_replaced() returns trigger language plpgsql as $$
begin
  insert into feedback_history
    (project_id, id, revision, thumbs_up, reason, expected_output, metadata, submitted_by, written_at)
  values
    (old.project_id, old.id, old.revision, old.thumbs_up, old.reason, old.expected_output, old.metadata,
     old.submitted_by, old.updated_at);
  return null;
end $$;
comment on function keep_replaced is 'Keeps the replaced revision of a feedback row.';
create trigger keep_replaced after update of revision on feedback
  for each row when (old.revision <> new.revision) execute function keep_replaced();

-- The second wall between tenants: a read of the aggregator that forgot its WHERE clause still sees only the project
-- that its statement has set. Writers and the owner are named: whoever is not sees nothing, the owner's rights included.
alter table feedback enable row level security, force row level security;
create policy feedback_of_project on feedback for select to verdict_aggregator
  using (project_id = nullif(current_setting('app.project_id', true), '')::uuid);
create policy feedback_of_all on feedback to verdict_feedback, verdict_owner using (true);

grant select, insert, update, delete on feedback to verdict_feedback;
grant select, insert on feedback_history to verdict_feedback;
grant select on feedback to verdict_aggregator;

commit;
