/** What the database refuses, whatever the code above it forgets: by hand means by two persons. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { recordMember } from '../../db/access.ts'
import { recordDecision, recordProposal } from '../../db/approvals.ts'
import { inTransaction, type Trx } from '../../db/database.ts'
import { getProgramme } from '../../db/programmes.ts'
import { markRunReleased, markRunReviewed } from '../../db/settlement/run-marks.ts'
import { recordRun } from '../../db/settlement/runs.ts'
import { listTierStandings } from '../../db/tier-standings.ts'
import { recordTierChange } from '../../db/tiers.ts'
import type { TierName } from '../../domain/tiers.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makePartner, makeProgramme, unique } from '../support/factories.ts'
import { contextAt, openTestTenancy, type TestTenancy } from '../support/tenancy.ts'

let database: TestDatabase
let tenancy: TestTenancy
let partnerId: string
let first: string
let second: string
beforeAll(async () => {
  database = await createTestDatabase()
  tenancy = await openTestTenancy(database)
  await makeProgramme(database.db)
  partnerId = await makePartner(database.db)
  first = await person()
  second = await person()
})
afterAll(async () => {
  await tenancy.close()
  await database.drop()
})

const person = (owner: string | null = null) =>
  inTransaction(database.db, (trx) =>
    recordMember(trx, {
      id: randomUUIDv7(),
      partnerId: owner,
      name: 'Person',
      email: `${unique('person')}@platform.example`,
    }),
  )

/** As the API acts for this member. */
const as = <T>(memberId: string, work: (trx: Trx) => Promise<T>) =>
  tenancy.withTenant(contextAt('super_admin', null, { onBehalfOf: `member:${memberId}` }), work)

const entry = (amountMinor = 100n) => ({
  kind: 'manual_entry' as const,
  id: randomUUIDv7(),
  concernedId: partnerId,
  amountMinor,
  currency: 'USD',
  reason: 'Goodwill',
  happenedAt: new Date('2026-10-05T10:00:00Z'),
})
const override = (tier: TierName, until: Date | null, concernedId: string) => ({
  kind: 'tier_override' as const,
  id: randomUUIDv7(),
  concernedId,
  tier,
  until,
  reason: 'By agreement',
})

const propose = (what: ReturnType<typeof entry> | ReturnType<typeof override>, by = first) =>
  as(by, (trx) => recordProposal(trx, { ...what, proposedBy: by }))
const approve = ({ id, payloadHash }: { id: string; payloadHash: string }, by = second) =>
  as(by, (trx) => recordDecision(trx, { id, payloadHash, memberId: by, verdict: 'approved' }))

const set = (id: string, assignments: string) => (trx: Trx) =>
  sql.raw(`update approvals set ${assignments} where id = '${id}'`).execute(trx)

describe('the database', () => {
  it('lets nobody decide on a proposal of its own', async () => {
    const { id } = await propose(entry())
    for (const status of ['approved', 'rejected']) {
      const why = status === 'rejected' ? `, decision_reason = 'No'` : ''
      const alone = set(id, `status = '${status}', decided_by = '${first}'${why}`)
      await expect(as(first, alone)).rejects.toThrow(/takes a second person/)
      await expect(inTransaction(database.db, alone)).rejects.toThrow(/takes a second person/)
    }
    const check = database.db.transaction().execute(async (trx) => {
      await sql`alter table approvals disable trigger approvals_guarded`.execute(trx)
      await set(id, `status = 'approved', decided_by = proposed_by, decided_at = now()`)(trx)
    })
    await expect(check).rejects.toThrow(/approvals_two_persons/)
  })

  it('lets nobody propose or decide in the name of another', async () => {
    const forged = as(first, (trx) => recordProposal(trx, { ...entry(), proposedBy: second }))
    await expect(forged).rejects.toThrow(/in its own name/)
    const { id } = await propose(entry())
    const decided = as(first, set(id, `status = 'approved', decided_by = '${second}'`))
    await expect(decided).rejects.toThrow(/in its own name/)
  })

  it('lets no process propose or decide, and nobody who is no person of the platform', async () => {
    const worker = await openTestTenancy(database, { role: 'worker', secret: tenancy.secret })
    const byWorker = worker.withTenant(
      contextAt('worker', null, { onBehalfOf: `member:${first}` }),
      (trx) => recordProposal(trx, { ...entry(), proposedBy: first }),
    )
    await expect(byWorker).rejects.toThrow(/a person of the platform/)
    await worker.close()
    const stranger = await person(partnerId)
    await expect(propose(entry(), stranger)).rejects.toThrow(/no active person of the platform/)
    const gone = await person()
    await sql`update members set status = 'disabled', disabled_at = now()
      where id = ${gone}`.execute(database.db)
    await expect(propose(entry(), gone)).rejects.toThrow(/no active person of the platform/)
  })

  it('keeps what was proposed as it was, and never forgets it', async () => {
    const { id } = await propose(entry())
    const changes = [
      'amount_minor = 999',
      `reason = 'Else'`,
      `lapses_at = now() + interval '9 days'`,
    ]
    for (const change of changes) {
      const changed = as(second, set(id, `${change}, decided_by = '${second}'`))
      await expect(changed).rejects.toThrow(/is decided once, as it was proposed/)
    }
    await expect(sql`delete from approvals`.execute(database.db)).rejects.toThrow()
    await expect(as(first, (trx) => sql`delete from approvals`.execute(trx))).rejects.toThrow(
      /permission denied/,
    )
  })

  it('lets nothing be decided twice, or after it has lapsed', async () => {
    const proposal = await propose(entry())
    await approve(proposal)
    const again = as(second, set(proposal.id, `status = 'withdrawn', decided_by = '${second}'`))
    await expect(again).rejects.toThrow(/is decided once/)
    const late = entry()
    await database.db.transaction().execute(async (trx) => {
      await recordProposal(trx, { ...late, proposedBy: first })
      await sql`alter table approvals disable trigger approvals_guarded`.execute(trx)
      await set(late.id, `proposed_at = now() - interval '168 hours', lapses_at = now()`)(trx)
      await sql`alter table approvals enable trigger approvals_guarded`.execute(trx)
    })
    const lapsed = as(second, set(late.id, `status = 'approved', decided_by = '${second}'`))
    await expect(lapsed).rejects.toThrow(/has lapsed/)
  })

  it('books no entry that was not approved, or not like this', async () => {
    const proposal = await propose(entry(500n))
    const book = (id: string, amount: number) => (trx: Trx) => {
      const columns = 'id, partner_id, currency, amount_minor, reason, happened_at, period'
      const values = `'${id}', '${partnerId}', 'USD', ${amount}, 'Goodwill',
        '2026-10-05T10:00:00Z', '2026-10'`
      return sql.raw(`insert into adjustments (${columns}) values (${values})`).execute(trx)
    }
    const unapproved = /was not approved like this by two persons/
    for (const id of [proposal.id, randomUUIDv7()]) {
      await expect(as(second, book(id, 500))).rejects.toThrow(unapproved)
      await expect(inTransaction(database.db, book(id, 500))).rejects.toThrow(unapproved)
    }
    const other = as(second, async (trx) => {
      await set(proposal.id, `status = 'approved', decided_by = '${second}'`)(trx)
      await book(proposal.id, 501)(trx)
    })
    await expect(other).rejects.toThrow(unapproved)
    const journal = inTransaction(database.db, (trx) =>
      sql`insert into ledger_journals (kind, source_type, source_id, period, effective_at,
          request_hash)
        values ('adjustment', 'adjustment', uuidv7(), '2026-10', now(), '')`.execute(trx),
    )
    await expect(journal).rejects.toThrow(/belongs to a manual entry/)
  })

  it('approves nothing that has no effect', async () => {
    const { id } = await propose(entry())
    const idle = as(second, set(id, `status = 'approved', decided_by = '${second}'`))
    await expect(idle).rejects.toThrow(/has no effect/)
  })

  it('changes no tier by one person', async () => {
    const partner = await makePartner(database.db)
    const raise = (reviewPeriod: string | null) => (trx: Trx) =>
      recordTierChange(trx, {
        partnerId: partner,
        from: 'bronze',
        to: 'gold',
        reason: 'because',
        reviewPeriod: reviewPeriod as string,
      })
    await expect(as(first, raise('2026-10'))).rejects.toThrow(/by a review or by two persons/)
    const foreign = await propose(override('gold', null, partnerId))
    await approve(foreign)
    const borrowed = as(first, (trx) =>
      sql`insert into partner_tiers (partner_id, tier, previous_tier, valid, reason, approval_id)
        values (${partner}, 'gold', 'bronze', '[2019-01-01,2019-02-01)', 'mine', ${foreign.id})
      `.execute(trx),
    )
    await expect(borrowed).rejects.toThrow(/was not approved like this by two persons/)
  })

  it('releases no settlement run by the person that reviewed it', async () => {
    const { id: programmeId } = await getProgramme(database.db)
    const alone = inTransaction(database.db, async (trx) => {
      const { id } = await recordRun(trx, {
        id: randomUUIDv7(),
        programmeId,
        period: '2026-09',
        mode: 'live',
        requestedBy: first,
      })
      await markRunReviewed(trx, id, { memberId: first })
      await markRunReleased(trx, id, { memberId: first })
    })
    await expect(alone).rejects.toThrow(/violates check constraint/)
  })
})

describe('a tier override', () => {
  const day = 86_400_000
  const rowsOf = async (partner: string) => {
    const { rows } = await sql<{ tier: string; was: string | null; reason: string }>`
      select tier, previous_tier as was, reason from partner_tiers
      where partner_id = ${partner} order by lower(valid)`.execute(database.db)
    return rows.map(({ tier, was, reason }) => [tier, was, reason])
  }
  const standing = async (partner: string) => {
    const { id: programmeId } = await getProgramme(database.db)
    const all = await inTransaction(database.db, (trx) =>
      listTierStandings(trx, {
        programmeId,
        period: '2026-12',
        protection: 0,
        currency: 'USD',
        from: new Date('2026-01-01T00:00:00Z'),
        until: new Date('2027-01-01T00:00:00Z'),
        after: null,
        size: 1_000,
      }),
    )
    return all.find((row) => row.partnerId === partner)
  }
  const overrideBy = async (partner: string, tier: TierName, until: Date | null = null) =>
    approve(await propose(override(tier, until, partner)))

  it('holds from its approval on, until its end, and then the tier before it', async () => {
    const partner = await makePartner(database.db)
    await overrideBy(partner, 'gold', new Date(Date.now() + day))
    expect(await rowsOf(partner)).toEqual([
      ['bronze', null, 'joined the programme'],
      ['gold', 'bronze', 'override: By agreement'],
      ['bronze', 'gold', 'end of the override: By agreement'],
    ])
    expect(await standing(partner)).toMatchObject({ tier: 'gold', override: 'raised' })
  })

  it('takes the place of an override before it, with whatever was to follow that', async () => {
    const partner = await makePartner(database.db)
    await overrideBy(partner, 'gold', new Date(Date.now() + 2 * day))
    await overrideBy(partner, 'platinum', new Date(Date.now() + day))
    const plan = (await rowsOf(partner)).map(([tier, was]) => [tier, was])
    expect(plan).toEqual([
      ['bronze', null],
      ['gold', 'bronze'],
      ['platinum', 'gold'],
      ['bronze', 'platinum'],
    ])
    await overrideBy(partner, 'bronze', new Date(Date.now() + day))
    expect((await rowsOf(partner)).at(-1)?.slice(0, 2)).toEqual(['bronze', 'platinum'])
  })

  it('is raised by a review, which forgets its end', async () => {
    const partner = await makePartner(database.db)
    await overrideBy(partner, 'silver', new Date(Date.now() + day))
    const change = { partnerId: partner, from: 'silver', to: 'gold', reason: 'r' } as const
    const raise = () =>
      inTransaction(database.db, (trx) =>
        recordTierChange(trx, { ...change, reviewPeriod: '2026-10' }),
      )
    expect([await raise(), await raise()]).toEqual([true, false])
    expect((await rowsOf(partner)).map(([tier]) => tier)).toEqual(['bronze', 'silver', 'gold'])
  })

  it('that lowers is known to reviews as such while it holds', async () => {
    const partner = await makePartner(database.db, { tier: 'gold' })
    expect(await standing(partner)).toMatchObject({ tier: 'gold', override: null })
    await overrideBy(partner, 'bronze')
    expect(await standing(partner)).toMatchObject({ tier: 'bronze', override: 'lowered' })
    await overrideBy(partner, 'silver')
    expect(await standing(partner)).toMatchObject({ tier: 'silver', override: 'raised' })
  })

  it('to the tier that is held, or over before it is approved, is refused', async () => {
    const partner = await makePartner(database.db)
    await expect(overrideBy(partner, 'bronze')).rejects.toThrow(/holds this tier already/)
    const over = overrideBy(partner, 'gold', new Date(Date.now() - 1_000))
    await expect(over).rejects.toThrow(/over before it began/)
  })
})
