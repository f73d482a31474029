begin;
select project_id, owner, key, body_hash, response, created_at from idempotency where false;
rollback;
