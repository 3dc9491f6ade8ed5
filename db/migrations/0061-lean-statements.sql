-- Statements are drafted by the hundred thousand: each row is written to what drafts are read by,
-- and no more. People find only issued ones; drafts are read by their run.
drop index statements_by_partner;
drop index statements_by_master;
drop index statements_by_reseller;
create index statements_by_master on statements (master_id, id) where issued_at is not null;
create index statements_by_reseller on statements (reseller_id, id) where issued_at is not null;

-- What statements refer to is looked up once for all rows that are written at once, whether they
-- are new or changed. All of it refuses to be removed or to get another key, whoever asks.
alter table statements
  drop constraint statements_since_period_fkey,
  drop constraint statements_payout_currency_fkey,
  drop constraint statements_fx_rate_id_fkey,
  drop constraint statements_seal_number_fkey;
drop trigger statements_stamped on statements;
create or replace function refuse_unknown_statements() returns trigger language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  wrong uuid;
begin
  -- A place is that of a partner.
  select own.partner_id into wrong from written own
    where not exists (select from partner_places place
      where (place.partner_id, place.reseller_id, place.master_id)
        = (own.partner_id, own.reseller_id, own.master_id)) limit 1;
  if found then
    raise exception 'a statement is stamped with a place that partner % never had', wrong
      using errcode = 'foreign_key_violation';
  end if;
  select own.run_id into wrong
    from (select distinct run_id, period, since_period, currency, payout_currency, fx_rate_id,
        seal_number from written) own
    where not exists (select from settlement_runs run
        where run.id = own.run_id and run.period = own.period)
      or not exists (select from currencies whole where whole.code = own.currency)
      or own.since_period is not null and not exists (select from accounting_periods whole
        where whole.period = own.since_period)
      or own.payout_currency is not null and not exists (select from currencies whole
        where whole.code = own.payout_currency)
      or own.fx_rate_id is not null and not exists (select from fx_rates whole
        where whole.id = own.fx_rate_id)
      or own.seal_number is not null and not exists (select from ledger_seals whole
        where whole.number = own.seal_number) limit 1;
  if found then
    raise exception 'a statement of run % is of no run, period, currency, rate or seal', wrong
      using errcode = 'foreign_key_violation';
  end if;
  return null;
end $$;
drop trigger statements_refer on statements;
create trigger statements_refer after insert on statements referencing new table as written
  for each statement execute function refuse_unknown_statements();
create trigger statements_still_refer after update on statements referencing new table as written
  for each statement execute function refuse_unknown_statements();
