/** The two ends of a close: nothing more comes in, and nothing can change any more. */
import { randomUUIDv7 } from 'node:crypto'
import { databaseNow, inTransaction } from '../../db/database.ts'
import { countOpenEvents, recordEvent } from '../../db/inbox.ts'
import { recordForfeits } from '../../db/lifecycle/terminations.ts'
import { markPeriodClosed, startClosing } from '../../db/periods.ts'
import { getProgramme } from '../../db/programmes.ts'
import { findLiveRun, getRun, markRunStage, recordRun } from '../../db/settlement/runs.ts'
import { cadenceOf, eachMonth, monthsOf } from '../../domain/cadence.ts'
import { periodStart } from '../../domain/period.ts'
import { workflowIds, workflowTypes } from '../../domain/process-names.ts'
import type { RunStage } from '../../domain/settlement.ts'
import { accruePeriod } from '../commission/closing.ts'
import type { ActivityDeps } from '../deps.ts'

interface RunInput {
  runId: string
}

export function closingActivities({ db, events, processes }: ActivityDeps) {
  return {
    /**
     * The live run of a period, made by the schedule; a second firing finds the first one.
     * @returns null where the programme has another cadence, or had it when the period was settled.
     */
    async openScheduledRun({ period }: { period: string }) {
      const programme = await getProgramme(db)
      if (programme.onboarding.settlementCadence !== cadenceOf(period)) return null
      const run = await inTransaction(db, async (trx) => {
        const live = await findLiveRun(trx, programme.id, monthsOf(period).period)
        if (live) return live.name === period ? live : null
        return recordRun(trx, {
          id: randomUUIDv7(),
          programmeId: programme.id,
          period,
          mode: 'live',
          requestedBy: null,
        })
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
      const { sincePeriod: since, period } = await getRun(db, runId)
      await inTransaction(db, async (trx) => {
        // One after the other: what a refund of a later month takes of a true-up is booked in that
        // month, which has to be open for it.
        for (const month of eachMonth({ since, period })) {
          await startClosing(trx, month, since)
          await accruePeriod(trx, month)
        }
        await recordForfeits(trx)
      })
    },

    async enterStage({ runId, stage }: RunInput & { stage: RunStage }): Promise<void> {
      await markRunStage(db, runId, stage)
    },

    /** The last step: the period is shut and its run is done. */
    async closePeriod({ runId }: RunInput): Promise<void> {
      const { sincePeriod: since, period } = await getRun(db, runId)
      await inTransaction(db, async (trx) => {
        for (const month of eachMonth({ since, period })) await markPeriodClosed(trx, month)
        await markRunStage(trx, runId, 'closed')
      })
    },
  }
}
