begin;
select project_id, id, slug, created_at from prompt where false;
rollback;
