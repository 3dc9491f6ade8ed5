/** What the vendor's events about accounts and sessions lead to: a look, and whom to tell. */
import { inTransaction } from '../../db/database.ts'
import type { Wake } from '../../db/inbox.ts'
import {
  findIdentityCheckBySession,
  type IdentityCheckRow,
  isIdentityOld,
  recordIdentity,
} from '../../db/onboarding/identity-checks.ts'
import {
  findPayoutAccountByVendorId,
  recordVerification,
} from '../../db/onboarding/payout-accounts.ts'
import { findPartner } from '../../db/partners.ts'
import { retryRejectedPayouts } from '../../db/payouts.ts'
import { getProgramme } from '../../db/programmes.ts'
import { signalNames, workflowIds, workflowTypes } from '../../domain/process-names.ts'
import { hasDrifted } from '../../domain/verification.ts'
import type { ActivityDeps } from '../deps.ts'

/**
 * Verification is never over: an account of a partner is read again as well. What it lacks is
 * taken up by a process of its own; what was held for it is paid by the sweeper's next round.
 */
export async function wakeForAccount(
  deps: ActivityDeps,
  vendorAccountId: string,
): Promise<Wake | null> {
  const account = await findPayoutAccountByVendorId(deps.db, vendorAccountId)
  if (!account || account.closedAt) return null
  const { partnerId } = account
  if (!partnerId) return wakeOnboarding(account.applicationId)
  const seen = await deps.connect.readVerification(vendorAccountId)
  const { status, changed } = await inTransaction(deps.db, async (trx) => {
    const recorded = await recordVerification(trx, account.id, seen)
    if (recorded.status === 'verified') await retryRejectedPayouts(trx, partnerId)
    return recorded
  })
  const wanting = hasDrifted(status) || (await wantsPerson(deps, partnerId))
  return takeUp(deps, { partnerId, wanting, changed })
}

/** The same for a check of a person; what was redacted is only noted, which is the proof. */
export async function wakeForSession(
  deps: ActivityDeps,
  vendorSessionId: string,
): Promise<Wake | null> {
  const check = await findIdentityCheckBySession(deps.db, vendorSessionId)
  if (!check) return null
  const seen = await deps.identity.readSession(vendorSessionId)
  const { changed } = await inTransaction(deps.db, (trx) => recordIdentity(trx, check.id, seen))
  if (seen.redacting) return null
  return wakeAfter(deps, check, changed)
}

async function wakeAfter(
  deps: ActivityDeps,
  { partnerId, applicationId, status }: IdentityCheckRow,
  changed: boolean,
): Promise<Wake | null> {
  if (!partnerId) return wakeOnboarding(applicationId)
  return takeUp(deps, { partnerId, wanting: status !== 'verified', changed })
}

function wakeOnboarding(applicationId: string): Wake {
  return {
    workflowId: workflowIds.onboarding(applicationId),
    signal: signalNames.verificationChanged,
  }
}

/** The programme wants to know the contact, and knows it from too long ago. */
async function wantsPerson({ db }: ActivityDeps, partnerId: string): Promise<boolean> {
  const { onboarding } = await getProgramme(db)
  return onboarding.identityCheck === 'contact' && (await isIdentityOld(db, partnerId))
}

/**
 * Starts the process of a partner that lacks something, and tells a running one only what is new,
 * so that looks that find nothing do not fill its history.
 */
async function takeUp(
  { db, processes }: ActivityDeps,
  { partnerId, wanting, changed }: { partnerId: string; wanting: boolean; changed: boolean },
): Promise<Wake | null> {
  const workflowId = workflowIds.reverification(partnerId)
  const partner = await findPartner(db, partnerId)
  if (partner?.status === 'terminated') return null
  if (!wanting) return changed ? { workflowId, signal: signalNames.verificationChanged } : null
  const { deadlines } = await getProgramme(db)
  const process = {
    type: workflowTypes.kycReverification,
    workflowId,
    input: {
      partnerId,
      deadlines: {
        reminders: deadlines.reverificationReminders,
        hold: deadlines.reverificationHold,
        suspension: deadlines.reverificationSuspension,
      },
    },
  }
  if (changed) await processes.wake({ ...process, signal: signalNames.verificationChanged })
  else await processes.ensureRunning(process)
  return null
}
