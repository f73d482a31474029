begin;
select project_id, id, target_type, target_id, target_text, prompt_id, rater_kind, rater_id, rater_email, rater_name,
       judge_id, thumbs_up, reason, expected_output, metadata, via, submitted_by, trace_id, session_id, revision,
       created_at, updated_at
  from feedback where false;
select project_id, id, revision, thumbs_up, reason, expected_output, metadata, submitted_by, written_at, withdrawn_at
  from feedback_history where false;
select 1 / count(*) from pg_trigger where tgrelid = 'feedback'::regclass and tgname = 'keep_replaced';
select 1 / count(*) from pg_class where oid = 'feedback'::regclass and relrowsecurity and relforcerowsecurity;
rollback;
