/**
 * Who a partner is, as the payment provider says it: states, which may follow which, and how what
 * the provider shows is reduced to one of them. Codes only: nothing here names a person.
 */
import type { NextActor, VerificationStatus } from './onboarding.ts'

/** How urgent the most urgent question is; null where nothing is asked. */
export type RequirementDeadline = 'eventually_due' | 'currently_due' | 'past_due'

/** One thing that the provider asks for. */
export interface Requirement {
  /** What is asked, as the provider names the field. */
  code: string
  awaits: 'user' | 'stripe'
  deadline: RequirementDeadline
  /** What was wrong about the last try. */
  errors: string[]
}

/** What is read of an account, before anything is made of it. */
export interface AccountFacts {
  /** The state of the right to receive transfers; null where it was never asked for. */
  capability: string | null
  reason: string | null
  requirements: Requirement[]
}

export interface VerificationReading {
  /** Null for a word that we do not know: the state stays as it was, and the detail names it. */
  status: VerificationStatus | null
  /** The provider's reason as a code, or null. */
  detail: string | null
  nextActor: NextActor
  /** What the partner has to show, in the provider's names. */
  requirements: string[]
  deadline: RequirementDeadline | null
  /** Transfers reach the account now, whatever is still asked for. */
  transfersActive: boolean
  /** What was handed in was refused. */
  refused: boolean
}

const urgency: RequirementDeadline[] = ['eventually_due', 'currently_due', 'past_due']

/** The most urgent of these deadlines. */
export function mostUrgent(deadlines: RequirementDeadline[]): RequirementDeadline | null {
  return urgency.findLast((one) => deadlines.includes(one)) ?? null
}

/** What the provider shows, as one state. The same facts always give the same reading. */
export function readingOf(facts: AccountFacts): VerificationReading {
  const asked = facts.requirements.filter(({ awaits }) => awaits === 'user')
  const deadline = mostUrgent(asked.map((one) => one.deadline))
  const status = stateOf(facts, asked)
  const refusal = asked.find(({ errors }) => errors.length > 0)
  return {
    status,
    detail: status === null ? `unknown:${codeOf(facts.capability ?? '')}` : detailOf(facts, status),
    nextActor: actorOf(status),
    requirements: [...new Set(asked.map(({ code }) => code))].sort(),
    deadline,
    transfersActive: facts.capability === 'active',
    refused: status === 'needs_input' && refusal !== undefined,
  }
}

function stateOf(facts: AccountFacts, asked: Requirement[]): VerificationStatus | null {
  const { capability, reason, requirements } = facts
  if (capability === null) return 'not_started'
  if (reason?.startsWith('rejected') || capability === 'rejected') return 'rejected'
  if (capability === 'unsupported') return 'rejected'
  const due = asked.filter(({ deadline }) => deadline !== 'eventually_due')
  switch (capability) {
    case 'active':
      if (due.some(({ deadline }) => deadline === 'past_due')) return 'restricted'
      return due.length > 0 ? 'needs_input' : 'verified'
    case 'restricted':
    case 'pending':
      if (asked.some(({ errors }) => errors.length > 0)) return 'needs_input'
      if (asked.some(({ deadline }) => deadline === 'past_due')) return 'restricted'
      if (asked.length === 0) return capability === 'pending' ? 'pending_review' : resting(reason)
      return requirements.length > asked.length ? 'in_progress' : 'link_issued'
    default:
      return null
  }
}

/** Restricted with nothing to show: either the provider is still looking, or it has decided. */
function resting(reason: string | null): VerificationStatus {
  return reason === 'restricted_other' || reason === 'requirements_past_due'
    ? 'restricted'
    : 'pending_review'
}

function detailOf(facts: AccountFacts, status: VerificationStatus): string | null {
  switch (status) {
    case 'needs_input': {
      const errors = facts.requirements.flatMap((one) => one.errors)
      return errors[0] ?? facts.reason
    }
    case 'rejected':
      return facts.reason ?? facts.capability
    case 'restricted':
    case 'pending_review':
      return facts.reason
    default:
      return null
  }
}

const actors: Partial<Record<VerificationStatus, NextActor>> = {
  pending_review: 'vendor',
  verified: 'system',
  rejected: 'system',
  expired: null,
  redacted: null,
}

/** Who acts next in this state; the applicant or partner where nobody else does. */
export function actorOf(status: VerificationStatus | null): NextActor {
  if (status === null) return 'vendor'
  const actor = actors[status]
  return actor === undefined ? 'applicant' : actor
}

/** Codes of the provider are lower case words; anything else is not kept. */
export function codeOf(text: string): string {
  return /^[a-z0-9_.[\]]{1,120}$/i.test(text) ? text : 'other'
}

const looking: VerificationStatus[] = [
  'link_issued',
  'in_progress',
  'pending_review',
  'needs_input',
  'verified',
  'restricted',
  'rejected',
  'expired',
]

/** What may follow; a state that is read again is no transition. */
const following: Record<VerificationStatus, VerificationStatus[]> = {
  not_started: looking,
  link_issued: looking,
  in_progress: looking,
  pending_review: looking,
  needs_input: looking,
  restricted: looking,
  // What was verified is never asked from the beginning again.
  verified: ['pending_review', 'needs_input', 'restricted', 'rejected', 'expired', 'redacted'],
  rejected: ['redacted'],
  expired: ['redacted'],
  redacted: [],
}

export function mayFollow(from: VerificationStatus, to: VerificationStatus): boolean {
  return from === to || following[from].includes(to)
}

/**
 * The state after a reading. A partner that was verified once and lacks something needs input or
 * is restricted; one that never was is still on its first way. What is final stays.
 */
export function nextState(
  before: { status: VerificationStatus; everVerified: boolean },
  reading: Pick<VerificationReading, 'status' | 'deadline'>,
): VerificationStatus {
  const seen = reading.status
  if (seen === null || seen === 'not_started') return before.status
  const placed = before.everVerified ? afterApproval(seen, reading.deadline) : onTheWay(seen)
  return mayFollow(before.status, placed) ? placed : before.status
}

function afterApproval(
  seen: VerificationStatus,
  deadline: RequirementDeadline | null,
): VerificationStatus {
  if (seen !== 'link_issued' && seen !== 'in_progress') return seen
  return deadline === 'past_due' ? 'restricted' : 'needs_input'
}

/** Only what was verified can be restricted; before, the same words mean that input is missing. */
function onTheWay(seen: VerificationStatus): VerificationStatus {
  return seen === 'restricted' ? 'needs_input' : seen
}

/** Whether a partner's verification has to be taken up again. */
export function hasDrifted(status: VerificationStatus): boolean {
  return status === 'needs_input' || status === 'restricted' || status === 'rejected'
}

export const identityStatuses = [
  'created',
  'requires_input',
  'processing',
  'verified',
  'canceled',
  'redacted',
] as const
export type IdentityStatus = (typeof identityStatuses)[number]

/** What the provider says of a session; null for a word that we do not know. */
export function identityStatusOf(status: string, redaction: string | null): IdentityStatus | null {
  if (redaction === 'redacted') return 'redacted'
  const known = ['requires_input', 'processing', 'verified', 'canceled'] as const
  return known.find((one) => one === status) ?? null
}

/** The account and the check of a person as one: the way is done when both are. */
export function together(
  account: VerificationStatus,
  identity: { status: IdentityStatus; refused: boolean } | null,
): VerificationStatus {
  if (identity === null || account !== 'verified') return account
  switch (identity.status) {
    case 'verified':
    case 'redacted':
      return 'verified'
    case 'processing':
      return 'pending_review'
    default:
      return identity.refused ? 'needs_input' : 'in_progress'
  }
}

/** How often something was handed in and refused, against what the programme allows. */
export function isOutOfTries(refusals: number, resubmissions: number): boolean {
  return refusals > resubmissions
}

export interface ReverificationDeadlines {
  /** Seconds since the beginning at which the partner is reminded. */
  reminders: number[]
  /** Seconds after which payouts are held. */
  hold: number
  /** How many seconds after the hold new sales stop. */
  suspension: number
}

/** When payouts are held: by the provider's deadline or ours, whichever is first. Milliseconds. */
export function holdAt(since: number, hold: number, vendorDeadline: number | null): number {
  const ours = since + hold * 1_000
  return vendorDeadline === null ? ours : Math.min(ours, vendorDeadline)
}
