/** How partnerships end: for which reasons, what becomes of the money, and what of the data. */
import type { PartnerStatus } from './partners.ts'

export const terminationReasons = ['mutual', 'breach', 'fraud', 'inactive'] as const
export type TerminationReason = (typeof terminationReasons)[number]

/** Fraud forfeits what is not paid yet; whoever leaves otherwise keeps what it earned. */
export function forfeits(reason: TerminationReason): boolean {
  return reason === 'fraud'
}

const next: Record<PartnerStatus, readonly PartnerStatus[]> = {
  approved: ['active', 'terminated'],
  active: ['suspended', 'terminated'],
  suspended: ['active', 'terminated'],
  // By two persons, for as long as its data are there.
  terminated: ['approved', 'active'],
}

export function mayBecome(from: PartnerStatus, to: PartnerStatus): boolean {
  return next[from].includes(to)
}
