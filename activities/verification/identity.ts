/** Checks of a person: one session for one verification, opened, read and ended. */
import { inTransaction } from '../../db/database.ts'
import {
  findIdentityCheck,
  type IdentityCheckRow,
  markIdentitySession,
  recordIdentity,
  recordIdentityCheck,
} from '../../db/onboarding/identity-checks.ts'
import { outwardId } from '../../domain/ids.ts'
import type { IdentityStatus } from '../../domain/verification.ts'
import type { ActivityDeps } from '../deps.ts'

export interface PersonCheck {
  status: IdentityStatus
  /** The last try failed, and the person may try again. */
  refused: boolean
  refusals: number
}

type Parts = Pick<ActivityDeps, 'db' | 'identity' | 'links'>

/** The session that waits for the person; another one only where the last is over. */
export async function openIdentity(
  deps: Parts,
  whose: { applicationId: string; partnerId: string | null },
): Promise<void> {
  const last = await findIdentityCheck(deps.db, whose.applicationId)
  const over = last && ['canceled', 'redacted'].includes(last.status)
  const attempt = (last?.attempt ?? 1) + (over ? 1 : 0)
  await openAttempt(deps, { ...whose, attempt })
}

/** A new session, because the last one proved what is too long ago; repeating it finds it. */
export async function renewIdentity(
  deps: Parts,
  whose: { applicationId: string; partnerId: string },
): Promise<void> {
  const last = await findIdentityCheck(deps.db, whose.applicationId)
  const wanted = last === undefined || last.status === 'verified' || last.status === 'redacted'
  const attempt = (last?.attempt ?? 0) + (wanted ? 1 : 0)
  await openAttempt(deps, { ...whose, attempt })
}

async function openAttempt(
  { db, identity, links }: Parts,
  whose: { applicationId: string; partnerId: string | null; attempt: number },
): Promise<void> {
  const check = await recordIdentityCheck(db, whose)
  if (check.vendorSessionId) return
  const reference = outwardId('application', whose.applicationId)
  const { sessionId } = await identity.openSession(
    {
      reference,
      returnUrl: links.statusUrl(whose.applicationId),
      metadata: { application: reference, check: check.id },
    },
    `identity:${check.id}`,
  )
  await markIdentitySession(db, check.id, sessionId)
}

/** Reads the session at the vendor and keeps its outcome. @returns null where there is none. */
export async function readIdentity(
  deps: Parts,
  check: IdentityCheckRow | undefined,
): Promise<PersonCheck | null> {
  if (!check?.vendorSessionId) return null
  const seen = await deps.identity.readSession(check.vendorSessionId)
  const { status, refusals, lastError } = await inTransaction(deps.db, (trx) =>
    recordIdentity(trx, check.id, seen),
  )
  if (status === 'canceled') {
    const { applicationId, partnerId } = check
    await openIdentity(deps, { applicationId, partnerId })
    return { status: 'requires_input', refused: false, refusals }
  }
  return { status, refused: status === 'requires_input' && lastError !== null, refusals }
}

/** Ends a session that nobody needs any more; what it found is redacted when its time comes. */
export async function closeIdentity(
  { db, identity }: Parts,
  check: IdentityCheckRow | undefined,
): Promise<void> {
  if (!check?.vendorSessionId || check.status === 'redacted') return
  await identity.cancelSession(check.vendorSessionId)
  const seen = await identity.readSession(check.vendorSessionId)
  await inTransaction(db, (trx) => recordIdentity(trx, check.id, seen))
}
