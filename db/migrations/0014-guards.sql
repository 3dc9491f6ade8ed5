-- Invariants that a writing transaction cannot leave broken, checked once for each statement on the
-- rows that it touched: I06, I08 and I24, I12, I14.

create function refuse_excess_accruals() returns trigger language plpgsql as $$
declare
  broken uuid;
begin
  -- The parts of a line may round against each other; the line as a whole may not.
  select touched.id into broken
    from (select distinct on (line.vendor_line_id) line.id, line.vendor_line_id
      from inserted join line_payments line on line.id = inserted.line_payment_id
      where line.allocation_unit is null) touched
    where (select sum(accrual.amount_minor) from accruals accrual
        join line_payments part on part.id = accrual.line_payment_id
        where part.vendor_line_id = touched.vendor_line_id)
      > (select sum(part.base_minor) from line_payments part
        where part.vendor_line_id = touched.vendor_line_id)
    limit 1;
  if not found then
    select accrual.line_payment_id into broken
      from accruals accrual
      join line_payments line on line.id = accrual.line_payment_id
        and line.allocation_unit is not null
      where accrual.line_payment_id in (select line_payment_id from inserted)
      group by accrual.line_payment_id, accrual.base_minor
      having sum(accrual.amount_minor) > accrual.base_minor
      limit 1;
  end if;
  if broken is not null then
    raise exception 'the shares of line payment % are more than its base', broken
      using errcode = 'TR002';
  end if;
  return null;
end $$;
create trigger accruals_within_base after insert on accruals
  referencing new table as inserted
  for each statement execute function refuse_excess_accruals();

create function refuse_excess_clawbacks() returns trigger language plpgsql as $$
declare
  broken uuid;
begin
  select accrual.id into broken
    from accruals accrual
    join clawbacks back on back.accrual_id = accrual.id
    where accrual.id in (select accrual_id from inserted)
    group by accrual.id
    having sum(back.amount_minor) not between 0 and accrual.amount_minor
    limit 1;
  if found then
    raise exception 'what is taken back of accrual % is below nothing or above all of it', broken
      using errcode = 'TR002';
  end if;
  return null;
end $$;
create trigger clawbacks_within_accrual after insert on clawbacks
  referencing new table as inserted
  for each statement execute function refuse_excess_clawbacks();

create function refuse_excess_closing_clawbacks() returns trigger language plpgsql as $$
declare
  broken uuid;
begin
  select whole.id into broken
    from closing_accruals whole
    join closing_clawbacks back on back.closing_accrual_id = whole.id
    where whole.id in (select closing_accrual_id from inserted)
    group by whole.id
    -- Below nothing is right: a refund of the month itself may fail later.
    having sum(back.amount_minor) * sign(whole.amount_minor) > abs(whole.amount_minor)
    limit 1;
  if found then
    raise exception 'more is taken back of true-up % than it gave', broken
      using errcode = 'TR002';
  end if;
  return null;
end $$;
create trigger closing_clawbacks_within_accrual after insert on closing_clawbacks
  referencing new table as inserted
  for each statement execute function refuse_excess_closing_clawbacks();

create function refuse_wrong_payouts() returns trigger language plpgsql as $$
declare
  broken uuid;
begin
  select payout.id into broken
    from written payout
    join statements statement on statement.id = payout.statement_id
    join currencies on currencies.code = payout.currency
    where payout.amount_minor > coalesce(statement.payout_minor, statement.payable_minor)
      or payout.amount_minor % currencies.payout_step <> 0
      or payout.currency <> coalesce(statement.payout_currency, statement.currency)
      or payout.partner_id <> statement.partner_id
    limit 1;
  if found then
    raise exception 'payout % is not what its statement pays', broken using errcode = 'TR002';
  end if;
  select payout.id into broken from written payout
    where payout.status = 'paid' and not exists (
      select from payout_attempts attempt
      where attempt.payout_id = payout.id and attempt.status = 'succeeded')
    limit 1;
  if found then
    raise exception 'payout % is paid by no attempt', broken using errcode = 'TR002';
  end if;
  return null;
end $$;
create trigger payouts_as_stated after insert on payouts
  referencing new table as written
  for each statement execute function refuse_wrong_payouts();
create trigger payouts_stay_as_stated after update on payouts
  referencing new table as written
  for each statement execute function refuse_wrong_payouts();
