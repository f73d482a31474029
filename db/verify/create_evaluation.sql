begin;
select project_id, id, judge_id, span_id, span_text, client_id, evaluation_type, evaluation_result, evaluation_reason,
       confidence_score, score, score_min, score_max, pass_threshold, criteria_scores, model_used,
       evaluation_duration_ms, submitted_by, trace_id, session_id, revision, created_at, updated_at
  from evaluation where false;
select project_id, id, revision, evaluation_result, evaluation_reason, confidence_score, score, criteria_scores,
       model_used, submitted_by, written_at
  from evaluation_history where false;
select 1 / count(*) from pg_trigger where tgrelid = 'evaluation'::regclass and tgname = 'keep_replaced';
select 1 / (count(*) / 2) from pg_class
 where oid in ('evaluation'::regclass, 'evaluation_history'::regclass) and relrowsecurity and relforcerowsecurity;
rollback;
