/** Delivers a scenario's events to the activities that book real ones, and closes its months. */
import { randomUUIDv7 } from 'node:crypto'
import { bookInvoice } from '../activities/commission/payments.ts'
import { bookCreditNote, bookDispute, bookRefund } from '../activities/commission/reversals.ts'
import type { ActivityDeps } from '../activities/deps.ts'
import { draftRun } from '../activities/settlement/calculation.ts'
import { settlementActivities } from '../activities/settlement/index.ts'
import { recordDecision, recordProposal } from '../db/approvals.ts'
import type { Trx } from '../db/database.ts'
import { recordMove } from '../db/partner-places.ts'
import { findUnsettledBefore } from '../db/periods.ts'
import { markRunReleased, markRunReviewed } from '../db/settlement/run-marks.ts'
import { recordRun } from '../db/settlement/runs.ts'
import { recordTierFrom } from '../db/tiers.ts'
import { closesAt } from '../domain/period.ts'
import { ScenarioError, type ScenarioEvent } from './scenario.ts'
import type { ScenarioVendor } from './vendor.ts'
import type { World } from './world.ts'

interface Stage {
  trx: Trx
  world: World
  vendor: ScenarioVendor
  /** Told after each event and each close. */
  onStep?: () => Promise<void>
}

/** Events in order of delivery, each month closed when its time has come. */
export async function play({ onStep, ...stage }: Stage): Promise<void> {
  const { world, vendor } = stage
  const { events, close } = world.scenario
  let closed = 0
  const closeUntil = async (now: Date | null) => {
    for (;;) {
      const period = close[closed]
      if (period === undefined || (now && closesAt(period) > now)) return
      await closePeriod(stage, { period, index: closed })
      closed += 1
      await onStep?.()
    }
  }
  for (const event of events) {
    await closeUntil(event.receivedAt)
    vendor.deliver(event)
    await book(stage, event)
    await onStep?.()
  }
  await closeUntil(null)
}

async function book({ trx, world, vendor }: Stage, event: ScenarioEvent): Promise<void> {
  const deps = { db: trx, billing: vendor }
  const idOf = (partner: string) => world.partners.get(partner) ?? ''
  switch (event.type) {
    case 'payment':
      await bookInvoice(deps, await vendor.readInvoice(event.invoice))
      return
    case 'refund':
      await bookRefund(deps, event.id, event.at)
      return
    case 'refund_failed':
      await bookRefund(deps, event.of, event.at)
      return
    case 'credit_note':
      await bookCreditNote(deps, event.id)
      return
    case 'dispute_opened':
    case 'dispute_lost':
    case 'dispute_won':
      await bookDispute(deps, event.id, event.at)
      return
    case 'tier': {
      const change = { partnerId: idOf(event.partner), tier: event.tier, from: event.at }
      await recordTierFrom(trx, { ...change, reason: 'scenario' })
      return
    }
    case 'move': {
      const move = { partnerId: idOf(event.partner), parentId: idOf(event.to), from: event.at }
      await recordMove(trx, move)
      return
    }
    case 'adjustment':
      await enterByHand({ trx, world }, event)
  }
}

/** As people enter it: one proposes, another approves. */
async function enterByHand(
  { trx, world }: Pick<Stage, 'trx' | 'world'>,
  event: Extract<ScenarioEvent, { type: 'adjustment' }>,
): Promise<void> {
  if (event.amount === 0n) return
  const { reviewer, releaser } = world.members
  const { id, payloadHash } = await recordProposal(trx, {
    kind: 'manual_entry',
    id: randomUUIDv7(),
    concernedId: world.partners.get(event.partner) ?? '',
    currency: world.scenario.currency,
    amountMinor: event.amount,
    reason: event.reason,
    happenedAt: event.at,
    proposedBy: reviewer,
  })
  await recordDecision(trx, { id, memberId: releaser, verdict: 'approved', payloadHash })
}

/** The steps of the settlement process, with its two persons. */
async function closePeriod(
  { trx, world }: Stage,
  { period, index }: { period: string; index: number },
): Promise<void> {
  const earlier = await findUnsettledBefore(trx, period)
  if (earlier) {
    const expected = `${earlier} before it, which has entries of its own`
    throw new ScenarioError([{ path: `close[${index}]`, found: `"${period}"`, expected }])
  }
  // The steps that are called here use the database alone.
  const steps = settlementActivities({ db: trx } as unknown as ActivityDeps)
  const { reviewer, releaser } = world.members
  const programmeId = world.programmeId
  const { id: runId } = await recordRun(trx, {
    id: randomUUIDv7(),
    programmeId,
    period,
    mode: 'live',
    requestedBy: null,
  })
  await steps.freezePeriod({ runId })
  await draftRun(steps, runId)
  await steps.totalStatements({ runId })
  await markRunReviewed(trx, runId, { memberId: reviewer })
  await markRunReleased(trx, runId, { memberId: releaser, at: closesAt(period) })
  while ((await steps.issueStatements({ runId })) > 0);
  await steps.closePeriod({ runId })
}
