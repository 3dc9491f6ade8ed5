/** Released runs with payouts, on real parts, for tests of what becomes of them. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { bookInvoice } from '../../activities/commission/payments.ts'
import { draftRun } from '../../activities/settlement/calculation.ts'
import { recordMember } from '../../db/access.ts'
import { inTransaction } from '../../db/database.ts'
import { findOpenException, recordPayoutDecision } from '../../db/payout-exceptions.ts'
import { getProgramme } from '../../db/programmes.ts'
import { markRunReleased, markRunReviewed } from '../../db/settlement/run-marks.ts'
import { recordRun } from '../../db/settlement/runs.ts'
import { outwardId } from '../../domain/ids.ts'
import type { PayoutDecisionKind } from '../../domain/payouts.ts'
import { periodOf } from '../../domain/period.ts'
import { makeOrder, makePartner, makePayoutAccount, paidInvoice, unique } from './factories.ts'
import type { Steps } from './steps.ts'

export type PayoutRuns = ReturnType<typeof payoutRuns>

export function payoutRuns(kit: Steps) {
  let month = 0

  /** A recipient at the sandbox that may be paid. */
  async function verifiedAccount(partnerId: string): Promise<string> {
    const metadata = { application: outwardId('application', partnerId) }
    const owner = { name: 'P', email: 'p@p.example', country: 'US', metadata }
    const id = await kit.deps.connect.openPayoutAccount(owner, unique('key'))
    await kit.story.sandbox(`/accounts/${id}/kyc`, { result: 'pass' })
    return id
  }

  /** A released run of a month of its own, with one payout of 20.00 to each partner. */
  async function releasedRun(partners: string[]): Promise<string> {
    const { db, steps } = kit
    month += 1
    const period = periodOf(new Date(Date.UTC(2021, month)))
    for (const partnerId of partners) {
      const order = await makeOrder(db, partnerId)
      await bookInvoice({ db }, paidInvoice(order, { paidAt: `${period}-10T00:00:00Z` }))
    }
    const programme = await getProgramme(db)
    const run = await inTransaction(db, (trx) =>
      recordRun(trx, {
        id: randomUUIDv7(),
        programmeId: programme.id,
        period,
        mode: 'live',
        requestedBy: null,
      }),
    )
    await steps.freezePeriod({ runId: run.id })
    await draftRun(steps, run.id)
    await steps.totalStatements({ runId: run.id })
    await inTransaction(db, async (trx) => {
      const member = (email: string) =>
        recordMember(trx, { id: randomUUIDv7(), partnerId: null, name: 'M', email })
      await markRunReviewed(trx, run.id, { memberId: await member('one@platform.example') })
      await markRunReleased(trx, run.id, { memberId: await member('two@platform.example') })
    })
    while ((await steps.issueStatements({ runId: run.id })) > 0);
    await steps.closePeriod({ runId: run.id })
    return run.id
  }

  async function payableRun(count = 1) {
    const partners: string[] = []
    for (let i = 0; i < count; i++) {
      const partnerId = await makePartner(kit.db, { level: 'master_reseller' })
      await makePayoutAccount(kit.db, partnerId, await verifiedAccount(partnerId))
      partners.push(partnerId)
    }
    return { runId: await releasedRun(partners), partners }
  }

  async function payoutsOf(runId: string) {
    const { rows } = await sql<{ status: string; attempts: string[]; holdReason: string | null }>`
      select payouts.status, hold_reason, array_agg(attempt.status order by attempt_no)
        filter (where attempt.id is not null) as attempts
      from payouts left join payout_attempts attempt on attempt.payout_id = payouts.id
      where run_id = ${runId} group by payouts.id order by payouts.id`.execute(kit.db)
    return rows
  }

  async function transfersTo(partners: string[]) {
    const { data } = await kit.story.sandbox<{
      data: {
        amount: number
        destination: string
        reversed: boolean
        metadata: { partner: string }
      }[]
    }>('/transfers')
    const ids = partners.map((id) => outwardId('partner', id))
    return data.filter(({ metadata }) => ids.includes(metadata.partner))
  }

  let members = 0
  /** Another person of the platform each time. */
  async function decider(): Promise<string> {
    members += 1
    const email = `decider${members}@platform.example`
    const row = { id: randomUUIDv7(), partnerId: null, name: 'M', email }
    return inTransaction(kit.db, (trx) => recordMember(trx, row))
  }

  /** The two steps by which the process carries a decision out. */
  async function decide(payoutId: string, kind: PayoutDecisionKind) {
    const decisionId = randomUUIDv7()
    const decidedBy = await decider()
    await inTransaction(kit.db, async (trx) => {
      const exceptionId = (await findOpenException(trx, payoutId))?.id ?? ''
      await recordPayoutDecision(trx, {
        ...{ id: decisionId, exceptionId, kind, reason: 'because', decidedBy },
      })
    })
    await kit.steps.checkPayoutDecision({ decisionId })
    const state = await kit.steps.carryOutPayoutDecision({ decisionId })
    expect(await kit.steps.carryOutPayoutDecision({ decisionId })).toBe(state)
    return state
  }

  return { verifiedAccount, releasedRun, payableRun, payoutsOf, transfersTo, decider, decide }
}
