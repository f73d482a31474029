begin;
select 1 / has_table_privilege('verdict_feedback', 'session', 'delete')::int;
rollback;
