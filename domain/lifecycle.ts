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

export const offboardingStages = [
  'freezing',
  'exporting',
  'retrieval',
  'confirmation',
  'erasing',
  'erased',
  'cancelled',
] as const
export type OffboardingStage = (typeof offboardingStages)[number]

/** Deadlines of a tenant that leaves, in seconds. */
export interface OffboardingDeadlines {
  retrieval: number
  retrievalReminders: number[]
  erasureAlarm: number
}

/** Those that a programme sets, of all that it sets. */
export function offboardingDeadlines(deadlines: OffboardingDeadlines): OffboardingDeadlines {
  const { retrieval, retrievalReminders, erasureAlarm } = deadlines
  return { retrieval, retrievalReminders, erasureAlarm }
}

/** Tries of provisioning count from 1; those after a departure that was cancelled from here. */
export const reopenedFrom = 1_000
