begin;
drop table evaluation, evaluation_history;
drop function keep_replaced_evaluation;
commit;
