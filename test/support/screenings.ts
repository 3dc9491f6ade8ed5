/** Screenings with a finding, as a look-up leaves them. */
import { randomUUIDv7 } from 'node:crypto'
import { type Db, inTransaction } from '../../db/database.ts'
import { recordScreening, type ScreeningSubject, settleScreeningHold } from '../../db/screenings.ts'
import type { Hit, ScreenedName } from '../../domain/screening.ts'

/** The name of a company, found on a list of a version of its own. @returns the screening's id. */
export async function makeScreening(
  db: Db,
  subject: ScreeningSubject,
  wishes: Partial<Hit> & { name?: Partial<ScreenedName>; listVersion?: string; hits?: Hit[] } = {},
): Promise<string> {
  const { name, listVersion = randomUUIDv7(), hits, ...changes } = wishes
  const hit = { list: 'test', entryId: '1', entryName: 'Entry', programs: [], score: 90 }
  const asked = { kind: 'company', role: 'company', name: 'Name', country: 'US', ...name } as const
  const found = hits ?? [{ ...hit, ...changes }]
  const { id } = await inTransaction(db, async (trx) => {
    const result = { provider: 'file', list: 'test', listVersion, hits: found } as const
    const kept = await recordScreening(trx, subject, { name: asked, result, threshold: 85 })
    if ('partnerId' in subject) await settleScreeningHold(trx, subject.partnerId, kept.id)
    return kept
  })
  return id
}
