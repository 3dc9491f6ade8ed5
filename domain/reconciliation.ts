/** Differences between the books and the payment processor. */

export const breakKinds = [
  /** The books have sent it, and Stripe does not show it. */
  'missing_at_stripe',
  /** Stripe shows it as ours, and the books do not know it. */
  'unknown_at_stripe',
  'amount',
  'currency',
  /** It went to another account than the one of the payout. */
  'destination',
  /** It has been in clearing, or on its way, for longer than it may. */
  'clearing_age',
] as const
export type BreakKind = (typeof breakKinds)[number]

/** How a break ended: it was not there any more, or a person has explained it. */
export const breakResolutions = ['gone', 'by_person'] as const
export type BreakResolution = (typeof breakResolutions)[number]

const dayMs = 86_400_000

/** For how many whole days a break is known. */
export function ageInDays(firstSeenAt: Date, now: Date): number {
  return Math.max(0, Math.floor((now.getTime() - firstSeenAt.getTime()) / dayMs))
}
