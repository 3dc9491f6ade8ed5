/** What the catalog of a database says against its guards; nothing, where they are whole. */
import { sql } from 'kysely'
import type { Db, Trx } from '../../db/database.ts'
import { becomes, levelRoles, processRoles } from '../../db/roles.ts'

const productRoles = [...Object.values(levelRoles), ...Object.values(processRoles)]
const named = sql.raw(productRoles.map((role) => `'${role}'`).join(', '))
const ours = sql`class.relnamespace = current_schema()::regnamespace`

/** Each is a query of one column `finding`. */
const looks = [
  // Every table on which the product has a right is guarded, also against its owner.
  sql`select class.relname || ' is not guarded' as finding from pg_class class
    where ${ours} and relkind in ('r', 'p', 'f') and not (relrowsecurity and relforcerowsecurity)
      and exists (select from aclexplode(relacl) right_of
        where grantee = 0 or grantee::regrole::text in (${named}))`,
  sql`select class.relname || ' lets anybody ' || privilege_type as finding
    from pg_class class, aclexplode(relacl) where ${ours} and grantee = 0`,
  sql`select attrelid::regclass || '.' || attname || ' has rights of its own' as finding
    from pg_attribute join pg_class class on class.oid = attrelid
    where ${ours} and attacl is not null`,
  sql`select format('%s may %s on %s', grantee::regrole, privilege_type, class.relname) as finding
    from pg_class class, aclexplode(relacl)
    where ${ours} and relkind in ('r', 'p') and grantee::regrole::text in (${named})
      and privilege_type not in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')`,
  sql`select format('%s may %s on %s without a policy', grantee::regrole, privilege_type,
      class.relname) as finding
    from pg_class class, aclexplode(relacl)
    where ${ours} and relkind in ('r', 'p') and grantee::regrole::text in (${named})
      and not exists (select from pg_policy where polrelid = class.oid
        and grantee = any(polroles) and polcmd in ('*', case privilege_type
          when 'SELECT' then 'r' when 'INSERT' then 'a' when 'UPDATE' then 'w' else 'd' end))`,
  // A policy says whose rows, and asks who acts.
  sql`select format('policy %s of %s lets everything through', polname, polrelid::regclass)
      as finding
    from pg_policy join pg_class class on class.oid = polrelid, lateral (values
      (pg_get_expr(polqual, polrelid), polcmd <> 'a'),
      (pg_get_expr(polwithcheck, polrelid), polcmd = 'a')) of (said, needed)
    where ${ours} and polpermissive and (said = 'true' or said is null and needed
      or said not like '%context\\_%' and said !~ 'SESSION_USER = CURRENT_USER')`,
  sql`select format('policy %s of %s is for everybody', polname, polrelid::regclass) as finding
    from pg_policy join pg_class class on class.oid = polrelid where ${ours} and 0 = any(polroles)`,
  // Nothing shows rows past the policies.
  sql`select class.relname || ' keeps a copy of rows' as finding from pg_class class
    where ${ours} and relkind = 'm'`,
  sql`select class.relname || ' shows rows as its owner' as finding from pg_class class
    where ${ours} and relkind = 'v'
      and not coalesce('security_invoker=true' = any(reloptions), false)`,
  sql`select class.relname || ' is a part without a guard' as finding from pg_class class
    where ${ours} and relispartition and relkind in ('r', 'p')
      and not (relrowsecurity and relforcerowsecurity)`,
  // What runs as the owner, or tells who acts, looks into our schema and nowhere before it.
  sql`select oid::regprocedure || ' looks anywhere for its tables' as finding from pg_proc
    where pronamespace = current_schema()::regnamespace and prokind <> 'a'
      and (prosecdef or proname like 'context\\_%')
      and not coalesce(format('search_path=%I, pg_temp', current_schema())
        = any(proconfig), false)`,
  sql`select oid::regprocedure || ' can be a trigger of anybody' as finding from pg_proc
    where pronamespace = current_schema()::regnamespace and prosecdef
      and prorettype = 'trigger'::regtype
      and (proacl is null or exists (select from aclexplode(proacl) where grantee = 0))`,
]

/** What roles are and own; `logins` are those of the processes. */
const looksAtRoles = (logins: string[]) => {
  const who = sql`rolname in (${named}) or rolname = any(${logins})`
  return [
    sql`select rolname || ' may too much' as finding from pg_roles
      where (${who}) and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb
        or rolreplication or rolcanlogin <> (rolname = any(${logins})))`,
    sql`select rolname || ' inherits' as finding from pg_roles
      where rolname = any(${logins}) and rolinherit`,
    sql`select format('%s is %s without asking', member::regrole, roleid::regrole) as finding
      from pg_auth_members join pg_roles on pg_roles.oid = member
      where (${who}) and (inherit_option or admin_option)`,
    sql`select format('%s may become %s', member::regrole, roleid::regrole) as finding
      from pg_auth_members join pg_roles on pg_roles.oid = member
      where (${who}) and not (${sql.join(
        Object.entries(becomes).map(
          ([process, levels]) => sql`rolname = ${processRoles[process as 'api']}
            and roleid::regrole::text in (${sql.join(levels.map((level) => levelRoles[level]))})`,
        ),
        sql` or `,
      )} or rolname = any(${logins})
        and roleid::regrole::text in (${sql.join(Object.values(processRoles))}))`,
    sql`select format('%s owns %s', rolname, owned.objid) as finding
      from pg_shdepend owned join pg_roles on pg_roles.oid = owned.refobjid
      where owned.deptype = 'o' and (${who})`,
    sql`select rolname || ' may make things' as finding from pg_roles
      where (${who}) and (has_schema_privilege(oid, current_schema(), 'create')
        or has_database_privilege(oid, current_database(), 'temporary')
        or rolname <> ${levelRoles.simulation}
          and has_database_privilege(oid, current_database(), 'create'))`,
  ]
}

/** @param logins the logins of the processes, which have to be powerless too. */
export async function guardFindings(db: Db | Trx, logins: string[] = []): Promise<string[]> {
  const found: string[] = []
  for (const look of [...looks, ...looksAtRoles(logins)]) {
    const { rows } = await sql<{ finding: string }>`${look}`.execute(db)
    found.push(...rows.map(({ finding }) => finding))
  }
  return found
}
