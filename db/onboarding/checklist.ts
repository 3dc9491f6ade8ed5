/** The facts of an application that an approval depends on, from every part of the way. */
import { type ChecklistFacts, type ChecklistItem, checklistOf } from '../../domain/checklist.ts'
import type { Audience } from '../../domain/onboarding.ts'
import type { Db } from '../database.ts'
import { findParent } from '../partners.ts'
import { findScreeningState } from '../screenings.ts'
import { listTerritoriesOf } from '../territories.ts'
import type { ApplicationRow } from './applications.ts'

/**
 * Each part of onboarding reads its fact here; `checklistOf` says what it means. What the applicant
 * is not told is not read for it either.
 */
export async function readChecklist(
  db: Db,
  row: ApplicationRow,
  audience: Audience = 'decider',
): Promise<ChecklistItem[]> {
  return checklistOf({
    screening: row.screening === null ? 'in_progress' : 'done',
    agreement: row.agreementStatus,
    verification: row.verificationStatus,
    identity: row.identityStatus,
    ...(audience === 'decider' ? await readInternalFacts(db, row) : {}),
  })
}

async function readInternalFacts(db: Db, row: ApplicationRow): Promise<Partial<ChecklistFacts>> {
  const [territories, screened, parent] = await Promise.all([
    listTerritoriesOf(db, row.id),
    row.screening && findScreeningState(db, row.id),
    row.parentId && !row.closedAt ? findParent(db, row.parentId) : undefined,
  ])
  const screening = row.screening && (screened ?? row.screening)
  return {
    screening,
    territories: territories.map(({ status }) => status),
    parent: parent?.status ?? null,
  }
}
