/** The two ends of a close: nothing more comes in, and nothing can change any more. */
import { randomUUIDv7 } from 'node:crypto'
import { databaseNow, inTransaction } from '../../db/database.ts'
import { countOpenEvents, recordEvent } from '../../db/inbox.ts'
import { recordForfeits } from '../../db/lifecycle/terminations.ts'
import { markPeriodClosed, startClosing } from '../../db/periods.ts'
import { getProgramme } from '../../db/programmes.ts'
import { getRun, markRunStage, recordRun } from '../../db/settlement/runs.ts'
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
    /** The live run of a period, made by the schedule; a second firing finds the first one. */
    async openScheduledRun({ period }: { period: string }) {
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
      const { period, cutoffAt } = await getRun(db, runId)
      let found = 0
      let after: string | null = null
      do {
        const page = await events.listMoneyEvents({
          from: periodStart(period),
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
      const { period } = await getRun(db, runId)
      await inTransaction(db, async (trx) => {
        await startClosing(trx, period)
        await accruePeriod(trx, period)
        await recordForfeits(trx)
      })
    },

    async enterStage({ runId, stage }: RunInput & { stage: RunStage }): Promise<void> {
      await markRunStage(db, runId, stage)
    },

    /** The last step: the period is shut and its run is done. */
    async closePeriod({ runId }: RunInput): Promise<void> {
      const { period } = await getRun(db, runId)
      await inTransaction(db, async (trx) => {
        await markPeriodClosed(trx, period)
        await markRunStage(trx, runId, 'closed')
      })
    },
  }
}
