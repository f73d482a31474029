begin;
drop table prompt;
commit;
