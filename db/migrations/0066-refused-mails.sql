-- A mailbox that refuses a mail for good is not asked again each minute.
alter table notices add column refused_at timestamptz;
