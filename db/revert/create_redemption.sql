begin;
drop table redemption;
commit;
