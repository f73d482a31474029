begin;
drop table trace, span;
commit;
