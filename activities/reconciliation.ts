/** Steps that hold what we sent beside what the payment processor has. */
import { listSentTransfers } from '../db/payouts.ts'
import { VendorError } from '../integrations/vendor-error.ts'
import type { ActivityDeps } from './deps.ts'

const transfersPerPage = 100
/** More than these is another step: a run of 100,000 payouts takes about fifty. */
const pagesAtOnce = 20
/** Looked up beside one another; far below what the processor lets through in a second. */
const lookupsAtOnce = 10

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

export function reconciliationActivities({ db, connect }: ActivityDeps) {
  async function differs({ transferId, request }: SentTransfer): Promise<boolean> {
    const found = await connect.readTransfer(transferId ?? '').catch(orNothing)
    return (
      !found ||
      found.amount !== request.amount ||
      found.currency !== request.currency ||
      found.destination !== request.destination ||
      found.reversed
    )
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
     * Compares the next transfers of a run with what the processor has. Where a look-up fails, what
     * was compared before it is kept, and the next step begins with the one that failed.
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
  }
}
