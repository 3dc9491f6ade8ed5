-- Agreements: terms as versions of data, attempts to have them signed, and what is kept of them.

create table agreement_terms (
  id uuid primary key default uuidv7(),
  programme_id uuid not null references programmes,
  version text not null check (version ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$'),
  title text not null,
  -- Headings, paragraphs and placeholders, as domain/agreement-text.ts reads them.
  body text not null,
  docusign_template_id text,
  sha256 bytea not null
    check (sha256 = sha256(convert_to(version || E'\n' || title || E'\n' || body, 'UTF8'))),
  status text not null default 'draft' check (status in ('draft', 'published', 'retired')),
  effective_from timestamptz,
  -- How long partners under earlier terms have to accept these; null where nobody is asked to.
  notice_seconds integer check (notice_seconds >= 0),
  created_by uuid references members,
  created_at timestamptz not null default clock_timestamp(),
  published_at timestamptz,
  unique (programme_id, version),
  check ((status = 'draft') = (published_at is null)),
  check ((published_at is null) = (effective_from is null))
);
create index agreement_terms_in_force on agreement_terms (programme_id, effective_from)
  where status = 'published';

-- What was published is what was agreed to.
create function keep_published_terms() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    if old.status <> 'draft' then
      raise exception 'terms that were published stay' using errcode = 'restrict_violation';
    end if;
    return old;
  end if;
  if old.status <> 'draft' and (to_jsonb(old) - 'status') <> (to_jsonb(new) - 'status') then
    raise exception 'terms that were published do not change' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger agreement_terms_stay before update or delete on agreement_terms
  for each row execute function keep_published_terms();

-- The terms that a programme begins with.
create function record_first_terms(programme uuid) returns void language plpgsql as $fn$
declare
  first_version constant text := '2026-11';
  first_title constant text := 'Partner agreement';
  first_body constant text := $body$Between the owner of the platform (programme {programme}) and
{company}, {country}, in the following the partner, which joins as {level}.

# 1. Commission

{commission}

# 2. Settlement

Commission is settled each calendar month in UTC. Money that goes back to a customer takes the
commission on it back at the rate at which it was earned. A negative balance is carried forward.

# 3. Identity

The partner proves its identity to Stripe, through which it is paid.$body$;
begin
  insert into agreement_terms (programme_id, version, title, body, sha256, status, effective_from,
      published_at)
    values (programme, first_version, first_title, first_body,
      sha256(convert_to(first_version || E'\n' || first_title || E'\n' || first_body, 'UTF8')),
      'published', '2000-01-01T00:00:00Z', clock_timestamp())
    on conflict do nothing;
end $fn$;
select record_first_terms(id) from programmes;

-- An agreement is of an application at first, and of the partner when terms change. Both have the
-- same id, which is the holder's.
alter table agreements
  alter column application_id drop not null,
  add column partner_id uuid references partners,
  add column holder_id uuid not null generated always as (coalesce(application_id, partner_id)) stored,
  add column terms_id uuid references agreement_terms,
  add column embedded boolean not null default false,
  add column signer_name_sealed bytea,
  add column signer_email_sealed bytea,
  add column declined_reason_sealed bytea,
  -- Set before the vendor is asked to send; without an envelope it may have done so or not.
  add column requested_at timestamptz,
  -- Set when nobody can tell any more whether the vendor has sent it: a person decides.
  add column uncertain_at timestamptz,
  add column ended_at timestamptz,
  -- A page of the vendor that lives for minutes and opens once.
  add column signing_url text,
  add column certificate_id uuid references documents,
  add column audit_id uuid references documents,
  add check (num_nonnulls(application_id, partner_id) = 1),
  add check (attempt <= 5);
-- Of a draft nobody knows whether its envelope was asked for.
update agreements set terms_id = (select id from agreement_terms
    where version = agreements.terms_version limit 1),
  requested_at = case when status = 'draft' then clock_timestamp() end,
  ended_at = coalesce(completed_at,
    case when status in ('declined', 'voided', 'expired') then clock_timestamp() end);
alter table agreements
  alter column terms_id set not null,
  add unique (partner_id, terms_id, attempt),
  add check (status not in ('declined', 'voided', 'expired') or ended_at is not null);
create unique index agreements_one_live_of_terms on agreements (partner_id, terms_id)
  where status in ('draft', 'sent');
create index agreements_by_holder on agreements (holder_id, id);
create index agreements_by_master on agreements (master_id, id);
create index agreements_sent on agreements (sent_at) where status = 'sent';

create function name_decider_of_agreement() returns trigger language plpgsql as $$
begin
  new.master_id := coalesce(
    (select whole.master_id from applications whole where whole.id = new.application_id),
    (select partner.master_id from partners partner where partner.id = new.partner_id));
  return new;
end $$;
drop trigger agreements_decider on agreements;
create trigger agreements_decider before insert on agreements
  for each row execute function name_decider_of_agreement();
call audit_table('agreements', 'agreement', '{partner_id,master_id}', '{signing_url}');
call audit_table('agreement_terms', 'agreement_terms', '{}');

-- A person had an agreement sent once more, perhaps to somebody else.
create table agreement_resends (
  id uuid primary key,
  application_id uuid not null references applications,
  member_id uuid not null references members,
  signer_name_sealed bytea,
  signer_email_sealed bytea,
  created_at timestamptz not null default clock_timestamp(),
  master_id uuid references partners
);
comment on column agreement_resends.master_id is 'stamped';
create trigger agreement_resends_decider before insert on agreement_resends
  for each row execute function name_decider_of_part();
create trigger agreement_resends_append_only before update or delete on agreement_resends
  for each row execute function refuse_change();
create trigger agreement_resends_keep before truncate on agreement_resends
  for each statement execute function refuse_change();
call audit_table('agreement_resends', 'agreement_resend', '{master_id}');

-- Who has to accept terms that were changed, until when, and what came of it.
create table terms_acceptances (
  id uuid primary key default uuidv7(),
  terms_id uuid not null references agreement_terms,
  partner_id uuid not null references partners,
  reseller_id uuid not null,
  master_id uuid not null,
  status text not null default 'pending' check (status in (
    'pending', 'accepted', 'declined', 'overdue', 'superseded')),
  due_at timestamptz not null,
  created_at timestamptz not null default clock_timestamp(),
  started_at timestamptz,
  decided_at timestamptz,
  unique (partner_id, terms_id),
  foreign key (partner_id, reseller_id, master_id) references partner_places
);
comment on column terms_acceptances.reseller_id is 'stamped';
comment on column terms_acceptances.master_id is 'stamped';
create trigger terms_acceptances_placed before insert on terms_acceptances for each row
  when (new.master_id is null) execute function stamp_place();
create index terms_acceptances_by_master on terms_acceptances (master_id, id);
create index terms_acceptances_by_reseller on terms_acceptances (reseller_id, id);
create index terms_acceptances_to_start on terms_acceptances (id) where started_at is null;
call audit_table('terms_acceptances', 'terms_acceptance', '{partner_id}', '{started_at}');

-- When the vendor was last asked which envelopes moved.
create table agreement_looks (
  id boolean primary key default true check (id),
  looked_at timestamptz not null
);

-- Documents are their holder's and sealed; the hash is of what was sealed.
alter table documents
  add column holder_id uuid,
  add column master_id uuid references partners,
  add column content_sealed bytea;
comment on column documents.master_id is 'stamped';
update documents set holder_id = agreements.holder_id, master_id = agreements.master_id
  from agreements where agreements.document_id = documents.id;
create function name_decider_of_document() returns trigger language plpgsql as $$
begin
  new.master_id := coalesce(
    (select whole.master_id from applications whole where whole.id = new.holder_id),
    (select partner.master_id from partners partner where partner.id = new.holder_id));
  return new;
end $$;
create trigger documents_decider before insert on documents
  for each row execute function name_decider_of_document();
create index documents_by_holder on documents (holder_id);
