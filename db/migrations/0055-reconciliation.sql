-- What the books say of Stripe beside what Stripe says: differences stand here until they are gone
-- or a person has explained them.

-- Of a transfer, or of money that comes back from one: which it is, to whom it went, and the payout
-- of ours that it names.
alter table stripe_txns
  add column vendor_transfer_id text,
  add column vendor_account_id text,
  add column payout_id uuid;
create index stripe_txns_of_transfers on stripe_txns (created_at)
  where type in ('transfer', 'transfer_refund', 'transfer_cancel', 'transfer_failure');
create index ledger_journals_of_transfers on ledger_journals (effective_at)
  where kind in ('payout_paid', 'payout_reversal');

-- When the mirror was last read to its end: what was there a day before and is not mirrored, is
-- missing.
alter table stripe_mirror add column walked_at timestamptz;

create table recon_breaks (
  id uuid primary key default uuidv7(),
  kind text not null check (kind in (
    'missing_at_stripe', 'unknown_at_stripe', 'amount', 'currency', 'destination',
    'clearing_age')),
  -- What differs: a journal, a transaction of Stripe, or what lies in clearing.
  subject text not null,
  payout_id uuid references payouts,
  -- As Stripe names it.
  vendor_id text,
  -- What the books say, and what Stripe does.
  currency text references currencies,
  expected_minor bigint,
  found_currency text references currencies,
  found_minor bigint,
  happened_at timestamptz not null,
  first_seen_at timestamptz not null default clock_timestamp(),
  owner_id uuid references members,
  assigned_at timestamptz,
  note text check (note <> ''),
  resolved_at timestamptz,
  resolution text check (resolution in ('gone', 'by_person')),
  resolved_by uuid references members,
  check ((owner_id is null) = (assigned_at is null)),
  check ((resolved_at is null) = (resolution is null)),
  check ((resolution is not distinct from 'by_person') = (resolved_by is not null)),
  check ((resolved_by is null) = (note is null))
);
create unique index recon_breaks_open on recon_breaks (kind, subject) where resolved_at is null;
create index recon_breaks_by_time on recon_breaks (happened_at);
create index recon_breaks_by_subject on recon_breaks (subject);

create function guard_recon_break() returns trigger language plpgsql as $$
declare
  open_part text[] := '{currency,expected_minor,found_currency,found_minor,owner_id,assigned_at,
    note,resolved_at,resolution,resolved_by}';
begin
  if old.resolved_at is not null or to_jsonb(new) - open_part <> to_jsonb(old) - open_part then
    raise exception 'break % keeps what it is about, and is resolved once', old.id
      using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger recon_breaks_guarded before update on recon_breaks
  for each row execute function guard_recon_break();
create trigger recon_breaks_stay before delete on recon_breaks
  for each row execute function refuse_removal();
create trigger recon_breaks_stay_all before truncate on recon_breaks
  for each statement execute function refuse_removal();

call audit_table('recon_breaks', 'recon_break', '{}');
