begin;
revoke update (created_at) on prompt from verdict_feedback;
drop table prompt_tag, prompt_version;
commit;
