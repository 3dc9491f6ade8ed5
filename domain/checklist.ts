/** What has to be green before an application can be approved. */
import type { ErrorCode } from './errors.ts'
import type { AgreementStatus, VerificationStatus } from './onboarding.ts'
import type { PartnerStatus } from './partners.ts'
import type { ScreeningStatus } from './screening.ts'
import type { TerritoryStatus } from './territories.ts'

export interface ChecklistFacts {
  /** Whoever applies reads only whether it is done. */
  screening: ScreeningStatus | 'in_progress' | 'done' | null
  agreement: AgreementStatus | null
  verification: VerificationStatus | null
  /** How the wished territories stand; none where none are wished, or for the applicant. */
  territories?: TerritoryStatus[]
  /** Of the partner that it would stand below; left out for the applicant. */
  parent?: PartnerStatus | null
  /** Of the contact person; left out where the programme asks for none. */
  identity?: string | null
}

export interface ChecklistItem {
  item: string
  state: string
  done: boolean
  /** Nothing is approved while it is not done. */
  blocking: boolean
  /** By which an approval is refused while it is open; `not_ready` where it is left out. */
  refusal?: ErrorCode
}

/** Every part of the way adds its item here, from its own fact. */
export function checklistOf(facts: ChecklistFacts): ChecklistItem[] {
  return [
    screeningItem(facts.screening),
    {
      item: 'agreement',
      state: facts.agreement ?? 'not_started',
      done: facts.agreement === 'completed',
      blocking: true,
    },
    {
      item: 'verification',
      state: facts.verification ?? 'not_started',
      done: facts.verification === 'verified',
      blocking: true,
    },
    ...identityItem(facts.identity ?? null),
    ...territoriesItem(facts.territories ?? []),
    ...parentItem(facts.parent ?? null),
  ]
}

/** Findings are overridden by two persons before anything is approved. */
function screeningItem(status: ChecklistFacts['screening']): ChecklistItem {
  const state = status ?? 'not_started'
  const item = { item: 'screening', state, blocking: true }
  if (state === 'review' || state === 'confirmed') {
    return { ...item, done: false, refusal: 'screening_open' }
  }
  return { ...item, done: ['clear', 'overridden', 'done'].includes(state) }
}

function identityItem(state: string | null): ChecklistItem[] {
  if (state === null) return []
  const done = state === 'verified' || state === 'redacted'
  return [{ item: 'identity', state, done, blocking: true }]
}

/** A conflict has to be ruled on before an approval; what has run out is tried again by it. */
function territoriesItem(statuses: TerritoryStatus[]): ChecklistItem[] {
  if (statuses.length === 0) return []
  const isBlocked = statuses.includes('conflict')
  return [
    {
      item: 'territories',
      state: isBlocked ? 'conflict' : 'clear',
      done: !isBlocked,
      blocking: true,
      refusal: 'territory_conflict',
    },
  ]
}

/** Nobody is taken in below a partner that is suspended, or gone; then alone it is an item. */
function parentItem(status: PartnerStatus | null): ChecklistItem[] {
  if (status === null || status === 'active') return []
  const refusal = 'parent_not_active'
  return [{ item: 'parent', state: status, done: false, blocking: true, refusal }]
}

/** The names of the items for which an approval has to wait. */
export function openItems(checklist: ChecklistItem[]): string[] {
  return checklist.filter(({ blocking, done }) => blocking && !done).map(({ item }) => item)
}

/** The code by which an approval is refused, or null where nothing is open. */
export function blockOf(checklist: ChecklistItem[]): ErrorCode | null {
  const open = checklist.find(({ blocking, done }) => blocking && !done)
  return open ? (open.refusal ?? 'not_ready') : null
}
