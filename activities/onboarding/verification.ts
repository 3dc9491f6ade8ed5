/** Who the partner is: the payout account at Stripe and what Stripe asks of its owner. */
import { inTransaction } from '../../db/database.ts'
import {
  getApplication,
  markApplication,
  recordTimeline,
} from '../../db/onboarding/applications.ts'
import {
  findPayoutAccount,
  markPayoutAccountOpened,
  markVerificationLink,
  recordPayoutAccount,
  recordVerification,
} from '../../db/onboarding/payout-accounts.ts'
import { DomainError } from '../../domain/errors.ts'
import { outwardId } from '../../domain/ids.ts'
import type { NextActor, VerificationStatus } from '../../domain/onboarding.ts'
import type { ActivityDeps } from '../deps.ts'

const nextActors: Partial<Record<VerificationStatus, NextActor>> = {
  pending_review: 'vendor',
  verified: 'system',
  rejected: 'system',
}

export function verificationActivities({ db, connect, links }: ActivityDeps) {
  async function openedAccount(applicationId: string) {
    const account = await findPayoutAccount(db, applicationId)
    if (!account?.vendorAccountId) {
      throw new DomainError('not_ready', 'no payout account was opened')
    }
    return { id: account.id, vendorAccountId: account.vendorAccountId }
  }

  return {
    /** Opens the account in which the partner is paid; Stripe then asks who owns it. */
    async openPayoutAccount(input: { applicationId: string; dueAt: string }): Promise<void> {
      const { applicationId } = input
      const application = await getApplication(db, applicationId)
      const account = await recordPayoutAccount(db, applicationId)
      if (!account.vendorAccountId) {
        const vendorAccountId = await connect.openPayoutAccount(
          {
            name: application.companyName,
            email: application.contactEmail,
            country: application.country,
            metadata: { application: outwardId('application', applicationId) },
          },
          `account:${account.id}`,
        )
        await markPayoutAccountOpened(db, account.id, vendorAccountId)
      }
      await inTransaction(db, async (trx) => {
        await markApplication(trx, applicationId, {
          stage: 'verification',
          nextActor: 'applicant',
          dueAt: new Date(input.dueAt),
        })
        await recordTimeline(trx, applicationId, {
          key: 'verification_requested',
          stage: 'verification',
          actor: 'system',
          what: 'identity check requested',
        })
      })
    },

    /** Stores a fresh link to Stripe's own page; such a link works once and for minutes. */
    async issueVerificationLink({ applicationId }: { applicationId: string }): Promise<void> {
      const account = await openedAccount(applicationId)
      const link = await connect.issueVerificationLink(account.vendorAccountId, {
        refreshUrl: links.verificationUrl(applicationId),
        returnUrl: links.statusUrl(applicationId),
      })
      await markVerificationLink(db, account.id, link)
    },

    /** Reads at Stripe how far the check is and who has to act. */
    async readVerification(input: { applicationId: string }): Promise<VerificationStatus> {
      const account = await openedAccount(input.applicationId)
      const seen = await connect.readVerification(account.vendorAccountId)
      await inTransaction(db, async (trx) => {
        const { changed } = await recordVerification(trx, account.id, seen)
        if (!changed) return
        const { dueAt } = await getApplication(trx, input.applicationId)
        await markApplication(trx, input.applicationId, {
          stage: 'verification',
          nextActor: nextActors[seen.status] ?? 'applicant',
          dueAt,
        })
        if (seen.status === 'verified' || seen.status === 'rejected') {
          await recordTimeline(trx, input.applicationId, {
            key: `verification_${seen.status}`,
            stage: 'verification',
            actor: 'stripe',
            what: seen.status === 'verified' ? 'identity verified' : 'identity check refused',
          })
        }
      })
      return seen.status
    },
  }
}
