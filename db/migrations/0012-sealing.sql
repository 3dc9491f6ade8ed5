-- Seals: journals in blocks, each with a hash over its rows and the hash of the block before. And
-- reversals: a journal is taken back once, by its exact mirror.

alter table ledger_journals
  -- A journal is reversed at most once, by one that is younger.
  add column reverses_id bigint unique references ledger_journals check (reverses_id < id),
  add column reason text check (reason <> ''),
  add check ((kind = 'reversal') = (reverses_id is not null)),
  drop constraint ledger_journals_kind_check,
  add constraint ledger_journals_kind_check check (kind in (
    'payment', 'accrual', 'refund', 'clawback', 'settlement', 'payout_reserve', 'payout_paid',
    'true_up', 'bonus', 'adjustment', 'fx', 'reversal'));

create index ledger_journals_by_xid on ledger_journals (xid, id);

-- A block holds the journals of the transactions from from_xid up to and without to_xid, in the
-- order (xid, id). Ids are no bound: a slow writer commits its smaller id after a larger one, and a
-- rolled-back one leaves a gap for ever. Transaction ids are one, because to_xid is never above the
-- pg_snapshot_xmin of the statement that seals:
--
-- 1. A journal and its postings carry and have the id of the transaction that wrote them; triggers
--    below refuse everything else, also a posting that is added to an older journal.
-- 2. Below xmin every transaction has ended, in whichever database of the server it ran: its rows
--    are visible to this very snapshot, or dead. Savepoints end with their transaction, whose id,
--    not theirs, is what journals carry.
-- 3. Ids of transactions only grow, so whoever begins to write later has one at or above xmin.
--
-- By 2 nothing below to_xid is left out, and by 1 and 3 nothing below to_xid is ever added. A
-- slow writer holds xmin back, and with it the seals, but is never passed.
create table ledger_seals (
  number bigint primary key check (number >= 1),
  from_xid xid8 not null,
  to_xid xid8 not null check (from_xid < to_xid),
  journals bigint not null check (journals >= 1),
  -- The smallest and the largest id in the block, for people; ids between them may be elsewhere.
  first_journal_id bigint not null references ledger_journals,
  last_journal_id bigint not null references ledger_journals,
  previous_hash bytea not null,
  hash bytea not null check (octet_length(hash) = 32),
  sealed_at timestamptz not null,
  previous_number bigint generated always as (nullif(number - 1, 0)) stored,
  check (first_journal_id <= last_journal_id),
  check (number > 1 or (from_xid = '0' and previous_hash = '')),
  unique (number, to_xid, hash),
  -- No gap and no fork: a block begins where the one of the number before ended.
  foreign key (previous_number, from_xid, previous_hash)
    references ledger_seals (number, to_xid, hash)
);

create trigger ledger_seals_append_only before update or delete on ledger_seals
  for each row execute function refuse_change();
create trigger ledger_seals_keep before truncate on ledger_seals
  for each statement execute function refuse_change();

-- The second half cannot be true while the server counts on; it is after a dump was loaded into a
-- server whose transaction ids are behind those in the books. Then nothing is booked until they are
-- ahead again: see docs/operations.md.
create function refuse_unsealable_journals() returns trigger language plpgsql as $$
begin
  if exists (select from inserted where xid <> pg_current_xact_id()) then
    raise exception 'a journal carries the id of the transaction that posts it'
      using errcode = 'restrict_violation';
  end if;
  if exists (select from inserted)
    and pg_current_xact_id() < (select to_xid from ledger_seals order by number desc limit 1) then
    raise exception 'transaction % is older than the last seal', pg_current_xact_id()
      using errcode = 'restrict_violation',
        hint = 'Was a dump loaded into a new server? See docs/operations.md, "Seals".';
  end if;
  return null;
end $$;
create trigger ledger_journals_sealable after insert on ledger_journals
  referencing new table as inserted
  for each statement execute function refuse_unsealable_journals();

create function refuse_unfit_postings() returns trigger language plpgsql as $$
declare
  unfit bigint;
begin
  select j.id into unfit
    from inserted i join ledger_journals j on j.id = i.journal_id
    where j.xid <> pg_current_xact_id() limit 1;
  if found then
    raise exception 'journal % is posted: nothing is added to it', unfit
      using errcode = 'restrict_violation';
  end if;
  select j.id into unfit
    from ledger_journals j
    where j.reverses_id is not null
      and j.id in (select journal_id from inserted)
      and exists (
        (select credit_account_id, debit_account_id, currency, amount_minor
           from ledger_postings where journal_id = j.reverses_id
         except all
         select debit_account_id, credit_account_id, currency, amount_minor
           from ledger_postings where journal_id = j.id)
        union all
        (select debit_account_id, credit_account_id, currency, amount_minor
           from ledger_postings where journal_id = j.id
         except all
         select credit_account_id, debit_account_id, currency, amount_minor
           from ledger_postings where journal_id = j.reverses_id))
    limit 1;
  if found then
    raise exception 'journal % is not the mirror of the one that it reverses', unfit
      using errcode = 'restrict_violation';
  end if;
  return null;
end $$;
create trigger ledger_postings_fit after insert on ledger_postings
  referencing new table as inserted
  for each statement execute function refuse_unfit_postings();
