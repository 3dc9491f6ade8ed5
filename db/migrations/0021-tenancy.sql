-- Who sees what, decided by the database: the place of every partner is stamped on each row that
-- belongs to it, and every transaction says, signed, for whom it acts. Policies and roles are made
-- of these by db/guards.ts.

-- Keys of the signature: two blocks, from which HMAC-SHA256 is made with sha256 alone. Nobody but
-- the owner of the tables can read them.
create table context_keys (
  fingerprint bytea primary key,
  inner_pad bytea not null check (octet_length(inner_pad) = 64),
  outer_pad bytea not null check (octet_length(outer_pad) = 64),
  created_at timestamptz not null default clock_timestamp()
);

-- The claims of this transaction's context, or null where it has none, or one that is forged, old,
-- or made for another connection. They are level | partner | customer | address | actor | on behalf of
-- | request | action | expiry | process | signature.
create function context_claims() returns text[]
  language plpgsql stable security definer set search_path from current as $$
declare
  token text := current_setting('app.context', true);
  said text := left(token, -65);
  claims text[];
begin
  if token is null or token = '' then
    return null;
  end if;
  perform from context_keys key
    where right(token, 64) =
      encode(sha256(key.outer_pad || sha256(key.inner_pad || convert_to(said, 'UTF8'))), 'hex');
  if not found then
    return null;
  end if;
  claims := string_to_array(said, '|');
  if claims[10]::integer <> pg_backend_pid()
    or claims[9]::bigint < extract(epoch from clock_timestamp()) then
    return null;
  end if;
  return claims;
end $$;

create function context_level() returns text language sql stable as
  $$ select (context_claims())[1] $$;
create function context_partner() returns uuid language sql stable as
  $$ select nullif((context_claims())[2], '')::uuid $$;
create function context_actor() returns text language sql stable as
  $$ select nullif((context_claims())[5], '') $$;
create function context_on_behalf_of() returns text language sql stable as
  $$ select nullif((context_claims())[6], '') $$;
create function context_request_id() returns text language sql stable as
  $$ select nullif((context_claims())[7], '') $$;
create function context_action() returns text language sql stable as
  $$ select nullif((context_claims())[8], '') $$;

-- For policies: a role is only worth what a context of its own level says.
create function context_is(wanted text) returns boolean language plpgsql stable as
  $$ begin return coalesce((context_claims())[1] = wanted, false); end $$;
create function context_partner_as(wanted text) returns uuid language plpgsql stable as $$
declare
  claims text[] := context_claims();
begin
  return case when claims[1] = wanted then nullif(claims[2], '')::uuid end;
end $$;
create function context_customer() returns uuid language plpgsql stable as $$
declare
  claims text[] := context_claims();
begin
  return case when claims[1] = 'customer' then nullif(claims[3], '')::uuid end;
end $$;
-- The person or address whose repeated requests are the same request.
create function context_principal() returns text language plpgsql stable as $$
declare
  claims text[] := context_claims();
begin
  return coalesce(nullif(claims[6], ''), nullif(claims[5], ''));
end $$;

-- The topmost reseller above a partner and the master reseller above that. Who has none above it is
-- it itself, so that both are always known, and equality is all that a policy needs: no context of
-- a level ever has the id of a partner of another level.
alter table programmes add column reseller_chains boolean not null default false;

alter table partners
  add column parent_id uuid references partners,
  add column reseller_id uuid references partners,
  add column master_id uuid references partners,
  -- From when on it stands there: what was paid before belongs to an earlier place.
  add column placed_since timestamptz not null default '-infinity';

-- Where a partner stood at an instant; infinity is where it stands last.
create function place_of(partner uuid, at timestamptz,
    out parent_id uuid, out reseller_id uuid, out master_id uuid)
  language sql stable as $$
    select
      (array_agg(above.ancestor_id) filter (where above.depth = 1))[1],
      coalesce((array_agg(above.ancestor_id order by above.depth desc)
        filter (where organisation.level = 'reseller'))[1], partner),
      coalesce((array_agg(above.ancestor_id order by above.depth desc)
        filter (where organisation.level = 'master_reseller'))[1], partner)
    from partner_ancestry above
    join partners organisation on organisation.id = above.ancestor_id
    where above.partner_id = partner
      and case when at = 'infinity' then upper_inf(above.valid) else above.valid @> at end $$;

update partners set (parent_id, reseller_id, master_id) =
  (select place.parent_id, place.reseller_id, place.master_id
    from place_of(partners.id, 'infinity') place),
  placed_since = coalesce((select max(lower(valid)) from partner_ancestry above
    where above.partner_id = partners.id and upper_inf(valid)), '-infinity');
alter table partners
  alter column reseller_id set not null,
  alter column master_id set not null,
  add check (parent_id <> id),
  add check (reseller_id = id or parent_id is not null),
  add check (level = 'reseller' or reseller_id = id),
  -- The checks of a row's place are made when the transaction ends: a partner is its own place.
  alter constraint partners_reseller_id_fkey deferrable initially deferred,
  alter constraint partners_master_id_fkey deferrable initially deferred;
comment on column partners.reseller_id is 'stamped';
comment on column partners.master_id is 'stamped';
create index partners_by_master on partners (master_id, id);
create index partners_by_reseller on partners (reseller_id, id);
create index partners_by_parent on partners (parent_id);

-- Every place that a partner has ever had: what is stamped on a row was right once.
create table partner_places (
  partner_id uuid not null references partners,
  reseller_id uuid not null references partners,
  master_id uuid not null references partners,
  since timestamptz not null default clock_timestamp(),
  primary key (partner_id, reseller_id, master_id)
);
insert into partner_places (partner_id, reseller_id, master_id)
  select id, reseller_id, master_id from partners;
create trigger partner_places_append_only before update or delete on partner_places
  for each row execute function refuse_change();
create trigger partner_places_keep before truncate on partner_places
  for each statement execute function refuse_change();

create function keep_place() returns trigger language plpgsql as $$
begin
  insert into partner_places (partner_id, reseller_id, master_id)
    values (new.id, new.id, new.id), (new.id, new.reseller_id, new.master_id)
    on conflict do nothing;
  return null;
end $$;
create trigger partners_place after insert or update of reseller_id, master_id on partners
  for each row execute function keep_place();

-- A new partner stands below its parent; before the start of its agreement it stood at the top.
create function start_place() returns trigger language plpgsql as $$
begin
  select case parent.level when 'reseller' then parent.reseller_id else new.id end, parent.master_id
    into new.reseller_id, new.master_id
    from partners parent where parent.id = new.parent_id;
  new.reseller_id := coalesce(new.reseller_id, new.id);
  new.master_id := coalesce(new.master_id, new.id);
  return new;
end $$;
create trigger partners_start before insert on partners
  for each row execute function start_place();

-- Rows of a partner are stamped where it stands now.
create function stamp_place() returns trigger language plpgsql as $$
begin
  if new.partner_id is not null and new.master_id is null then
    select partner.reseller_id, partner.master_id into new.reseller_id, new.master_id
      from partners partner where partner.id = new.partner_id;
  end if;
  return new;
end $$;

-- Rows that belong to another row are stamped with the place of that one.
create function stamp_like_parent() returns trigger language plpgsql as $$
begin
  execute format('select partner_id, reseller_id, master_id from %I where id = ($1).%I',
      tg_argv[0], tg_argv[1])
    into new.partner_id, new.reseller_id, new.master_id using new;
  return new;
end $$;

create procedure place_rows(name text, own_partner boolean) language plpgsql as $$
begin
  if not own_partner then
    execute format('alter table %I add column partner_id uuid', name);
  end if;
  execute format('alter table %I add column reseller_id uuid, add column master_id uuid', name);
  execute format('comment on column %I.reseller_id is ''stamped''', name);
  execute format('comment on column %I.master_id is ''stamped''', name);
  if not own_partner then
    execute format('comment on column %I.partner_id is ''stamped''', name);
  end if;
end $$;

-- What is stamped is never empty and was a place of the partner once.
create procedure guard_place(name text) language plpgsql as $$
begin
  execute format('alter table %I
    alter column partner_id set not null,
    alter column reseller_id set not null,
    alter column master_id set not null,
    add constraint %I foreign key (partner_id, reseller_id, master_id) references partner_places',
    name, name || '_place');
end $$;

-- Append-only tables take their stamps here once, before anything reads them.
do $$
declare
  name text;
begin
  foreach name in array array['partner_tiers', 'tenants', 'customers', 'subscriptions',
      'partner_links', 'payments', 'line_payments', 'accruals', 'closing_accruals', 'adjustments',
      'statements'] loop
    call place_rows(name, true);
    execute format('alter table %I disable trigger user', name);
    execute format('update %I own set reseller_id = partner.reseller_id, master_id = partner.master_id
      from partners partner where partner.id = own.partner_id', name);
    execute format('alter table %I enable trigger user', name);
    execute format('create trigger %I before insert on %I for each row
      when (new.master_id is null) execute function stamp_place()', name || '_placed', name);
  end loop;
end $$;
do $$
declare
  child record;
begin
  for child in select * from (values
      ('line_reversals', 'line_payments', 'line_payment_id', false),
      ('clawbacks', 'accruals', 'accrual_id', true),
      ('closing_clawbacks', 'closing_accruals', 'closing_accrual_id', true),
      ('disputes', 'payments', 'payment_id', false),
      ('payouts', 'statements', 'statement_id', true),
      ('payout_attempts', 'payouts', 'payout_id', false)) of (name, parent, key, own) loop
    call place_rows(child.name, child.own);
    execute format('alter table %I disable trigger user', child.name);
    execute format('update %1$I own set partner_id = parent.partner_id,
        reseller_id = parent.reseller_id, master_id = parent.master_id
      from %2$I parent where parent.id = own.%3$I', child.name, child.parent, child.key);
    execute format('alter table %I enable trigger user', child.name);
    execute format('create trigger %I before insert on %I for each row
      execute function stamp_like_parent(%L, %L)',
      child.name || '_placed', child.name, child.parent, child.key);
  end loop;
end $$;

-- The tables that are written by the thousand have one look for all rows of a statement.
create function refuse_unknown_place() returns trigger language plpgsql
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  wrong uuid;
begin
  select own.partner_id into wrong
    from (select distinct partner_id, reseller_id, master_id from inserted) own
    where not exists (select from partner_places place
      where (place.partner_id, place.reseller_id, place.master_id)
        = (own.partner_id, own.reseller_id, own.master_id)) limit 1;
  if found then
    raise exception 'a row of % is stamped with a place that partner % never had', tg_table_name,
      wrong using errcode = 'foreign_key_violation';
  end if;
  return null;
end $$;
do $$
declare
  name text;
begin
  foreach name in array array['payments', 'line_payments', 'accruals'] loop
    execute format('alter table %I
      alter column reseller_id set not null, alter column master_id set not null', name);
    execute format('create trigger %I after insert on %I referencing new table as inserted
      for each statement execute function refuse_unknown_place()', name || '_stamped', name);
  end loop;
  foreach name in array array['partner_tiers', 'tenants', 'customers', 'subscriptions',
      'partner_links', 'clawbacks', 'closing_accruals', 'closing_clawbacks', 'adjustments',
      'statements', 'payouts', 'line_reversals', 'disputes', 'payout_attempts'] loop
    call guard_place(name);
  end loop;
end $$;
drop procedure place_rows;
drop procedure guard_place;

do $$
declare
  name text;
begin
  foreach name in array array['customers', 'subscriptions', 'accruals', 'clawbacks', 'statements',
      'payouts', 'tenants', 'partner_links', 'partner_tiers'] loop
    execute format('create index %I on %I (master_id, id)', name || '_by_master', name);
    execute format('create index %I on %I (reseller_id, id)', name || '_by_reseller', name);
  end loop;
end $$;

-- Terms of one partner, or of those who came through its link, are nobody else's to read.
alter table commission_rules add column owner_id uuid references partners;
create function name_rule_owner() returns trigger language plpgsql as $$
begin
  new.owner_id := coalesce(new.partner_id,
    (select link.partner_id from partner_links link where link.id = new.link_id));
  return new;
end $$;
create trigger commission_rules_owner before insert or update of partner_id, link_id
  on commission_rules for each row execute function name_rule_owner();
update commission_rules set owner_id = coalesce(commission_rules.partner_id,
  (select link.partner_id from partner_links link where link.id = commission_rules.link_id));

-- People of a customer see what is theirs and nothing of the platform.
alter table members
  add column customer_id uuid,
  add foreign key (customer_id, partner_id) references customers (id, partner_id),
  drop constraint members_partner_id_email_key,
  add constraint members_once unique nulls not distinct (partner_id, customer_id, email);

-- Keys belong to the organisation of their member.
alter table api_keys
  add column partner_id uuid references partners,
  add column customer_id uuid references customers;
update api_keys set partner_id = member.partner_id from members member where member.id = member_id;
create function name_key_owner() returns trigger language plpgsql as $$
begin
  select member.partner_id, member.customer_id into new.partner_id, new.customer_id
    from members member where member.id = new.member_id;
  return new;
end $$;
create trigger api_keys_owner before insert on api_keys
  for each row execute function name_key_owner();
create index api_keys_by_partner on api_keys (partner_id, id);

-- An application is read by the master reseller that decides on it, and by who applied.
alter table applications add column master_id uuid references partners;
update applications set master_id = parent.master_id
  from partners parent where parent.id = applications.parent_id;
create function name_decider() returns trigger language plpgsql as $$
begin
  new.master_id := (select parent.master_id from partners parent where parent.id = new.parent_id);
  return new;
end $$;
create trigger applications_decider before insert on applications
  for each row execute function name_decider();
create index applications_by_master on applications (master_id, id);
create function name_decider_of_part() returns trigger language plpgsql as $$
begin
  new.master_id :=
    (select whole.master_id from applications whole where whole.id = new.application_id);
  return new;
end $$;
do $$
declare
  name text;
begin
  foreach name in array array['application_events', 'decision_notes', 'agreements',
      'payout_accounts'] loop
    execute format('alter table %I add column master_id uuid references partners', name);
    execute format('update %I part set master_id = whole.master_id
      from applications whole where whole.id = application_id', name);
    execute format('create trigger %I before insert on %I for each row
      execute function name_decider_of_part()', name || '_decider', name);
  end loop;
end $$;

-- Products carry the level that they create, and are sold by those who may create it.
alter table feature_packages add column creates text not null default 'customer'
  check (creates in ('customer', 'reseller', 'master_reseller'));

-- Deeper chains are few: what a reseller below a reseller sees is looked up.
create function context_subtree() returns uuid[]
  language plpgsql stable security definer set search_path from current as $$
declare
  own uuid := context_partner_as('subreseller');
begin
  return array(select above.partner_id from partner_ancestry above
    where above.ancestor_id = own and upper_inf(above.valid));
end $$;
-- The resellers under which it has stood, itself included: whose rows of others it may see.
create function context_roots() returns uuid[]
  language plpgsql stable security definer set search_path from current as $$
declare
  own uuid := context_partner_as('subreseller');
begin
  return array(select place.reseller_id from partner_places place where place.partner_id = own)
    || own;
end $$;
