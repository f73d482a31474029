-- What judges say stands beside what people say: the same place columns, the same history, the same second wall.
begin;

create table evaluation (
  project_id uuid not null,
  id uuid not null,
  judge_id uuid not null,
  span_id uuid not null,
  span_text text not null,
  client_id uuid,
  evaluation_type smallint not null,
  evaluation_result boolean not null,
  evaluation_reason text,
  confidence_score double precision,
  score double precision,
  score_min double precision,
  score_max double precision,
  pass_threshold double precision,
  criteria_scores jsonb,
  model_used text,
  evaluation_duration_ms integer,
  submitted_by uuid not null,
  trace_id uuid,
  session_id uuid,
  revision integer not null default 1,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  primary key (project_id, id),
  constraint evaluation_key unique nulls not distinct (project_id, span_id, judge_id, client_id),
  constraint evaluation_span_text_length check (octet_length(span_text) between 1 and 200),
  constraint evaluation_client_id_is_id check (client_id = id),
  constraint evaluation_type_known check (evaluation_type in (1, 2)),
  constraint evaluation_reason_length check (octet_length(evaluation_reason) <= 65536),
  constraint evaluation_confidence_share check (confidence_score between 0 and 1),
  constraint evaluation_score_of_type check (
    case evaluation_type
      when 2 then coalesce('-infinity' < score_min and score_min < score_max and score_max < 'infinity'
                           and score between score_min and score_max
                           and pass_threshold between score_min and score_max, false)
      else score is null and score_min is null and score_max is null and pass_threshold is null
           and criteria_scores is null
    end),
  constraint evaluation_criteria_object check (jsonb_typeof(criteria_scores) = 'object'),
  constraint evaluation_criteria_length check (octet_length(criteria_scores::text) <= 262144),
  constraint evaluation_model_length check (octet_length(model_used) <= 200),
  constraint evaluation_duration_positive check (evaluation_duration_ms >= 0),
  constraint evaluation_revision_positive check (revision >= 1),
  constraint evaluation_updated_later check (updated_at >= created_at)
) with (fillfactor = 85);
comment on table evaluation is 'What a judge says of a span now, with the judge''s type and range as they were.';
comment on column evaluation.client_id is
  'The id, where the client gave it; null: the one evaluation of this judge and span that has no id of its client''s.';
comment on column evaluation.span_text is 'The span''s id in the spelling of its writer.';
comment on column evaluation.criteria_scores is '{criterion: {score, reason?}}.';
comment on column evaluation.trace_id is 'The span''s trace, null until known.';
comment on column evaluation.session_id is 'The span''s session, null until known.';
create index evaluation_trace on evaluation (project_id, trace_id, created_at, id) where trace_id is not null;
create index evaluation_session on evaluation (project_id, session_id, created_at, id) where session_id is not null;
-- Also counts those that passed, without looking at the rows.
create index evaluation_judge on evaluation (project_id, judge_id, created_at, id) include (evaluation_result);
create index evaluation_project on evaluation (project_id, created_at, id);

create table evaluation_history (
  project_id uuid not null,
  id uuid not null,
  revision integer not null,
  evaluation_result boolean not null,
  evaluation_reason text,
  confidence_score double precision,
  score double precision,
  criteria_scores jsonb,
  model_used text,
  submitted_by uuid not null,
  written_at timestamptz(3) not null,
  primary key (project_id, id, revision)
);
comment on table evaluation_history is 'What evaluations said before they were replaced.';
comment on column evaluation_history.written_at is 'When this revision was written.';

-- As of feedback: a row trigger, for new revisions only.
create function keep_replaced_evaluation() returns trigger language plpgsql as $$
begin
  insert into evaluation_history
    (project_id, id, revision, evaluation_result, evaluation_reason, confidence_score, score, criteria_scores,
     model_used, submitted_by, written_at)
  values
    (old.project_id, old.id, old.revision, old.evaluation_result, old.evaluation_reason, old.confidence_score,
     old.score, old.criteria_scores, old.model_used, old.submitted_by, old.updated_at);
  return null;
end $$;
comment on function keep_replaced_evaluation is 'Keeps the replaced revision of an evaluation row.';
create trigger keep_replaced after update of revision on evaluation
  for each row when (old.revision <> new.revision) execute function keep_replaced_evaluation();

grant select, insert, update, delete on evaluation to verdict_feedback;
grant select, insert, delete on evaluation_history to verdict_feedback;
grant select on evaluation, evaluation_history to verdict_aggregator;

alter table evaluation enable row level security, force row level security;
create policy evaluation_of_project on evaluation for select to verdict_aggregator
  using (project_id = nullif(current_setting('app.project_id', true), '')::uuid);
create policy evaluation_of_all on evaluation to verdict_feedback, verdict_owner using (true);
alter table evaluation_history enable row level security, force row level security;
create policy evaluation_history_of_project on evaluation_history for select to verdict_aggregator
  using (project_id = nullif(current_setting('app.project_id', true), '')::uuid);
create policy evaluation_history_of_all on evaluation_history to verdict_feedback, verdict_owner using (true);

commit;
