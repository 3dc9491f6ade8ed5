-- Why a statement keeps something back: one row for each cause, written when it is issued, so that
-- the reasons are as unchangeable as the figure that they explain.
create table statement_holds (
  statement_id uuid not null references statements,
  cause text not null check (cause in (
    'not_matured', 'disputed', 'by_person', 'forfeited', 'unrecorded')),
  partner_id uuid not null references partners,
  reseller_id uuid not null,
  master_id uuid not null,
  amount_minor bigint not null check (amount_minor > 0),
  -- How many accruals it is, and when the last of them matures: of what matures by itself.
  lines integer check (lines > 0),
  until timestamptz,
  primary key (statement_id, cause),
  check ((lines is null) = (until is null)),
  check ((cause = 'not_matured') = (until is not null)),
  foreign key (partner_id, reseller_id, master_id) references partner_places
);
comment on column statement_holds.reseller_id is 'stamped';
comment on column statement_holds.master_id is 'stamped';
create trigger statement_holds_placed before insert on statement_holds
  for each row when (new.master_id is null) execute function stamp_place();
insert into statement_holds (statement_id, cause, partner_id, amount_minor)
  select id, 'unrecorded', partner_id, held_minor from statements
  where issued_at is not null and held_minor > 0;
create trigger statement_holds_append_only before update or delete on statement_holds
  for each row execute function refuse_change();
create trigger statement_holds_keep before truncate on statement_holds
  for each statement execute function refuse_change();
