-- Every call is made with an API key, and every row of the product belongs to the key's project: these tables say
-- which keys, users and projects there are. Few rows, rarely written, so they can afford foreign keys.
begin;

create table organization (
  id uuid primary key,
  name text not null,
  created_at timestamptz(3) not null,
  constraint organization_name_length check (octet_length(name) between 1 and 100)
);
comment on table organization is 'A customer: owns projects and users.';

create table project (
  id uuid primary key,
  org_id uuid not null references organization,
  name text collate "C" not null,
  tokens_valid_after timestamptz not null default '-infinity',
  created_at timestamptz(3) not null,
  constraint project_name_key unique (org_id, name),
  constraint project_org_key unique (org_id, id),
  constraint project_name_length check (octet_length(name) between 1 and 100)
);
comment on table project is 'The tenant: all feedback, topology and keys belong to exactly one.';
comment on column project.tokens_valid_after is 'Feedback tokens minted before this moment cannot be redeemed.';

create table app_user (
  id uuid primary key,
  org_id uuid not null references organization,
  email text collate "C" not null,
  name text not null,
  created_at timestamptz(3) not null,
  constraint app_user_email_key unique (org_id, email),
  constraint app_user_org_key unique (org_id, id),
  constraint app_user_email_length check (octet_length(email) between 1 and 254),
  constraint app_user_name_length check (octet_length(name) between 1 and 100)
);
comment on table app_user is 'A person of an organization; API keys act for one.';

create table api_key (
  id uuid primary key,
  org_id uuid not null,
  project_id uuid not null,
  user_id uuid not null,
  hash bytea not null,
  scopes smallint[] not null,
  created_at timestamptz(3) not null,
  expires_at timestamptz(3),
  revoked_at timestamptz(3),
  constraint api_key_hash_key unique (hash),
  -- Both through org_id: a key cannot join the project of one organization with the user of another.
  constraint api_key_project_fkey foreign key (org_id, project_id) references project (org_id, id),
  constraint api_key_user_fkey foreign key (org_id, user_id) references app_user (org_id, id),
  constraint api_key_hash_length check (octet_length(hash) = 32),
  constraint api_key_scopes_known check (cardinality(scopes) > 0 and scopes <@ '{1,2,3,4}'),
  constraint api_key_expires_later check (expires_at > created_at)
);
comment on table api_key is 'A credential for one project; its text is shown once and never stored.';
comment on column api_key.hash is 'SHA-256 of the key''s text.';
comment on column api_key.scopes is 'Numbers of verdict.options.v1.Scope.';
comment on column api_key.expires_at is 'Null: never.';
create index api_key_project on api_key (project_id, id);

grant select, insert on organization, project, app_user, api_key to verdict_token;
grant update (tokens_valid_after) on project to verdict_token;
grant update (revoked_at) on api_key to verdict_token;
grant select on project to verdict_feedback;

commit;
