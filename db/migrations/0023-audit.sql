-- The audit trail: what people and processes decide, recorded by the database in the transaction
-- that does it, and chained by hashes for each organisation when that transaction commits.

-- Events are only added, by the functions below alone. `hash` covers every other column and the hash
-- of the event before; its form is written in chain_events() and, to check it, in db/audit.ts. A
-- column that is added to this table is not covered by itself.
create table audit_events (
  -- The organisation whose chain this is; zeros for the platform.
  tenant uuid generated always as
    (coalesce(partner_id, '00000000-0000-0000-0000-000000000000')) stored,
  seq bigint not null check (seq > 0),
  id uuid not null unique,
  -- Where the organisation stood then: whom it moves away from keeps what was seen.
  partner_id uuid,
  reseller_id uuid,
  master_id uuid,
  at timestamptz not null,
  actor text not null,
  on_behalf_of text,
  request_id text,
  action text,
  kind text not null,
  -- The key of the row; of a refusal, the route that was asked for.
  subject text not null,
  verb text not null check (verb in ('created', 'changed', 'removed', 'refused')),
  code text,
  -- Names of columns, never what is in them: that may be personal.
  changed text[],
  before_hash bytea,
  after_hash bytea,
  hash bytea not null check (octet_length(hash) = 32),
  primary key (tenant, seq),
  check ((verb = 'refused') = (code is not null)),
  check ((verb = 'changed') = (changed is not null)),
  check ((before_hash is not null) = (verb in ('changed', 'removed'))),
  check ((after_hash is not null) = (verb in ('created', 'changed')))
);
create index audit_events_by_partner on audit_events (partner_id, id);
create index audit_events_by_reseller on audit_events (reseller_id, id);
create index audit_events_by_master on audit_events (master_id, id);
create index audit_events_by_subject on audit_events (subject, id);

create trigger audit_events_append_only before update or delete on audit_events
  for each row execute function refuse_change();
create trigger audit_events_keep before truncate on audit_events
  for each statement execute function refuse_change();

-- The end of each chain; the row is what its writers queue for.
create table audit_heads (
  tenant uuid primary key,
  seq bigint not null check (seq >= 0),
  hash bytea not null
) with (fillfactor = 50);

create function refuse_lower_head() returns trigger language plpgsql as $$
begin
  if tg_op in ('DELETE', 'TRUNCATE') or new.tenant <> old.tenant or new.seq < old.seq then
    raise exception 'the audit trail only grows' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger audit_heads_grow before update or delete on audit_heads
  for each row execute function refuse_lower_head();
create trigger audit_heads_keep before truncate on audit_heads
  for each statement execute function refuse_lower_head();

-- What this transaction has recorded so far: nothing of it outlives the commit.
create unlogged table audit_pending (
  xid xid8 not null default pg_current_xact_id(),
  -- One row of each transaction brings the others into the chain.
  leads boolean not null,
  id uuid not null default uuidv7(),
  partner_id uuid,
  reseller_id uuid,
  master_id uuid,
  at timestamptz not null default clock_timestamp(),
  actor text not null,
  on_behalf_of text,
  request_id text,
  action text,
  kind text not null,
  subject text not null,
  verb text not null,
  code text,
  changed text[],
  before_hash bytea,
  after_hash bytea
);
create index audit_pending_by_xid on audit_pending (xid);

create function audit_chain_step(state bytea, previous bytea, digest bytea) returns bytea
  language sql immutable parallel safe as
  $$ select sha256(coalesce(state, previous) || digest) $$;
create aggregate audit_chain(previous bytea, digest bytea) (
  sfunc = audit_chain_step, stype = bytea
);

-- At commit, the events of a transaction go to the end of their chains.
create function chain_events() returns trigger language plpgsql security definer
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  if tg_op = 'INSERT' then
    -- Queued again, behind everything else that a commit checks: while the end of a chain is
    -- locked, this transaction waits for nothing but the end of another, and those go by tenant.
    update audit_pending set leads = true where xid = new.xid and leads;
    return null;
  end if;
  insert into audit_heads as head (tenant, seq, hash)
    select tenant, 0, '' from (
      select distinct coalesce(partner_id, '00000000-0000-0000-0000-000000000000') as tenant
      from audit_pending where xid = new.xid) concerned
    order by tenant
    on conflict (tenant) do update set seq = head.seq where false;
  with taken as (
    delete from audit_pending where xid = new.xid returning *
  ), placed as (
    select taken.*, head.tenant, head.hash as previous,
      head.seq + row_number() over (partition by head.tenant order by taken.id) as seq
    from taken join audit_heads head
      on head.tenant = coalesce(taken.partner_id, '00000000-0000-0000-0000-000000000000')
  ), chained as (
    select placed.*, audit_chain(previous, sha256(convert_to(json_build_array(
        tenant, seq, id, reseller_id, master_id, at at time zone 'UTC', actor, on_behalf_of,
        request_id, action, kind, subject, verb, code, changed, encode(before_hash, 'hex'),
        encode(after_hash, 'hex'))::text, 'UTF8')))
      over (partition by tenant order by seq) as hash
    from placed
  ), written as (
    insert into audit_events (seq, id, partner_id, reseller_id, master_id, at, actor,
      on_behalf_of, request_id, action, kind, subject, verb, code, changed, before_hash,
      after_hash, hash)
    select seq, id, partner_id, reseller_id, master_id, at, actor, on_behalf_of, request_id,
      action, kind, subject, verb, code, changed, before_hash, after_hash, hash
    from chained order by tenant, seq
    returning tenant, seq, hash
  )
  update audit_heads head set seq = last.seq, hash = last.hash
    from (select distinct on (tenant) tenant, seq, hash from written
      order by tenant, seq desc) last
    where last.tenant = head.tenant;
  return null;
end $$;
create constraint trigger audit_pending_at_commit after insert or update on audit_pending
  deferrable initially deferred for each row when (new.leads) execute function chain_events();

create function audit_key(line jsonb, key text[]) returns text language sql immutable as
  $$ select string_agg(line ->> part, '/' order by place)
    from unnest(key) with ordinality of (part, place) $$;

-- What one row tells: its key, whose it is, and what it was and is, as hashes.
create function audit_entry(was jsonb, becomes jsonb, key text[], owner text[])
  returns table (subject text, owner_id uuid, verb text, before_hash bytea, after_hash bytea,
    changed text[])
  language sql stable as $$
    select audit_key(coalesce(becomes, was), key),
      (select (coalesce(becomes, was) ->> part)::uuid
        from unnest(owner) with ordinality of (part, place)
        where coalesce(becomes, was) ->> part is not null order by place limit 1),
      case when was is null then 'created' when becomes is null then 'removed' else 'changed' end,
      sha256(convert_to(was::text, 'UTF8')),
      sha256(convert_to(becomes::text, 'UTF8')),
      case when was is not null then
        (select array_agg(field.key order by field.key collate "C")
          from jsonb_each(becomes) field where was -> field.key is distinct from field.value)
      end $$;

-- Once for a statement, whatever the number of its rows. Arguments: the kind, the columns of the
-- key, those that may name the owner, and those whose change nobody decides. A row without an
-- owner is of the organisation that acts, or of the platform.
create function audit_change() returns trigger language plpgsql security definer
  set enable_seqscan = off set timezone = 'UTC' set bytea_output = 'hex' as $$
-- The audited table may have columns of any name.
#variable_conflict use_variable
declare
  kind text := tg_argv[0];
  key text[] := tg_argv[1];
  owner text[] := tg_argv[2];
  ignored text[] := tg_argv[3];
  claims text[];
  own_partner uuid;
  actor text;
  behalf text;
  request text;
  action text;
  is_first boolean;
begin
  -- Most statements that touch nothing note the use of something that was used a moment ago.
  if tg_op = 'DELETE' then
    if not exists (select from before) then
      return null;
    end if;
  elsif not exists (select from after) then
    return null;
  end if;
  -- Read once: every look checks a signature.
  claims := context_claims();
  own_partner := nullif(claims[2], '');
  actor := coalesce(nullif(claims[5], ''), 'system:' || session_user);
  behalf := nullif(claims[6], '');
  request := nullif(claims[7], '');
  action := nullif(claims[8], '');
  is_first := not exists (
    select from audit_pending where xid = pg_current_xact_id() and leads);
  if tg_op = 'INSERT' then
    insert into audit_pending (leads, partner_id, reseller_id, master_id, actor, on_behalf_of,
        request_id, action, kind, subject, verb, after_hash)
      select is_first and row_number() over () = 1, place.id, place.reseller_id, place.master_id,
        actor, behalf, request, action, kind, entry.subject, entry.verb, entry.after_hash
      from after
      cross join lateral audit_entry(null, to_jsonb(after) - ignored, key, owner) entry
      left join partners place on place.id = coalesce(entry.owner_id, own_partner);
  elsif tg_op = 'DELETE' then
    insert into audit_pending (leads, partner_id, reseller_id, master_id, actor, on_behalf_of,
        request_id, action, kind, subject, verb, before_hash)
      select is_first and row_number() over () = 1, place.id, place.reseller_id, place.master_id,
        actor, behalf, request, action, kind, entry.subject, entry.verb, entry.before_hash
      from before
      cross join lateral audit_entry(to_jsonb(before) - ignored, null, key, owner) entry
      left join partners place on place.id = coalesce(entry.owner_id, own_partner);
  else
    insert into audit_pending (leads, partner_id, reseller_id, master_id, actor, on_behalf_of,
        request_id, action, kind, subject, verb, before_hash, after_hash, changed)
      select is_first and row_number() over () = 1, place.id, place.reseller_id, place.master_id,
        actor, behalf, request, action, kind, entry.subject, entry.verb, entry.before_hash,
        entry.after_hash, entry.changed
      from (select to_jsonb(before) - ignored as was from before) earlier
      -- A row that gets another key is removed under the one and created under the other.
      full join (select to_jsonb(after) - ignored as becomes from after) later
        on audit_key(was, key) = audit_key(becomes, key)
      cross join lateral audit_entry(was, becomes, key, owner) entry
      left join partners place on place.id = coalesce(entry.owner_id, own_partner)
      where was is distinct from becomes;
  end if;
  return null;
end $$;

create function refuse_unrecorded_removal() returns trigger language plpgsql as $$
begin
  raise exception 'rows of % are never removed all at once: each removal is recorded',
    tg_table_name using errcode = 'restrict_violation';
end $$;

-- A refusal is recorded where it was decided, which is not in the database. Its transaction is
-- its own: that of what was refused is rolled back.
create function record_refusal(route text, code text) returns void language plpgsql
  security definer as $$
declare
  claims text[] := context_claims();
begin
  insert into audit_pending (leads, partner_id, reseller_id, master_id, actor, on_behalf_of,
      request_id, action, kind, subject, verb, code)
    select not exists (select from audit_pending where xid = pg_current_xact_id() and leads),
      place.id, place.reseller_id, place.master_id,
      coalesce(nullif(claims[5], ''), 'system:' || session_user), nullif(claims[6], ''),
      nullif(claims[7], ''), nullif(claims[8], ''), 'request', route, 'refused', code
    from (select nullif(claims[2], '')::uuid as id) own
    left join partners place on place.id = own.id;
end $$;

-- Tables of the caller's own making must not come first where a function runs as the owner.
do $$
declare
  own regprocedure;
begin
  foreach own in array array['chain_events()', 'audit_change()',
      'record_refusal(text, text)']::regprocedure[] loop
    execute format('alter function %s set search_path to %I, pg_temp', own, current_schema());
  end loop;
end $$;

-- Has the changes of a table recorded, from then on. The key is its primary key; `owner` names the
-- columns that may hold the organisation, the first that does decides; changes of `ignored` columns
-- alone are nobody's decision. Ancestors that are stamped on rows follow from their partner, and
-- versions from the change itself. Called again, what is given last holds.
create procedure audit_table(name text, kind text, owner text[] default '{partner_id}',
    ignored text[] default '{}') language plpgsql as $$
declare
  key text[] := (select array_agg(column_of.attname::text order by place)
    from pg_index, unnest(indkey) with ordinality of (attnum, place)
    join pg_attribute column_of using (attnum)
    where indrelid = name::regclass and indisprimary and attrelid = indrelid);
  kept record;
begin
  if key is null then
    raise exception 'table % has no primary key', name;
  end if;
  ignored := ignored || array['version'];
  if name <> 'partners' then
    ignored := ignored || array['reseller_id', 'master_id'];
  end if;
  for kept in select * from (values
      ('insert', 'new table as after'), ('delete', 'old table as before'),
      ('update', 'old table as before new table as after')) of (event, tables) loop
    execute format('create or replace trigger %I after %s on %I referencing %s for each statement
      execute function audit_change(%L, %L, %L, %L)',
      name || '_audited_' || kept.event, kept.event, name, kept.tables, kind, key, owner, ignored);
  end loop;
  execute format('create or replace trigger %I before truncate on %I for each statement
    execute function refuse_unrecorded_removal()', name || '_audited_whole', name);
end $$;

call audit_table('programmes', 'programme', '{}');
call audit_table('tiers', 'tier', '{}');
call audit_table('accounting_periods', 'accounting_period', '{}');
call audit_table('commission_rules', 'commission_rule', '{owner_id}');
call audit_table('commission_bands', 'commission_band', '{}');
call audit_table('feature_packages', 'feature_package', '{}');
call audit_table('settlement_runs', 'settlement_run', '{}');
call audit_table('partners', 'partner', '{id}');
call audit_table('partner_moves', 'partner_move');
call audit_table('partner_tiers', 'tier_change');
call audit_table('tenants', 'tenant');
call audit_table('applications', 'application', '{partner_id,master_id}');
call audit_table('decision_notes', 'decision_note', '{master_id}');
call audit_table('agreements', 'agreement', '{master_id}');
call audit_table('payout_accounts', 'payout_account', '{partner_id,master_id}', '{checked_at}');
call audit_table('partner_links', 'link');
call audit_table('customers', 'customer');
call audit_table('subscriptions', 'subscription');
call audit_table('adjustments', 'adjustment');
call audit_table('members', 'member');
call audit_table('api_keys', 'api_key', '{partner_id}', '{last_used_at}');
call audit_table('invitations', 'invitation');
call audit_table('context_keys', 'context_key', '{}');
call audit_table('people', 'person', '{}', '{totp_last_step}');
call audit_table('passkeys', 'passkey', '{}', '{counter,last_used_at}');
call audit_table('recovery_codes', 'recovery_code', '{}');
call audit_table('sessions', 'session', '{partner_id}', '{last_seen_at}');
call audit_table('password_resets', 'password_reset', '{}');
call audit_table('member_invitations', 'member_invitation');

-- Once a day the ends of all chains that grew go under one signature, made outside of the database
-- and published outside of it: who may change everything here cannot make another one.
create table audit_daily_heads (
  day text primary key check (day ~ '^\d{4}-\d{2}-\d{2}$'),
  chains bigint not null check (chains >= 0),
  -- Of the day before; empty on the first.
  previous_root bytea not null,
  root bytea not null unique check (octet_length(root) = 32),
  key_id text not null,
  signature bytea not null,
  signed_at timestamptz not null
);
create table audit_daily_chains (
  day text not null references audit_daily_heads deferrable initially deferred,
  tenant uuid not null,
  seq bigint not null,
  hash bytea not null,
  primary key (day, tenant)
);
create index audit_daily_chains_by_tenant on audit_daily_chains (tenant, seq);

do $$
declare
  kept text;
begin
  foreach kept in array array['audit_daily_heads', 'audit_daily_chains'] loop
    execute format('create trigger %1$I before update or delete on %2$I
      for each row execute function refuse_change()', kept || '_append_only', kept);
    execute format('create trigger %1$I before truncate on %2$I
      for each statement execute function refuse_change()', kept || '_keep', kept);
  end loop;
end $$;
