/** The two ends of a close: nothing more comes in, and nothing can change any more. */
import { randomUUIDv7 } from 'node:crypto'
import { databaseNow, inTransaction, type Trx } from '../../db/database.ts'
import { countOpenEvents, recordEvent } from '../../db/inbox.ts'
import { recordForfeits } from '../../db/lifecycle/terminations.ts'
import { listClosedSince, listUnclosed, markPeriodClosed, startClosing } from '../../db/periods.ts'
import { getProgramme } from '../../db/programmes.ts'
import { markRunStage } from '../../db/settlement/run-marks.ts'
import {
  findSettling,
  findUnendedBefore,
  getRun,
  type RunRow,
  recordRun,
} from '../../db/settlement/runs.ts'
import { cadenceOf, eachMonth, monthsEnded } from '../../domain/cadence.ts'
import { DomainError } from '../../domain/errors.ts'
import { periodStart } from '../../domain/period.ts'
import { workflowIds, workflowTypes } from '../../domain/process-names.ts'
import type { RunStage } from '../../domain/settlement.ts'
import { accruePeriod } from '../commission/closing.ts'
import type { ActivityDeps } from '../deps.ts'

interface RunInput {
  runId: string
}

/**
 * What a run closes: of a week the months that end with it, and those that nobody has closed
 * before; of months all of them.
 * @throws DomainError `earlier_period_open` while a run before it goes on.
 */
async function listMonthsToClose(trx: Trx, run: RunRow): Promise<string[]> {
  const { name, cadence, sincePeriod: since, period } = run
  const before = await findUnendedBefore(trx, run)
  if (before) {
    throw new DomainError('earlier_period_open', `${before} has to be settled before ${name}`)
  }
  if (cadence !== 'weekly') return eachMonth({ since, period })
  return listUnclosed(trx, monthsEnded(name, { since, period }))
}

export function closingActivities({ db, events, processes }: ActivityDeps) {
  return {
    /**
     * The live run of a period, made by the schedule; a second firing finds the first one.
     * @returns null where the programme has another cadence, or had it when the period was settled.
     */
    async openScheduledRun({ period }: { period: string }) {
      const programme = await getProgramme(db)
      if (cadenceOf(period) !== programme.onboarding.settlementCadence) return null
      const run = await inTransaction(db, async (trx) => {
        const made = await findSettling(trx, programme.id, period)
        if (made) return made.name === period ? made : null
        const id = randomUUIDv7()
        const about = { period, mode: 'live' as const, requestedBy: null }
        return recordRun(trx, { id, programmeId: programme.id, ...about })
      })
      if (!run) return null
      const { releaseReminder, releaseEscalation } = programme.deadlines
      return { runId: run.id, releaseReminder, releaseEscalation }
    },

    /** How long until the period may be closed, in milliseconds; 0 when it may. */
    async timeToCutoff({ runId }: RunInput): Promise<number> {
      const { cutoffAt } = await getRun(db, runId)
      const now = await databaseNow(db)
      return Math.max(0, cutoffAt.getTime() - now.getTime())
    },

    /**
     * Asks Stripe for the money events of the period and puts what we never heard of into the
     * inbox: a webhook is retried for three days and may still be lost.
     */
    async collectMissedEvents({ runId }: RunInput): Promise<{ found: number }> {
      const { sincePeriod, cutoffAt } = await getRun(db, runId)
      let found = 0
      let after: string | null = null
      do {
        const page = await events.listMoneyEvents({
          from: periodStart(sincePeriod),
          until: cutoffAt,
          after,
        })
        for (const event of page.events) {
          if (await recordEvent(db, { vendor: 'stripe', ...event })) found++
        }
        after = page.next
      } while (after)
      if (found > 0) {
        await processes.wake({
          type: workflowTypes.webhookInbox,
          workflowId: workflowIds.inbox('stripe'),
          input: { vendor: 'stripe' },
          signal: 'inboxWake',
        })
      }
      return { found }
    },

    /** Events that have come in but are not booked yet. */
    async countUnbookedEvents(): Promise<number> {
      const open = await countOpenEvents(db, 'stripe')
      return open
    },

    /** New bookings go to the next period from here on; what its whole volume earns is booked. */
    async freezePeriod({ runId }: RunInput): Promise<void> {
      const run = await getRun(db, runId)
      await inTransaction(db, async (trx) => {
        // One after the other: what a refund of a later month takes of a true-up is booked in that
        // month, which has to be open for it.
        for (const month of await listMonthsToClose(trx, run)) {
          await startClosing(trx, month, run.sincePeriod)
          await accruePeriod(trx, month)
        }
        await recordForfeits(trx)
      })
    },

    async enterStage({ runId, stage }: RunInput & { stage: RunStage }): Promise<void> {
      await inTransaction(db, (trx) => markRunStage(trx, runId, stage))
    },

    /**
     * The last step: what has ended is shut and its run is done.
     * @returns the months that this run has shut, which of a week may be none.
     */
    async closePeriod({ runId }: RunInput): Promise<{ months: string[] }> {
      const { name, sincePeriod: since, period, releasedAt, createdAt } = await getRun(db, runId)
      const months = await inTransaction(db, async (trx) => {
        for (const month of monthsEnded(name, { since, period })) await markPeriodClosed(trx, month)
        await markRunStage(trx, runId, 'closed')
        return listClosedSince(trx, { since, period }, releasedAt ?? createdAt)
      })
      return { months }
    },
  }
}
