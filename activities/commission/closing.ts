/** What is judged on a whole period when it closes, and entries that persons make. */
import {
  listCollected,
  listNewCustomers,
  listReversalsAfter,
  listVolumesUnder,
  type NewClosingAccrual,
  recordClosingAccruals,
} from '../../db/commission/closing.ts'
import { listClosingRules, type StoredRule } from '../../db/commission/rules.ts'
import { listEarned, listTiersAt } from '../../db/commission/standing.ts'
import type { Trx } from '../../db/database.ts'
import { type Journal, recordJournals, signedPosting } from '../../db/ledger.ts'
import { getProgramme } from '../../db/programmes.ts'
import { bandAt } from '../../domain/commission.ts'
import { type Band, capStretch } from '../../domain/commission-rules.ts'
import { floorShare, larger, smaller } from '../../domain/money.ts'
import { periodEnd, periodStart } from '../../domain/period.ts'
import { clawBackTrueUps } from './clawbacks.ts'

/** Books true-ups and bonuses of a period that is closing; repeating it books nothing twice. */
export async function accruePeriod(trx: Trx, period: string): Promise<void> {
  const { id: programmeId } = await getProgramme(trx)
  const rules = await listClosingRules(trx, { programmeId, period })
  const accruals: NewClosingAccrual[] = []
  for (const rule of rules) {
    const { terms } = rule
    if (terms.kind === 'tiered_cliff') {
      accruals.push(...(await trueUps(trx, { rule, bands: terms.bands, programmeId, period })))
    }
    if (terms.kind === 'performance') accruals.push(...(await bonuses(trx, { rule, period })))
  }
  const fresh = await recordClosingAccruals(trx, accruals)
  await recordJournals(trx, fresh.map(closingJournal))
  for (const trueUp of fresh.filter(({ kind }) => kind === 'true_up')) {
    await meetEarlierReversals(trx, trueUp)
  }
}

/** A refund of the next month that came before this close takes its part of the true-up, too. */
async function meetEarlierReversals(trx: Trx, trueUp: ClosingAccrual): Promise<void> {
  const reversals = await listReversalsAfter(trx, trueUp)
  const newest = reversals.at(-1)
  if (!newest) return
  await clawBackTrueUps(trx, {
    lineIds: reversals.map(({ linePaymentId }) => linePaymentId),
    lineReversalId: newest.id,
    at: { period: newest.period, effectiveAt: newest.happenedAt },
  })
}

/** Brings each partner to the rate that its net volume reached, on the whole of that volume. */
async function trueUps(
  trx: Trx,
  {
    rule,
    bands,
    programmeId,
    period,
  }: { rule: StoredRule; bands: Band[]; programmeId: string; period: string },
): Promise<NewClosingAccrual[]> {
  const volumes = await listVolumesUnder(trx, { ruleId: rule.id, period })
  const found: NewClosingAccrual[] = []
  for (const { partnerId, currency, volume, accrued } of volumes) {
    const reached = floorShare(volume, bandAt(bands, larger(volume, 0n)).rate)
    const room = await capRoom(trx, { rule, partnerId, programmeId, period })
    const difference = reached - accrued
    const amountMinor = room === null ? difference : smaller(difference, room)
    if (amountMinor === 0n) continue
    const ruleId = rule.id
    found.push({
      kind: 'true_up',
      ruleId,
      partnerId,
      period,
      currency,
      amountMinor,
      metric: volume,
    })
  }
  return found
}

/** What a cap on the month, or on everything, leaves for a true-up; null where there is none. */
async function capRoom(
  trx: Trx,
  {
    rule,
    partnerId,
    programmeId,
    period,
  }: { rule: StoredRule; partnerId: string; programmeId: string; period: string },
): Promise<bigint | null> {
  if (!rule.cap || (rule.cap.per !== 'month' && rule.cap.per !== 'all')) return null
  const stretch = capStretch(rule.cap.per, periodStart(period))
  const [earned = 0n] = await listEarned(trx, [
    { programmeId, code: rule.code, partnerId, ...stretch },
  ])
  return larger(rule.cap.amount - earned, 0n)
}

/** The bonus of each partner whose metric reached the rule's target. */
async function bonuses(
  trx: Trx,
  { rule, period }: { rule: StoredRule; period: string },
): Promise<NewClosingAccrual[]> {
  const { terms, scope } = rule
  if (terms.kind !== 'performance') return []
  const list = terms.metric === 'collected' ? listCollected : listNewCustomers
  const reached = (await list(trx, { rule, period })).filter(({ metric }) => metric >= terms.target)
  const tiers = await listTiersAt(
    trx,
    reached.map(({ partnerId }) => partnerId),
    new Date(periodEnd(period).getTime() - 1),
  )
  return reached
    .filter(({ partnerId }) => scope.tier === null || tiers.get(partnerId) === scope.tier)
    .map(({ partnerId, currency, metric }) => ({
      kind: 'bonus' as const,
      ruleId: rule.id,
      partnerId,
      period,
      currency,
      amountMinor: terms.bonus,
      metric,
    }))
}

type ClosingAccrual = Awaited<ReturnType<typeof recordClosingAccruals>>[number]

function closingJournal(accrual: ClosingAccrual): Journal {
  return {
    kind: accrual.kind,
    sourceType: 'closing_accrual',
    sourceId: accrual.id,
    period: accrual.period,
    effectiveAt: periodEnd(accrual.period),
    postings: [
      signedPosting({
        debit: { purpose: 'commission_expense' },
        credit: { purpose: 'partner_accrued', partnerId: accrual.partnerId },
        currency: accrual.currency,
        amount: accrual.amountMinor,
      }),
    ],
  }
}
