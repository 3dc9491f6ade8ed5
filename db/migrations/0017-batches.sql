-- Booking in batches: guards that are cheap for a thousand rows in one statement.

-- Guards look up what a statement touched, by key, and their plans are kept from their first call,
-- when the tables are small: a scan that was right then would be slow for ever.
create procedure keep_to_indexes(guards regprocedure[]) language plpgsql as $$
declare
  guard regprocedure;
begin
  foreach guard in array guards loop
    execute format('alter function %s set enable_seqscan = off', guard);
    execute format('alter function %s set enable_hashjoin = off', guard);
    execute format('alter function %s set enable_mergejoin = off', guard);
  end loop;
end $$;

-- Before the statement no line gave more than its base; if one does now, then by a line payment
-- that gives more than its own base. Those are few: only they are looked at with their whole line,
-- whose parts may round against each other.
create or replace function refuse_excess_accruals() returns trigger language plpgsql as $$
declare
  suspects uuid[];
  broken uuid;
begin
  select array_agg(line_payment_id) into suspects from (
    select accrual.line_payment_id
    from (select distinct line_payment_id from inserted) touched
    join accruals accrual using (line_payment_id)
    group by accrual.line_payment_id
    having sum(accrual.amount_minor) > max(accrual.base_minor)) excess;
  if suspects is null then
    return null;
  end if;
  select touched.id into broken
    from line_payments touched
    where touched.id = any(suspects) and (touched.allocation_unit is not null
      or (select sum(accrual.amount_minor) from accruals accrual
          join line_payments part on part.id = accrual.line_payment_id
          where part.vendor_line_id = touched.vendor_line_id)
        > (select sum(part.base_minor) from line_payments part
          where part.vendor_line_id = touched.vendor_line_id))
    limit 1;
  if broken is not null then
    raise exception 'the shares of line payment % are more than its base', broken
      using errcode = 'TR002';
  end if;
  return null;
end $$;

-- What no query needs any more: the lines of an invoice line have the unique key, accounts are read
-- through their journals and balances, and only volumes are read by rule.
drop index line_payments_by_line;
drop index ledger_postings_by_debit;
drop index ledger_postings_by_credit;
-- Postings are read with their journal.
alter table ledger_postings drop constraint ledger_postings_pkey,
  add primary key (journal_id, id);
drop index ledger_postings_by_journal;
-- What a partner sold is found through its customers.
drop index line_payments_by_partner;
drop index accruals_by_rule;
-- Few periods: those of one partner are found through accruals_by_period, which skips from one
-- period to the next.
drop index accruals_by_partner;
alter table ledger_journals drop constraint ledger_journals_reverses_id_key;
create unique index ledger_journals_reversed_once on ledger_journals (reverses_id)
  where reverses_id is not null;
create index accruals_by_volume on accruals (rule_id, partner_id, period)
  where volume_minor is not null;

-- Sales look up who stood where by partner; the exclusion constraints are slower at that.
create index partner_ancestry_by_partner on partner_ancestry (partner_id, depth)
  include (ancestor_id, valid);
create index partner_tiers_by_partner on partner_tiers (partner_id) include (valid, tier);

-- Foreign keys look up every row of a statement on its own, which for these tables is most of the
-- cost of booking. The same is checked here once for a statement. What they refer to is never
-- removed and never gets another key (below), so that what is right once stays right.
-- It makes a function for the table, whose plans are kept like those of every guard.
create procedure guard_references(own text, variadic refers text[]) language plpgsql as $$
declare
  -- Triples: a column, the table that it refers to, and that table's key.
  refer text[];
  checks text := '';
begin
  foreach refer slice 1 in array (select array_agg(array[refers[i], refers[i + 1], refers[i + 2]])
      from generate_series(1, array_length(refers, 1), 3) i) loop
    checks := checks || format(
      'select %1$I::text into missing from (select distinct %1$I from inserted) own
         where %1$I is not null and not exists (select from %2$I whole where whole.%3$I = own.%1$I)
         limit 1;
       if found then
         raise exception ''%1$s of %4$s is %% and there is no such row in %2$s'', missing
           using errcode = ''foreign_key_violation'';
       end if;', refer[1], refer[2], refer[3], own);
  end loop;
  execute format('create function %I() returns trigger language plpgsql as %L', own || '_refer',
    'declare missing text; begin ' || checks || ' return null; end');
  execute format('create trigger %I after insert on %I referencing new table as inserted
    for each statement execute function %I()', own || '_refer', own, own || '_refer');
end $$;

alter table payments
  drop constraint payments_partner_id_fkey,
  drop constraint payments_customer_id_fkey,
  drop constraint payments_subscription_id_fkey,
  drop constraint payments_currency_fkey,
  drop constraint payments_period_fkey;
call guard_references('payments',
  'partner_id', 'partners', 'id', 'customer_id', 'customers', 'id',
    'subscription_id', 'subscriptions', 'id', 'currency', 'currencies', 'code',
    'period', 'accounting_periods', 'period');
create trigger payments_append_only before update or delete on payments
  for each row execute function refuse_change();
create trigger payments_keep before truncate on payments
  for each statement execute function refuse_change();

alter table line_payments
  drop constraint line_payments_payment_id_fkey,
  drop constraint line_payments_partner_id_fkey,
  drop constraint line_payments_customer_id_fkey,
  drop constraint line_payments_feature_package_id_fkey,
  drop constraint line_payments_period_fkey;
call guard_references('line_payments',
  'payment_id', 'payments', 'id', 'partner_id', 'partners', 'id',
    'customer_id', 'customers', 'id', 'feature_package_id', 'feature_packages', 'id',
    'period', 'accounting_periods', 'period');

alter table accruals
  drop constraint accruals_line_payment_id_fkey,
  drop constraint accruals_partner_id_fkey,
  drop constraint accruals_rule_id_fkey,
  drop constraint accruals_currency_fkey,
  drop constraint accruals_period_fkey;
call guard_references('accruals',
  'line_payment_id', 'line_payments', 'id', 'partner_id', 'partners', 'id',
    'rule_id', 'commission_rules', 'id', 'currency', 'currencies', 'code',
    'period', 'accounting_periods', 'period');

alter table ledger_journals
  drop constraint ledger_journals_period_fkey,
  drop constraint ledger_journals_reverses_id_fkey;
call guard_references('ledger_journals',
  'period', 'accounting_periods', 'period', 'reverses_id', 'ledger_journals', 'id');

alter table ledger_postings
  drop constraint ledger_postings_journal_id_fkey,
  drop constraint ledger_postings_debit_account_id_currency_fkey,
  drop constraint ledger_postings_credit_account_id_currency_fkey;

-- A posting belongs to a journal of its own transaction, and its accounts have its currency.
create or replace function refuse_unfit_postings() returns trigger language plpgsql as $$
declare
  journals record;
  unfit record;
begin
  select min(own.journal_id) filter (where journal.id is null) as unknown,
      min(journal.id) filter (where journal.xid <> pg_current_xact_id()) as late,
      bool_or(journal.reverses_id is not null) as reverses into journals
    from (select distinct journal_id from inserted) own
    left join ledger_journals journal on journal.id = own.journal_id;
  if journals.unknown is not null then
    raise exception 'there is no journal %', journals.unknown
      using errcode = 'foreign_key_violation';
  elsif journals.late is not null then
    raise exception 'journal % is posted: nothing is added to it', journals.late
      using errcode = 'restrict_violation';
  end if;
  select own.account_id, own.currency into unfit
    from (select debit_account_id as account_id, currency from inserted
      union select credit_account_id, currency from inserted) own
    left join ledger_accounts account
      on account.id = own.account_id and account.currency = own.currency
    where account.id is null limit 1;
  if found then
    raise exception 'there is no account % in %', unfit.account_id, unfit.currency
      using errcode = 'foreign_key_violation';
  end if;
  if not journals.reverses then
    return null;
  end if;
  select journal.id into unfit
    from (select distinct journal_id from inserted) own
    join ledger_journals journal on journal.id = own.journal_id
    where journal.reverses_id is not null and exists (
      (select credit_account_id, debit_account_id, currency, amount_minor
         from ledger_postings where journal_id = journal.reverses_id
       except all
       select debit_account_id, credit_account_id, currency, amount_minor
         from ledger_postings where journal_id = journal.id)
      union all
      (select debit_account_id, credit_account_id, currency, amount_minor
         from ledger_postings where journal_id = journal.id
       except all
       select credit_account_id, debit_account_id, currency, amount_minor
         from ledger_postings where journal_id = journal.reverses_id))
    limit 1;
  if found then
    raise exception 'journal % is not the mirror of the one that it reverses', unfit.id
      using errcode = 'restrict_violation';
  end if;
  return null;
end $$;

create function refuse_removal() returns trigger language plpgsql as $$
begin
  raise exception 'the books refer to rows of %: they are never removed and keep their key',
    tg_table_name using errcode = 'restrict_violation';
end $$;
do $$
declare
  kept record;
begin
  for kept in select * from (values ('partners', 'id'), ('customers', 'id'),
      ('subscriptions', 'id'), ('feature_packages', 'id'), ('commission_rules', 'id'), ('currencies', 'code'),
      ('accounting_periods', 'period'), ('ledger_accounts', 'id')) of (name, key) loop
    execute format('create trigger %I before delete on %I for each row
      execute function refuse_removal()', kept.name || '_stay', kept.name);
    execute format('create trigger %1$I before update of %2$I on %3$I for each row
      when (old.%2$I is distinct from new.%2$I) execute function refuse_removal()',
      kept.name || '_keep_key', kept.key, kept.name);
    execute format('create trigger %I before truncate on %I for each statement
      execute function refuse_removal()', kept.name || '_stay_all', kept.name);
  end loop;
end $$;
create trigger ledger_accounts_keep_meaning before update on ledger_accounts for each row
  when ((old.currency, old.purpose, old.partner_id)
    is distinct from (new.currency, new.purpose, new.partner_id))
  execute function refuse_removal();

-- Balances are made by a trigger from postings whose accounts were just looked up.
alter table ledger_balances drop constraint ledger_balances_account_id_fkey;
-- Its rows are updated for ever: room in their pages keeps the updates out of the index.
alter table ledger_balances set (fillfactor = 50);

call keep_to_indexes(array[
  'refuse_late_journals()', 'refuse_unsealable_journals()', 'refuse_unfit_postings()',
  'refuse_excess_accruals()', 'refuse_excess_clawbacks()',
  'refuse_excess_closing_clawbacks()', 'refuse_wrong_payouts()',
  'payments_refer()', 'line_payments_refer()', 'accruals_refer()', 'ledger_journals_refer()']::regprocedure[]);
drop procedure keep_to_indexes;
drop procedure guard_references;
