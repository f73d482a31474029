-- Completion feedback arrives under a prompt's slug; an unknown slug is refused, so the known ones stand here.
begin;

create table prompt (
  project_id uuid not null references project,
  id uuid not null,
  slug text collate "C" not null,
  created_at timestamptz(3) not null,
  primary key (project_id, id),
  constraint prompt_slug_key unique (project_id, slug),
  constraint prompt_slug_length check (octet_length(slug) between 1 and 200)
);
comment on table prompt is 'A prompt of a project, named by its slug in paths.';

grant select, insert on prompt to verdict_feedback;

commit;
