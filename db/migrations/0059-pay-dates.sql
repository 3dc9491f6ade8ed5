-- Not before this day, in UTC, where the programme pays so many days after the month.
alter table payouts
  add column pay_on text check (pay_on ~ '^\d{4}-\d\d-\d\d$');
create index payouts_by_pay_day on payouts (pay_on) where status = 'approved';

-- Why less than the minimum is paid.
alter table statements
  add column payable_reason text check (payable_reason in ('aged_balance', 'final_balance')),
  add constraint statements_small_payable check (payable_reason is null or payable_minor > 0);
