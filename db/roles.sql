-- The roles of Verdict. They belong to the cluster, not to a database, so they stand outside the migrations,
-- which only grant to them; run this as a superuser before the first migration, and again at will.
--
--   psql -v owner_password=... -v token_password=... -v feedback_password=... -v aggregator_password=... -f roles.sql
--
-- A password that is not given stays as it is. verdict_owner owns the tables and migrates them; no service runs as it.
\set ON_ERROR_STOP on
set password_encryption = 'scram-sha-256';

select format('create role %I login', name)
  from unnest(array['verdict_owner', 'verdict_token', 'verdict_feedback', 'verdict_aggregator']) as name
 where not exists (select from pg_roles where rolname = name)
\gexec

\if :{?owner_password}
alter role verdict_owner password :'owner_password';
\endif
\if :{?token_password}
alter role verdict_token password :'token_password';
\endif
\if :{?feedback_password}
alter role verdict_feedback password :'feedback_password';
\endif
\if :{?aggregator_password}
alter role verdict_aggregator password :'aggregator_password';
\endif
