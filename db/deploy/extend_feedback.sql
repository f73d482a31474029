-- Feedback on a judge's evaluation has values of its own. Lists go by time, by rater or by judge, and erasure by rater,
-- so each has its index; a withdrawn record's rater must be known in the history, or it could not be erased. What reads
-- feedback may read what it said before.
begin;

alter table feedback
  add column expected_score double precision,
  add column score_direction smallint,
  add column criteria_feedback jsonb,
  add constraint feedback_of_judge check (
    judge_id is not null or (expected_score is null and score_direction is null and criteria_feedback is null)),
  -- NaN is PostgreSQL's largest number.
  add constraint feedback_expected_score_finite check ('-infinity' < expected_score and expected_score < 'infinity'),
  add constraint feedback_score_direction_known check (score_direction in (1, 2)),
  add constraint feedback_criteria_object check (jsonb_typeof(criteria_feedback) = 'object'),
  add constraint feedback_criteria_length check (octet_length(criteria_feedback::text) <= 262144),
  add constraint feedback_judge_of_span check (judge_id is null or target_type = 1);
comment on column feedback.judge_id is 'The judge whose evaluation of the span it is about.';
comment on column feedback.score_direction is 'Number of verdict.types.v1.ScoreDirection: 1 too high, 2 too low.';
comment on column feedback.criteria_feedback is '{criterion: {expected_score?, reason?}}.';
create index feedback_project on feedback (project_id, created_at, id);
create index feedback_rater on feedback (project_id, rater_id, created_at, id);
create index feedback_judge on feedback (project_id, judge_id, created_at, id) where judge_id is not null;

alter table feedback_history
  add column rater_id text collate "C",
  add column expected_score double precision,
  add column score_direction smallint,
  add column criteria_feedback jsonb;
comment on column feedback_history.rater_id is
  'Whose it was; on the last revision of a withdrawn record, which has no other row that says it.';
create index feedback_history_withdrawn on feedback_history (project_id, rater_id) where withdrawn_at is not null;

create or replace function keep_replaced() returns trigger language plpgsql as $$
begin
  insert into feedback_history
    (project_id, id, revision, thumbs_up, reason, expected_output, metadata, expected_score, score_direction,
     criteria_feedback, submitted_by, written_at)
  values
    (old.project_id, old.id, old.revision, old.thumbs_up, old.reason, old.expected_output, old.metadata,
     old.expected_score, old.score_direction, old.criteria_feedback, old.submitted_by, old.updated_at);
  return null;
end $$;

grant delete on feedback_history to verdict_feedback;
-- Erasure leaves of a claim only that its token cannot be used.
grant update (state, fp) on redemption to verdict_feedback;
grant select on feedback_history to verdict_aggregator;

alter table feedback_history enable row level security, force row level security;
create policy feedback_history_of_project on feedback_history for select to verdict_aggregator
  using (project_id = nullif(current_setting('app.project_id', true), '')::uuid);
create policy feedback_history_of_all on feedback_history to verdict_feedback, verdict_owner using (true);

commit;
