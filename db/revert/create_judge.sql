begin;
drop table judge;
commit;
