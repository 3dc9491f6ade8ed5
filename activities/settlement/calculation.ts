/** Draft statements, page by page, and the totals that a person signs. */
import { inTransaction } from '../../db/database.ts'
import { getProgramme } from '../../db/programmes.ts'
import {
  findPageEnd,
  listControlDifferences,
  listStatementFigures,
} from '../../db/settlement/figures.ts'
import { getRun, lockRun, markRunProblem, markRunTotals } from '../../db/settlement/runs.ts'
import { recordDraftStatements, removeDraftStatements } from '../../db/settlement/statements.ts'
import { currencyOf } from '../../domain/currencies.ts'
import { DomainError } from '../../domain/errors.ts'
import { statementTotals } from '../../domain/settlement.ts'
import type { ActivityDeps } from '../deps.ts'

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
        const { minimumPayoutMinor } = await getProgramme(trx)
        const page = { period, after: input.after, size: partnersPerPage }
        const end = await findPageEnd(trx, page)
        if (end === null) return null
        const figures = await listStatementFigures(trx, {
          period,
          cutoffAt,
          range: { after: input.after, last: end },
        })
        await recordDraftStatements(
          trx,
          figures.map(({ partnerId, currency, ...amounts }) => ({
            runId: id,
            partnerId,
            period,
            currency,
            totals: statementTotals({
              ...amounts,
              adjustments: 0n,
              minimumPayout: minimumPayoutMinor,
              payoutStep: currencyOf(currency).payoutStep,
            }),
          })),
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
