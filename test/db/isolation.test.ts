/** The database alone isolates: statements without any condition, as each level has them. */
import { sql } from 'kysely'
import type pg from 'pg'
import { guardTables } from '../../db/grants.ts'
import { type TableGuard, tableGuards } from '../../db/guards.ts'
import { type PlaceName, sees } from '../api/world.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makeProgramme } from '../support/factories.ts'
import { openTestTenancy, type TestTenancy } from '../support/tenancy.ts'
import {
  type IsolationWorld,
  makeIsolationWorld,
  type OwnedRow,
  rowsOf,
  snake,
  tablesOf,
  topOf,
} from './isolation-world.ts'
import {
  type Claims,
  connectRaw,
  inContext,
  type RawConnection,
  signed,
  tried,
} from './raw-context.ts'

let database: TestDatabase
let tenancy: TestTenancy
let world: IsolationWorld
let raw: RawConnection
const owned: Record<string, OwnedRow[]> = {}

beforeAll(async () => {
  database = await createTestDatabase()
  const { db } = database
  await guardTables(db)
  await makeProgramme(db)
  world = await makeIsolationWorld(db)
  for (const [name, { id }] of Object.entries(world)) {
    if (!id || !(name in sees)) continue
    await sql`insert into idempotency_keys (principal, partner_id, method, route, key, fingerprint)
      values (${`member:${name}`}, ${id}, 'POST', '/', 'key', '')`.execute(db)
  }
  tenancy = await openTestTenancy(database)
  for (const table of allTables) owned[table] = await rowsOf(db, table)
  raw = await connectRaw(tenancy.url)
})
afterAll(async () => {
  await raw.close()
  await tenancy.close()
  await database.drop()
})

const guardOf = Object.fromEntries(
  Object.entries(tableGuards).map(([name, guard]) => [snake(name), guard]),
) as Record<string, TableGuard>
const allTables = Object.keys(guardOf).filter((name) => name !== 'context_keys')
const tenantTables = tablesOf('tree', 'own', 'terms', 'application', 'keyed')

type Level = Extract<
  Claims['level'],
  'super_admin' | 'master_reseller' | 'reseller' | 'subreseller' | 'customer'
>
interface Viewer {
  level: Level
  place: PlaceName | null
}
const viewers: Record<string, Viewer> = {
  'the platform': { level: 'super_admin', place: null },
  north: { level: 'master_reseller', place: 'north' },
  south: { level: 'master_reseller', place: 'south' },
  shop: { level: 'reseller', place: 'shop' },
  market: { level: 'reseller', place: 'market' },
  pier: { level: 'reseller', place: 'pier' },
  'corner, below a reseller': { level: 'subreseller', place: 'corner' },
  'a customer of shop': { level: 'customer', place: 'shop' },
  'a customer of corner': { level: 'customer', place: 'corner' },
}
const viewerNames = Object.keys(viewers)

function claimsOf({ level, place }: Viewer): Claims {
  return {
    level,
    partnerId: place && world[place].id,
    customerId: level === 'customer' && place ? world.customers[place] : null,
    onBehalfOf: `member:${place ?? 'owner'}`,
    processId: raw.processId,
  }
}

/** Work as a viewer; everything it does is undone. */
function as<T>(name: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const viewer = viewers[name] as Viewer
  const token = signed(claimsOf(viewer), tenancy.secret)
  return inContext(raw, { level: viewer.level, token }, work)
}

/** Whether the viewer is to see a row, by what the row is about and who is above whom. */
function isToSee({ level, place }: Viewer, table: string, row: OwnedRow): boolean {
  const { kind, customer } = guardOf[table] as TableGuard
  if (level === 'super_admin') return kind !== 'keyed'
  const below = sees[place as PlaceName].map((name) => world[name].id)
  const isOwn = row.partner === world[place as PlaceName].id
  const isBuyer = level === 'customer'
  switch (kind) {
    case 'shared':
      return true
    case 'terms':
      return !isBuyer && (row.partner === null || below.includes(row.partner))
    case 'application':
      return level === 'master_reseller' && below.includes(row.partner ?? '')
    case 'keyed':
      return isOwn
    case 'inner':
      return false
    case 'own':
      return isBuyer
        ? Boolean(customer) && row.customer === world.customers[place as PlaceName]
        : isOwn && row.customer === null
    case 'tree':
      return isBuyer
        ? Boolean(customer) && row.customer === world.customers[place as PlaceName]
        : below.includes(row.partner ?? '')
  }
}

const toSee = (name: string, table: string) =>
  (owned[table] as OwnedRow[])
    .filter((row) => isToSee(viewers[name] as Viewer, table, row))
    .map(({ place }) => place)
    .sort()

const placesIn = (rows: Record<string, unknown>[]) => rows.map(({ place }) => String(place)).sort()

describe('the world', () => {
  it.each(tenantTables)('has rows of both trees in %s', (table) => {
    const trees = (owned[table] as OwnedRow[]).map(({ partner }) => {
      const name = Object.keys(sees).find((place) => world[place as PlaceName]?.id === partner)
      return name && name !== 'owner' ? topOf(name as PlaceName) : null
    })
    expect(trees).toEqual(expect.arrayContaining(['north', 'south']))
  })
})

describe('without any condition', () => {
  it.each(viewerNames)('%s sees exactly its own rows, of every table', async (name) => {
    const wrong = await as(name, async (client) => {
      const found: unknown[] = []
      for (const table of allTables) {
        const { code, rows } = await tried(client, `select ctid::text as place from ${table}`)
        const [expected, seen] = [toSee(name, table), placesIn(rows)]
        if (code !== null && code !== '42501') found.push({ table, code })
        if (JSON.stringify(seen) !== JSON.stringify(expected)) {
          found.push({ table, seen: seen.length, expected: expected.length })
        }
      }
      return found
    })
    expect(wrong).toEqual([])
  })

  it.each(viewerNames)('%s copies out no other rows', async (name) => {
    const wrong = await as(name, async (client) => {
      const found: string[] = []
      for (const table of allTables) {
        let lines = 0
        const count = () => {
          lines += 1
        }
        const { connection } = client as unknown as { connection: NodeJS.EventEmitter }
        connection.on('copyData', count)
        await tried(client, `copy ${table} to stdout`)
        connection.off('copyData', count)
        if (lines !== toSee(name, table).length) found.push(`${table}: ${lines}`)
      }
      return found
    })
    expect(wrong).toEqual([])
  })

  it.each(viewerNames)('%s changes, removes and merges no row of others', async (name) => {
    const wrong = await as(name, async (client) => {
      const found: string[] = []
      for (const table of allTables) {
        const own = new Set(toSee(name, table))
        for (const statement of await writesOf(table)) {
          const { rows } = await tried(client, statement)
          const foreign = placesIn(rows).filter((place) => !own.has(place))
          if (foreign.length > 0) found.push(`${foreign.length} rows: ${statement}`)
        }
      }
      return found
    })
    expect(wrong).toEqual([])
  })

  it.each(viewerNames)('%s adds nothing for others, nor over their rows', async (name) => {
    const foreign = await Promise.all(
      tenantTables.map(async (table) => {
        const own = new Set(toSee(name, table))
        const row = (owned[table] as OwnedRow[]).find(({ place }) => !own.has(place))
        return row ? { table, statements: await addsOf(table, row.place) } : null
      }),
    )
    const wrong = await as(name, async (client) => {
      const found: string[] = []
      for (const { table, statements } of foreign.filter((one) => one !== null)) {
        for (const statement of statements) {
          const { count } = await tried(client, statement)
          if (count > 0) found.push(`${table}: ${statement}`)
        }
      }
      return found
    })
    expect(wrong).toEqual([])
  })
})

/** Columns of a table that can be written, and its key. */
async function shapeOf(table: string): Promise<{ columns: string[]; key: string[] }> {
  const { rows } = await sql<{ name: string; isKey: boolean }>`
    select attname as name, coalesce(attnum = any(index.indkey), false) as is_key
    from pg_attribute left join pg_index index on indrelid = attrelid and indisprimary
    where attrelid = ${table}::regclass and attnum > 0 and not attisdropped
      and attgenerated = ''`.execute(database.db)
  return {
    columns: rows.map(({ name }) => name),
    key: rows.filter(({ isKey }) => isKey).map(({ name }) => name),
  }
}

async function writesOf(table: string): Promise<string[]> {
  const { columns } = await shapeOf(table)
  const same = `${columns.at(-1)} = ${table}.${columns.at(-1)}`
  return [
    `update ${table} set ${same} returning old.ctid::text as place`,
    `delete from ${table} returning old.ctid::text as place`,
    `merge into ${table} using (values (1)) every (row) on true
      when matched then update set ${same} returning old.ctid::text as place`,
    `merge into ${table} using (values (1)) every (row) on true
      when matched then delete returning old.ctid::text as place`,
    `with mine as (select ctid from ${table} for update) select ctid::text as place from mine`,
  ]
}

/** The row of a stranger again: under a new id, over itself, and as the one that is not there. */
async function addsOf(table: string, place: string): Promise<string[]> {
  const { columns, key } = await shapeOf(table)
  const { rows } = await sql<{ row: string }>`
    select to_jsonb(own)::text as row from ${sql.table(table)} own
    where ctid = ${place}::tid`.execute(database.db)
  const row = JSON.parse(rows[0]?.row ?? '{}')
  const { rows: made } = await sql<{ id: string }>`select uuidv7() as id`.execute(database.db)
  const other = JSON.stringify(typeof row.id === 'string' ? { ...row, id: made[0]?.id } : row)
  const list = columns.join(', ')
  const insert = (json: string) => `insert into ${table} (${list}) overriding system value
    select ${list} from jsonb_populate_record(null::${table}, $row$${json}$row$::jsonb)`
  const same = `${columns.at(-1)} = excluded.${columns.at(-1)}`
  const conflict = key.length > 0 ? `(${key.join(', ')})` : ''
  return [
    `${insert(other)} returning 1`,
    `${insert(JSON.stringify(row))} on conflict do nothing returning 1`,
    ...(conflict
      ? [`${insert(JSON.stringify(row))} on conflict ${conflict} do update set ${same} returning 1`]
      : []),
  ]
}

describe('a context', () => {
  const shop: Viewer = { level: 'reseller', place: 'shop' }
  const good = () => claimsOf(shop)
  const other = '0'.repeat(64)
  /** Rows of a tenant table and of one that is everybody's. */
  const counted = (level: Claims['level'], token: string) =>
    inContext(raw, { level, token }, async (client) => {
      const found = [
        await tried(client, 'select from customers'),
        await tried(client, 'select from programmes'),
      ]
      return found.reduce((sum, { count }) => sum + count, 0)
    })

  it('that is right shows rows', async () => {
    expect(await counted('reseller', signed(good(), tenancy.secret))).toBeGreaterThan(1)
  })

  it.each([
    ['that another secret signed', () => signed(good(), other)],
    ['that is over', () => signed({ ...good(), expiresIn: -1 }, tenancy.secret)],
    ['of another connection', () => signed({ ...good(), processId: 1 }, tenancy.secret)],
    ['of another level', () => signed({ ...good(), level: 'super_admin' }, tenancy.secret)],
    ['of the worker', () => signed({ ...good(), level: 'worker' }, tenancy.secret)],
    ['without its signature', () => signed(good(), tenancy.secret).slice(0, -65)],
    [
      'with another partner in it',
      () => rewritten((text) => text.replace(idOf('shop'), idOf('pier'))),
    ],
    ['with a later end', () => rewritten((text) => text.replace(/\|(\d{10})\|/, '|9999999999|'))],
    ['with one character more', () => rewritten((text) => ` ${text}`)],
    ['that is empty', () => ''],
    ['that is only separators', () => '|'.repeat(80)],
    ['that is any text', () => 'x'.repeat(300)],
  ])('%s shows none', async (_title, token) => {
    expect(await counted('reseller', token())).toBe(0)
  })

  const idOf = (place: PlaceName) => world[place].id
  const rewritten = (change: (text: string) => string) => change(signed(good(), tenancy.secret))

  it.each(['super_admin', 'master_reseller', 'subreseller', 'customer', 'sign_in', 'intake'])(
    'of a reseller shows none to the role of %s',
    async (level) => {
      const token = signed(good(), tenancy.secret)
      expect(await counted(level as Claims['level'], token)).toBe(0)
    },
  )

  it('is nothing without the role of its level', async () => {
    const token = signed(good(), tenancy.secret)
    for (const role of [null, 'tributary_api']) {
      const { client, close } = await connectRaw(tenancy.url, role)
      await client.query('begin')
      await client.query(`select set_config('app.context', $1, true)`, [token])
      expect(await tried(client, 'select from customers')).toMatchObject({ code: '42501' })
      await close()
    }
  })

  it('ends with its transaction', async () => {
    await as('shop', (client) => client.query('select from customers'))
    const { rows } = await raw.client.query(
      `select nullif(current_setting('app.context', true), '') as held, current_user as who`,
    )
    expect(rows).toEqual([{ held: null, who: 'tributary_api' }])
  })
})

it('a customer of a stranger and one that does not exist are refused alike', async () => {
  const answers = await as('shop', async (client) => {
    // A customer may change hands within a transaction; here it is looked at right away.
    await client.query('set constraints all immediate')
    const order = (customer: string) =>
      tried(
        client,
        `insert into subscriptions (customer_id, partner_id, feature_package_id)
          select '${customer}', '${world.shop.id}', id from feature_packages limit 1`,
      )
    const [strange, random] = [world.customers.pier, '01900000-0000-7000-8000-000000000000']
    return [await order(strange), await order(random), await order(world.customers.shop)]
  })
  const [strange, random, own] = answers
  expect(strange).toEqual(random)
  expect(strange?.code).toBe('23503')
  expect(own?.code).toBeNull()
})
