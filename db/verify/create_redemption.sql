begin;
select project_id, jti, state, fp, exp, at from redemption where false;
rollback;
