-- The end of names and addresses in clear; what 0029 begins.
alter table access_mails
  drop column recipient, drop column name,
  alter column recipient_sealed set not null, alter column name_sealed set not null;
alter table applications
  drop column contact_name, drop column contact_email,
  alter column contact_name_sealed set not null, alter column contact_email_sealed set not null;
alter table customers
  drop column name, drop column email,
  alter column name_sealed set not null, alter column email_sealed set not null;
alter table invitations
  drop column name, drop column email,
  alter column name_sealed set not null, alter column email_sealed set not null;
alter table notices drop column recipient, alter column recipient_sealed set not null;
alter table partners
  drop column contact_name, drop column contact_email,
  alter column contact_name_sealed set not null, alter column contact_email_sealed set not null;
alter table member_invitations
  drop column name, drop column email,
  alter column name_sealed set not null, alter column email_sealed set not null,
  alter column email_index set not null;

-- The same mailbox is one member of an organisation, and one person everywhere.
alter table members
  drop constraint members_once,
  drop column name, drop column email,
  alter column name_sealed set not null, alter column email_sealed set not null,
  alter column email_index set not null,
  add constraint members_once unique nulls not distinct (partner_id, customer_id, email_index);
create index members_by_mailbox on members (email_index);
alter table people
  drop column email,
  alter column email_sealed set not null, alter column email_index set not null,
  add constraint people_once unique (email_index);

create or replace function is_same_person(one_id uuid, other_id uuid) returns boolean
  language sql stable as $$
  select exists (select from members one
    join members other on other.id = other_id and other.email_index = one.email_index
    where one.id = one_id) $$;
