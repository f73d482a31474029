-- A caller that saw no answer repeats its request under the same Idempotency-Key and gets the first answer: it has to
-- be kept for a day, per owner of the API key, so that nobody can ask for another's.
begin;

create table idempotency (
  project_id uuid not null,
  owner uuid not null,
  key text collate "C" not null,
  body_hash bytea not null,
  response bytea,
  created_at timestamptz(3) not null,
  primary key (project_id, owner, key),
  constraint idempotency_key_length check (octet_length(key) between 1 and 255),
  constraint idempotency_body_hash_length check (octet_length(body_hash) = 32)
);
comment on table idempotency is 'Answers to requests that named an Idempotency-Key, kept for 24 hours.';
comment on column idempotency.owner is 'The API key''s id.';
comment on column idempotency.body_hash is 'SHA-256 of the request; another one under the same key is refused.';
comment on column idempotency.response is 'The serialized answer; null while the first request is running.';
create index idempotency_created_at on idempotency (created_at);

grant select, insert, update, delete on idempotency to verdict_feedback;

commit;
