import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { listChains } from '../../db/commission/standing.ts'
import { inTransaction } from '../../db/database.ts'
import { findPartner, getPartner, listPartners } from '../../db/partners.ts'
import { recordTenant, reserveSubdomain } from '../../db/provisioning.ts'
import { listTierStandings } from '../../db/tier-standings.ts'
import { recordTierChange } from '../../db/tiers.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makeChain, makePartner, makeProgramme } from '../support/factories.ts'
import { contextAt, openTestTenancy, type TestTenancy } from '../support/tenancy.ts'

let database: TestDatabase
let tenancy: TestTenancy
beforeAll(async () => {
  database = await createTestDatabase()
  tenancy = await openTestTenancy(database)
  await makeProgramme(database.db)
})
afterAll(async () => {
  await tenancy.close()
  await database.drop()
})

describe('the tree', () => {
  it('shows a partner itself and everyone below it, and nobody else', async () => {
    const { db } = database
    const { master, reseller } = await makeChain(db)
    const below = await makePartner(db, { parentId: reseller })
    const stranger = await makeChain(db)
    const seenBy = async (...who: Parameters<typeof contextAt>) => {
      const everyone = [master, reseller, below, stranger.master, stranger.reseller]
      const own = tenancy.dbFor(contextAt(...who))
      const seen = await Promise.all(everyone.map((id) => findPartner(own, id)))
      return everyone.filter((_, i) => seen[i] !== undefined)
    }
    expect(await seenBy('master_reseller', master)).toEqual([master, reseller, below])
    expect(await seenBy('reseller', reseller)).toEqual([reseller, below])
    expect(await seenBy('subreseller', below)).toEqual([below])
    expect(await seenBy('super_admin')).toHaveLength(5)
  })

  it('pages through every partner once, newest first', async () => {
    const { db } = database
    const master = await makePartner(db, { level: 'master_reseller' })
    const children: string[] = []
    for (let i = 0; i < 7; i++) children.push(await makePartner(db, { parentId: master }))
    const seen: string[] = []
    let after: string | undefined
    do {
      const own = tenancy.dbFor(contextAt('master_reseller', master))
      const page = await listPartners(own, { limit: 3, after })
      seen.push(...page.rows.map(({ id }) => id))
      after = page.next ?? undefined
    } while (after)
    expect(seen).toEqual([...children.reverse(), master])
  })

  it('pays who stood above when the line was paid, from the start of the agreement on', async () => {
    const { db } = database
    const master = await makePartner(db, { level: 'master_reseller' })
    const reseller = await makePartner(db, {
      parentId: master,
      effectiveFrom: new Date('2026-10-01T00:00:00Z'),
    })
    const depthsAt = (paidAt: string) =>
      inTransaction(db, async (trx) => {
        const at = new Date(paidAt)
        const [rows = []] = await listChains(trx, [{ partnerId: reseller, at, customerSince: at }])
        return rows.map(({ depth, partnerId }) => [depth, partnerId])
      })
    expect(await depthsAt('2026-09-30T23:59:59.999Z')).toEqual([[0, reseller]])
    expect(await depthsAt('2026-10-01T00:00:00.000Z')).toEqual([
      [0, reseller],
      [1, master],
    ])
  })

  it('refuses two parents at one time and a partner as its own parent', async () => {
    const { db } = database
    const { master, reseller } = await makeChain(db)
    const insert = (ancestor: string, depth: number) =>
      db
        .insertInto('partnerAncestry')
        .values({ partnerId: reseller, ancestorId: ancestor, depth, valid: '[2026-01-01,)' })
        .execute()
    const other = await makePartner(db, { level: 'master_reseller' })
    await expect(insert(other, 1)).rejects.toThrow(/exclusion/)
    await expect(insert(reseller, 2)).rejects.toThrow(/check/)
    expect((await getPartner(db, reseller)).parentId).toBe(master)
  })
})

describe('a tier', () => {
  it('is raised once by a review, from that instant on', async () => {
    const { db } = database
    const partnerId = await makePartner(db)
    const change = {
      partnerId,
      from: 'bronze',
      to: 'silver',
      reason: 'reached',
      reviewPeriod: '2026-10',
    } as const
    const raise = () => inTransaction(db, (trx) => recordTierChange(trx, change))
    expect(await raise()).toBe(true)
    expect(await raise()).toBe(false)
    const { rows } = await sql<{ tier: string; open: boolean; touching: boolean }>`
      select tier, upper_inf(valid) as open,
        lower(valid) = lag(upper(valid)) over (order by lower(valid)) as touching
      from partner_tiers where partner_id = ${partnerId} order by lower(valid)`.execute(db)
    expect(rows).toEqual([
      { tier: 'bronze', open: false, touching: null },
      { tier: 'silver', open: true, touching: true },
    ])
  })

  it('counts nothing for a partner without revenue', async () => {
    const { db } = database
    const programme = await makeProgramme(db)
    await makePartner(db)
    const metrics = await inTransaction(db, (trx) =>
      listTierStandings(trx, {
        programmeId: programme.id,
        period: '2026-10',
        protection: 0,
        currency: 'USD',
        from: new Date('2025-11-01T00:00:00Z'),
        until: new Date('2026-11-01T00:00:00Z'),
        after: null,
        size: 1_000,
      }),
    )
    expect(metrics.length).toBeGreaterThan(0)
    expect(metrics.every(({ metric }) => metric === 0n)).toBe(true)
  })
})

describe('a subdomain', () => {
  it('is given once, and never to two tenants of the same name at the same time', async () => {
    const { db } = database
    const tenants = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const partnerId = await makePartner(db, { id: randomUUIDv7() })
        return inTransaction(db, (trx) => recordTenant(trx, { partnerId, name: 'Same Name' }))
      }),
    )
    const reserve = (id: string) => inTransaction(db, (trx) => reserveSubdomain(trx, id))
    const given = await Promise.all(tenants.map(reserve))
    expect(new Set(given).size).toBe(6)
    expect([...given].sort()).toContain('same-name')
    expect(await Promise.all(tenants.map(reserve))).toEqual(given)
  })
})
