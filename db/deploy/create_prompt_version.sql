-- What a prompt says, version by version. A version never changes: it is known by the hash of what it is made of, and
-- spans say which version they were made with. A tag points at one version at a time.
begin;

create table prompt_version (
  project_id uuid not null,
  id uuid not null,
  prompt_id uuid not null,
  version integer not null,
  content text not null,
  content_hash bytea not null,
  text_hash bytea not null,
  model_id text,
  metadata jsonb,
  created_at timestamptz(3) not null,
  primary key (project_id, id),
  constraint prompt_version_prompt_fkey foreign key (project_id, prompt_id) references prompt,
  constraint prompt_version_number_key unique (project_id, prompt_id, version),
  constraint prompt_version_hash_key unique (project_id, prompt_id, content_hash),
  -- What a tag refers to: a version of its own prompt.
  constraint prompt_version_of_prompt_key unique (project_id, prompt_id, id),
  constraint prompt_version_number_positive check (version >= 1),
  constraint prompt_version_content_length check (octet_length(content) between 1 and 131072),
  constraint prompt_version_content_hash_length check (octet_length(content_hash) = 32),
  constraint prompt_version_text_hash_length check (octet_length(text_hash) = 32),
  constraint prompt_version_model_length check (octet_length(model_id) between 1 and 200),
  constraint prompt_version_metadata_object check (jsonb_typeof(metadata) = 'object'),
  constraint prompt_version_metadata_length check (octet_length(metadata::text) <= 65536)
);
comment on table prompt_version is 'A version of a prompt; rows never change.';
comment on column prompt_version.content_hash is 'SHA-256 of ZeroEval''s canonical JSON of content and model.';
comment on column prompt_version.text_hash is 'SHA-256 of the content alone, which older clients know it by.';
create index prompt_version_text on prompt_version (project_id, prompt_id, text_hash);

create table prompt_tag (
  project_id uuid not null,
  prompt_id uuid not null,
  tag text collate "C" not null,
  version_id uuid not null,
  updated_at timestamptz(3) not null,
  primary key (project_id, prompt_id, tag),
  constraint prompt_tag_version_fkey foreign key (project_id, prompt_id, version_id)
    references prompt_version (project_id, prompt_id, id),
  constraint prompt_tag_name check (tag ~ '^[a-z0-9-]{1,100}$' and tag <> 'latest')
);
comment on table prompt_tag is 'A name for a version of a prompt that can move to another; `latest` needs no row.';

grant select, insert on prompt_version to verdict_feedback;
grant select, insert, update on prompt_tag to verdict_feedback;
-- To lock a prompt while its next version is numbered.
grant update (created_at) on prompt to verdict_feedback;

commit;
