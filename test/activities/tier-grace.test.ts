/** Falls of tiers on the real database: who is warned, what ends a grace, and what falls. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import type { ActivityDeps } from '../../activities/deps.ts'
import { sendTierMails } from '../../activities/tier-mails.ts'
import { recordDecision, recordProposal } from '../../db/approvals.ts'
import { inTransaction } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { findLastGrace, recordGraceDecision } from '../../db/tier-graces.ts'
import { markTierLockReleased, recordTierLock } from '../../db/tier-locks.ts'
import { recordPromotionDecision } from '../../db/tier-promotions.ts'
import { findLastReview } from '../../db/tier-reviews.ts'
import { outwardId } from '../../domain/ids.ts'
import type { TierName } from '../../domain/tiers.ts'
import { openBooks } from '../support/books.ts'
import { backdate, createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makePartner, makeProgramme } from '../support/factories.ts'
import { asSteps, failureOf } from '../support/steps.ts'
import { until } from '../support/until.ts'

const quarter = '2026-09'
let database: TestDatabase
let member: string
beforeAll(async () => {
  database = await createTestDatabase()
  await makeProgramme(database.db)
  member = await openBooks(database.db).person('ada@platform.example')
})
// Each test has partners of its own: those of the one before have left.
afterEach(async () => {
  const { db } = database
  await sql`update partners set status = 'terminated'`.execute(db)
  await sql`update tier_graces set status = 'ended', ending = 'partner_left', ended_at = now()
    where status = 'open'`.execute(db)
})
afterAll(async () => {
  expect((await checkInvariants(database.db)).violations).toEqual([])
  await database.drop()
})

/** Steps with a mailer and an engine that keep what they are given. */
function stage() {
  const sent: string[] = []
  const woken: { workflowId: string; input: { graceId: string } }[] = []
  const deps = {
    db: database.db,
    mailer: {
      send: async ({ content }: { content: { subject: string } }) => sent.push(content.subject),
    },
    processes: { wake: async (process: (typeof woken)[number]) => woken.push(process) },
  }
  return {
    ...{ sent, woken, deps: deps as unknown as ActivityDeps },
    steps: asSteps(deps as unknown as ActivityDeps),
  }
}

/** One person proposes another tier, a second one approves it. */
async function setByTwo(concernedId: string, tier: TierName, until: Date | null = null) {
  const id = randomUUIDv7()
  const { payloadHash } = await inTransaction(database.db, (trx) =>
    recordProposal(trx, {
      ...{ kind: 'tier_override', id, concernedId, tier, until },
      ...{ reason: 'As agreed', proposedBy: member },
    }),
  )
  const memberId = await openBooks(database.db).person('bob@platform.example')
  await inTransaction(database.db, (trx) =>
    recordDecision(trx, { id, memberId, verdict: 'approved', payloadHash }),
  )
}

/** A partner that has held its tier for years. */
async function held(tier: TierName, revenue = 0n): Promise<string> {
  const id = await makePartner(database.db, { tier })
  await sql`update partners set activated_at = '2020-02-01' where id = ${id}`.execute(database.db)
  if (revenue > 0n) await sell(id, revenue)
  return id
}

const sell = (id: string, net: bigint, paidAt = '2026-09-05T00:00:00Z') =>
  openBooks(database.db).sell(id, { net, paidAt })

const review = (period = quarter, { steps } = stage()) =>
  steps.reviewTierPage({ period, after: null })

/** A partner without revenue and the grace that the review of the quarter opened for it. */
async function graced(tier: TierName = 'gold', revenue = 0n) {
  const id = await held(tier, revenue)
  await review()
  const grace = await findLastGrace(database.db, id)
  if (!grace) throw new Error('a grace is open')
  return { id, graceId: grace.id }
}

const outcomeOf = async (id: string) => {
  const last = await findLastReview(database.db, id)
  return last && [last.outcome, last.cause, last.toTier]
}
const endOf = async (id: string) => {
  const grace = await findLastGrace(database.db, id)
  return grace && [grace.status, grace.ending]
}
const tiersOf = async (id: string) => {
  const { rows } = await sql<{ tier: string }>`
    select tier from partner_tiers where partner_id = ${id} order by lower(valid)`.execute(
    database.db,
  )
  return rows.map(({ tier }) => tier)
}
const lock = (partnerId: string, until: Date | null = null) =>
  inTransaction(database.db, (trx) =>
    recordTierLock(trx, {
      ...{ id: randomUUIDv7(), partnerId, until, reason: 'As agreed', memberId: member },
    }),
  )

describe('the review of a quarter', () => {
  it('warns whose figure is too small, once, and wakes its process each time', async () => {
    const id = await held('platinum', 2_000_000n)
    const acting = stage()
    await review(quarter, acting)
    await review(quarter, acting)
    expect(await outcomeOf(id)).toEqual(['warned', 'below_threshold', 'gold'])
    const grace = await findLastGrace(database.db, id)
    expect(grace).toMatchObject({ status: 'open', fromTier: 'platinum', toTier: 'gold' })
    expect([grace?.metricMinor, grace?.leastMinor]).toEqual([2_000_000n, 2_250_000n])
    const days = ((grace?.fallsAt.getTime() ?? 0) - Date.now()) / 86_400_000
    expect(days).toBeGreaterThan(59.9)
    const workflowId = `tier-grace:${outwardId('partner', id)}:${quarter}`
    expect(acting.woken.map((one) => [one.workflowId, one.input.graceId])).toEqual([
      [workflowId, grace?.id],
      [workflowId, grace?.id],
    ])
    expect(await tiersOf(id)).toEqual(['platinum'])
  })

  it('leaves alone who is locked, new to its tier, set by people, or close enough', async () => {
    const [locked, fresh, close, overridden] = [
      await held('gold'),
      await makePartner(database.db, { tier: 'gold' }),
      await held('gold', 450_000n),
      await held('silver'),
    ]
    await lock(locked)
    await setByTwo(overridden, 'gold')
    const acting = stage()
    await review(quarter, acting)
    const outcomes = await Promise.all([locked, fresh, close, overridden].map(outcomeOf))
    expect(outcomes).toEqual([
      ['kept', 'locked', null],
      ['kept', 'protected', null],
      ['kept', 'within_tolerance', null],
      ['kept', 'overridden', null],
    ])
    expect(acting.woken).toEqual([])
  })

  it('warns whose lock is over or was released', async () => {
    const [over, released] = [await held('gold'), await held('gold')]
    await lock(over, new Date(Date.now() + 3_600_000))
    await lock(released)
    await inTransaction(database.db, (trx) =>
      markTierLockReleased(trx, { partnerId: released, memberId: member }),
    )
    await backdate(database.db, (trx) =>
      sql`update tier_locks set until = until - interval '1 hour',
        locked_at = locked_at - interval '2 hours' where partner_id = ${over}`.execute(trx),
    )
    await review()
    expect([(await outcomeOf(over))?.[0], (await outcomeOf(released))?.[0]]).toEqual([
      'warned',
      'warned',
    ])
  })

  it('is the only one that warns: those within a quarter say why not', async () => {
    const id = await held('gold')
    await review('2026-08')
    expect(await outcomeOf(id)).toEqual(['kept', 'not_quarter_end', null])
    expect(await findLastGrace(database.db, id)).toBeUndefined()
  })

  it('of an earlier time than one before it decides nothing any more', async () => {
    const id = await held('silver', 600_000n)
    const poor = await held('gold')
    await review('2026-10')
    expect(await tiersOf(id)).toEqual(['silver', 'gold'])
    await review('2026-06')
    const { rows } = await sql<{ outcome: string }>`
      select distinct outcome from tier_reviews where period = '2026-06'`.execute(database.db)
    expect(rows).toEqual([{ outcome: 'superseded' }])
    expect(await findLastGrace(database.db, poor)).toBeUndefined()
    expect(await tiersOf(id)).toEqual(['silver', 'gold'])
  })
})

describe('a later review', () => {
  it('ends the grace of who sells enough again, and tells its process', async () => {
    const { id, graceId } = await graced('gold')
    await sell(id, 460_000n, '2026-10-02T00:00:00Z')
    const acting = stage()
    await review('2026-10', acting)
    expect(await endOf(id)).toEqual(['recovered', 'recovered'])
    expect(acting.woken.map(({ input }) => input.graceId)).toEqual([graceId])
    expect(await acting.steps.applyTierFall({ graceId })).toBe('recovered')
    expect(await tiersOf(id)).toEqual(['gold'])
  })

  it('keeps the figure of who still sells too little, and opens no second grace', async () => {
    const { id } = await graced('gold')
    await sell(id, 300_000n, '2026-10-02T00:00:00Z')
    await review('2026-10')
    await review('2026-12')
    expect(await outcomeOf(id)).toEqual(['kept', 'in_grace', null])
    const { rows } = await sql<{ metric: bigint }>`
      select metric_minor as metric from tier_graces where partner_id = ${id}`.execute(database.db)
    expect(rows).toEqual([{ metric: 300_000n }])
  })

  it('lets who sells far more rise in spite of its grace', async () => {
    const { id } = await graced('gold')
    await sell(id, 2_600_000n, '2026-10-02T00:00:00Z')
    await review('2026-10')
    expect(await tiersOf(id)).toEqual(['gold', 'platinum'])
    expect(await endOf(id)).toEqual(['recovered', 'recovered'])
  })
})

describe('the fall', () => {
  it('is by one step, however small the figure is, and happens once', async () => {
    const { id, graceId } = await graced('platinum')
    const { steps } = stage()
    expect(await steps.applyTierFall({ graceId })).toBe('demoted')
    expect(await steps.applyTierFall({ graceId })).toBe('demoted')
    expect(await tiersOf(id)).toEqual(['platinum', 'gold'])
    expect(await endOf(id)).toEqual(['demoted', 'quarter_end'])
    // Repeated, the review of the quarter tells nobody that it rose.
    expect(await review()).toEqual({ last: null, promoted: 0 })
  })

  it('does not happen when the figure up to its day suffices', async () => {
    const { id, graceId } = await graced('gold')
    await sell(id, 450_000n, '2026-11-20T00:00:00Z')
    expect(await stage().steps.applyTierFall({ graceId })).toBe('recovered')
    expect(await tiersOf(id)).toEqual(['gold'])
  })

  it('does not happen under a lock, to a tier that was changed, or to who has left', async () => {
    const [locked, changed, left] = [await held('gold'), await held('gold'), await held('gold')]
    await review()
    await lock(locked)
    const { db } = database
    await sql`update partner_tiers set tier = 'silver' where partner_id = ${changed}`.execute(db)
    await sql`update partners set status = 'terminated' where id = ${left}`.execute(db)
    const { steps } = stage()
    for (const id of [locked, changed, left]) {
      const graceId = (await findLastGrace(db, id))?.id ?? ''
      expect(await steps.applyTierFall({ graceId })).toBe('ended')
    }
    expect([await endOf(locked), await endOf(changed), await endOf(left)]).toEqual([
      ['ended', 'locked'],
      ['ended', 'tier_changed'],
      ['ended', 'partner_left'],
    ])
    expect(await tiersOf(locked)).toEqual(['gold'])
  })

  it('waits for a partner that is suspended', async () => {
    const { id, graceId } = await graced('gold')
    await sql`update partners set status = 'suspended' where id = ${id}`.execute(database.db)
    expect(await stage().steps.applyTierFall({ graceId })).toBe('open')
    expect(await tiersOf(id)).toEqual(['gold'])
  })
})

describe('a person', () => {
  const decide = async (graceId: string, kind: 'waive' | 'apply') => {
    const id = randomUUIDv7()
    await inTransaction(database.db, (trx) =>
      recordGraceDecision(trx, { id, graceId, kind, memberId: member, reason: 'As agreed' }),
    )
    return id
  }

  it('lets a partner keep its tier, once, and nothing falls afterwards', async () => {
    const { id, graceId } = await graced('gold')
    const { steps } = stage()
    const decisionId = await decide(graceId, 'waive')
    expect(await steps.takeGraceDecision({ decisionId })).toBe('waived')
    expect(await steps.takeGraceDecision({ decisionId })).toBe('waived')
    expect(await steps.applyTierFall({ graceId })).toBe('waived')
    expect(await tiersOf(id)).toEqual(['gold'])
    const late = await decide(graceId, 'apply')
    expect(await failureOf(steps.takeGraceDecision({ decisionId: late }))).toBe('not_ready')
  })

  it('lowers a tier before its day', async () => {
    const { id, graceId } = await graced('gold')
    const decisionId = await decide(graceId, 'apply')
    expect(await stage().steps.takeGraceDecision({ decisionId })).toBe('demoted')
    expect(await tiersOf(id)).toEqual(['gold', 'silver'])
    expect(await endOf(id)).toEqual(['demoted', 'by_person'])
  })

  it('says yes to a promotion where the programme wants that, which is told once, or no', async () => {
    await sql`update programmes
      set onboarding = onboarding || '{"tierApprovalFor": ["gold"]}'`.execute(database.db)
    const [wanted, unwanted] = [await held('silver', 600_000n), await held('silver', 600_000n)]
    await review()
    expect(await outcomeOf(wanted)).toEqual(['awaiting', 'approval', 'gold'])
    expect(await tiersOf(wanted)).toEqual(['silver'])
    const say = (partnerId: string, approved: boolean) =>
      inTransaction(database.db, (trx) =>
        recordPromotionDecision(trx, { partnerId, approved, memberId: member, reason: 'Seen' }),
      )
    await say(wanted, true)
    await say(wanted, true)
    await say(unwanted, false)
    expect([await tiersOf(wanted), await tiersOf(unwanted)]).toEqual([
      ['silver', 'gold'],
      ['silver'],
    ])
    expect((await outcomeOf(unwanted))?.[0]).toBe('declined')
    const { sent, deps } = stage()
    await sendTierMails(deps)
    await sendTierMails(deps)
    expect(sent).toEqual(['You are gold now'])
    await expect(say(wanted, false)).rejects.toMatchObject({ code: 'already_decided' })
    await expect(say(await held('gold'), true)).rejects.toMatchObject({ code: 'not_ready' })
  })
})

describe('a partner', () => {
  it('is told once that two persons set its tier, and once that this is over', async () => {
    const { deps, sent } = stage()
    await sendTierMails(deps)
    sent.length = 0
    const [set, left] = [await held('silver'), await held('silver')]
    const soon = new Date(Date.now() + 1_500)
    await setByTwo(set, 'platinum', soon)
    await setByTwo(left, 'gold')
    await sql`update partners set status = 'terminated' where id = ${left}`.execute(database.db)
    await sendTierMails(deps)
    await sendTierMails(deps)
    expect(sent).toEqual(['You are platinum now'])
    await until(async () => {
      await sendTierMails(deps)
      return sent.length > 1
    }, 60)
    expect(sent).toEqual(['You are platinum now', 'You are silver again'])
  })

  it('is warned once by each mark, and hears once how it ended', async () => {
    const { graceId } = await graced('gold')
    const { steps, sent } = stage()
    for (const number of [1, 1, 2]) {
      expect(await steps.warnOfTierFall({ graceId, kind: 'warning', number })).toBe('open')
    }
    expect(sent).toEqual([
      expect.stringMatching(/^Your tier will fall on /),
      expect.stringMatching(/^Your tier will fall on /),
    ])
    await steps.applyTierFall({ graceId })
    expect(await steps.warnOfTierFall({ graceId, kind: 'warning', number: 3 })).toBe('demoted')
    await steps.mailTierGrace({ graceId })
    await steps.mailTierGrace({ graceId })
    expect(sent.slice(2)).toEqual(['You are silver now'])
  })

  it('that keeps its tier is told so', async () => {
    const { id, graceId } = await graced('gold')
    await lock(id)
    const { steps, sent } = stage()
    expect(await steps.lookAtTierGrace({ graceId })).toBe('ended')
    await steps.mailTierGrace({ graceId })
    expect(sent).toEqual(['You stay gold'])
  })
})
