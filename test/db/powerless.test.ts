/** What is refused to SQL that somebody smuggled into a statement of the product. */
import { sql } from 'kysely'
import { guardTables } from '../../db/grants.ts'
import { levelRoles } from '../../db/roles.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makeChain, makeOrder, makePartner, makeProgramme } from '../support/factories.ts'
import { contextAt, openTestTenancy, type TestTenancy } from '../support/tenancy.ts'
import { connectRaw, inContext, type RawConnection, signed, tried } from './raw-context.ts'

let database: TestDatabase
let tenancy: TestTenancy
let raw: RawConnection
let reseller: string
let stranger: string
let owner: string
beforeAll(async () => {
  database = await createTestDatabase()
  const { db } = database
  await guardTables(db)
  await makeProgramme(db)
  reseller = (await makeChain(db)).reseller
  stranger = await makePartner(db)
  for (const partner of [reseller, stranger]) await makeOrder(db, partner)
  tenancy = await openTestTenancy(database)
  raw = await connectRaw(tenancy.url)
  owner = new URL(database.url).username
})
afterAll(async () => {
  await raw.close()
  await tenancy.close()
  await database.drop()
})

const token = () =>
  signed({ level: 'reseller', partnerId: reseller, processId: raw.processId }, tenancy.secret)

const refused = [
  'set session authorization OWNER',
  'set role OWNER',
  'set role pg_read_all_data',
  'set role pg_monitor',
  'alter role current_user superuser',
  'alter role current_user bypassrls',
  'create role intruder',
  'create extension pg_trgm',
  'create extension plpython3u',
  'create schema intruder',
  'create table intruder (id uuid)',
  'create temporary table customers (id uuid)',
  'create view intruder as select * from customers',
  'create function intruder() returns int language sql as $$ select 1 $$',
  'create trigger intruder after insert on customers execute function audit_change()',
  'create policy intruder on customers using (true)',
  'drop policy reseller_select on customers',
  'alter policy reseller_select on customers using (true)',
  'alter table customers disable row level security',
  'alter table customers no force row level security',
  'alter table customers owner to current_user',
  'alter table customers disable trigger all',
  'truncate customers',
  'truncate rate_limits',
  'drop table customers',
  `alter function context_claims() security invoker`,
  `create or replace function context_claims() returns text[] language sql as 'select null'`,
  'select * from context_keys',
  'insert into context_keys select * from context_keys',
  'delete from context_keys',
  'select * from pg_authid',
  `select pg_read_file('postgresql.conf')`,
  `select pg_ls_dir('.')`,
  `select lo_import('/etc/passwd')`,
  `copy customers to '/tmp/intruder'`,
  `copy customers to program 'cat'`,
  `copy programmes from program 'true'`,
  'set session_replication_role = replica',
  `set log_statement = 'all'`,
  `select * from dblink('', '') of (id int)`,
]

describe.each(['a level', 'the role of the process', 'the login'])('to %s', (who) => {
  it.each(refused)('%s', async (statement) => {
    const connection = who === 'the login' ? await connectRaw(tenancy.url, null) : raw
    const said = statement.replace('OWNER', owner)
    const work = (client: RawConnection['client']) => tried(client, said)
    const isLevel = who === 'a level'
    const outcome = isLevel
      ? await inContext(connection, { level: 'reseller', token: token() }, work)
      : await alone(connection, work)
    if (connection !== raw) await connection.close()
    // What is not installed at all is no way in either.
    const absent = /dblink|plpython/.test(statement) ? ['42P01', '42883', '0A000', '58P01'] : []
    expect(['42501', ...absent]).toContain(outcome.code)
  })
})

it.each(['create database intruder', `alter system set log_statement = 'all'`, 'checkpoint'])(
  'nor outside of a transaction: %s',
  async (statement) => {
    await expect(raw.client.query(statement)).rejects.toMatchObject({ code: '42501' })
  },
)

async function alone<T>(
  { client }: RawConnection,
  work: (client: RawConnection['client']) => Promise<T>,
): Promise<T> {
  await client.query('begin')
  return work(client).finally(() => client.query('rollback'))
}

const asReseller = <T>(work: (client: RawConnection['client']) => Promise<T>) =>
  inContext(raw, { level: 'reseller', token: token() }, work)

const strangers = () => `select from customers where partner_id = '${stranger}'`

it('no other role that the login may take shows a stranger', async () => {
  await asReseller(async (client) => {
    for (const role of [
      ...Object.values(levelRoles),
      'tributary_api',
      'tributary_worker',
      'none',
    ]) {
      await client.query('savepoint role')
      const taken = await tried(client, `set local role ${role}`)
      if (taken.code === null) {
        await client.query(`set local role ${role}`)
        expect((await tried(client, strangers())).count).toBe(0)
      }
      await client.query('rollback to savepoint role')
    }
  })
})

it('without row security there is an answer to nothing', async () => {
  await asReseller(async (client) => {
    await client.query('set local row_security = off')
    expect(await tried(client, 'select * from customers')).toMatchObject({ code: '42501' })
  })
})

it('rights are nobody else’s to give', async () => {
  await asReseller(async (client) => {
    await tried(client, 'grant select on customers to public')
    await tried(client, 'grant tributary_super_admin to current_user')
    const { rows } = await client.query(
      `select has_table_privilege('public', 'customers', 'select') as may`,
    )
    expect(rows).toEqual([{ may: false }])
  })
})

it('a context of the past, another one and one that was made up are all none', async () => {
  const other = { level: 'reseller' as const, partnerId: stranger, processId: raw.processId }
  await asReseller(async (client) => {
    for (const secret of ['', 'x'.repeat(64), '0'.repeat(64)]) {
      await client.query(`select set_config('app.context', $1, true)`, [signed(other, secret)])
      expect((await tried(client, 'select from customers')).count).toBe(0)
    }
  })
})

describe('who may build a schema, for simulations,', () => {
  /** Everything by which the functions of contexts might be led astray. */
  const decoys = (partner: string) => `
    create schema decoy;
    grant usage on schema decoy to public;
    create table decoy.context_keys (fingerprint bytea, inner_pad bytea, outer_pad bytea);
    insert into decoy.context_keys values ('',
      decode(repeat('36', 64), 'hex'), decode(repeat('5c', 64), 'hex'));
    create table decoy.partner_ancestry (partner_id uuid, ancestor_id uuid, valid tstzrange);
    insert into decoy.partner_ancestry values ('${partner}', '${reseller}', '(,)');
    create function decoy.context_claims() returns text[] language sql as
      $$ select array['reseller', '${partner}', '', '', '', '', '', '', '9999999999', '1'] $$;
    create function decoy.says_yes(text, text) returns boolean language sql as 'select true';
    create operator decoy.= (function = decoy.says_yes, leftarg = text, rightarg = text);
    create function decoy.sha256(bytea) returns bytea language sql as $$ select ''::bytea $$;
    grant select on all tables in schema decoy to public;`

  it.each(['decoy, public', 'decoy, public, pg_catalog'])(
    'leads no look at a context astray with %s in front',
    async (path) => {
      await alone(raw, async (client) => {
        await client.query(`set local role ${levelRoles.simulation}`)
        await client.query(decoys(stranger))
        await client.query(`set local search_path = ${path}`)
        const forged = { level: 'reseller' as const, partnerId: stranger, processId: raw.processId }
        for (const [level, made] of [
          ['reseller', signed(forged, '')],
          ['subreseller', signed({ ...forged, level: 'subreseller' }, '')],
          ['reseller', token()],
        ]) {
          await client.query(`set local role tributary_${level}`)
          await client.query(`select pg_catalog.set_config('app.context', $1, true)`, [made])
          const { rows } = await client.query(
            `select partner_id::text as partner from public.customers`,
          )
          expect(rows.filter(({ partner }) => partner !== reseller)).toEqual([])
        }
      })
    },
  )

  it('hangs none of our functions on a table of its own', async () => {
    await alone(raw, async (client) => {
      await client.query(`set local role ${levelRoles.simulation}`)
      await client.query('create schema decoy; create table decoy.members (id uuid, status text)')
      for (const name of ['audit_change', 'chain_events', 'end_sessions_of_disabled']) {
        const made = await tried(
          client,
          `create trigger mine after insert on decoy.members execute function ${name}()`,
        )
        expect(made.code).toBe('42501')
      }
    })
  })
})

it('what one leaves on a connection the next one does not meet', async () => {
  const single = await openTestTenancy(database, { poolSize: 1, secret: tenancy.secret })
  const plant = [
    'create schema planted',
    'grant usage on schema planted to public',
    'create table planted.customers (id uuid)',
    'grant all on planted.customers to public',
    'set search_path = planted, public',
    `set role ${levelRoles.simulation}`,
    `select set_config('app.context', 'planted', false)`,
  ]
  await single.withTenant(contextAt('simulation'), async (trx) => {
    for (const statement of plant) await sql.raw(statement).execute(trx)
  })
  const { rows } = await single.withTenant(contextAt('reseller', reseller), (trx) =>
    sql`select current_user as who, 'customers'::regclass = 'public.customers'::regclass as ours,
      count(*) from customers`.execute(trx),
  )
  expect(rows).toEqual([{ who: 'tributary_reseller', ours: true, count: 1n }])
  await single.close()
})

it('the owner of the tables alone reads the keys of contexts', async () => {
  const { rows } = await sql<{ grantee: string }>`
    select distinct grantee::regrole::text as grantee
    from pg_class, aclexplode(relacl) where oid = 'context_keys'::regclass
      and grantee <> relowner`.execute(database.db)
  expect(rows).toEqual([])
})
