-- Data keys, wrapped by keys that are not in the database. They seal personal fields, payloads of
-- the engine and blind indexes.
create table data_keys (
  id uuid primary key default uuidv7(),
  purpose text not null check (purpose in ('fields', 'histories', 'index')),
  -- Null is the platform owner. It refers to no row: a key is made in a transaction of its own,
  -- while the one that brings its organisation is still open.
  partner_id uuid,
  -- For equality with nulls in an index.
  owner_id uuid not null
    generated always as (coalesce(partner_id, '00000000-0000-0000-0000-000000000000')) stored,
  kek_id text not null check (kek_id <> ''),
  -- Null once it was destroyed, and with it everything that it sealed.
  wrapped bytea check (octet_length(wrapped) > 32),
  -- Reserved before they happen: the true number is never above.
  uses bigint not null default 0 check (uses >= 0),
  created_at timestamptz not null default clock_timestamp(),
  -- From then on it opens and does not seal.
  retired_at timestamptz,
  destroyed_at timestamptz,
  check (purpose = 'fields' or partner_id is null),
  -- Another key would find nothing of what is indexed.
  check (purpose <> 'index' or retired_at is null),
  check ((wrapped is null) = (destroyed_at is not null)),
  check (destroyed_at is null or retired_at is not null)
);
create unique index data_keys_current on data_keys (purpose, owner_id) where retired_at is null;
create index data_keys_by_owner on data_keys (owner_id);
create index data_keys_by_kek on data_keys (kek_id, id) where wrapped is not null;

create function keep_data_keys() returns trigger language plpgsql as $$
begin
  raise exception 'data key % keeps what it is for: what it sealed would be lost', old.id
    using errcode = 'restrict_violation';
end $$;
create trigger data_keys_keep_meaning before update on data_keys for each row
  when ((old.id, old.purpose, old.partner_id)
      is distinct from (new.id, new.purpose, new.partner_id)
    or (old.wrapped is null and new.wrapped is not null)
    or (old.retired_at is not null and new.retired_at is null)
    or new.uses < old.uses)
  execute function keep_data_keys();
create trigger data_keys_stay before delete on data_keys for each row
  execute function refuse_removal();
create trigger data_keys_stay_all before truncate on data_keys for each statement
  execute function refuse_removal();

call audit_table('data_keys', 'data_key', '{partner_id}', '{uses}');
