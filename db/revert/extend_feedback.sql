begin;
drop policy feedback_history_of_project on feedback_history;
drop policy feedback_history_of_all on feedback_history;
alter table feedback_history disable row level security, no force row level security;
revoke select on feedback_history from verdict_aggregator;
revoke update (state, fp) on redemption from verdict_feedback;
revoke delete on feedback_history from verdict_feedback;

create or replace function keep_replaced() returns trigger language plpgsql as $$
begin
  insert into feedback_history
    (project_id, id, revision, thumbs_up, reason, expected_output, metadata, submitted_by, written_at)
  values
    (old.project_id, old.id, old.revision, old.thumbs_up, old.reason, old.expected_output, old.metadata,
     old.submitted_by, old.updated_at);
  return null;
end $$;

alter table feedback_history
  drop column rater_id, drop column expected_score, drop column score_direction, drop column criteria_feedback;
drop index feedback_project, feedback_rater, feedback_judge;
alter table feedback
  drop constraint feedback_of_judge, drop constraint feedback_judge_of_span,
  drop column expected_score, drop column score_direction, drop column criteria_feedback;
commit;
