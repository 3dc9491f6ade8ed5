/** The catalog shows that every table is guarded, on a server of our own and on a managed one. */
import { randomBytes, randomUUIDv7 } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { readKeyEncryption } from '../../config.ts'
import { processLogin } from '../../db/context-keys.ts'
import { type Database, openDatabase } from '../../db/database.ts'
import { guardTables } from '../../db/grants.ts'
import { tableGuards } from '../../db/guards.ts'
import { migrate } from '../../db/migrations.ts'
import { levelRoles, processRoles } from '../../db/roles.ts'
import { recordCustomer } from '../../db/subscriptions.ts'
import { createDatabase, databaseUrl, dropDatabase } from '../../scripts/launch/databases.ts'
import { openVault } from '../../scripts/stack/vault.ts'
import { createTestDatabase, rolledBack, type TestDatabase, testKeks } from '../support/database.ts'
import { makeChain, makeOrder, makeProgramme } from '../support/factories.ts'
import { suiteFacts } from '../support/suite.ts'
import { contextAt, openTestTenancy, type TestTenancy } from '../support/tenancy.ts'
import { guardFindings } from './guard-findings.ts'
import { snake } from './isolation-world.ts'

let database: TestDatabase
let tenancy: TestTenancy
let login: string
beforeAll(async () => {
  database = await createTestDatabase()
  await guardTables(database.db)
  tenancy = await openTestTenancy(database)
  login = processLogin(tenancy.secret).name
})
afterAll(async () => {
  await tenancy.close()
  await database.drop()
})

it('nothing is found against the guards', async () => {
  expect(await guardFindings(database.db, [login])).toEqual([])
})

it('every table is declared, and every declaration is of a table', async () => {
  const { rows } = await sql<{ name: string }>`
    select relname as name from pg_class
    where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p', 'f', 'v', 'm')
      and relname not like 'kysely\\_%' order by 1`.execute(database.db)
  expect(rows.map(({ name }) => name)).toEqual(Object.keys(tableGuards).map(snake).sort())
})

it('what is guarded stays as it is when it is guarded again', async () => {
  const state = () =>
    sql`select relname, relacl::text, (select array_agg(polname::text order by polname)
        from pg_policy where polrelid = class.oid) from pg_class class
      where relnamespace = current_schema()::regnamespace order by 1`.execute(database.db)
  const before = await state()
  await sql`comment on table context_keys is null`.execute(database.db)
  await guardTables(database.db)
  expect((await state()).rows).toEqual(before.rows)
})

it('the page for operators names every role that has to be made', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/operations.md'), 'utf8')
  const roles = [...Object.values(levelRoles), ...Object.values(processRoles)]
  expect(roles.filter((role) => !page.includes(`create role ${role} nologin;`))).toEqual([])
})

const reader = 'tributary_reseller'

describe('it is found', () => {
  it.each([
    ['that a table is open', `create table extra (id int); grant select on extra to ${reader}`],
    [
      'that a table is open to its owner’s functions',
      `create table extra (id int); alter table extra enable row level security;
        grant select on extra to ${reader}`,
    ],
    ['that a guard was taken off', 'alter table customers disable row level security'],
    ['that the owner is let past', 'alter table customers no force row level security'],
    ['that a policy lets everybody in', 'create policy extra on customers using (true)'],
    ['that a policy asks nobody', `create policy extra on customers to ${reader} using (id = id)`],
    ['that a policy is missing', 'drop policy reseller_select on customers'],
    ['a right that has no policy', `grant delete on partners to ${reader}`],
    ['a right to empty a table', `grant truncate on customers to ${reader}`],
    ['a right of everybody', 'grant select on customers to public'],
    ['a right to a column', `grant select (email_sealed) on people to ${reader}`],
    ['a view as its owner', 'create view extra as select * from customers'],
    ['a copy', 'create materialized view extra as select * from customers'],
    [
      'a part without a guard',
      `create table extra (id int) partition by range (id);
        create table extra_1 partition of extra for values from (1) to (2)`,
    ],
    [
      'a function that looks anywhere',
      'create function extra() returns int security definer language sql return 1',
    ],
    [
      'a function for triggers of anybody',
      `create function extra() returns trigger security definer language plpgsql
        set search_path to public, pg_temp as $$ begin return null; end $$`,
    ],
    ['a context that looks anywhere', 'alter function context_is reset search_path'],
    ['a role that may too much', `alter role ${reader} bypassrls`],
    ['a role that owns something', `alter table notices owner to ${reader}`],
    ['a level that is another', `grant tributary_super_admin to ${reader}`],
    ['a process that is a level', 'grant tributary_reseller to tributary_api with inherit true'],
    [
      'temporary tables',
      `do $$ begin execute format(
      'grant temporary on database %I to public', current_database()); end $$`,
    ],
    ['a schema that is open', 'grant create on schema public to public'],
  ])('%s', async (_title, statement) => {
    await rolledBack(database.db, async (trx) => {
      await sql.raw(statement).execute(trx)
      expect(await guardFindings(trx, [login])).not.toEqual([])
    })
  })
})

describe('a server whose owner of the tables is no superuser', () => {
  const [owner, password] = [`owner_${randomBytes(4).toString('hex')}`, 'secret']
  let managed: Database
  let keys: ReturnType<typeof openVault>
  let through: TestTenancy
  let url: string
  beforeAll(async () => {
    const { db } = database
    // What docs/operations.md says to whoever runs the server.
    await sql.raw(`create role ${owner} login createrole password '${password}'`).execute(db)
    await sql
      .raw(`grant tributary_api, tributary_worker to ${owner}
        with admin option, inherit false, set true`)
      .execute(db)
    const { postgresUrl } = suiteFacts()
    await createDatabase(postgresUrl, owner)
    await sql.raw(`alter database ${owner} owner to ${owner}`).execute(db)
    const own = new URL(databaseUrl(postgresUrl, owner))
    Object.assign(own, { username: owner, password })
    url = own.href
    const pool = { poolSize: 2, applicationName: 'managed', onError: () => {} }
    keys = openVault(url, readKeyEncryption(testKeks))
    managed = openDatabase({ url, vault: keys.vault, ...pool })
    await migrate(managed.db)
    through = await openTestTenancy({ db: managed.db, url, vault: keys.vault })
  })
  afterAll(async () => {
    await through.close()
    await managed.close()
    await keys.close()
    const { db } = database
    await dropDatabase(suiteFacts().postgresUrl, owner)
    const made = processLogin(through.secret).name
    await sql.raw(`drop role ${made}; drop owned by ${owner}; drop role ${owner}`).execute(db)
  })

  it('has the same guards', async () => {
    const { rows } = await sql`select rolsuper from pg_roles where rolname = current_user`.execute(
      managed.db,
    )
    expect(rows).toEqual([{ rolsuper: false }])
    expect(await guardFindings(managed.db, [processLogin(through.secret).name])).toEqual([])
    expect(await migrate(managed.db)).toEqual([])
  })

  it('serves the product, and each sees its own', async () => {
    const { db } = managed
    await makeProgramme(db)
    const [one, other] = [await makeChain(db), await makeChain(db)]
    for (const { reseller } of [one, other]) await makeOrder(db, reseller)
    const sellers = async (partner: string, level: 'master_reseller' | 'reseller') =>
      through.withTenant(contextAt(level, partner), (trx) =>
        trx.selectFrom('customers').select('partnerId').execute(),
      )
    expect(await sellers(one.reseller, 'reseller')).toEqual([{ partnerId: one.reseller }])
    expect(await sellers(other.master, 'master_reseller')).toEqual([{ partnerId: other.reseller }])
    const { reseller } = one
    const customer = {
      id: randomUUIDv7(),
      partnerId: reseller,
      name: 'New',
      email: 'new@c.example',
    }
    await through.withTenant(contextAt('reseller', reseller), (trx) =>
      recordCustomer(trx, customer),
    )
    const all = await db.selectFrom('customers').select('partnerId').execute()
    expect(all).toHaveLength(3)
  })
})
