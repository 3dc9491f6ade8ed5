-- A payout that its partner has not let come for long is a person's to decide on.
alter table payout_exceptions
  drop constraint payout_exceptions_cause_check,
  add constraint payout_exceptions_cause_check check (cause in (
    'transfer_rejected', 'bank_failed', 'transfer_reversed', 'held_too_long'));
