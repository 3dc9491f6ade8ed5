/** Areas of partners: one exclusive holder of a place at a time, whoever writes. */

import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { type Db, inTransaction } from '../../db/database.ts'
import { recordPartnerMove } from '../../db/partner-moves.ts'
import {
  admitTerritories,
  expireReservations,
  releaseTerritories,
  reserveTerritories,
} from '../../db/territories.ts'
import { createTestDatabase, rolledBack, type TestDatabase } from '../support/database.ts'
import {
  makeApplication,
  makeChain,
  makePartner,
  makeProgramme,
  makeTerritory,
} from '../support/factories.ts'

let database: TestDatabase
let db: Db
beforeAll(async () => {
  database = await createTestDatabase(20)
  db = database.db
  await makeProgramme(db)
})
afterAll(() => database.drop())

const standing = async (id: string) => {
  const { rows } = await sql<{ status: string; mode: string; cause: string | null }>`
    select status, mode, release_cause as cause from territory_assignments
    where id = ${id}`.execute(db)
  return rows[0]
}

const insert = (partnerId: string, code: string, mode = 'exclusive') =>
  sql`insert into territory_assignments (programme_id, territory, mode, status, partner_id)
    select programme_id, ${code}, ${mode}, 'assigned', id from partners
    where id = ${partnerId}`

describe('a place', () => {
  it.each([
    ['the same', 'FR', 'FR'],
    ['a part of what is held', 'IT', 'IT-25'],
    ['the whole of which a part is held', 'ES-MD', 'ES'],
  ])('that one has alone is nobody else’s: %s', async (_what, held, wanted) => {
    const [one, other] = [await makePartner(db), await makePartner(db)]
    await makeTerritory(db, { partnerId: one, code: held })
    await expect(insert(other, wanted).execute(db)).rejects.toThrow(/held exclusively/)
    await expect(insert(other, wanted, 'shared').execute(db)).rejects.toThrow(/held exclusively/)
    const claimed = await makeTerritory(db, { partnerId: other, code: wanted })
    expect(await standing(claimed)).toMatchObject({ status: 'conflict' })
  })

  it('is shared by those who only share it, and then is nobody’s alone', async () => {
    for (let i = 0; i < 3; i++) {
      const id = await makeTerritory(db, {
        partnerId: await makePartner(db),
        code: 'NL',
        mode: 'shared',
      })
      expect(await standing(id)).toMatchObject({ status: 'assigned' })
    }
    await expect(insert(await makePartner(db), 'NL-ZH').execute(db)).rejects.toThrow(/exclusively/)
  })

  it('is not taken alone by changing the mode of one who shares it', async () => {
    const [one, other] = [await makePartner(db), await makePartner(db)]
    const id = await makeTerritory(db, { partnerId: one, code: 'BE', mode: 'shared' })
    await makeTerritory(db, { partnerId: other, code: 'BE', mode: 'shared' })
    const alone = sql`update territory_assignments set mode = 'exclusive' where id = ${id}`
    await expect(alone.execute(db)).rejects.toThrow(/held exclusively/)
  })

  it('is handed down to a partner below, and stays that of the one above', async () => {
    const { master, reseller } = await makeChain(db)
    const wide = await makeTerritory(db, { partnerId: master, code: 'AT' })
    const part = await makeTerritory(db, { partnerId: reseller, code: 'AT-9' })
    expect([await standing(wide), await standing(part)]).toMatchObject([
      { status: 'assigned' },
      { status: 'assigned' },
    ])
  })

  it('goes to one of ten who ask at the same time; the others are in conflict', async () => {
    const partners = await Promise.all(Array.from({ length: 10 }, () => makePartner(db)))
    const ids = await Promise.all(
      partners.map((partnerId, i) =>
        makeTerritory(db, { partnerId, code: i % 2 ? 'SE' : 'SE-AB' }),
      ),
    )
    const statuses = (await Promise.all(ids.map(standing))).map((row) => row?.status)
    expect(statuses.filter((status) => status === 'assigned').length).toBeGreaterThan(0)
    const { rows } = await sql<{ n: number }>`select count(*)::int as n
      from territory_assignments where status = 'assigned' and territory like 'SE%'`.execute(db)
    expect(rows[0]?.n).toBe(1)
  })

  it('goes to one of ten whoever writes, also past the claims', async () => {
    const partners = await Promise.all(Array.from({ length: 10 }, () => makePartner(db)))
    const tried = await Promise.allSettled(partners.map((id) => insert(id, 'DK').execute(db)))
    expect(tried.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  it('asked for again by its holder is the same assignment', async () => {
    const partnerId = await makePartner(db)
    const first = await makeTerritory(db, { partnerId, code: 'NO' })
    expect(await makeTerritory(db, { partnerId, code: 'NO' })).toBe(first)
  })
})

describe('an assignment', () => {
  it('keeps its area and its holder, never comes back and is never removed', async () => {
    const [one, other] = [await makePartner(db), await makePartner(db)]
    const id = await makeTerritory(db, { partnerId: one, code: 'FI' })
    const refused = async (change: string) =>
      rolledBack(db, async (trx) => {
        await expect(sql.raw(change).execute(trx)).rejects.toThrow(/keeps its area|is over|removed/)
      })
    await refused(`update territory_assignments set territory = 'IS' where id = '${id}'`)
    await refused(`update territory_assignments set partner_id = '${other}' where id = '${id}'`)
    await refused(`delete from territory_assignments where id = '${id}'`)
    expect(await inTransaction(db, (trx) => releaseTerritories(trx, one, 'terminated'))).toBe(1)
    expect(await standing(id)).toMatchObject({ status: 'released', cause: 'terminated' })
    await refused(`update territory_assignments set status = 'assigned' where id = '${id}'`)
    const next = await makeTerritory(db, { partnerId: other, code: 'FI' })
    expect(await standing(next)).toMatchObject({ status: 'assigned' })
  })

  it('moves with its partner: it ends at the old place and stands at the new one', async () => {
    const [from, to] = [await makeChain(db), await makeChain(db)]
    const id = await makeTerritory(db, { partnerId: from.reseller, code: 'PL' })
    const part = await makeTerritory(db, { partnerId: from.master, code: 'PL-MZ' })
    expect(await standing(part)).toMatchObject({ status: 'assigned' })
    await inTransaction(db, (trx) =>
      recordPartnerMove(trx, {
        id: randomUUIDv7(),
        partnerId: from.reseller,
        parentId: to.master,
        from: null,
      }),
    )
    expect(await standing(id)).toMatchObject({ status: 'released', cause: 'moved' })
    const { rows } = await sql<{ status: string; masterId: string; blockedBy: string }>`
      select status, master_id, blocked_by from territory_assignments
      where partner_id = ${from.reseller} and until is null`.execute(db)
    // What its old master holds of it was its own before, and is a stranger's now.
    expect(rows).toEqual([{ status: 'conflict', masterId: to.master, blockedBy: part }])
  })
})

describe('a reservation', () => {
  const reserve = async (seconds: number, code: string) => {
    const applicationId = await makeApplication(db)
    const { rows } = await sql<{ id: string }>`
      insert into territory_assignments (programme_id, territory, mode, status, application_id,
        expires_at)
      select programme_id, ${code}, 'exclusive', 'reserved', id,
        clock_timestamp() + make_interval(secs => ${seconds})
      from applications where id = ${applicationId} returning id`.execute(db)
    return { id: rows[0]?.id ?? '', applicationId }
  }

  it('that has run out is free again, and its application says so to those who decide', async () => {
    const over = await reserve(-1, 'CZ')
    const open = await reserve(60, 'SK')
    expect(await expireReservations(db)).toBe(1)
    expect(await expireReservations(db)).toBe(0)
    expect(await standing(over.id)).toMatchObject({ status: 'expired' })
    expect(await standing(open.id)).toMatchObject({ status: 'reserved' })
    const { rows } = await sql<{ what: string; internal: boolean }>`
      select what, internal from application_events
      where application_id = ${over.applicationId} order by id desc limit 1`.execute(db)
    expect(rows).toEqual([{ what: 'the reservation of CZ has run out', internal: true }])
    const taken = await makeTerritory(db, { partnerId: await makePartner(db), code: 'CZ' })
    expect(await standing(taken)).toMatchObject({ status: 'assigned' })
  })

  it('below a partner that was moved meanwhile is a conflict of the partner, and stops nothing', async () => {
    const { master, reseller } = await makeChain(db)
    await makeTerritory(db, { partnerId: master, code: 'GR' })
    const id = await makeApplication(db, { parentId: reseller, territoryCodes: ['GR-A'] })
    const until = new Date(Date.now() + 86_400_000)
    const { reserved } = await inTransaction(db, (trx) => reserveTerritories(trx, id, until))
    expect(reserved).toBe(1)
    const parentId = await makePartner(db, { level: 'master_reseller' })
    const move = { id: randomUUIDv7(), partnerId: reseller, parentId, from: null }
    await inTransaction(db, (trx) => recordPartnerMove(trx, move))
    await makePartner(db, { id, parentId: reseller })
    await inTransaction(db, (trx) => admitTerritories(trx, { applicationId: id, partnerId: id }))
    const { rows } = await sql<{ status: string; partner: string | null }>`
      select status, partner_id as partner from territory_assignments
      where holder_id = ${id} order by id`.execute(db)
    expect(rows).toEqual([
      { status: 'released', partner: null },
      { status: 'conflict', partner: id },
    ])
  })
})
