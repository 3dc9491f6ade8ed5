/** Verification after the first day: what is missing, what is held for it, who gave more time. */
import { listPlatformMembers } from '../../db/access.ts'
import { inTransaction } from '../../db/database.ts'
import {
  findIdentityCheckOf,
  type IdentityCheckRow,
  isIdentityOld,
} from '../../db/onboarding/identity-checks.ts'
import { findPayoutAccountOf, recordVerification } from '../../db/onboarding/payout-accounts.ts'
import { listHolds, placeHold, releaseHold } from '../../db/partner-holds.ts'
import {
  findPartnerVerification,
  markExtensionTaken,
  recordPartnerVerification,
} from '../../db/partner-verifications.ts'
import { getPartner } from '../../db/partners.ts'
import { retryRejectedPayouts } from '../../db/payouts.ts'
import { getProgramme } from '../../db/programmes.ts'
import { DomainError } from '../../domain/errors.ts'
import { dayOf } from '../../domain/period.ts'
import { hasDrifted, together } from '../../domain/verification.ts'
import { mails } from '../../integrations/email-templates/index.ts'
import type { ActivityDeps } from '../deps.ts'
import { notifyOrPass } from '../notices.ts'
import { readIdentity, renewIdentity } from './identity.ts'

/**
 * `clear` is done, `due` waits for the partner, `waiting` for the vendor, `restricted` and
 * `rejected` are paid nothing from now on, `gone` is no partner any more.
 */
export type ReverificationState = 'clear' | 'due' | 'waiting' | 'restricted' | 'rejected' | 'gone'

export interface Reverification {
  state: ReverificationState
  /** The day that the vendor names, or null. */
  deadlineAt: string | null
  /** Since when payouts are held for it, or null. */
  heldSince: string | null
  salesStopped: boolean
}

export type ReverificationMail = 'due' | 'reminder' | 'held' | 'stopped' | 'restored'

const cause = 'verification'

export function reverificationActivities(deps: ActivityDeps) {
  const { db, connect, links } = deps

  async function accountOf(partnerId: string) {
    const account = await findPayoutAccountOf(db, partnerId)
    if (!account?.vendorAccountId) {
      throw new DomainError('not_ready', 'the partner has no payout account')
    }
    return { ...account, vendorAccountId: account.vendorAccountId }
  }

  /** The check of the contact; another one is opened where the last proved what is long ago. */
  async function readPerson(partnerId: string, applicationId: string) {
    const { onboarding } = await getProgramme(db)
    const wanted = onboarding.identityCheck === 'contact'
    if (wanted && (await isIdentityOld(db, partnerId))) {
      await renewIdentity(deps, { applicationId, partnerId })
    }
    const check: IdentityCheckRow | undefined = await findIdentityCheckOf(db, partnerId)
    return wanted ? readIdentity(deps, check) : null
  }

  return {
    /** Reads both checks at the vendor, keeps what they say, and tells what follows from it. */
    async readReverification({ partnerId }: { partnerId: string }): Promise<Reverification> {
      const account = await accountOf(partnerId)
      const partner = await getPartner(db, partnerId)
      const seen = await connect.readVerification(account.vendorAccountId)
      const deadlineAt = seen.deadline
        ? await connect.readRequirementDeadline(account.vendorAccountId)
        : null
      const person = await readPerson(partnerId, account.applicationId)
      const state = await inTransaction(db, async (trx) => {
        const { status } = await recordVerification(trx, account.id, { ...seen, deadlineAt })
        const identityStatus = person?.status ?? null
        await recordPartnerVerification(trx, partnerId, { identityStatus, deadlineAt })
        if (partner.status === 'terminated') return 'gone' as const
        if (status === 'restricted' || status === 'rejected') return status
        const both = together(status, person)
        if (both === 'verified') return 'clear' as const
        // A person who has not begun yet is waited for like an open question of the company.
        return hasDrifted(both) || both === 'in_progress' ? ('due' as const) : ('waiting' as const)
      })
      const holds = await listHolds(db, partnerId)
      const placed = holds.find((hold) => hold.cause === cause)?.placedAt
      const kept = await findPartnerVerification(db, partnerId)
      return {
        state,
        deadlineAt: deadlineAt?.toISOString() ?? null,
        heldSince: placed?.toISOString() ?? null,
        salesStopped: kept?.salesStopped ?? false,
      }
    },

    /** From now on the partner is paid nothing; `source` names this one occurrence. */
    async holdForVerification(input: {
      partnerId: string
      source: string
      reason: 'requirements_due' | 'restricted' | 'rejected'
    }): Promise<void> {
      const { partnerId, source, reason } = input
      await inTransaction(db, async (trx) => {
        await placeHold(trx, { partnerId, cause, source, reason: `verification_${reason}` })
        await recordPartnerVerification(trx, partnerId, { payoutsHeld: true })
      })
    },

    /** From now on the partner opens no new subscriptions; those that run go on. */
    async stopSales({ partnerId }: { partnerId: string }): Promise<void> {
      await inTransaction(db, (trx) =>
        recordPartnerVerification(trx, partnerId, { salesStopped: true }),
      )
    },

    /** Gives back what was held for its verification, and only that. */
    async liftVerificationHolds({ partnerId }: { partnerId: string }): Promise<void> {
      await inTransaction(db, async (trx) => {
        await releaseHold(trx, { partnerId, cause })
        await recordPartnerVerification(trx, partnerId, {
          payoutsHeld: false,
          salesStopped: false,
        })
        await retryRejectedPayouts(trx, partnerId)
      })
    },

    /** Takes what a person wrote. @returns until when it holds, and whether it lifts holds. */
    async takeVerificationExtension(input: { extensionId: string }): Promise<{
      until: string
      lifts: boolean
    }> {
      const taken = await inTransaction(db, async (trx) => {
        const extension = await markExtensionTaken(trx, input.extensionId)
        await recordPartnerVerification(trx, extension.partnerId, {
          extendedUntil: extension.until,
        })
        return extension
      })
      return { until: taken.until.toISOString(), lifts: taken.lifts }
    },

    /** Tells the partner; of what takes something from it the platform's people hear too. */
    async mailVerification(input: {
      partnerId: string
      kind: ReverificationMail
      occurrence: string
    }): Promise<void> {
      const { partnerId, kind, occurrence } = input
      const partner = await getPartner(db, partnerId)
      const account = await accountOf(partnerId)
      const state = await findPartnerVerification(db, partnerId)
      await notifyOrPass(
        deps,
        {
          kind: `verification_${kind}`,
          subjectId: partnerId,
          recipient: partner.contactEmail,
          occurrence,
        },
        contents[kind]({
          contact: partner.contactName,
          company: partner.name,
          verificationUrl: links.verificationUrl(account.applicationId),
          days: state?.deadlineAt ? `by ${dayOf(state.deadlineAt)}` : 'soon',
        }),
      )
      if (kind !== 'held' && kind !== 'stopped') return
      for (const member of await listPlatformMembers(db)) {
        await notifyOrPass(
          deps,
          {
            kind: 'verification_drift',
            subjectId: partnerId,
            recipient: member.email,
            occurrence: `${occurrence}:${kind}:${member.id}`,
          },
          mails.verificationDrift({
            member: member.name,
            company: partner.name,
            what: kind === 'held' ? 'Its payouts are held.' : 'It sells nothing new.',
          }),
        )
      }
    },
  }
}

const contents = {
  due: mails.reverificationDue,
  reminder: mails.reverificationDue,
  held: mails.reverificationHeld,
  stopped: mails.reverificationStopped,
  restored: mails.reverificationDone,
} satisfies Record<ReverificationMail, unknown>
