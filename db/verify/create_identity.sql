begin;
select id, name, created_at from organization where false;
select id, org_id, name, tokens_valid_after, created_at from project where false;
select id, org_id, email, name, created_at from app_user where false;
select id, org_id, project_id, user_id, hash, scopes, created_at, expires_at, revoked_at from api_key where false;
rollback;
