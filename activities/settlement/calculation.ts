/** Draft statements, page by page, and the totals that a person signs. */
import { inTransaction } from '../../db/database.ts'
import { listTerminationReasons } from '../../db/lifecycle/terminations.ts'
import { getProgramme, type Programme } from '../../db/programmes.ts'
import {
  findPageEnd,
  listControlDifferences,
  listStatementFigures,
} from '../../db/settlement/figures.ts'
import { listPayoutRates, type PayoutRate } from '../../db/settlement/rates.ts'
import { getRun, lockRun, markRunProblem, markRunTotals } from '../../db/settlement/runs.ts'
import {
  type Converted,
  recordDraftStatements,
  removeDraftStatements,
} from '../../db/settlement/statements.ts'
import { convert, currencyOf } from '../../domain/currencies.ts'
import { DomainError } from '../../domain/errors.ts'
import { forfeits, type TerminationReason } from '../../domain/lifecycle.ts'
import { downToStep, smaller } from '../../domain/money.ts'
import { periodEnd } from '../../domain/period.ts'
import { statementTotals } from '../../domain/settlement.ts'
import type { ActivityDeps } from '../deps.ts'

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

const partnersPerPage = 1_000

export function calculationActivities({ db }: ActivityDeps) {
  return {
    /** Forgets drafts of an earlier try; nothing that was issued is touched. */
    async clearDrafts({ runId }: RunInput): Promise<void> {
      await inTransaction(db, (trx) => removeDraftStatements(trx, runId))
    },

    /**
     * Drafts the statements of the next partners.
     * @returns the last partner of the page to go on after, or null when there are no more.
     */
    async draftStatements(input: RunInput & { after: string | null }): Promise<string | null> {
      const last = await inTransaction(db, async (trx) => {
        const { period, cutoffAt, id } = await getRun(trx, input.runId)
        const programme = await getProgramme(trx)
        const page = { period, after: input.after, size: partnersPerPage }
        const end = await findPageEnd(trx, page)
        if (end === null) return null
        const figures = await listStatementFigures(trx, {
          period,
          cutoffAt,
          range: { after: input.after, last: end },
        })
        const partnerIds = figures.map(({ partnerId }) => partnerId)
        const rates = await listPayoutRates(trx, { partnerIds, at: periodEnd(period) })
        const ended = await listTerminationReasons(trx, partnerIds)
        await recordDraftStatements(
          trx,
          figures.map(({ partnerId, currency, ...amounts }) => {
            const { payoutStep } = currencyOf(currency)
            const totals = statementTotals({
              ...amounts,
              ...lastTerms(ended.get(partnerId), programme),
              payoutStep,
            })
            const rate = rates.find((row) => row.partnerId === partnerId && row.base === currency)
            const payout = rate && totals.payable > 0n ? converted(totals.payable, rate) : null
            return { runId: id, partnerId, period, currency, totals, payout }
          }),
        )
        return end
      })
      return last
    },

    /**
     * Adds the drafts up and compares them with the ledger.
     * @returns the hash of the totals.
     * @throws DomainError `ledger_violation` when the books disagree; the run then stops.
     */
    async totalStatements({ runId }: RunInput): Promise<string> {
      const hash = await inTransaction(db, async (trx) => {
        const { period } = await lockRun(trx, runId)
        const differences = await listControlDifferences(trx, { id: runId, period })
        if (differences.length > 0) return null
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
