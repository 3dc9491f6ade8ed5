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

-- Who decides is not who proposed, under whatever membership: that is told by the mailbox.
create or replace function guard_approval() returns trigger language plpgsql as $$
declare
  level text := context_level();
  acting uuid := case tg_op when 'INSERT' then new.proposed_by else new.decided_by end;
begin
  if level is not null and (level <> 'super_admin'
      or context_on_behalf_of() is distinct from 'member:' || acting) then
    raise exception 'a person of the platform proposes and decides in its own name'
      using errcode = 'restrict_violation';
  end if;
  if not exists (select from members
      where id = acting and partner_id is null and customer_id is null and status = 'active') then
    raise exception 'member % is no active person of the platform', acting
      using errcode = 'restrict_violation';
  end if;
  if tg_op = 'INSERT' then
    if new.status <> 'proposed' then
      raise exception 'an approval begins as a proposal' using errcode = 'restrict_violation';
    end if;
    return new;
  end if;
  if old.status <> 'proposed' or to_jsonb(new) - '{status,decided_by,decided_at,decision_reason}'::text[]
      <> to_jsonb(old) - '{status,decided_by,decided_at,decision_reason}'::text[] then
    raise exception 'approval % is decided once, as it was proposed', old.id
      using errcode = 'restrict_violation';
  end if;
  new.decided_at := clock_timestamp();
  if new.decided_at >= old.lapses_at then
    raise exception 'proposal % has lapsed', old.id using errcode = 'restrict_violation';
  end if;
  if new.status <> 'withdrawn' and exists (select from members one
      join members other on other.id = new.decided_by and other.email_index = one.email_index
      where one.id = new.proposed_by) then
    raise exception 'approval % takes a second person', old.id using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
