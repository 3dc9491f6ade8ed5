-- A partner disputes a line of a statement: what was said by whom, who acts next and until when,
-- and the entry by two persons in which it ends where the partner was right.
create table line_disputes (
  id uuid primary key default uuidv7(),
  statement_id uuid not null references statements,
  partner_id uuid not null references partners,
  reseller_id uuid not null,
  master_id uuid not null,
  line_kind text not null check (line_kind in (
    'accrual', 'true_up', 'bonus', 'clawback', 'adjustment')),
  line_id uuid not null,
  currency text not null references currencies,
  -- As it stands on the statement.
  line_minor bigint not null,
  -- What a correction cannot exceed: what the line is about.
  most_minor bigint not null check (most_minor > 0),
  status text not null default 'opened' check (status in (
    'opened', 'answered', 'decided', 'withdrawn')),
  opened_at timestamptz not null default clock_timestamp(),
  -- Since when, and until when, it is the turn of the platform (opened) or the partner (answered).
  turn_at timestamptz not null default clock_timestamp(),
  due_at timestamptz not null,
  -- The last mark of this turn, in seconds, at which somebody was reminded.
  reminded_mark int not null default 0,
  decision text check (decision in ('uphold', 'reject')),
  amount_minor bigint check (amount_minor <> 0 and abs(amount_minor) <= most_minor),
  -- That of the entry; another one takes its place only where it was not approved.
  approval_id uuid references approvals,
  closed_at timestamptz,
  check ((status = 'decided') = (decision is not null)),
  check (num_nonnulls(amount_minor, approval_id)
    = case decision when 'uphold' then 2 else 0 end),
  check ((status in ('decided', 'withdrawn')) = (closed_at is not null)),
  foreign key (partner_id, reseller_id, master_id) references partner_places
);
comment on column line_disputes.reseller_id is 'stamped';
comment on column line_disputes.master_id is 'stamped';
-- A line is disputed again only where it was withdrawn.
create unique index line_disputes_once on line_disputes (line_kind, line_id)
  where status <> 'withdrawn';
create index line_disputes_by_statement on line_disputes (statement_id);
create index line_disputes_by_partner on line_disputes (partner_id, id);
create index line_disputes_open on line_disputes (due_at) where closed_at is null;
create trigger line_disputes_placed before insert on line_disputes
  for each row when (new.master_id is null) execute function stamp_place();

-- Whoever writes: what is disputed never changes, only the platform decides, and a withdrawal or a
-- rejection is for good.
create function guard_line_dispute() returns trigger language plpgsql as $$
declare
  level text := context_level();
  open_part text[] := '{status,turn_at,due_at,reminded_mark,decision,amount_minor,approval_id,
    closed_at}';
begin
  if tg_op = 'INSERT' then
    if new.status <> 'opened' then
      raise exception 'a dispute begins as opened' using errcode = 'restrict_violation';
    end if;
    return new;
  end if;
  if to_jsonb(new) - open_part <> to_jsonb(old) - open_part then
    raise exception 'dispute % keeps what it is about', old.id using errcode = 'restrict_violation';
  end if;
  if old.status = 'withdrawn' or old.decision = 'reject'
    or (old.decision = 'uphold' and (new.status <> 'decided' or exists (select from approvals
      where id = old.approval_id and (status = 'approved'
        or status = 'proposed' and lapses_at > clock_timestamp())))) then
    raise exception 'dispute % is closed', old.id using errcode = 'restrict_violation';
  end if;
  if level is not null and level not in ('super_admin', 'worker')
    and new.status not in ('opened', 'withdrawn') then
    raise exception 'only the platform decides a dispute' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger line_disputes_guarded before insert or update on line_disputes
  for each row execute function guard_line_dispute();
create trigger line_disputes_stay before delete on line_disputes
  for each row execute function refuse_removal();
create trigger line_disputes_stay_all before truncate on line_disputes
  for each statement execute function refuse_removal();

-- What was said and done, in order.
create table line_dispute_events (
  id uuid primary key default uuidv7(),
  dispute_id uuid not null references line_disputes,
  partner_id uuid not null references partners,
  reseller_id uuid not null,
  master_id uuid not null,
  kind text not null check (kind in ('opened', 'answered', 'decided', 'withdrawn')),
  side text not null check (side in ('partner', 'platform')),
  member_id uuid not null references members,
  words text check (words <> ''),
  happened_at timestamptz not null default clock_timestamp(),
  check (words is not null or kind = 'withdrawn'),
  foreign key (partner_id, reseller_id, master_id) references partner_places
);
comment on column line_dispute_events.reseller_id is 'stamped';
comment on column line_dispute_events.master_id is 'stamped';
create index line_dispute_events_by_dispute on line_dispute_events (dispute_id, id);
create index line_dispute_events_by_time on line_dispute_events (happened_at);
create trigger line_dispute_events_placed before insert on line_dispute_events
  for each row when (new.master_id is null) execute function stamp_place();
create trigger line_dispute_events_append_only before update or delete on line_dispute_events
  for each row execute function refuse_change();
create trigger line_dispute_events_keep before truncate on line_dispute_events
  for each statement execute function refuse_change();

call audit_table('line_disputes', 'line_dispute');
