/** Moves in the hierarchy: what lives on moves along, what was earned stays with whom it was. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { bookInvoice } from '../../activities/commission/payments.ts'
import { inTransaction } from '../../db/database.ts'
import { type NewMove, recordPartnerMove } from '../../db/partner-moves.ts'
import { recordMove } from '../../db/partner-places.ts'
import { listRoots } from '../../db/partners.ts'
import {
  fillWorld,
  issueStatements,
  makeWorld,
  type PlaceName,
  settledPeriod,
  type World,
} from '../api/world.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import {
  makeKey,
  makeLink,
  makeOrder,
  makePartner,
  makeProgramme,
  paidInvoice,
} from '../support/factories.ts'
import { contextAt, openTestTenancy, type TestTenancy } from '../support/tenancy.ts'

let database: TestDatabase
let tenancy: TestTenancy
let world: World
beforeEach(async () => {
  database = await createTestDatabase()
  tenancy = await openTestTenancy(database)
  await makeProgramme(database.db)
  await makeKey(database.db, null)
  world = await makeWorld(database.db)
  await fillWorld(database.db, world)
  await issueStatements(database.db)
  for (const name of Object.keys(before) as PlaceName[]) {
    await makeLink(database.db, world[name].id)
  }
})
afterEach(async () => {
  await tenancy.close()
  await database.drop()
})

/** Who sees what belongs to whom before anybody moves. */
const before = {
  north: ['north', 'shop', 'market', 'corner'],
  shop: ['shop', 'corner'],
  market: ['market'],
  corner: ['corner'],
  south: ['south', 'pier'],
  pier: ['pier'],
} as const satisfies Record<PlaceName, readonly PlaceName[]>
const names = Object.keys(before) as PlaceName[]

const history = [
  'payments',
  'line_payments',
  'line_reversals',
  'accruals',
  'clawbacks',
  'statements',
  'payouts',
  'partner_tiers',
] as const
const live = ['customers', 'subscriptions', 'tenants', 'partner_links'] as const
type Table = (typeof history)[number] | (typeof live)[number]

/** The context that the API makes for a partner. */
async function contextOf(name: PlaceName) {
  const { id } = world[name]
  const { rows } = await sql<{ level: 'master_reseller' | 'reseller'; chained: boolean }>`
    select level, exists (select from partner_places place
      where place.partner_id = partners.id and place.reseller_id <> place.partner_id) as chained
    from partners where id = ${id}`.execute(database.db)
  const { level, chained } = rows[0] ?? { level: 'reseller', chained: false }
  return contextAt(level === 'reseller' && chained ? 'subreseller' : level, id)
}

/** Whose rows of a table this partner sees, with how many each. */
async function seen(viewer: PlaceName, table: Table): Promise<Partial<Record<PlaceName, number>>> {
  const own = tenancy.dbFor(await contextOf(viewer))
  const { rows } = await sql<{ partnerId: string; count: number }>`
    select partner_id, count(*)::integer as count from ${sql.table(table)}
    group by 1`.execute(own)
  const counts = new Map(rows.map(({ partnerId, count }) => [partnerId, count]))
  return Object.fromEntries(
    names.flatMap((name) => {
      const count = counts.get(world[name].id)
      return count === undefined ? [] : [[name, count]]
    }),
  )
}

const whose = async (viewer: PlaceName, table: Table) => Object.keys(await seen(viewer, table))

/** Expects of every table who sees whose rows. */
async function expectSights(
  tables: readonly Table[],
  expected: Record<PlaceName, readonly PlaceName[]>,
): Promise<void> {
  for (const table of tables) {
    for (const viewer of names) {
      const found = await whose(viewer, table)
      expect([table, viewer, found.sort()]).toEqual([table, viewer, [...expected[viewer]].sort()])
    }
  }
}

const move = (partner: PlaceName, to: PlaceName, from: string | null = null) => {
  const request: Omit<NewMove, 'id'> = {
    partnerId: world[partner].id,
    parentId: world[to].id,
    from: from === null ? null : new Date(from),
  }
  return inTransaction(database.db, (trx) =>
    recordPartnerMove(trx, { ...request, id: randomUUIDv7() }),
  )
}

const sell = async (name: PlaceName, paidAt: string) => {
  const order = await makeOrder(database.db, world[name].id)
  await bookInvoice({ db: database.db }, paidInvoice(order, { paidAt }))
}

const soon = () => new Date(Date.now() + 60_000).toISOString()

const allowChains = () => sql`update programmes set reseller_chains = true`.execute(database.db)

describe('before anybody moves', () => {
  it('everybody sees itself and everyone below it', async () => {
    await expectSights([...history, ...live], before)
  })
})

describe('a move between master resellers', () => {
  it('leaves what was with the old one, and brings what lives on to the new one', async () => {
    await move('market', 'south')
    await expectSights(history, before)
    await expectSights(live, {
      ...before,
      north: ['north', 'shop', 'corner'],
      south: ['south', 'pier', 'market'],
    })
  })

  it('brings the new one what is earned from then on, and the old one nothing of it', async () => {
    const [oldBefore, own] = [await seen('north', 'accruals'), await seen('market', 'accruals')]
    await move('market', 'south')
    await sell('market', soon())
    expect((await seen('south', 'accruals')).market).toBe(1)
    expect(await seen('north', 'accruals')).toEqual(oldBefore)
    expect((await seen('market', 'accruals')).market).toBe((own.market ?? 0) + 1)
  })
})

describe('a move of a partner with others below it', () => {
  it('takes them along, with what lives on, and leaves their history', async () => {
    await move('shop', 'south')
    await expectSights(history, before)
    await expectSights(live, {
      ...before,
      north: ['north', 'market'],
      south: ['south', 'pier', 'shop', 'corner'],
    })
    await sell('corner', soon())
    expect((await seen('south', 'payments')).corner).toBe(1)
    expect((await seen('shop', 'payments')).corner).toBe(2)
    expect((await seen('north', 'payments')).corner).toBe(1)
  })
})

describe('a move of a reseller below a reseller', () => {
  it('to another reseller leaves its history with the first', async () => {
    await allowChains()
    await move('corner', 'market')
    await expectSights(history, before)
    await expectSights(live, { ...before, shop: ['shop'], market: ['market', 'corner'] })
  })

  it('to the master reseller leaves its history with the reseller', async () => {
    await move('corner', 'north')
    await expectSights(history, before)
    await expectSights(live, { ...before, shop: ['shop'] })
  })

  it('that stood below the master reseller hides its history from its new parent', async () => {
    await allowChains()
    await move('market', 'shop')
    await expectSights(history, before)
    await expectSights(live, { ...before, shop: ['shop', 'corner', 'market'] })
  })

  it('into another tree leaves its history in the first', async () => {
    await allowChains()
    await move('corner', 'pier')
    await expectSights(history, before)
    await expectSights(live, {
      ...before,
      north: ['north', 'shop', 'market'],
      shop: ['shop'],
      south: ['south', 'pier', 'corner'],
      pier: ['pier', 'corner'],
    })
  })
})

describe('a move that is told late', () => {
  it('changes nothing that was booked, and holds for what is booked afterwards', async () => {
    const booked = await seen('north', 'accruals')
    await move('market', 'south', '2026-01-01T00:00:00Z')
    await expectSights(history, before)
    await sell('market', '2026-02-01T00:00:00Z')
    expect((await seen('south', 'accruals')).market).toBe(1)
    expect(await seen('north', 'accruals')).toEqual(booked)
  })

  it('leaves a payment of before it with the old master, also when that is told after it', async () => {
    await move('market', 'south', '2026-06-01T00:00:00Z')
    const old = (await seen('north', 'accruals')).market ?? 0
    await sell('market', '2026-05-01T00:00:00Z')
    expect((await seen('north', 'accruals')).market).toBe(old + 1)
    expect((await seen('south', 'accruals')).market).toBeUndefined()
    await sell('market', '2026-07-01T00:00:00Z')
    expect((await seen('south', 'accruals')).market).toBe(1)
  })

  it('gives way to a later one that is known already', async () => {
    const { db } = database
    const third = await makePartner(db, { level: 'master_reseller' })
    const partnerId = world.market.id
    await inTransaction(db, (trx) =>
      recordMove(trx, { partnerId, parentId: world.south.id, from: new Date('2026-06-01Z') }),
    )
    await inTransaction(db, (trx) =>
      recordMove(trx, { partnerId, parentId: third, from: new Date('2026-03-01Z') }),
    )
    const { rows } = await sql<{ at: string; master: string }>`
      select at::text, (place_of(${partnerId}, at::timestamptz)).master_id as master
      from unnest(array['2026-02-01', '2026-04-01', '2026-07-01', 'infinity']) at`.execute(db)
    expect(rows.map(({ master }) => master)).toEqual([
      world.north.id,
      third,
      world.south.id,
      world.south.id,
    ])
    expect((await listRoots(db, [partnerId])).get(partnerId)).toBeDefined()
    const { masterId, parentId } = await db
      .selectFrom('partners')
      .select(['masterId', 'parentId'])
      .where('id', '=', partnerId)
      .executeTakeFirstOrThrow()
    expect([masterId, parentId]).toEqual([world.south.id, world.south.id])
    await sell('market', '2026-04-10T00:00:00Z')
    const byThird = await sql`select from accruals where partner_id = ${partnerId}`.execute(
      tenancy.dbFor(contextAt('master_reseller', third)),
    )
    expect(byThird.rows).toHaveLength(1)
  })

  it('keeps every place that a partner ever had', async () => {
    await move('market', 'south', '2026-03-01T00:00:00Z')
    await move('market', 'north')
    await move('market', 'south')
    const { rows } = await sql<{ master: string }>`select master_id as master from partner_places
      where partner_id = ${world.market.id} order by since`.execute(database.db)
    const { market, north, south } = world
    expect(rows.map(({ master }) => master)).toEqual([market.id, north.id, south.id])
  })
})

describe('a partner that comes back', () => {
  it('brings what lives on back, and leaves with the other what was earned there', async () => {
    await move('market', 'south')
    await sell('market', soon())
    await new Promise((resolve) => setTimeout(resolve, 5))
    await move('market', 'north')
    await expectSights(live, before)
    expect((await seen('south', 'payments')).market).toBe(1)
    expect((await seen('north', 'payments')).market).toBe(1)
    expect((await seen('market', 'payments')).market).toBe(2)
  })
})

describe('rows of every kind', () => {
  it('are there to be seen, so that these tests say something', async () => {
    for (const table of [...history, ...live]) {
      expect([table, (await seen('north', table)).market ?? 0]).not.toEqual([table, 0])
    }
    expect(settledPeriod).toMatch(/^\d{4}-\d\d$/)
  })
})
