-- A balance that nobody will ever pay, and one too small to be paid, is given up by two persons
-- after a year: an entry of its partner against an account for what is lost that way.

-- Each list of names that is allowed has one more, whatever it holds by now.
do $$
declare
  added record;
  held text;
begin
  for added in select * from (values
      ('ledger_accounts', 'ledger_accounts_purpose_check', 'write_offs'),
      ('approvals', 'approvals_kind_check', 'write_off'),
      ('approvals', 'approvals_entry', 'write_off')) of (tab, con, name) loop
    select pg_get_constraintdef(oid) into strict held from pg_constraint
      where conrelid = added.tab::regclass and conname = added.con;
    continue when position(quote_literal(added.name) in held) > 0;
    execute format('alter table %I drop constraint %I', added.tab, added.con);
    execute format('alter table %I add constraint %I %s', added.tab, added.con,
      replace(held, 'ARRAY[', format('ARRAY[%L::text, ', added.name)));
  end loop;
end $$;

create or replace function refuse_lone_entry() returns trigger language plpgsql as $$
begin
  if not exists (select from approvals
      where id = new.id and kind in ('manual_entry', 'payout_write_off', 'write_off')
        and status = 'approved'
        and (concerned_id, currency, amount_minor, reason, happened_at)
          = (new.partner_id, new.currency, new.amount_minor, new.reason, new.happened_at)) then
    raise exception 'manual entry % was not approved like this by two persons', new.id
      using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
