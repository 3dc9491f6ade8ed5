/** Steps of payouts that wait for a person. */
import { listPlatformMembers } from '../../db/access.ts'
import { getPartner } from '../../db/partners.ts'
import { getException, markEscheat, markExceptionEnded } from '../../db/payout-exceptions.ts'
import { mails } from '../../integrations/email-templates/index.ts'
import type { ActivityDeps } from '../deps.ts'
import { notifyOrPass } from '../notices.ts'
import { payoutDecisionActivities } from './decisions.ts'

export function payoutExceptionActivities(deps: ActivityDeps) {
  const { db } = deps
  return {
    // biome-ignore lint/nursery/noMisusedPromises: it is an object of steps, not a promise
    ...payoutDecisionActivities(deps),

    /** Notes that the process has seen the end. */
    async endException({ exceptionId }: { exceptionId: string }): Promise<void> {
      await markExceptionEnded(db, exceptionId)
    },

    /** Notes that the money is so old that the law may want it handed over. */
    async flagEscheat({ exceptionId }: { exceptionId: string }): Promise<void> {
      await markEscheat(db, exceptionId)
    },

    /** Tells the platform, and the partner first where its bank gave the money back. */
    async mailPayoutException(input: { exceptionId: string; occurrence: string }): Promise<void> {
      const { exceptionId: subjectId, occurrence } = input
      const open = await getException(db, subjectId)
      if (open.closedAt) return
      const { amountMinor: amount, currency, partnerId, cause } = open
      const partner = await getPartner(db, partnerId)
      if (cause === 'bank_failed' && occurrence !== 'escheat') {
        await notifyOrPass(
          deps,
          { kind: 'payout_returned', subjectId, occurrence, recipient: partner.contactEmail },
          mails.payoutReturned({ contact: partner.contactName, amount, currency }),
        )
      }
      for (const { id, name, email: recipient } of await listPlatformMembers(db)) {
        const notice = { kind: 'payout_exception', subjectId, occurrence: `${occurrence}:${id}` }
        const facts = { member: name, company: partner.name, amount, currency, cause }
        const content = mails.payoutException({ ...facts, isOld: occurrence === 'escheat' })
        await notifyOrPass(deps, { ...notice, recipient }, content)
      }
    },
  }
}
