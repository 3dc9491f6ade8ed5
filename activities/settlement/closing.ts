/** The two ends of a close: nothing more comes in, and nothing can change any more. */
import { randomUUIDv7 } from 'node:crypto'
import { databaseNow, inTransaction, type Trx } from '../../db/database.ts'
import { countOpenEvents, recordEvent } from '../../db/inbox.ts'
import { recordForfeits } from '../../db/lifecycle/terminations.ts'
import { markPeriodClosed, startClosing } from '../../db/periods.ts'
import { getProgramme } from '../../db/programmes.ts'
import {
  findLiveRun,
  findScheduledPreview,
  getRun,
  markRunStage,
  type NewRun,
  type RunRow,
  recordRun,
} from '../../db/settlement/runs.ts'
import { cadenceOf, eachMonth, liveCadence, monthsOf } from '../../domain/cadence.ts'
import { periodStart } from '../../domain/period.ts'
import { workflowIds, workflowTypes } from '../../domain/process-names.ts'
import type { RunStage } from '../../domain/settlement.ts'
import { accruePeriod } from '../commission/closing.ts'
import type { ActivityDeps } from '../deps.ts'

interface RunInput {
  runId: string
}

/** What an earlier firing has made; a live run may be that of another cadence. */
async function findMade(
  trx: Trx,
  { programmeId, period, mode }: Pick<NewRun, 'programmeId' | 'period' | 'mode'>,
): Promise<RunRow | undefined> {
  return mode === 'preview'
    ? findScheduledPreview(trx, programmeId, period)
    : findLiveRun(trx, programmeId, monthsOf(period).period)
}

export function closingActivities({ db, events, processes }: ActivityDeps) {
  return {
    /**
     * The live run of a period, or the preview of a week, made by the schedule; a second firing
     * finds the first one.
     * @returns null where the programme has another cadence, or had it when the period was settled;
     *   with the number of a preview.
     */
    async openScheduledRun({ period }: { period: string }) {
      const programme = await getProgramme(db)
      const { settlementCadence: own } = programme.onboarding
      const cadence = cadenceOf(period)
      if (cadence !== own && cadence !== liveCadence(own)) return null
      const mode = cadence === 'weekly' ? 'preview' : 'live'
      const run = await inTransaction(db, async (trx) => {
        const made = await findMade(trx, { programmeId: programme.id, period, mode })
        if (made) return made.name === period ? made : null
        const id = randomUUIDv7()
        return recordRun(trx, { id, programmeId: programme.id, period, mode, requestedBy: null })
      })
      if (!run) return null
      const { releaseReminder, releaseEscalation } = programme.deadlines
      const preview = mode === 'preview' ? { preview: run.number } : {}
      return { runId: run.id, ...preview, releaseReminder, releaseEscalation }
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
      await inTransaction(db, (trx) => markRunStage(trx, runId, stage))
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
