/** What every look-up of names does, at the application and every night. */
import { type Db, inTransaction, type Trx } from '../db/database.ts'
import { recordTimeline } from '../db/onboarding/applications.ts'
import {
  type RecordedScreening,
  recordScreening,
  type ScreeningSubject,
  settleScreeningHold,
} from '../db/screenings.ts'
import type { ScreenedName, ScreeningResult } from '../domain/screening.ts'
import type { Screening } from '../integrations/screening/provider.ts'

/**
 * Keeps what was found of one name, with what follows from it: a partner with an open finding is
 * paid nothing, and those who decide on an applicant read of it.
 */
export async function keepScreening(
  trx: Trx,
  subject: ScreeningSubject,
  look: { name: ScreenedName; result: ScreeningResult; threshold: number },
): Promise<RecordedScreening> {
  const { name, result } = look
  const kept = await recordScreening(trx, subject, look)
  if ('partnerId' in subject) await settleScreeningHold(trx, subject.partnerId, kept.id)
  else if (kept.news) {
    await recordTimeline(trx, subject.applicationId, {
      key: `screening:${kept.id}`,
      stage: 'screening',
      actor: 'system',
      what: `screening needs a look: ${name.kind}, ${result.hits.length} findings`,
      internal: true,
    })
  }
  return kept
}

/**
 * Looks one name up and keeps what was found.
 * @throws VendorError while the lists cannot be looked at.
 */
export async function screenName(
  { db, screening }: { db: Db; screening: Screening },
  subject: ScreeningSubject,
  look: { name: ScreenedName; threshold: number },
): Promise<RecordedScreening> {
  const { name, threshold } = look
  const result = await screening.screen({ ...name, threshold })
  return inTransaction(db, (trx) => keepScreening(trx, subject, { name, result, threshold }))
}
