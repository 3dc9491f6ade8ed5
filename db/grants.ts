/**
 * The role that the running product takes: what the books append to, it may only append to. Who
 * migrates owns the tables; the API and the worker use them as `tributary_app`.
 */
import { type Kysely, sql } from 'kysely'

export const appRole = 'tributary_app'

/**
 * Grants what the product needs, table by table, by the guards that each table has; repeated after
 * every migration. Triggers refuse the same to everybody else.
 */
export async function grantAppRole<T>(db: Kysely<T>): Promise<void> {
  await sql.raw(statement).execute(db)
}

const statement = `
  do $$
  declare
    kept record;
  begin
    -- Several processes may migrate at once.
    perform pg_advisory_xact_lock(hashtextextended('${appRole}', 0));
    begin
      create role ${appRole} nologin;
    exception
      -- Roles belong to the server: another database of it has made this one.
      when duplicate_object or unique_violation then null;
    end;
    if not pg_has_role(current_user, '${appRole}', 'set') then
      execute format('grant ${appRole} to %I', current_user);
    end if;
    execute format('grant usage on schema %I to ${appRole}', current_schema());
    -- A simulation builds a schema of its own, and takes it away again.
    execute format('grant create on database %I to ${appRole}', current_database());
    for kept in
      select class.oid::regclass as name, class.relname like 'kysely\\_%' as is_ours,
        coalesce(bool_or(guard.proname = 'refuse_change' and changes), false) as is_appended,
        coalesce(bool_or(guard.proname = 'refuse_removal'), false) as stays
      from pg_class class
      left join lateral (
        select proname, tgtype & 16 <> 0 as changes
        from pg_trigger join pg_proc on pg_proc.oid = tgfoid
        where tgrelid = class.oid) guard on true
      where class.relnamespace = current_schema()::regnamespace and class.relkind = 'r'
      group by class.oid
    loop
      execute format('revoke all on %s from public, ${appRole}', kept.name);
      execute format('grant %s on %s to ${appRole}', case
        when kept.is_ours then 'select'
        when kept.is_appended then 'select, insert'
        when kept.stays then 'select, insert, update'
        else 'select, insert, update, delete' end, kept.name);
    end loop;
  end $$`
