/** Who the partner is: the payout account at Stripe, and a check of its contact where wanted. */
import { type Db, inTransaction, readTogether, type Trx } from '../../db/database.ts'
import {
  type ApplicationRow,
  getApplication,
  markApplication,
  recordTimeline,
} from '../../db/onboarding/applications.ts'
import { findIdentityCheck } from '../../db/onboarding/identity-checks.ts'
import {
  findPayoutAccount,
  markPayoutAccountClosed,
  markPayoutAccountOpened,
  markVerificationLink,
  type PayoutAccountRow,
  recordPayoutAccount,
  recordVerification,
} from '../../db/onboarding/payout-accounts.ts'
import { getProgramme } from '../../db/programmes.ts'
import { DomainError } from '../../domain/errors.ts'
import { outwardId } from '../../domain/ids.ts'
import type { VerificationStatus } from '../../domain/onboarding.ts'
import { actorOf, isOutOfTries, together } from '../../domain/verification.ts'
import { outcomeOf } from '../../integrations/stripe-connect.ts'
import { VendorError } from '../../integrations/vendor-error.ts'
import type { ActivityDeps } from '../deps.ts'
import { closeIdentity, openIdentity, readIdentity } from '../verification/identity.ts'

/** How far an applicant is; `out_of_tries` when it may not hand in anything more. */
export type OnboardingVerification = VerificationStatus | 'out_of_tries'

/** Key, words and actor of what the timeline tells of a state. */
const entries: Partial<Record<VerificationStatus, { what: string; actor: string }>> = {
  pending_review: { what: 'identity check handed in', actor: 'applicant' },
  needs_input: { what: 'identity check needs another try', actor: 'stripe' },
  verified: { what: 'identity verified', actor: 'stripe' },
  rejected: { what: 'identity check refused', actor: 'stripe' },
}

async function openedAccount(db: Db, applicationId: string) {
  const account = await findPayoutAccount(db, applicationId)
  if (!account?.vendorAccountId) throw new DomainError('not_ready', 'no payout account was opened')
  return { ...account, vendorAccountId: account.vendorAccountId }
}

/** The same account however often it is asked for: the row came first, its id is the key. */
async function openAccount(
  { db, connect }: ActivityDeps,
  application: ApplicationRow,
  account: PayoutAccountRow,
): Promise<string> {
  if (account.vendorAccountId) return account.vendorAccountId
  const vendorAccountId = await connect.openPayoutAccount(
    {
      name: application.companyName,
      email: application.contactEmail,
      country: application.country,
      metadata: { application: outwardId('application', application.id) },
    },
    `account:${account.id}`,
  )
  await markPayoutAccountOpened(db, account.id, vendorAccountId)
  return vendorAccountId
}

/** What the vendor refuses to open was never opened; who is not let in has learnt nothing. */
function noneIfRefused(error: unknown): null {
  if (error instanceof VendorError && outcomeOf(error).kind === 'rejected') return null
  throw error
}

export function verificationActivities(deps: ActivityDeps) {
  const { db, connect, identity, links } = deps
  return {
    /**
     * Opens the account in which the partner is paid; Stripe then asks who owns it. Where the
     * programme wants to know the contact too, its session is opened with it.
     */
    async openPayoutAccount(input: { applicationId: string; dueAt: string }): Promise<void> {
      const { applicationId } = input
      const [application, { onboarding }, account] = await inTransaction(db, (trx) =>
        Promise.all([
          getApplication(trx, applicationId),
          getProgramme(trx),
          recordPayoutAccount(trx, applicationId),
        ]),
      )
      await openAccount(deps, application, account)
      if (onboarding.identityCheck === 'contact') {
        await openIdentity(deps, { applicationId, partnerId: null })
      }
      const dueAt = new Date(input.dueAt)
      await inTransaction(db, (trx) =>
        Promise.all([
          markApplication(trx, applicationId, {
            stage: 'verification',
            nextActor: 'applicant',
            dueAt,
          }),
          recordTimeline(trx, applicationId, {
            key: 'verification_requested',
            stage: 'verification',
            actor: 'system',
            what: 'identity check requested',
            dueAt,
          }),
        ]),
      )
    },

    /**
     * Stores a fresh link to the page on which the applicant goes on: Stripe's questions about
     * the company first, then those about the person. Such links live for minutes.
     */
    async issueVerificationLink({ applicationId }: { applicationId: string }): Promise<void> {
      const [account, check] = await readTogether(db, (one) =>
        Promise.all([openedAccount(one, applicationId), findIdentityCheck(one, applicationId)]),
      )
      const handedIn = account.status === 'verified' || account.status === 'pending_review'
      const page =
        handedIn && check?.vendorSessionId ? await identity.pageOf(check.vendorSessionId) : null
      const link = page
        ? { url: page, expiresAt: null }
        : await connect.issueVerificationLink(account.vendorAccountId, {
            refreshUrl: links.verificationUrl(applicationId),
            returnUrl: check
              ? links.verificationUrl(applicationId)
              : links.statusUrl(applicationId),
          })
      await markVerificationLink(db, account.id, link)
    },

    /** Reads at Stripe how far the checks are and who has to act. */
    async readVerification(input: { applicationId: string }): Promise<OnboardingVerification> {
      const { applicationId } = input
      const [account, check, { onboarding }] = await readTogether(db, (one) =>
        Promise.all([
          openedAccount(one, applicationId),
          findIdentityCheck(one, applicationId),
          getProgramme(one),
        ]),
      )
      const seen = await connect.readVerification(account.vendorAccountId)
      const person = await readIdentity(deps, check)
      const { status, tries } = await inTransaction(db, async (trx) => {
        const [recorded, row] = await Promise.all([
          recordVerification(trx, account.id, seen),
          getApplication(trx, applicationId),
        ])
        const state = {
          status: together(recorded.status, person),
          tries: recorded.refusals + (person?.refusals ?? 0),
        }
        await tellTimeline(trx, row, state)
        return state
      })
      const spent = isOutOfTries(tries, onboarding.verificationTries)
      return status === 'needs_input' && spent ? 'out_of_tries' : status
    },

    /** Stripe refused, or was away for too long: a person looks; the applicant is not told. */
    async markVerificationStuck(input: {
      applicationId: string
      dueAt: string
      /** The stable type of the failure. */
      code: string
    }): Promise<void> {
      const { applicationId, code } = input
      const stage = 'verification'
      const dueAt = new Date(input.dueAt)
      const what =
        code === 'vendor_refused'
          ? 'the payment provider refused the payout account: a person has to look into it'
          : 'the payment provider did not answer: the identity check is tried again later'
      await inTransaction(db, async (trx) => {
        await markApplication(trx, applicationId, { stage, nextActor: 'super_admin', dueAt })
        await recordTimeline(trx, applicationId, {
          ...{ key: `verification_stuck_${code}`, stage, actor: 'system' },
          ...{ what, dueAt, internal: true },
        })
      })
    },

    /**
     * Takes back what was opened for an application that came to nothing. An account whose opening
     * was answered by nobody is asked for by its key first; one that Stripe refused is left.
     */
    async closePayoutAccount({ applicationId }: { applicationId: string }): Promise<void> {
      await closeIdentity(deps, await findIdentityCheck(db, applicationId))
      const account = await findPayoutAccount(db, applicationId)
      if (!account || account.closedAt) return
      const application = await getApplication(db, applicationId)
      const vendorAccountId = await openAccount(deps, application, account).catch(noneIfRefused)
      const seen = vendorAccountId && (await connect.readVerification(vendorAccountId))
      if (vendorAccountId && seen && seen.status !== 'rejected') {
        await connect.closeAccount(vendorAccountId, `close:${account.id}`)
      }
      await inTransaction(db, (trx) => markPayoutAccountClosed(trx, account.id))
    },
  }
}

/** Where the application stands, and each change once; another refused try is told again. */
async function tellTimeline(
  trx: Trx,
  { id, dueAt, stage }: Pick<ApplicationRow, 'id' | 'dueAt' | 'stage'>,
  { status, tries }: { status: VerificationStatus; tries: number },
): Promise<void> {
  if (stage !== 'verification' && stage !== 'agreement') return
  const entry = entries[status]
  const counted = status === 'needs_input' || status === 'pending_review'
  const key = `verification_${status}${counted && tries > 0 ? `_${tries}` : ''}`
  const nextActor = actorOf(status)
  await Promise.all([
    markApplication(trx, id, { stage: 'verification', nextActor, dueAt }),
    entry && recordTimeline(trx, id, { key, stage: 'verification', ...entry }),
  ])
}
