begin;
select project_id, id, name, evaluation_type, score_min, score_max, pass_threshold, criteria, template, sample_rate,
       filter, temperature, target_prompt_id, task_id, is_paused, revision, created_at, modified_at
  from judge where false;
select 1 / count(*) from pg_class where oid = 'judge'::regclass and relrowsecurity and relforcerowsecurity;
rollback;
