-- Evaluations are recorded under a judge, and feedback on a judge is checked against its range and criteria.
begin;

create table judge (
  project_id uuid not null references project,
  id uuid not null,
  name text collate "C" not null,
  evaluation_type smallint not null,
  score_min double precision,
  score_max double precision,
  pass_threshold double precision,
  criteria jsonb not null default '[]',
  template text,
  sample_rate double precision,
  filter jsonb,
  temperature double precision,
  target_prompt_id uuid,
  task_id uuid not null,
  is_paused boolean not null default false,
  revision integer not null default 1,
  created_at timestamptz(3) not null,
  modified_at timestamptz(3) not null,
  primary key (project_id, id),
  constraint judge_name_key unique (project_id, name),
  constraint judge_target_prompt_fkey foreign key (project_id, target_prompt_id) references prompt,
  constraint judge_task_fkey foreign key (project_id, task_id) references prompt,
  constraint judge_name_length check (octet_length(name) between 1 and 200),
  constraint judge_evaluation_type_known check (evaluation_type in (1, 2)),
  -- Also refuses infinity and NaN, which PostgreSQL holds for the largest number.
  constraint judge_range check (
    case evaluation_type
      when 2 then coalesce('-infinity' < score_min and score_min <= pass_threshold and pass_threshold <= score_max
                           and score_min < score_max and score_max < 'infinity', false)
      else score_min is null and score_max is null and pass_threshold is null
    end),
  constraint judge_criteria_list check (jsonb_typeof(criteria) = 'array'),
  constraint judge_criteria_length check (octet_length(criteria::text) <= 524288),
  constraint judge_template_length check (octet_length(template) <= 65536),
  constraint judge_sample_rate_share check (sample_rate between 0 and 1),
  constraint judge_filter_object check (jsonb_typeof(filter) = 'object'),
  constraint judge_filter_length check (octet_length(filter::text) <= 65536),
  constraint judge_temperature_range check (temperature between 0 and 2),
  constraint judge_revision_positive check (revision >= 1),
  constraint judge_modified_later check (modified_at >= created_at)
);
comment on table judge is 'A judge of a project, as it is now.';
comment on column judge.evaluation_type is 'Number of verdict.types.v1.EvaluationType: 1 binary, 2 scored.';
comment on column judge.criteria is 'List of {key, label?, description?}, in the order of their author.';
comment on column judge.task_id is 'The prompt judge-<32 hex digits of id>, made together with the judge.';
comment on column judge.revision is 'Grows with each change, so that what was read before can be told from what is now.';

grant select, insert, update on judge to verdict_feedback;
grant select on judge to verdict_aggregator;

alter table judge enable row level security, force row level security;
create policy judge_of_project on judge for select to verdict_aggregator
  using (project_id = nullif(current_setting('app.project_id', true), '')::uuid);
create policy judge_of_all on judge to verdict_feedback, verdict_owner using (true);

commit;
