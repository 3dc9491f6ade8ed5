/** Draft statements, page by page, and the totals that a person signs. */
import { inTransaction, type Trx } from '../../db/database.ts'
import { listTerminationReasons } from '../../db/lifecycle/terminations.ts'
import { isPeriodOpen } from '../../db/periods.ts'
import { getProgramme, type Programme } from '../../db/programmes.ts'
import { listCarriedSince } from '../../db/settlement/aged-balances.ts'
import { recordPlainDrafts } from '../../db/settlement/drafts.ts'
import {
  allowLargeSums,
  balancesAgree,
  listControlDifferences,
  type PartnerRange,
  type StatementFigures,
} from '../../db/settlement/figures.ts'
import { readFloors } from '../../db/settlement/floors.ts'
import { listWithheldAmong } from '../../db/settlement/holds.ts'
import { listPayoutRates, type PayoutRate } from '../../db/settlement/rates.ts'
import { markRunProblem, markRunTakes, markRunTotals } from '../../db/settlement/run-marks.ts'
import { getRun, lockRun, type RunRow } from '../../db/settlement/runs.ts'
import {
  countPartnersOf,
  findPage,
  lockOpenShard,
  markShardPage,
  recordShards,
} from '../../db/settlement/shards.ts'
import {
  type Converted,
  recordDraftStatements,
  removeDraftStatements,
} from '../../db/settlement/statements.ts'
import { listUntakenDifferences, needsEntries, takeFigures } from '../../db/settlement/taking.ts'
import { listWeekFigures } from '../../db/settlement/weeks.ts'
import { stretchOf } from '../../domain/cadence.ts'
import { convert, currencyOf, wholeUnit } from '../../domain/currencies.ts'
import { DomainError } from '../../domain/errors.ts'
import { forfeits, type TerminationReason } from '../../domain/lifecycle.ts'
import { downToStep, larger, smaller } from '../../domain/money.ts'
import { isAged, partnersPerPage, shardsFor } from '../../domain/settlement.ts'
import type { ActivityDeps } from '../deps.ts'
import { readWithholding } from '../tax/withholding.ts'
import { openReserves } from './reserves.ts'

/** @throws DomainError `not_ready` where nobody entered a rate: the run waits, it never guesses. */
function converted(payable: bigint, { base, quote, rate, rateId }: PayoutRate): Converted {
  if (rate === null || rateId === null) {
    throw new DomainError('not_ready', `there is no rate from ${base} to ${quote} for the period`)
  }
  const exact = convert(payable, rate, { from: base, to: quote })
  const amount = downToStep(exact, currencyOf(quote).payoutStep)
  return { currency: quote, amount, rest: exact - amount, rateId }
}

/** Who was terminated is paid small balances too, and nothing where it forfeits what is unpaid. */
function lastTerms(
  reason: TerminationReason | undefined,
  { minimumPayoutMinor, onboarding }: Programme,
): { minimumPayout: bigint; forfeited: boolean } {
  const last = BigInt(onboarding.finalPayoutFrom)
  return {
    minimumPayout: reason ? smaller(last, minimumPayoutMinor) : minimumPayoutMinor,
    forfeited: reason !== undefined && forfeits(reason),
  }
}

interface RunInput {
  runId: string
}

/** More than these is another step, so that no step takes long and every one can be seen. */
const pagesAtOnce = 20

/** Drafts the statements of the partners in a range: the plain ones at once, then the others. */
export async function draftRange(trx: Trx, run: RunRow, range: PartnerRange): Promise<void> {
  const programme = await getProgramme(trx)
  const figures = run.takesEntries
    ? await takeFigures(trx, { run, range })
    : run.cadence === 'weekly'
      ? await readWeek(trx, { run, range })
      : await recordPlainDrafts(trx, { run, range, programme })
  if (figures.length > 0) await draftOthers(trx, { run, programme, figures })
}

/** What the preview of a week shows where the programme settles by months. */
function readWeek(trx: Trx, { run, range }: { run: RunRow; range: PartnerRange }) {
  const { sincePeriod: since, period, cutoffAt } = run
  return listWeekFigures(trx, { since, period, cutoffAt, range, week: stretchOf(run.name) })
}

/** Drafts what depends on more than figures; `isSpecial` names every rule that is applied here. */
async function draftOthers(
  trx: Trx,
  { run, programme, figures }: { run: RunRow; programme: Programme; figures: StatementFigures[] },
): Promise<void> {
  const { cutoffAt } = run
  const partnerIds = figures.map(({ partnerId }) => partnerId)
  const listed = await listPayoutRates(trx, { partnerIds, at: stretchOf(run.name).until })
  const rates = new Map(listed.map((rate) => [`${rate.partnerId}:${rate.base}`, rate]))
  const kept = await listWithheldAmong(trx, partnerIds)
  const ended = await listTerminationReasons(trx, partnerIds)
  const floorOf = await readFloors(trx, partnerIds)
  const taxOn = await readWithholding(trx, { programme, partnerIds, at: cutoffAt })
  const reserves = await openReserves(trx, { run, programme, partnerIds })
  const beside = figures.map((own) => ({ ...own, held: own.held + reserves.standing(own) }))
  const agedFrom = await agedBalances(trx, { run, programme, figures: beside })
  await recordDraftStatements(
    trx,
    run,
    figures.map(({ partnerId, currency, since, ...amounts }) => {
      const { payoutStep } = currencyOf(currency)
      const terms = lastTerms(ended.get(partnerId), programme)
      const unpaid = terms.forfeited || kept.has(partnerId)
      const rate = rates.get(`${partnerId}:${currency}`)
      const floor = floorOf(partnerId, rate?.quote ?? currency)
      const least = smaller(terms.minimumPayout, agedFrom(partnerId, currency))
      const minimumPayout = rate ? least : larger(least, floor)
      const given = { ...amounts, minimumPayout, payoutStep, unpaid }
      const totals = reserves.totals({ partnerId, currency }, given)
      const payout = rate && totals.payable > 0n ? converted(totals.payable, rate) : null
      const withheld = taxOn(partnerId, payout ?? { amount: totals.payable, currency })
      const sent = (payout?.amount ?? totals.payable) - (withheld?.amount ?? 0n)
      if (totals.payable > 0n && sent < floor) {
        // What the rail would not carry, converted and after tax, waits for the next month.
        const least = { ...given, minimumPayout: totals.payable + 1n }
        const none = reserves.totals({ partnerId, currency }, least)
        const nothing = { payout: null, withheld: null, payableReason: null }
        return { partnerId, since, currency, totals: none, ...nothing }
      }
      const isSmall = totals.payable > 0n && totals.payable < programme.minimumPayoutMinor
      const small = ended.has(partnerId) ? 'final_balance' : 'aged_balance'
      const payableReason = isSmall ? small : null
      return { partnerId, since, currency, totals, payout, withheld, payableReason }
    }),
  )
  await reserves.keep()
}

/** From which balance an old one is paid, by partner and currency; the minimum for all others. */
async function agedBalances(
  trx: Trx,
  about: { run: RunRow; programme: Programme; figures: StatementFigures[] },
): Promise<(partnerId: string, currency: string) => bigint> {
  const { run, programme, figures } = about
  const { minimumPayoutMinor, onboarding } = programme
  const { agedBalanceDays, agedBalanceFrom } = onboarding
  if (agedBalanceDays === null) return () => minimumPayoutMinor
  const waiting = figures.filter(({ opening, earned, clawedBack, adjustments, held }) => {
    const free = opening + earned - clawedBack + adjustments - held
    return opening > 0n && free > 0n && free < minimumPayoutMinor
  })
  const partnerIds = waiting.map(({ partnerId }) => partnerId)
  const carried = await listCarriedSince(trx, { cutoffAt: run.cutoffAt, partnerIds })
  return (partnerId, currency) => {
    const since = carried.get(`${partnerId}:${currency}`)
    const isOld =
      since !== undefined && isAged(stretchOf(since).until, run.cutoffAt, agedBalanceDays)
    if (!isOld) return minimumPayoutMinor
    const own = agedBalanceFrom.find((one) => one.currency === currency)
    return own ? BigInt(own.amount) : wholeUnit(currency)
  }
}

/**
 * The next page of a shard, which it locks: of two that draft the same shard, one after a crash
 * and one that everybody took for dead, the second goes on where the first one ended.
 * @returns whether every shard has ended.
 */
async function draftPage(trx: Trx, runId: string): Promise<boolean> {
  const shard = await lockOpenShard(trx, runId)
  if (!shard) return true
  const after = shard.cursorId ?? shard.afterId
  const page = await findPage(trx, { runId, after, last: shard.lastId, size: partnersPerPage })
  await draftRange(trx, await getRun(trx, runId), { after, last: page.last })
  await markShardPage(trx, { runId, shard: shard.number }, page)
  return false
}

type Drafting = Pick<ReturnType<typeof calculationActivities>, 'planShards' | 'draftPages'>

const hasWholeMonths = ({ takesEntries, cadence }: RunRow) => !takesEntries && cadence !== 'weekly'

/**
 * Currencies in which a run and the ledger disagree. What is booked while a preview is made of an
 * open month is in its ledger and in none of its drafts: such a preview is held beside nothing.
 */
export async function listDifferencesOf(trx: Trx, run: RunRow) {
  if (run.mode === 'preview' && (await isPeriodOpen(trx, run.period))) return []
  if (hasWholeMonths(run)) return listControlDifferences(trx, run)
  // A preview leaves all of it to be taken; a week that is only looked at is a part of its months.
  return run.mode === 'live' ? listUntakenDifferences(trx, run) : []
}

/** Drafts a whole run, page after page, where no process does it side by side. */
export async function draftRun(steps: Drafting, runId: string): Promise<void> {
  await steps.planShards({ runId })
  while (!(await steps.draftPages({ runId })).finished);
}

export function calculationActivities({ db }: ActivityDeps) {
  return {
    /**
     * Forgets drafts of an earlier try, nothing that was issued, and divides the partners anew.
     * @returns into how many shards.
     */
    async planShards({ runId }: RunInput): Promise<{ shards: number }> {
      const shards = await inTransaction(db, async (trx) => {
        const run = await lockRun(trx, runId)
        const { onboarding } = await getProgramme(trx)
        const isWeekly = onboarding.settlementCadence === 'weekly'
        await markRunTakes(trx, runId, await needsEntries(trx, run, { isWeekly }))
        const partners = await countPartnersOf(trx, { runId })
        const shards = shardsFor(partners)
        await recordShards(trx, { runId, shards, partners })
        await removeDraftStatements(trx, runId)
        return shards
      })
      return { shards }
    },

    /**
     * Drafts the statements of the next partners, page by page, of whichever shard nobody else is
     * drafting. Each page is kept with its place, so that whoever comes next goes on where this
     * one ended, however it ended.
     */
    async draftPages({ runId }: RunInput): Promise<{ finished: boolean }> {
      for (let pages = 0; pages < pagesAtOnce; pages++) {
        if (await inTransaction(db, (trx) => draftPage(trx, runId))) return { finished: true }
      }
      return { finished: false }
    },

    /**
     * Adds the drafts up and compares them with the ledger.
     * @returns the hash of the totals.
     * @throws DomainError `ledger_violation` when the books disagree; the run then stops.
     */
    async totalStatements({ runId }: RunInput): Promise<string> {
      const hash = await inTransaction(db, async (trx) => {
        const run = await lockRun(trx, runId)
        await allowLargeSums(trx)
        const agree =
          (hasWholeMonths(run) && (await balancesAgree(trx, run))) ||
          (await listDifferencesOf(trx, run)).length === 0
        if (!agree) return null
        return markRunTotals(trx, runId)
      })
      if (hash === null) {
        await markRunProblem(db, runId, 'statements and ledger disagree; see npm run ledger:check')
        throw new DomainError('ledger_violation', 'statements and ledger disagree')
      }
      return hash
    },
  }
}
