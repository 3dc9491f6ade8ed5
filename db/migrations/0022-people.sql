-- People: what a member may do in its organisation, what a person signs in with, and where.

-- Who was a member before there were roles is an owner; who comes later says what it is.
alter table members
  add column role text not null default 'owner'
    check (role in ('owner', 'admin', 'finance', 'viewer')),
  add column status text not null default 'active' check (status in ('active', 'disabled')),
  add column disabled_at timestamptz,
  add check ((status = 'disabled') = (disabled_at is not null));
alter table members alter column role set default 'viewer';
create index members_by_address on members (lower(email));

-- A person is a mailbox: one set of credentials, however many organisations it is a member of. The
-- row is made with the first credential; until then a member acts through its keys only.
create table people (
  id uuid primary key default uuidv7(),
  email text not null unique check (email = lower(email)),
  -- Argon2id with its parameters and salt.
  password_hash text,
  password_set_at timestamptz,
  -- Encrypted; it opens at this row only. A secret that is not confirmed is no factor yet.
  totp_secret bytea,
  totp_confirmed_at timestamptz,
  -- The time step of the newest code that was taken: a code works once.
  totp_last_step bigint not null default 0,
  -- Whom the identity provider means, from the first sign-in on: addresses are given away again.
  oidc_issuer text,
  oidc_subject text,
  created_at timestamptz not null default clock_timestamp(),
  check ((password_hash is null) = (password_set_at is null)),
  check (totp_confirmed_at is null or totp_secret is not null),
  check ((oidc_issuer is null) = (oidc_subject is null)),
  unique (oidc_issuer, oidc_subject)
);

create table passkeys (
  id uuid primary key default uuidv7(),
  person_id uuid not null references people,
  name text not null,
  credential_id text not null unique,
  public_key bytea not null,
  counter bigint not null check (counter >= 0),
  transports text[] not null default '{}',
  backed_up boolean not null,
  created_at timestamptz not null default clock_timestamp(),
  last_used_at timestamptz
);
create index passkeys_by_person on passkeys (person_id, id);

-- Each works once. They are random, so that a plain hash keeps them.
create table recovery_codes (
  id uuid primary key default uuidv7(),
  person_id uuid not null references people,
  code_hash bytea not null,
  used_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  unique (person_id, code_hash)
);

-- A session is of one membership. Only the SHA-256 of its token is kept, and the token changes
-- whenever the person proves who it is.
create table sessions (
  id uuid primary key default uuidv7(),
  person_id uuid not null references people,
  member_id uuid not null references members,
  partner_id uuid references partners,
  token_hash bytea not null unique,
  -- What is left to do before the session may do anything else.
  needs text check (needs in ('totp', 'passkey', 'enrolment')),
  -- How the person proved who it is.
  methods text[] not null,
  idle_seconds integer not null check (idle_seconds > 0),
  created_at timestamptz not null default clock_timestamp(),
  last_seen_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  stepped_up_at timestamptz,
  ip text not null,
  user_agent text not null,
  ended_at timestamptz,
  ended_because text check (ended_because in (
    'signed_out', 'revoked', 'replaced', 'disabled', 'password_changed', 'factors_changed')),
  check ((ended_at is null) = (ended_because is null))
);
create index sessions_by_person on sessions (person_id, id);
create index sessions_by_member on sessions (member_id) where ended_at is null;

-- Who is disabled is signed out in the same statement, by whomever and however it was done. The
-- level that disables sees no sessions, so that this runs as the owner.
create function end_sessions_of_disabled() returns trigger
  language plpgsql security definer set search_path from current as $$
begin
  update sessions set ended_at = clock_timestamp(), ended_because = 'disabled'
    where member_id = new.id and ended_at is null;
  return null;
end $$;
create trigger members_sign_out after update of status on members for each row
  when (new.status = 'disabled' and old.status <> 'disabled')
  execute function end_sessions_of_disabled();

-- What an authenticator has to sign; taken away by the first try.
create table passkey_challenges (
  session_id uuid not null references sessions on delete cascade,
  purpose text not null check (purpose in ('registration', 'authentication')),
  challenge text not null,
  expires_at timestamptz not null,
  primary key (session_id, purpose)
);

-- Tries at passwords and codes. Unlike other limits they survive a crash.
create table sign_in_limits (
  bucket text primary key,
  tries integer not null check (tries >= 0),
  resets_at timestamptz not null
);
create index sign_in_limits_by_age on sign_in_limits (resets_at);

create table password_resets (
  id uuid primary key default uuidv7(),
  person_id uuid not null references people,
  token_hash bytea not null unique,
  expires_at timestamptz not null,
  used_at timestamptz,
  created_at timestamptz not null default clock_timestamp()
);
create index password_resets_by_person on password_resets (person_id);

create table member_invitations (
  id uuid primary key default uuidv7(),
  partner_id uuid references partners,
  customer_id uuid references customers,
  name text not null,
  email text not null,
  role text not null check (role in ('owner', 'admin', 'finance', 'viewer')),
  token_hash bytea not null unique,
  invited_by uuid not null references members,
  expires_at timestamptz not null,
  accepted_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz not null default clock_timestamp()
);
create index member_invitations_by_partner on member_invitations (partner_id, id);

-- Mails about access, written with what they tell of; the sweeper sends them.
create table access_mails (
  id uuid primary key default uuidv7(),
  partner_id uuid references partners,
  kind text not null check (kind in ('member_invitation', 'password_reset', 'access_changed')),
  -- The invitation, the reset or the person that it is about.
  subject_id uuid not null,
  recipient text not null,
  name text not null,
  -- What happened, where the kind alone does not say it.
  what text not null default '',
  created_at timestamptz not null default clock_timestamp(),
  sent_at timestamptz
);
create index access_mails_waiting on access_mails (id) where sent_at is null;

-- A sign-in that is away at the identity provider; taken away by its return.
create table oidc_sign_ins (
  state_hash bytea primary key,
  -- Of the cookie that only the browser has which left.
  browser_hash bytea not null,
  nonce text not null,
  code_verifier text not null,
  -- The one that was asked for: an id, `platform`, or nothing.
  organisation text,
  expires_at timestamptz not null
);
