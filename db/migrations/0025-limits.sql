-- Conventions of the API: limits that are exact, versions for If-Match, and answers that are kept
-- for the organisation that asked.

-- A bucket is written with every request: room on its page keeps the new version beside the old.
alter table rate_limits set (
  fillfactor = 25,
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 500
);

-- Takes one unit from each of the buckets, or from none (GCRA). A bucket of q units in w seconds
-- gets one back every w/q seconds; its step and its window are given in microseconds. Says of each
-- bucket, in the given order, how long it takes until it is full again. Names come sorted: whoever
-- takes from several locks them in the same order. Callers need no right on the table.
create function take_from_buckets(names text[], steps bigint[], windows bigint[])
  returns table (full_in_micros bigint, refused boolean)
  language plpgsql volatile security definer set search_path from current as $$
declare
  wanted integer := cardinality(names);
  taken integer := 0;
  full_at timestamptz[];
  held timestamptz;
  steps_of interval[];
  slack interval;
begin
  for n in 1 .. wanted loop
    steps_of[n] := steps[n] * interval '1 microsecond';
    slack := (windows[n] - steps[n]) * interval '1 microsecond';
    insert into rate_limits as limits (bucket, full_until)
      values (names[n], clock_timestamp() + steps_of[n])
      on conflict (bucket) do update
        set full_until = greatest(limits.full_until, clock_timestamp()) + steps_of[n]
        where limits.full_until <= clock_timestamp() + slack
      returning full_until into held;
    exit when not found;
    full_at[n] := held;
    taken := n;
  end loop;
  if taken < wanted then
    for n in 1 .. taken loop
      update rate_limits set full_until = full_until - steps_of[n] where bucket = names[n]
        returning full_until into held;
      full_at[n] := held;
    end loop;
    for n in taken + 1 .. wanted loop
      select full_until into held from rate_limits where bucket = names[n];
      full_at[n] := held;
    end loop;
  end if;
  for n in 1 .. wanted loop
    full_in_micros := greatest(0,
      extract(epoch from coalesce(full_at[n], '-infinity') - clock_timestamp()) * 1000000);
    refused := taken < wanted and full_in_micros > windows[n] - steps[n];
    return next;
  end loop;
end $$;

-- A bucket that is full again is one that was never used.
create function drop_full_buckets(most integer) returns integer
  language plpgsql volatile security definer set search_path from current as $$
declare
  dropped integer;
begin
  delete from rate_limits where bucket in (
    select bucket from rate_limits where full_until < clock_timestamp()
      limit most for update skip locked);
  get diagnostics dropped = row_count;
  return dropped;
end $$;

-- The organisation is part of a key's scope: a person who acts for two of them has two scopes.
alter table idempotency_keys
  add column partner_id uuid references partners,
  drop constraint idempotency_keys_pkey,
  add constraint idempotency_keys_once
    unique nulls not distinct (partner_id, principal, method, route, key);

-- What a caller has read has a version, and a change says which version it is meant for. Columns
-- named as arguments are no change that a caller would mind.
create function bump_version() returns trigger language plpgsql as $$
declare
  unheeded text[] := array_append(coalesce(tg_argv[:], '{}'), 'version');
begin
  new.version := old.version;
  if to_jsonb(new) - unheeded is distinct from to_jsonb(old) - unheeded then
    new.version := old.version + 1;
  end if;
  return new;
end $$;

do $$
declare
  name text;
  -- What is noted while a key is used, or when its holder was told something.
  unheeded text := '''last_used_at'', ''last_used_ip'', ''end_told_days'', ''leak_told_at''';
begin
  foreach name in array array['partners', 'members', 'api_keys', 'customers', 'partner_links',
      'feature_packages'] loop
    execute format('alter table %I add column version bigint not null default 1', name);
    execute format('create trigger %I before update on %I for each row
      execute function bump_version(%s)', name || '_version', name,
      case name when 'api_keys' then unheeded end);
  end loop;
end $$;
