begin;
select project_id, id, prompt_id, version, content, content_hash, text_hash, model_id, metadata, created_at
  from prompt_version where false;
select project_id, prompt_id, tag, version_id, updated_at from prompt_tag where false;
select 1 / count(*) from pg_indexes where indexname = 'prompt_version_text';
rollback;
