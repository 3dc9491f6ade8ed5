-- Partners that may not be paid for now, and names looked up on lists of sanctioned parties.

-- Why a partner is paid nothing for now. Several may hold at once, each with what placed it: money
-- moves again when all are released. Whether it is one's own hold is not told to the partner: a
-- payout says only that it is held.
create table partner_holds (
  id uuid primary key default uuidv7(),
  partner_id uuid not null references partners,
  cause text not null check (cause in (
    'screening', 'verification', 'agreement', 'suspension', 'offboarding')),
  -- The one occurrence for which it was placed: the id of a row, or a key made of one.
  source text not null check (source <> ''),
  -- A code, never words about a person.
  reason text not null check (reason ~ '^[a-z][a-z0-9_]{0,59}$'),
  placed_at timestamptz not null default clock_timestamp(),
  released_at timestamptz,
  -- What was released is over: who is held again has another occurrence.
  unique (partner_id, cause, source),
  check (released_at >= placed_at)
);
create index partner_holds_open on partner_holds (partner_id) where released_at is null;

create function guard_hold() returns trigger language plpgsql as $$
begin
  if old.released_at is not null
    or to_jsonb(new) - 'released_at' <> to_jsonb(old) - 'released_at' then
    raise exception 'hold % is released once and never changes', old.id
      using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger partner_holds_guarded before update on partner_holds
  for each row execute function guard_hold();
create trigger partner_holds_stay before delete on partner_holds
  for each row execute function refuse_removal();
create trigger partner_holds_stay_all before truncate on partner_holds
  for each statement execute function refuse_removal();

alter table payouts
  drop constraint payouts_hold_reason_check,
  add constraint payouts_hold_reason_check check (hold_reason in (
    'no_payout_account', 'account_not_verified', 'transfer_rejected', 'partner_held'));

call audit_table('partner_holds', 'partner_hold', '{}');
