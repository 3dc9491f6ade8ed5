-- Nearly every transaction changes a row or two, and what it cost to record them was the planning:
-- each trigger of each table made its own plans for large joins in every connection, six times
-- until one was kept. Few rows are now recorded one by one, with plans that all tables share and
-- that are made once; many rows go as they did. What is recorded and the form of the hashes stay.

-- Records what one row was and becomes. Whoever calls it needs the right to write what is pending,
-- which is the owner alone.
create function record_change(kind text, key text[], owner text[], ignored text[], was jsonb,
    becomes jsonb) returns void language plpgsql as $$
#variable_conflict use_variable
declare
  line jsonb;
  subject text;
  part text;
  owner_id uuid;
  claims text[];
  changed text[];
begin
  was := was - ignored;
  becomes := becomes - ignored;
  if was = becomes then
    return;
  end if;
  line := coalesce(becomes, was);
  subject := line ->> key[1];
  for place in 2 .. cardinality(key) loop
    subject := subject || '/' || (line ->> key[place]);
  end loop;
  foreach part in array owner loop
    owner_id := (line ->> part)::uuid;
    exit when owner_id is not null;
  end loop;
  if was is not null and becomes is not null then
    changed := (select array_agg(field.key order by field.key collate "C")
      from jsonb_each(becomes) field where was -> field.key is distinct from field.value);
  end if;
  claims := context_claims();
  insert into audit_pending (leads, partner_id, reseller_id, master_id, actor, on_behalf_of,
      request_id, action, kind, subject, verb, changed, before_hash, after_hash)
    select not exists (select from audit_pending where xid = pg_current_xact_id() and leads),
      place.id, place.reseller_id, place.master_id,
      coalesce(nullif(claims[5], ''), 'system:' || session_user), nullif(claims[6], ''),
      nullif(claims[7], ''), nullif(claims[8], ''), kind, subject,
      case when was is null then 'created' when becomes is null then 'removed' else 'changed' end,
      changed, sha256(convert_to(was::text, 'UTF8')), sha256(convert_to(becomes::text, 'UTF8'))
    from (select) change
    left join partners place on place.id = coalesce(owner_id, nullif(claims[2], '')::uuid);
end $$;

-- Whether the rows of an update come in the same order before and after, each under its key.
create function keep_their_keys(earlier jsonb[], later jsonb[], key text[]) returns boolean
  language plpgsql immutable as $$
declare
  part text;
begin
  for place in 1 .. cardinality(later) loop
    foreach part in array key loop
      if earlier[place] -> part <> later[place] -> part then
        return false;
      end if;
    end loop;
  end loop;
  return true;
end $$;

-- Once for a statement, whatever the number of its rows. Arguments: the kind, the columns of the
-- key, those that may name the owner, and those whose change nobody decides. A row without an
-- owner is of the organisation that acts, or of the platform.
create or replace function audit_change() returns trigger language plpgsql security definer
  set enable_seqscan = off set timezone = 'UTC' set bytea_output = 'hex'
  set plan_cache_mode = force_generic_plan as $$
-- The audited table may have columns of any name.
#variable_conflict use_variable
declare
  kind text := tg_argv[0];
  key text[] := tg_argv[1];
  owner text[] := tg_argv[2];
  ignored text[] := tg_argv[3];
  one_by_one constant integer := 16;
  earlier jsonb[];
  later jsonb[];
  claims text[];
  own_partner uuid;
  actor text;
  behalf text;
  request text;
  action text;
  is_first boolean;
begin
  if tg_op = 'INSERT' then
    later := (select array_agg(to_jsonb(few)) from (select * from after limit one_by_one + 1) few);
  elsif tg_op = 'DELETE' then
    earlier := (
      select array_agg(to_jsonb(few)) from (select * from before limit one_by_one + 1) few);
  else
    select (select array_agg(to_jsonb(few)) from (select * from before limit one_by_one + 1) few),
      (select array_agg(to_jsonb(few)) from (select * from after limit one_by_one + 1) few)
      into earlier, later;
  end if;
  -- Most statements that touch nothing note the use of something that was used a moment ago.
  if earlier is null and later is null then
    return null;
  end if;
  if coalesce(cardinality(later), cardinality(earlier)) <= one_by_one and (tg_op <> 'UPDATE'
      or keep_their_keys(earlier, later, key)) then
    for place in 1 .. coalesce(cardinality(later), cardinality(earlier)) loop
      perform record_change(kind, key, owner, ignored, earlier[place], later[place]);
    end loop;
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

-- At commit, the events of a transaction go to the end of their chains.
create or replace function chain_events() returns trigger language plpgsql security definer
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
  set plan_cache_mode = force_generic_plan as $$
declare
  event record;
begin
  if tg_op = 'INSERT' then
    -- Queued again, behind everything else that a commit checks: while the end of a chain is
    -- locked, this transaction waits for nothing but the end of another, and those go by tenant.
    update audit_pending set leads = true where xid = new.xid and leads;
    return null;
  end if;
  if (select count(*) from (select from audit_pending where xid = new.xid limit 17) few) > 16 then
    perform chain_many(new.xid);
    return null;
  end if;
  for event in
      with taken as (delete from audit_pending where xid = new.xid returning *)
      select *, coalesce(partner_id, '00000000-0000-0000-0000-000000000000') as tenant
      from taken order by tenant, id loop
    loop
      -- The end is locked, and numbers and hashes the event with what it says by then.
      with head as (
        update audit_heads head set seq = head.seq + 1, hash = sha256(head.hash ||
            sha256(convert_to(json_build_array(head.tenant, head.seq + 1, event.id,
              event.reseller_id, event.master_id, event.at at time zone 'UTC', event.actor,
              event.on_behalf_of, event.request_id, event.action, event.kind, event.subject,
              event.verb, event.code, event.changed, encode(event.before_hash, 'hex'),
              encode(event.after_hash, 'hex'))::text, 'UTF8')))
          where head.tenant = event.tenant
          returning head.seq, head.hash)
      insert into audit_events (seq, id, partner_id, reseller_id, master_id, at, actor,
          on_behalf_of, request_id, action, kind, subject, verb, code, changed, before_hash,
          after_hash, hash)
        select head.seq, event.id, event.partner_id, event.reseller_id, event.master_id, event.at,
          event.actor, event.on_behalf_of, event.request_id, event.action, event.kind,
          event.subject, event.verb, event.code, event.changed, event.before_hash,
          event.after_hash, head.hash
        from head;
      exit when found;
      insert into audit_heads (tenant, seq, hash) values (event.tenant, 0, '')
        on conflict do nothing;
    end loop;
  end loop;
  return null;
end $$;

-- The same for many events, in one statement.
create function chain_many(transaction xid8) returns void language plpgsql as $$
begin
  insert into audit_heads as head (tenant, seq, hash)
    select tenant, 0, '' from (
      select distinct coalesce(partner_id, '00000000-0000-0000-0000-000000000000') as tenant
      from audit_pending where xid = transaction) concerned
    order by tenant
    on conflict (tenant) do update set seq = head.seq where false;
  with taken as (
    delete from audit_pending where xid = transaction returning *
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
end $$;

-- Tables of the caller's own making must not come first where a function runs as the owner.
do $$
declare
  own regprocedure;
begin
  foreach own in array array['chain_events()', 'audit_change()']::regprocedure[] loop
    execute format('alter function %s set search_path to %I, pg_temp', own, current_schema());
  end loop;
end $$;
