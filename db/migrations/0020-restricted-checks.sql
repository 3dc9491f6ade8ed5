-- I01 and I04 in the transaction that writes.

-- I01: when a transaction that wrote journals commits, each of them has postings. One row for each
-- statement stands for the journals that it wrote until then.
create unlogged table ledger_unchecked (xid xid8 not null);

create function note_journals() returns trigger language plpgsql as $$
begin
  insert into ledger_unchecked (xid) select pg_current_xact_id() where exists (select from inserted);
  return null;
end $$;
create trigger ledger_journals_noted after insert on ledger_journals
  referencing new table as inserted
  for each statement execute function note_journals();

create function refuse_empty_journals() returns trigger language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  empty bigint;
begin
  -- The first of a transaction's rows checks all its journals, and takes the others with it.
  delete from ledger_unchecked where xid = new.xid;
  if not found then
    return null;
  end if;
  select journal.id into empty from ledger_journals journal
    where journal.xid = new.xid
      and not exists (select from ledger_postings posting where posting.journal_id = journal.id)
    limit 1;
  if found then
    raise exception 'journal % has no postings', empty using errcode = 'TR002';
  end if;
  return null;
end $$;
create constraint trigger ledger_unchecked_at_commit after insert on ledger_unchecked
  deferrable initially deferred for each row execute function refuse_empty_journals();
create index ledger_unchecked_by_xid on ledger_unchecked (xid);

-- I04: accounts that may never lie on the wrong side. Revenue and fees are hot and only grow, but
-- for reversals, which mirror what was there: nothing else debits them. The others have a balance
-- row like partners, which the last writer of a statement finds out of place.
create function has_balance(purpose text) returns boolean language sql immutable as
  $$ select purpose in ('partner_accrued', 'partner_payable', 'payout_in_transit', 'fx_rounding') $$;

insert into ledger_balances (account_id, debits_minor, credits_minor)
  select account.id, coalesce(sum(side.debit), 0), coalesce(sum(side.credit), 0)
  from ledger_accounts account
  left join (
    select debit_account_id as account_id, amount_minor as debit, 0 as credit from ledger_postings
    union all select credit_account_id, 0, amount_minor from ledger_postings) side
    on side.account_id = account.id
  where account.purpose in ('payout_in_transit', 'fx_rounding')
  group by account.id
  on conflict do nothing;

-- The few accounts of a statement are looked up once each, not for every posting.
create or replace function project_balances() returns trigger language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  wrong record;
begin
  insert into ledger_balances as balance (account_id, debits_minor, credits_minor)
    select side.account_id, side.debits, side.credits
    from (
      select account_id, sum(debit) as debits, sum(credit) as credits
      from (
        select debit_account_id as account_id, amount_minor as debit, 0 as credit from inserted
        union all
        select credit_account_id, 0, amount_minor from inserted) leg
      group by account_id) side
    -- One look-up for each account, whatever the planner thinks of the filter.
    cross join lateral (
      select purpose from ledger_accounts where id = side.account_id offset 0) account
    where has_balance(account.purpose)
    order by side.account_id
  on conflict (account_id) do update set
    debits_minor = balance.debits_minor + excluded.debits_minor,
    credits_minor = balance.credits_minor + excluded.credits_minor;
  select account.id, account.purpose, account.currency into wrong
    from (select distinct debit_account_id as id from inserted) debited
    cross join lateral (select * from ledger_accounts where id = debited.id offset 0) account
    left join ledger_balances balance on balance.account_id = account.id
    where not account.allow_contra and account.normal_side = 'credit'
      and coalesce(balance.debits_minor > balance.credits_minor, exists (
        select from inserted
        join ledger_journals journal on journal.id = inserted.journal_id
        where inserted.debit_account_id = account.id and journal.kind <> 'reversal'))
    limit 1;
  if found then
    raise exception 'account % (% in %) may not lie on the wrong side', wrong.id, wrong.purpose,
      wrong.currency using errcode = 'TR002';
  end if;
  return null;
end $$;

-- All accounts that may not lie on the wrong side are credit accounts: only a debit can do it.
alter table ledger_accounts add check (allow_contra or normal_side = 'credit');
