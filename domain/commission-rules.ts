/** Commission rules: what they pay, to whom they apply, and which of several applies. */
import type { Rate } from './money.ts'
import type { TierName } from './tiers.ts'

export const lineRuleKinds = [
  'flat',
  'percentage',
  'hybrid',
  'tiered_marginal',
  'tiered_cliff',
] as const
export const ruleKinds = [...lineRuleKinds, 'performance'] as const

export const performanceMetrics = ['collected', 'new_customers'] as const
export type PerformanceMetric = (typeof performanceMetrics)[number]

export const capPeriods = ['day', 'week', 'month', 'all'] as const
export type CapPeriod = (typeof capPeriods)[number]

/** A stretch of volume with its rate: `from` belongs to it, `to` does not; null is open. */
export interface Band {
  from: bigint
  to: bigint | null
  rate: Rate
}

/** What a rule pays. Amounts are minor units of the programme's currency. */
export type RuleTerms =
  | { kind: 'flat'; amountPerUnit: bigint }
  | { kind: 'percentage'; rate: Rate }
  | { kind: 'hybrid'; rate: Rate; amountPerUnit: bigint }
  | { kind: 'tiered_marginal' | 'tiered_cliff'; bands: Band[] }
  | { kind: 'performance'; metric: PerformanceMetric; target: bigint; bonus: bigint }

/** Null is everybody, or everything. */
export interface RuleScope {
  /** Sales to the customers who came through this link, at whatever depth the rule pays. */
  link: string | null
  partner: string | null
  tier: TierName | null
  product: string | null
}

export interface CommissionRule {
  /** The name of the rule through all its versions. */
  code: string
  /** 0 pays the seller, 1 the partner above it, and so on. */
  depth: number
  terms: RuleTerms
  scope: RuleScope
  /** Half open; null is without an end on that side. */
  validFrom: Date | null
  validTo: Date | null
  cap: { amount: bigint; per: CapPeriod } | null
  /** The least that a line pays, never above its base. */
  floor: bigint | null
  /** Months from the customer's first accrual in which the rule pays; 0 is the first line only. */
  windowMonths: number | null
  /** Whether set-up fees earn under the rule. */
  setupFee: boolean
}

/** The stretch around an instant that a cap counts in: UTC, half open; null is without an end. */
export function capStretch(per: CapPeriod, at: Date): { from: Date | null; until: Date | null } {
  const [year, month, day] = [at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()]
  const days = (first: number, count: number) => ({
    from: new Date(Date.UTC(year, month, first)),
    until: new Date(Date.UTC(year, month, first + count)),
  })
  switch (per) {
    case 'day':
      return days(day, 1)
    case 'week':
      // Weeks begin on Mondays.
      return days(day - ((at.getUTCDay() + 6) % 7), 7)
    case 'month':
      return {
        from: new Date(Date.UTC(year, month, 1)),
        until: new Date(Date.UTC(year, month + 1, 1)),
      }
    case 'all':
      return { from: null, until: null }
  }
}
