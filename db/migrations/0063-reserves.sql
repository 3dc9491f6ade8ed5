-- What a statement keeps of its payout where too much of what the partner sells is disputed, why,
-- and until when. It is drafted with its statement, goes with the draft, and never changes once
-- that is issued.
create table partner_reserves (
  id uuid primary key default uuidv7(),
  statement_id uuid not null unique references statements on delete cascade,
  partner_id uuid not null references partners,
  reseller_id uuid not null,
  master_id uuid not null,
  currency text not null references currencies,
  amount_minor bigint not null check (amount_minor > 0),
  -- Of what customers paid from then until kept_since, so much was disputed then and not won.
  window_from timestamptz not null,
  paid_minor bigint not null check (paid_minor >= 0),
  disputed_minor bigint not null check (disputed_minor > 0),
  -- The limit, and the share that is kept, as they were.
  above_bps int not null check (above_bps between 0 and 10000),
  keep_bps int not null check (keep_bps between 1 and 9000),
  kept_since timestamptz not null,
  until timestamptz not null,
  check (until > kept_since and kept_since > window_from),
  foreign key (partner_id, reseller_id, master_id) references partner_places
);
comment on column partner_reserves.reseller_id is 'stamped';
comment on column partner_reserves.master_id is 'stamped';
create index partner_reserves_by_partner on partner_reserves (partner_id, id);
create trigger partner_reserves_placed before insert on partner_reserves
  for each row when (new.master_id is null) execute function stamp_place();

-- A person of the platform lets a reserve go before its time; the next statement that is drafted
-- pays it.
create table reserve_releases (
  reserve_id uuid primary key references partner_reserves,
  partner_id uuid not null references partners,
  reseller_id uuid not null,
  master_id uuid not null,
  reason text not null check (reason <> ''),
  released_by uuid references members,
  released_at timestamptz not null default clock_timestamp(),
  foreign key (partner_id, reseller_id, master_id) references partner_places
);
comment on column reserve_releases.reseller_id is 'stamped';
comment on column reserve_releases.master_id is 'stamped';
create trigger reserve_releases_placed before insert on reserve_releases
  for each row when (new.master_id is null) execute function stamp_place();
create trigger reserve_releases_append_only before update or delete on reserve_releases
  for each row execute function refuse_change();
create trigger reserve_releases_keep before truncate on reserve_releases
  for each statement execute function refuse_change();
call audit_table('reserve_releases', 'reserve_release');

-- What a statement ends of the reserves that earlier ones keep.
create table reserve_ends (
  statement_id uuid not null references statements on delete cascade,
  reserve_id uuid not null references partner_reserves,
  partner_id uuid not null references partners,
  reseller_id uuid not null,
  master_id uuid not null,
  cause text not null check (cause in ('matured', 'by_person', 'used')),
  amount_minor bigint not null check (amount_minor > 0),
  primary key (statement_id, reserve_id),
  foreign key (partner_id, reseller_id, master_id) references partner_places
);
comment on column reserve_ends.reseller_id is 'stamped';
comment on column reserve_ends.master_id is 'stamped';
create index reserve_ends_by_reserve on reserve_ends (reserve_id);
create trigger reserve_ends_placed before insert on reserve_ends
  for each row when (new.master_id is null) execute function stamp_place();

create function refuse_reserve_change() returns trigger language plpgsql as $$
declare
  concerned uuid := case tg_op when 'INSERT' then new.statement_id else old.statement_id end;
begin
  if tg_op = 'UPDATE'
    or exists (select from statements where id = concerned and issued_at is not null) then
    raise exception 'what statement % kept is never changed or removed', concerned
      using errcode = 'restrict_violation';
  end if;
  return case tg_op when 'DELETE' then old else new end;
end $$;
create trigger partner_reserves_immutable before insert or update or delete on partner_reserves
  for each row execute function refuse_reserve_change();
create trigger partner_reserves_keep before truncate on partner_reserves
  for each statement execute function refuse_change();
create trigger reserve_ends_immutable before insert or update or delete on reserve_ends
  for each row execute function refuse_reserve_change();
create trigger reserve_ends_keep before truncate on reserve_ends
  for each statement execute function refuse_change();

-- One more cause for which a statement holds something.
alter table statement_holds
  drop constraint statement_holds_cause_check,
  drop constraint statement_holds_check,
  drop constraint statement_holds_check1,
  add constraint statement_holds_cause_check check (cause in (
    'not_matured', 'disputed', 'by_person', 'forfeited', 'reserve', 'unrecorded')),
  add constraint statement_holds_ends check (
    (lines is not null) = (cause = 'not_matured')
    and (until is not null) = (cause in ('not_matured', 'reserve')));
