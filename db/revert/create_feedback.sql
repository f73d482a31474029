begin;
drop table feedback, feedback_history;
drop function keep_replaced;
commit;
