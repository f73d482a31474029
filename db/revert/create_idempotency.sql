begin;
drop table idempotency;
commit;
