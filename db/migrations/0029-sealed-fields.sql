-- Names and addresses of people are sealed: only processes that have a key read them. What was
-- written in clear before is sealed between this migration and the next, in one transaction with
-- both, by whoever migrates (db/migrations.ts).
alter table access_mails add column recipient_sealed bytea, add column name_sealed bytea;
alter table applications
  add column contact_name_sealed bytea, add column contact_email_sealed bytea;
alter table customers add column name_sealed bytea, add column email_sealed bytea;
alter table invitations add column name_sealed bytea, add column email_sealed bytea;
alter table notices add column recipient_sealed bytea;
alter table partners add column contact_name_sealed bytea, add column contact_email_sealed bytea;
-- By the index a mailbox is found: equal for addresses that differ in the case of letters only.
alter table member_invitations
  add column name_sealed bytea, add column email_sealed bytea, add column email_index bytea;
alter table members
  add column name_sealed bytea, add column email_sealed bytea, add column email_index bytea;
alter table people add column email_sealed bytea, add column email_index bytea;
