begin;
drop table api_key, app_user, project, organization;
commit;
