-- Tokens are not stored when minted, so that minting needs no database; what is stored is that one has been used or
-- revoked. The primary key makes a token single-use: the claim and its feedback are written by one statement.
begin;

create table redemption (
  project_id uuid not null,
  jti uuid not null,
  state smallint not null,
  fp bytea,
  exp timestamptz not null,
  at timestamptz not null default now(),
  primary key (project_id, jti),
  constraint redemption_state_known check (state in (1, 2)),
  constraint redemption_fp_length check (octet_length(fp) = 32),
  constraint redemption_fp_of_redeemed check (state <> 1 or fp is not null)
);
comment on table redemption is 'Tokens that were redeemed or revoked, until they have expired for good.';
comment on column redemption.jti is 'The token''s id. Another project''s equal id is another token.';
comment on column redemption.state is '1 redeemed, 2 revoked.';
comment on column redemption.fp is 'SHA-256 of the redeemed values: an equal repeat is answered again.';
comment on column redemption.exp is 'When the token ends; the row can be collected one hour later.';
comment on column redemption.at is 'When it was redeemed or revoked.';
create index redemption_exp on redemption (exp);

grant select, insert, update (state) on redemption to verdict_token;
grant select, insert, delete on redemption to verdict_feedback;

commit;
