/** Steps that hold what we sent beside what the payment processor has. */
import { listPlatformMembers } from '../db/access.ts'
import { inTransaction } from '../db/database.ts'
import { listSentTransfers } from '../db/payouts.ts'
import { findOpenBreaks, isExplained } from '../db/recon-breaks.ts'
import {
  type KeptBreaks,
  listDaysToReconcile,
  reconcileStanding,
  reconcileTransfers,
} from '../db/reconciliation.ts'
import { dayAfter, dayOf, dayStart } from '../domain/period.ts'
import { mails } from '../integrations/email-templates/index.ts'
import { VendorError } from '../integrations/vendor-error.ts'
import type { ActivityDeps } from './deps.ts'
import { notifyOrPass } from './notices.ts'
import { bookTakenBack } from './payout-exceptions/taken-back.ts'

const transfersPerPage = 100
/** More than these is another step: a run of 100,000 payouts takes about fifty. */
const pagesAtOnce = 20
/** Looked up beside one another; far below what the processor lets through in a second. */
const lookupsAtOnce = 10

/** One day is one transaction; more days than these are another step. */
const daysAtOnce = 12

export interface ReconciledDays extends KeptBreaks {
  /** The last day compared, or null when there are no more. */
  last: string | null
}

export interface ReconciledPage {
  /** The last payout compared, or null when there are no more. */
  last: string | null
  differences: number
}

/** One that the processor does not have is a difference; no answer is none. */
function orNothing(error: unknown): null {
  if (error instanceof VendorError && error.failure === 'rejected') return null
  throw error
}

type SentTransfer = Awaited<ReturnType<typeof listSentTransfers>>[number]

export function reconciliationActivities(deps: ActivityDeps) {
  const { db, connect } = deps

  async function differs({ id, transferId, request }: SentTransfer): Promise<boolean> {
    const found = await connect.readTransfer(transferId ?? '').catch(orNothing)
    const isAsSent =
      found !== null &&
      found.amount === request.amount &&
      found.currency === request.currency &&
      found.destination === request.destination
    if (isAsSent && (!found.reversed || (await bookTakenBack(deps, found.transferId)))) return false
    return !(await isExplained(db, id))
  }

  async function countDifferences(sent: SentTransfer[]): Promise<number> {
    let differences = 0
    for (let from = 0; from < sent.length; from += lookupsAtOnce) {
      const compared = await Promise.all(sent.slice(from, from + lookupsAtOnce).map(differs))
      differences += compared.filter(Boolean).length
    }
    return differences
  }

  return {
    /**
     * Compares the next transfers of a run with what the processor has. One that was taken back
     * there is booked so, and what a person has explained as a break is no difference. Where a
     * look-up fails, what was compared before it is kept, and the next step begins with the one
     * that failed.
     */
    async reconcilePage(input: { runId: string; after: string | null }): Promise<ReconciledPage> {
      const { runId } = input
      const size = transfersPerPage
      const result: ReconciledPage = { last: input.after, differences: 0 }
      for (let pages = 0; pages < pagesAtOnce; pages++) {
        try {
          const sent = await listSentTransfers(db, { runId, after: result.last, size })
          result.differences += await countDifferences(sent)
          if (sent.length < size) return { ...result, last: null }
          result.last = sent.at(-1)?.id ?? null
        } catch (error) {
          if (pages === 0) throw error
          return result
        }
      }
      return result
    },

    /**
     * Compares the transfers of the next days with Stripe's ledger as it is mirrored, whatever run
     * they belong to and however late they were paid. What differs is kept as a break.
     */
    async reconcileDays({ after }: { after: string | null }): Promise<ReconciledDays> {
      const days = await listDaysToReconcile(db, { after, limit: daysAtOnce })
      const result: ReconciledDays = { last: null, added: 0, gone: 0 }
      for (const day of days) {
        const range = { from: dayStart(day), until: dayStart(dayAfter(day)) }
        const { added, gone } = await inTransaction(db, (trx) => reconcileTransfers(trx, range))
        result.added += added
        result.gone += gone
      }
      return { ...result, last: days.length < daysAtOnce ? null : (days.at(-1) ?? null) }
    },

    /** Keeps as breaks what is booked otherwise than it was told, and what stays in clearing. */
    async reconcileStanding(): Promise<KeptBreaks> {
      const kept = await inTransaction(db, reconcileStanding)
      return kept
    },

    /** Tells the platform's people of open breaks, once for each that is new. */
    async mailBreaks(_input: Record<string, never>): Promise<void> {
      const open = await findOpenBreaks(db)
      if (!open) return
      for (const member of await listPlatformMembers(db)) {
        await notifyOrPass(
          deps,
          {
            kind: 'reconciliation_breaks',
            subjectId: open.newest,
            recipient: member.email,
            occurrence: member.id,
          },
          mails.reconciliationBreaks({
            member: member.name,
            count: open.count,
            withoutOwner: open.withoutOwner,
            since: dayOf(open.oldest),
          }),
        )
      }
    },
  }
}
