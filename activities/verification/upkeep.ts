/** The daily round: what webhooks lost, who is due for a look, what the vendor has to forget. */
import { heartbeat, log } from '@temporalio/activity'
import { inTransaction } from '../../db/database.ts'
import { recordEvent } from '../../db/inbox.ts'
import {
  listChecksToRedact,
  markRedactionAsked,
  recordIdentity,
} from '../../db/onboarding/identity-checks.ts'
import { listAccountsToRead } from '../../db/onboarding/payout-accounts.ts'
import { getProgramme } from '../../db/programmes.ts'
import { dayOf } from '../../domain/period.ts'
import { VendorError } from '../../integrations/vendor-error.ts'
import type { ActivityDeps } from '../deps.ts'

/** Longer than the time between two rounds, so that one that failed loses nothing. */
const lookBackMs = 3 * 86_400_000
const accountsPerPage = 200
const redactionsPerPage = 50

export interface UpkeepPage {
  /** Where the next page begins; null after the last one. */
  last: string | null
  done: number
}

export function upkeepActivities({ db, events, identity }: ActivityDeps) {
  return {
    /** Asks the vendor for its events of the last days; those that came are known already. */
    async recoverVerificationEvents(): Promise<{ found: number }> {
      const from = new Date(Date.now() - lookBackMs)
      let found = 0
      for await (const event of events.listVerificationEvents(from)) {
        if (await recordEvent(db, { vendor: 'stripe', ...event })) found += 1
        heartbeat()
      }
      return { found }
    },

    /**
     * Lets the inbox look at accounts without an event: those whose check is not over, and those
     * that were verified a year ago.
     */
    async recheckVerifications({ after }: { after: string | null }): Promise<UpkeepPage> {
      const { onboarding } = await getProgramme(db)
      const rows = await listAccountsToRead(db, {
        after,
        size: accountsPerPage,
        identityWanted: onboarding.identityCheck === 'contact',
      })
      const now = new Date()
      for (const { id, vendorAccountId } of rows) {
        await recordEvent(db, {
          vendor: 'stripe',
          eventId: `look_${dayOf(now)}_${id}`,
          type: 'v2.core.account.updated',
          objectId: vendorAccountId,
          occurredAt: now,
        })
        heartbeat()
      }
      return pageOf(rows, accountsPerPage)
    },

    /** Asks the vendor to forget what is kept for long enough; what is asked is asked again. */
    async redactVerifications({ after }: { after: string | null }): Promise<UpkeepPage> {
      const { deadlines } = await getProgramme(db)
      const rows = await listChecksToRedact(db, {
        retentionSeconds: deadlines.verificationRetention,
        after,
        size: redactionsPerPage,
      })
      for (const { id, vendorSessionId } of rows) {
        try {
          const seen = await identity.redactSession(vendorSessionId)
          await inTransaction(db, async (trx) => {
            await markRedactionAsked(trx, id)
            await recordIdentity(trx, id, seen)
          })
        } catch (error) {
          // One that the vendor refuses is asked again tomorrow, and keeps no other waiting.
          if (!(error instanceof VendorError) || error.failure !== 'rejected') throw error
          log.warn('a check could not be redacted', { check: id, code: error.code })
        }
        heartbeat()
      }
      return pageOf(rows, redactionsPerPage)
    },
  }
}

function pageOf(rows: { id: string }[], size: number): UpkeepPage {
  return { last: rows.length < size ? null : (rows.at(-1)?.id ?? null), done: rows.length }
}
