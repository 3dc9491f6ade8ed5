/**
 * Makes roles, grants and policies of the declaration in guards.ts, after every migration and only
 * where something changed. Who migrates owns the tables and needs no superuser for any of it, but
 * the right to make roles, unless they were made before.
 */
import { createHash } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import { type GuardedLevel, type TableGuard, tableGuards, type Verb } from './guards.ts'
import { becomes, levelRoles, processRoles } from './roles.ts'

type Level = keyof typeof levelRoles

const snake = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

const partnerLevels = ['master_reseller', 'reseller', 'subreseller'] as const

/** A value that is computed once for a statement, not once for a row. */
const once = (call: string) => `(select ${call})`
const partnerAs = (level: Level) => once(`context_partner_as('${level}')`)
const acting = (level: Level) => once(`context_is('${level}')`)

/** Which rows of a tree a level sees: equality on what is stamped. */
function treeOf(guard: TableGuard, level: GuardedLevel): string | null {
  const partner = guard.partner ?? 'partner_id'
  switch (level) {
    case 'master_reseller':
      return `master_id = ${partnerAs(level)}`
    case 'reseller':
      return `reseller_id = ${partnerAs(level)}`
    case 'subreseller':
      return `${partner} = any(${once('context_subtree()')}::uuid[])
        and (${partner} = ${partnerAs(level)}
          or reseller_id = any(${once('context_roots()')}::uuid[]))`
    case 'customer':
      return guard.customer ? `${guard.customer} = ${once('context_customer()')}` : null
    default:
      return null
  }
}

/** The rows that a level may read; null for none. */
function readable(guard: TableGuard, level: GuardedLevel): string | null {
  if (level === 'super_admin') return guard.kind === 'keyed' ? ownRows(guard, level) : acting(level)
  // What the door looks up is found by a secret or by an id that somebody was given.
  if (guard.may?.[level]?.includes('select') && guard.kind !== 'keyed') {
    if (level === 'sign_in' || level === 'intake') return acting(level)
  }
  switch (guard.kind) {
    case 'shared':
      return acting(level)
    case 'tree':
      return treeOf(guard, level)
    case 'terms':
      return level === 'customer' || level === 'sign_in' || level === 'intake'
        ? null
        : `${acting(level)} and (owner_id is null
            or exists (select from partners where partners.id = owner_id))`
    case 'own':
    case 'application':
    case 'keyed':
      return ownRows(guard, level)
    case 'inner':
      return null
  }
}

/** The rows that are a level's own, which are those that it may change. */
function ownRows(guard: TableGuard, level: GuardedLevel): string | null {
  const { kind } = guard
  if (kind === 'keyed') return `principal = ${once('context_principal()')} and ${acting(level)}`
  if (level === 'super_admin' || level === 'sign_in') return acting(level)
  if (level === 'intake') {
    if (guard.internal) return null
    const application = guard.application ? partnerAs('intake') : null
    return application ? `${guard.application} = ${application}` : acting(level)
  }
  if (kind === 'inner') return acting(level)
  if (kind === 'application') {
    return applicationsOf(guard, level)
  }
  if (level === 'customer') {
    return guard.customer ? `${guard.customer} = ${once('context_customer()')}` : null
  }
  const partner = `${guard.partner ?? 'partner_id'} = ${partnerAs(level)}`
  return kind === 'own' && guard.customer ? `${partner} and ${guard.customer} is null` : partner
}

/** What an applicant handed in, for the one that decides, and for the partner that it became. */
function applicationsOf(guard: TableGuard, level: GuardedLevel): string | null {
  if (level === 'customer') return null
  const decided = level === 'master_reseller' ? `master_id = ${partnerAs(level)}` : null
  const own = guard.partner ? `${guard.partner} = ${partnerAs(level)}` : null
  const either = [decided, own].filter((rows) => rows !== null)
  return either.length === 0 ? null : either.join(' or ')
}

interface Policy {
  level: Level
  verb: Verb
  using: string | null
  check: string | null
}

const guardedLevels: GuardedLevel[] = [
  'super_admin',
  ...partnerLevels,
  'customer',
  'intake',
  'sign_in',
]

function policiesOf(guard: TableGuard): Policy[] {
  const read = guardedLevels.flatMap((level) => {
    const using = readable(guard, level)
    return using === null ? [] : [{ level, verb: 'select', using, check: null } as const]
  })
  const write = guardedLevels.flatMap((level) =>
    (guard.may?.[level] ?? [])
      .filter((verb) => verb !== 'select')
      .map((verb): Policy => {
        const own = ownRows(guard, level)
        if (own === null) throw new Error(`${level} may ${verb}, but which rows are its own?`)
        const using = verb === 'insert' ? null : own
        return { level, verb, using, check: verb === 'delete' ? null : own }
      }),
  )
  return [...read, ...write]
}

function statementsOf(name: string, guard: TableGuard): string[] {
  const made = policiesOf(guard).map(
    ({ level, verb, using, check }) =>
      `create policy ${level}_${verb} on ${name} for ${verb} to ${levelRoles[level]}` +
      (using === null ? '' : ` using (${using})`) +
      (check === null ? '' : ` with check (${check})`),
  )
  const granted = guardedLevels.flatMap((level) => {
    const verbs = policiesOf(guard).filter((policy) => policy.level === level)
    return verbs.length === 0
      ? []
      : [`grant ${verbs.map(({ verb }) => verb).join(', ')} on ${name} to ${levelRoles[level]}`]
  })
  const owns = guard.definer
    ? 'session_user = current_user or (select context_level()) is not null'
    : 'session_user = current_user'
  return [
    `alter table ${name} enable row level security`,
    `alter table ${name} force row level security`,
    // Commands of the owner see everything; a function that runs as the owner does not.
    `create policy owner_keeps on ${name} to current_user using (${owns})`,
    `create policy work on ${name} to ${levelRoles.worker} using (${acting('worker')})`,
    ...made,
    ...granted,
  ]
}

/** Tables that nobody but their owner reads: no policy could open them. */
const locked = new Set(['context_keys', 'audit_pending'])

/** What the guards of the tables allow anybody at all: books are only appended to. */
const workVerbs = `
  do $$
  declare
    kept record;
  begin
    for kept in
      select class.oid::regclass as name,
        coalesce(bool_or(guard.proname = 'refuse_change' and changes), false) as is_appended,
        coalesce(bool_or(guard.proname = 'refuse_removal'), false) as stays
      from pg_class class
      left join lateral (
        select proname, tgtype & 16 <> 0 as changes
        from pg_trigger join pg_proc on pg_proc.oid = tgfoid
        where tgrelid = class.oid) guard on true
      where class.relnamespace = current_schema()::regnamespace and class.relkind = 'r'
        and class.relname not like 'kysely\\_%'
        and class.relname not in ('context_keys', 'audit_pending')
      group by class.oid
    loop
      execute format('grant %s on %s to ${levelRoles.worker}', case
        -- Triggers write it, as the owner.
        when kept.name::text in ('audit_events', 'audit_heads') then 'select'
        when kept.is_appended then 'select, insert'
        when kept.stays then 'select, insert, update'
        else 'select, insert, update, delete' end, kept.name);
    end loop;
  end $$`

const allRoles = [...Object.values(levelRoles), ...Object.values(processRoles)]

/** Takes everything back that an earlier declaration gave. */
const takeBack = `
  do $$
  declare
    kept record;
  begin
    for kept in select schemaname, tablename, policyname from pg_policies
        where schemaname = current_schema() loop
      execute format('drop policy %I on %I', kept.policyname, kept.tablename);
    end loop;
    for kept in select class.oid::regclass as name from pg_class class
        where class.relnamespace = current_schema()::regnamespace and class.relkind = 'r' loop
      execute format('revoke all on %s from public, ${allRoles.join(', ')}', kept.name);
    end loop;
    execute format('grant usage on schema %I to ${allRoles.join(', ')}', current_schema());
  end $$`

/**
 * Functions that run as the owner, or that tell who acts, look into our tables and nowhere else:
 * what a caller made itself, in a schema of its own, never comes first. None of them can be hung
 * on a table of a caller's own.
 */
const pinned = `
  do $$
  declare
    kept record;
  begin
    for kept in select oid::regprocedure as name, prorettype = 'trigger'::regtype as is_trigger
        from pg_proc
        where pronamespace = current_schema()::regnamespace and prokind = 'f'
          and pg_get_userbyid(proowner) = current_user
          and (prosecdef or proname like 'context\\_%') loop
      execute format('alter function %s set search_path to %I, pg_temp', kept.name,
        current_schema());
      if kept.is_trigger then
        execute format('revoke execute on function %s from public', kept.name);
      end if;
    end loop;
  end $$`

const quoted = (names: string[]) => names.map((name) => `'${name}'`).join(', ')

const memberships = Object.entries(becomes)
  .flatMap(([process, levels]) =>
    levels.map((level) => `('${processRoles[process as 'api']}', '${levelRoles[level]}')`),
  )
  .join(', ')

const roles = `
  do $$
  declare
    name text;
    grantee text;
  begin
    foreach name in array array[${quoted(allRoles)}] loop
      begin
        if to_regrole(name) is null then
          execute format('create role %I nologin', name);
        end if;
      exception
        -- Roles belong to the server: another database of it has made this one.
        when duplicate_object or unique_violation then null;
      end;
    end loop;
    -- What holds already is not said again: who migrates may lack the right to.
    for grantee, name in select * from (values ${memberships}) of (grantee, name)
        where not exists (select from pg_auth_members
          where roleid = to_regrole(of.name) and member = to_regrole(of.grantee)
            and set_option and not inherit_option) loop
      execute format('grant %I to %I with inherit false, set true', name, grantee);
    end loop;
    -- Who made them may use the same login for the processes.
    for name in select made.rolname
        from pg_auth_members held join pg_roles made on made.oid = roleid
        where held.member = current_user::regrole and held.admin_option
          and made.rolname in (${quoted(Object.values(processRoles))})
          and not pg_has_role(current_user, made.oid, 'set') loop
      execute format('grant %I to %I with inherit false, set true', name, current_user);
    end loop;
    -- Temporary tables outlive a transaction, and the next one on the connection is somebody else.
    execute format('revoke create, temporary on database %I from public', current_database());
    -- A simulation builds a schema of its own, and takes it away again.
    execute format('grant create on database %I to ${levelRoles.simulation}', current_database());
    execute format('revoke create on schema %I from public', current_schema());
  end $$`

/** Everything that has to be said, in order. */
function allStatements(): string[] {
  const tables = Object.entries(tableGuards).map(([name, guard]) => ({ name: snake(name), guard }))
  return [
    takeBack,
    ...tables
      .filter(({ name }) => !locked.has(name))
      .flatMap(({ name, guard }) => statementsOf(name, guard)),
    workVerbs,
    pinned,
    // Whether the newest migrations are there is asked before anybody has a level.
    ...['kysely_migration', 'kysely_migration_lock'].flatMap((name) => [
      `alter table ${name} enable row level security`,
      `alter table ${name} force row level security`,
      `create policy owner_keeps on ${name} to current_user using (session_user = current_user)`,
      `create policy sign_in_select on ${name} for select to ${levelRoles.sign_in}
        using (${acting('sign_in')})`,
      `grant select on ${name} to ${levelRoles.sign_in}`,
    ]),
  ]
}

/** Guards every table; repeated after every migration, it changes nothing that holds already. */
export async function guardTables<T>(db: Kysely<T>): Promise<void> {
  const statements = allStatements()
  await db.transaction().execute(async (trx) => {
    // Several processes may migrate at once.
    await sql`select pg_advisory_xact_lock(hashtextextended('tributary guards', 0))`.execute(trx)
    await sql.raw(roles).execute(trx)
    const { rows } = await sql<{ held: string | null; newest: string | null }>`
      select obj_description('context_keys'::regclass) as held,
        (select max(name) from kysely_migration) as newest`.execute(trx)
    const said = [rows[0]?.newest, ...statements].join(';')
    const fingerprint = createHash('sha256').update(said).digest('hex')
    if (rows[0]?.held === fingerprint) return
    for (const statement of statements) await sql.raw(statement).execute(trx)
    await sql.raw(`comment on table context_keys is '${fingerprint}'`).execute(trx)
  })
}
