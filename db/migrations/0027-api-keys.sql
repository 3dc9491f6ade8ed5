-- Keys from certain addresses only, keys that take over from others, and keys that got about.

alter table api_keys
  -- Addresses and networks from which the key works; null for anywhere.
  add column allowed_ips text[] check (allowed_ips is null
    or (cardinality(allowed_ips) between 1 and 20 and allowed_ips::inet[] is not null)),
  add column last_used_ip text,
  -- The key that took over; this one ends with the time that was left for the change.
  add column replaced_by uuid references api_keys check (replaced_by <> id),
  -- Somebody who should not have it reported that it does; it is revoked since.
  add column leaked_at timestamptz check (leaked_at is null or revoked_at is not null),
  add column leak_told_at timestamptz,
  -- How many days before its end its owners were told last.
  add column end_told_days integer;
create index api_keys_ending on api_keys (expires_at)
  where revoked_at is null and replaced_by is null;
create index api_keys_leaked on api_keys (id) where leaked_at is not null and leak_told_at is null;

-- The address of a request that nobody is known of yet; null where the context tells none.
create function context_address() returns inet language plpgsql stable as $$
declare
  -- An address of version 4 may come in the clothes of version 6.
  told text := regexp_replace((context_claims())[4], '^::ffff:(?=\d+\.)', '');
begin
  return case when pg_input_is_valid(told, 'inet') then told::inet end;
end $$;

-- Neither the use of a key nor a mail about it is anybody's decision.
drop trigger api_keys_audited_insert on api_keys;
drop trigger api_keys_audited_update on api_keys;
drop trigger api_keys_audited_delete on api_keys;
drop trigger api_keys_audited_whole on api_keys;
call audit_table('api_keys', 'api_key', '{partner_id}',
  '{last_used_at,last_used_ip,leak_told_at,end_told_days,version}');
