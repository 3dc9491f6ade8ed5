-- A transfer may be taken back at the processor by a person: its payout then waits for another one.
alter table payout_exceptions
  drop constraint payout_exceptions_cause_check,
  add constraint payout_exceptions_cause_check check (cause in (
    'transfer_rejected', 'bank_failed', 'transfer_reversed'));
