-- The end of a partnership: two persons end it, what was earned and not paid is paid out or
-- cancelled for a cause, customers go to a successor, and two persons may take it back.

alter table approvals
  drop constraint approvals_kind_check,
  add constraint approvals_kind_check check (kind in (
    'manual_entry', 'tier_override', 'termination', 'reinstatement')),
  add column reason_code text check (reason_code in ('mutual', 'breach', 'fraud', 'inactive')),
  -- Who gets the customers and the partners below; null where there are none.
  add column successor_id uuid references partners,
  -- Null is with the approval.
  add column effective_at timestamptz,
  add check ((reason_code is not null) = (kind = 'termination')),
  add check (successor_id is null or kind = 'termination'),
  add check (effective_at is null or kind = 'termination'),
  add check (successor_id <> concerned_id);

-- A termination has the id of its approval. It waits for its time, takes effect once, and may be
-- taken back once.
create table terminations (
  id uuid primary key references approvals,
  partner_id uuid not null references partners,
  reason_code text not null check (reason_code in ('mutual', 'breach', 'fraud', 'inactive')),
  successor_id uuid references partners,
  effective_at timestamptz not null,
  -- What keeps it from taking effect, as a code; a person of the platform looks at it.
  problem text,
  effected_at timestamptz,
  reinstatement_id uuid unique references approvals,
  reinstated_at timestamptz,
  recorded_at timestamptz not null default clock_timestamp(),
  check ((reinstatement_id is null) = (reinstated_at is null))
);
create unique index terminations_one_standing on terminations (partner_id)
  where reinstated_at is null;
create index terminations_waiting on terminations (effective_at) where effected_at is null;

create function guard_termination() returns trigger language plpgsql as $$
declare
  kept text[] := '{problem,effected_at,reinstatement_id,reinstated_at}';
begin
  if to_jsonb(new) - kept <> to_jsonb(old) - kept
    or old.effected_at is distinct from new.effected_at and old.effected_at is not null
    or old.reinstated_at is distinct from new.reinstated_at and old.reinstated_at is not null then
    raise exception 'termination % takes effect once and is taken back once', old.id
      using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger terminations_guarded before update on terminations
  for each row execute function guard_termination();
create trigger terminations_stay before delete on terminations
  for each row execute function refuse_removal();
create trigger terminations_stay_all before truncate on terminations
  for each statement execute function refuse_removal();

create or replace function refuse_idle_approval() returns trigger language plpgsql as $$
begin
  if not exists (select from adjustments where id = new.id)
    and not exists (select from partner_tiers where approval_id = new.id)
    and not exists (select from terminations where new.id in (id, reinstatement_id)) then
    raise exception 'approval % has no effect', new.id using errcode = 'restrict_violation';
  end if;
  return null;
end $$;

-- What was earned and is not paid, taken back for a cause; negative where it is given again. Unlike
-- a clawback it follows no money of a customer.
create table accrual_cancellations (
  id uuid primary key default uuidv7(),
  termination_id uuid not null references terminations,
  -- By the termination; given again by the reinstatement, or because the money itself went back.
  cause text not null check (cause in ('termination', 'reinstatement', 'reversal')),
  accrual_id uuid references accruals,
  closing_accrual_id uuid references closing_accruals,
  partner_id uuid not null references partners,
  reseller_id uuid not null,
  master_id uuid not null,
  currency text not null references currencies,
  amount_minor bigint not null check (amount_minor <> 0),
  period text not null references accounting_periods,
  recorded_at timestamptz not null default clock_timestamp(),
  check (num_nonnulls(accrual_id, closing_accrual_id) = 1),
  foreign key (partner_id, reseller_id, master_id) references partner_places
);
comment on column accrual_cancellations.reseller_id is 'stamped';
comment on column accrual_cancellations.master_id is 'stamped';
create index accrual_cancellations_by_accrual on accrual_cancellations (accrual_id)
  where accrual_id is not null;
create index accrual_cancellations_by_closing on accrual_cancellations (closing_accrual_id)
  where closing_accrual_id is not null;
create index accrual_cancellations_by_partner
  on accrual_cancellations (partner_id, period, currency);
create trigger accrual_cancellations_placed before insert on accrual_cancellations
  for each row when (new.master_id is null) execute function stamp_place();

create function refuse_excess_cancellations() returns trigger language plpgsql as $$
declare
  broken uuid;
begin
  select accrual.id into broken
    from accruals accrual
    where accrual.id in (select accrual_id from inserted)
      and (select sum(gone.amount_minor) from accrual_cancellations gone
        where gone.accrual_id = accrual.id) not between 0 and accrual.amount_minor - coalesce(
          (select sum(back.amount_minor) from clawbacks back
            where back.accrual_id = accrual.id), 0)
    limit 1;
  if found then
    raise exception 'what is cancelled of accrual % is below nothing or above what is left', broken
      using errcode = 'TR002';
  end if;
  return null;
end $$;
create trigger accrual_cancellations_within after insert on accrual_cancellations
  referencing new table as inserted
  for each statement execute function refuse_excess_cancellations();
create trigger accrual_cancellations_append_only before update or delete on accrual_cancellations
  for each row execute function refuse_change();
create trigger accrual_cancellations_keep before truncate on accrual_cancellations
  for each statement execute function refuse_change();

-- A payout that was never sent, given back to the balance that it was reserved from.
alter table payouts
  drop constraint payouts_status_check,
  add constraint payouts_status_check check (status in (
    'approved', 'held', 'in_flight', 'unknown', 'paid', 'returned'));
create table payout_returns (
  id uuid primary key default uuidv7(),
  termination_id uuid not null references terminations,
  payout_id uuid not null unique references payouts,
  partner_id uuid not null references partners,
  reseller_id uuid not null,
  master_id uuid not null,
  -- Of the statement, where that is another one than the payout's.
  currency text not null references currencies,
  amount_minor bigint not null check (amount_minor > 0),
  period text not null references accounting_periods,
  recorded_at timestamptz not null default clock_timestamp(),
  foreign key (partner_id, reseller_id, master_id) references partner_places
);
comment on column payout_returns.reseller_id is 'stamped';
comment on column payout_returns.master_id is 'stamped';
create index payout_returns_by_partner on payout_returns (partner_id, period, currency);
create trigger payout_returns_placed before insert on payout_returns
  for each row when (new.master_id is null) execute function stamp_place();
create trigger payout_returns_append_only before update or delete on payout_returns
  for each row execute function refuse_change();
create trigger payout_returns_keep before truncate on payout_returns
  for each statement execute function refuse_change();

alter table ledger_journals drop constraint ledger_journals_kind_check,
  add constraint ledger_journals_kind_check check (kind in (
    'payment', 'accrual', 'refund', 'clawback', 'settlement', 'payout_reserve', 'payout_paid',
    'true_up', 'bonus', 'adjustment', 'fx', 'reversal', 'processor_fee', 'funds_available',
    'funds_withdrawn', 'cancellation', 'payout_return'));

-- Customers change hands whole, with their subscriptions and their people, in one transaction. The
-- link that one came through stays what it was, though it was another partner's.
alter table subscriptions
  alter constraint subscriptions_customer_id_partner_id_fkey deferrable initially deferred;
alter table members
  alter constraint members_customer_id_partner_id_fkey deferrable initially deferred;
alter table customers
  drop constraint customers_link_id_partner_id_fkey,
  add foreign key (link_id) references partner_links;
create function refuse_foreign_link() returns trigger language plpgsql as $$
begin
  if not exists (select from partner_links link
      where link.id = new.link_id and link.partner_id = new.partner_id) then
    raise exception 'a customer cannot have come through another partner''s link'
      using errcode = 'foreign_key_violation';
  end if;
  return new;
end $$;
create trigger customers_own_link before insert on customers
  for each row when (new.link_id is not null) execute function refuse_foreign_link();

alter table partner_status_changes
  drop constraint partner_status_changes_status_check,
  add constraint partner_status_changes_status_check check (
    status in ('approved', 'active', 'suspended', 'terminated'));

-- Suspends a partner or lets it back in, as before, with its environment and its payouts: what is
-- owed goes on being earned, and waits.
create or replace function change_partner_status(change uuid, partner uuid, wanted text, why text)
  returns text language plpgsql security definer set search_path from current as $$
declare
  acting text := context_level();
  own uuid := context_partner();
  held text;
  last_level text;
begin
  select status into held from partners
    where id = partner and (acting = 'super_admin'
      or acting = 'master_reseller' and master_id = own and id <> own)
    for update;
  if not found then
    return 'not_found';
  end if;
  if exists (select from partner_status_changes where id = change) then
    return 'changed';
  end if;
  if (wanted, held) not in (('suspended', 'active'), ('active', 'suspended')) then
    return held;
  end if;
  select level into last_level from partner_status_changes
    where partner_id = partner order by changed_at desc, id desc limit 1;
  if wanted = 'active' and acting <> 'super_admin' and last_level = 'super_admin' then
    return 'by_platform';
  end if;
  insert into partner_status_changes (id, partner_id, status, reason, level, changed_by)
    values (change, partner, wanted, why, acting,
      coalesce(context_on_behalf_of(), context_actor()));
  update partners set status = wanted where id = partner;
  if wanted = 'suspended' then
    insert into partner_holds (partner_id, cause, source, reason)
      values (partner, 'suspension', change::text, 'suspended');
    update tenants set status = 'suspended' where partner_id = partner and status = 'active';
  else
    update partner_holds set released_at = clock_timestamp()
      where partner_id = partner and cause = 'suspension' and released_at is null;
    update tenants set status = 'active' where partner_id = partner and status = 'suspended';
  end if;
  return 'changed';
end $$;

call audit_table('terminations', 'termination', '{}');
