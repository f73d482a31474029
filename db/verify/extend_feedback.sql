begin;
select expected_score, score_direction, criteria_feedback from feedback where false;
select rater_id, expected_score, score_direction, criteria_feedback from feedback_history where false;
select 1 / count(*) from pg_indexes where indexname = 'feedback_project';
select 1 / count(*) from pg_indexes where indexname = 'feedback_rater';
select 1 / count(*) from pg_indexes where indexname = 'feedback_judge';
select 1 / count(*) from pg_indexes where indexname = 'feedback_history_withdrawn';
select 1 / count(*) from pg_class
 where oid = 'feedback_history'::regclass and relrowsecurity and relforcerowsecurity;
rollback;
