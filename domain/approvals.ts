/** What takes two persons: one proposes it, another signs exactly what was proposed. */
import type { ErrorCode } from './errors.ts'
import type { TerminationReason } from './lifecycle.ts'
import type { TierName } from './tiers.ts'

export const approvalKinds = [
  'manual_entry',
  'tier_override',
  'termination',
  'reinstatement',
  'screening_override',
  'payout_write_off',
  'write_off',
] as const
export type ApprovalKind = (typeof approvalKinds)[number]

/** `expired` is a proposal that nobody decided in time. */
export const approvalStatuses = [
  'proposed',
  'approved',
  'rejected',
  'withdrawn',
  'expired',
] as const
export type ApprovalStatus = (typeof approvalStatuses)[number]

/**
 * An entry in the books of a partner; a negative amount takes from it. A write-off is the whole
 * balance of the partner with its sign turned.
 */
export interface EntryProposal {
  kind: 'manual_entry' | 'write_off'
  amountMinor: bigint
  currency: string
  happenedAt: Date
}

/** A tier that no review decided; it holds until its end, or for good. */
export interface OverrideProposal {
  kind: 'tier_override'
  tier: TierName
  until: Date | null
}

/** The end of a partnership; customers and partners below go to the successor. */
export interface TerminationProposal {
  kind: 'termination'
  reasonCode: TerminationReason
  successorId: string | null
  /** Null is with the approval. */
  effectiveAt: Date | null
}

/** The way back after a termination. */
export interface ReinstatementProposal {
  kind: 'reinstatement'
}

/** That a payout which cannot be delivered is given up; the amount is what its statement loses. */
export interface WriteOffProposal {
  kind: 'payout_write_off'
  payoutId: string
  amountMinor: bigint
  currency: string
  happenedAt: Date
}

/** That the one who was looked up is not the one on the list. */
export interface ScreeningProposal {
  kind: 'screening_override'
  screeningId: string
  listVersion: string
  /** What was found, as it is signed. */
  hits: readonly { list: string; entryId: string; entryName: string; score: number }[]
  /** Null while it is an applicant that was looked up. */
  concernedId: string | null
}

export type Proposal = (
  | ((
      | EntryProposal
      | OverrideProposal
      | TerminationProposal
      | ReinstatementProposal
      | WriteOffProposal
    ) & { concernedId: string })
  | ScreeningProposal
) & { id: string; reason: string }

/** Everything that is signed, in one form: its hash is the signature's subject. */
export function proposalText(proposal: Proposal): string {
  const { id, kind, concernedId, reason } = proposal
  return JSON.stringify([kind, id, concernedId, reason, ...termsOf(proposal)])
}

function termsOf(proposal: Proposal): (string | null | string[])[] {
  switch (proposal.kind) {
    case 'manual_entry':
    case 'write_off': {
      const { amountMinor, currency, happenedAt } = proposal
      return [amountMinor.toString(), currency, happenedAt.toISOString()]
    }
    case 'payout_write_off': {
      const { payoutId, amountMinor, currency, happenedAt } = proposal
      return [payoutId, amountMinor.toString(), currency, happenedAt.toISOString()]
    }
    case 'tier_override':
      return [proposal.tier, proposal.until?.toISOString() ?? null]
    case 'termination': {
      const { reasonCode, successorId, effectiveAt } = proposal
      return [reasonCode, successorId, effectiveAt?.toISOString() ?? null]
    }
    case 'reinstatement':
      return []
    case 'screening_override': {
      const hits = proposal.hits.map(({ list, entryId, entryName, score }) =>
        JSON.stringify([list, entryId, entryName, score]),
      )
      return [proposal.screeningId, proposal.listVersion, hits.sort()]
    }
  }
}

export type Verdict = 'approved' | 'rejected' | 'withdrawn'

/** Why a member may not decide like this, or null. */
export function decisionRefusal(
  proposal: { status: ApprovalStatus; proposedBy: string; payloadHash: string },
  decision: {
    verdict: Verdict
    memberId: string
    /** Whether it is the proposer under another membership. */
    samePerson: boolean
    payloadHash?: string | undefined
  },
): ErrorCode | null {
  if (proposal.status === 'expired') return 'gone'
  if (proposal.status !== 'proposed') return 'already_decided'
  const proposed = decision.memberId === proposal.proposedBy
  if (decision.verdict === 'withdrawn') return proposed ? null : 'forbidden'
  if (proposed || decision.samePerson) return 'second_person_required'
  if (decision.verdict === 'approved' && decision.payloadHash !== proposal.payloadHash) {
    return 'payload_changed'
  }
  return null
}
