-- How mails look and what they say, and the mails with which a new partner is welcomed.

-- Read through db/programme-settings.ts.
alter table programmes add column brand jsonb not null default '{}';

-- Words of one's own for a mail; the platform's where there is no partner.
create table mail_templates (
  id uuid primary key default uuidv7(),
  partner_id uuid references partners,
  template text not null,
  subject text not null check (length(subject) between 1 and 200),
  paragraphs text[] not null check (cardinality(paragraphs) between 1 and 20),
  action_label text check (length(action_label) between 1 and 60),
  changed_at timestamptz not null default clock_timestamp(),
  unique nulls not distinct (partner_id, template)
);
call audit_table('mail_templates', 'mail_template');

alter table access_mails drop constraint access_mails_kind_check;
alter table access_mails add check (kind in (
  'member_invitation', 'password_reset', 'access_changed', 'template_preview'));

-- One row for each partner that was welcomed; the stop is what its own link sets.
create table welcome_sequences (
  partner_id uuid primary key references partners,
  started_at timestamptz not null default clock_timestamp(),
  sent integer not null default 0 check (sent >= 0),
  stopped_at timestamptz,
  ended_at timestamptz
);
