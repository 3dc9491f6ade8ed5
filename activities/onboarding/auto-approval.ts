/** Approvals by rules of the programme: only where a person would have nothing to look at. */
import { randomUUIDv7 } from 'node:crypto'
import { databaseNow, type Trx } from '../../db/database.ts'
import type { ApplicationRow } from '../../db/onboarding/applications.ts'
import { readChecklist } from '../../db/onboarding/checklist.ts'
import { findRuleNote, recordDecisionNote } from '../../db/onboarding/decisions.ts'
import { hasTwins } from '../../db/onboarding/twins.ts'
import type { Programme } from '../../db/programmes.ts'
import { needsTwoApprovers } from '../../domain/decisions.ts'
import { firstFit } from '../../domain/pre-screen.ts'
import { factsOf } from './pre-screen.ts'

/** Whether two persons have to approve this application, as the programme is set now. */
export function takesTwo({ currency, onboarding }: Programme, row: ApplicationRow): boolean {
  const { expectedVolumeMinor: minor, expectedVolumeCurrency: unit } = row
  const volume = minor === null || unit === null ? null : { minor, currency: unit }
  return needsTwoApprovers(volume, { currency, twoApproversFrom: onboarding.twoApproversFrom })
}

/** Nothing is open, nothing resembles it, no rule asked for a look, and one approval suffices. */
async function isPlain(trx: Trx, row: ApplicationRow, programme: Programme): Promise<boolean> {
  if (row.preScreen !== null || row.screening !== 'clear') return false
  if (takesTwo(programme, row)) return false
  const [twins, checklist] = await Promise.all([hasTwins(trx, row.id), readChecklist(trx, row)])
  return !twins && checklist.every(({ done }) => done)
}

/** @returns the decision of the first rule that fits, which is still to be recorded, or null. */
export async function decideByRule(
  trx: Trx,
  row: ApplicationRow,
  programme: Programme,
): Promise<string | null> {
  const rule = firstFit(programme.onboarding.autoApproval, factsOf(row))
  const [before, plain, now] = await Promise.all([
    findRuleNote(trx, row.id),
    rule !== undefined && isPlain(trx, row, programme),
    rule && databaseNow(trx),
  ])
  if (before) return before
  if (!rule || !plain || !now) return null
  const id = randomUUIDv7()
  await recordDecisionNote(trx, {
    id,
    applicationId: row.id,
    memberId: null,
    rule: rule.name,
    decision: 'approve',
    reason: `the rule ${rule.name} fits`,
    effectiveFrom: now,
  })
  return id
}
