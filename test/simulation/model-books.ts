/** What the reference model keeps while a scenario runs. */
import type { Scenario } from '../../simulation/scenario.ts'
import {
  type Event,
  entry,
  monthAfter,
  monthOf,
  type Payment,
  type Rule,
  sum,
  type Tier,
} from './model-kit.ts'
import type { Line } from './model-shares.ts'

export interface Earner {
  partner: string
  depth: number
  tier: Tier
}

export interface Share extends Earner {
  rule: Rule
  amount: bigint
}

/** Payments that are reported, taken back and held together: one, or those of an invoice. */
export interface Unit {
  /** The payment under which the shares are reported. */
  payment: Payment
  payments: Payment[]
  base: bigint
}

export interface Accrual extends Share {
  unit: Unit
  period: string
  /** What went back so far, by the period in which it did. */
  back: Map<string, bigint>
  /** What statements with a payable paid of it. */
  /** What the last statement with a payable held of it; null before there was one. */
  kept: bigint | null
  paidAt: Paid | null
}

/** The statement with which money was first paid, and the rate where it was converted. */
export interface Paid {
  period: string
  rate: string | null
}

export interface Volume {
  rule: Rule
  partner: string
  period: string
  amount: bigint
  payments: Payment[]
}

export interface TrueUp {
  volume: Volume
  net: bigint
  amount: bigint
  back: bigint
  paidAt: Paid | null
  /** What was reversed of each payment within its period. */
  reversed: Map<string, bigint>
}

/** A figure of a partner in a period. */
export interface Figure {
  partner: string
  period: string
  amount: bigint
}

export interface Bonus extends Figure {
  rule: string
}

export interface Clawback extends Figure {
  cause: string
  of: string
  /** What goes back. */
  origin: Accrual | TrueUp
}

/** A payment that is booked: where it landed, and who might earn from it. */
export interface Landed {
  payment: Payment
  period: string
  earners: Earner[]
}

export interface Books {
  scenario: Scenario
  closed: Set<string>
  /** When the first line of each customer of each partner was, of those booked so far. */
  firsts: Map<string, Date>
  /** What each rule id gave each partner in each span of a cap. */
  used: Map<string, bigint>
  lines: Map<string, Line>
  volumes: Map<string, Volume>
  landed: Map<string, Landed>
  accruals: Accrual[]
  platform: { payment: string; amount: bigint }[]
  /** What was reversed of each payment, as it landed. */
  reversals: { payment: string; period: string; amount: bigint; cause: string }[]
  clawbacks: Clawback[]
  trueUps: TrueUp[]
  bonuses: Bonus[]
  adjustments: Figure[]
  delivered: Event[]
  /** The most that was ever reversed of each payment, beyond what was paid too. */
  highest: Map<string, bigint>
  /** Shapes on which the contract is silent or the product is known to differ. */
  shapes: Set<string>
  tierAt(partner: string, at: Date): Tier
  parentAt(partner: string, at: Date): string | null
  lineOf(payment: Payment): Line
  volumeOf(rule: Rule, partner: string, period: string): Volume
  /** The month of an instant, or the next one that is open. */
  landing(at: Date): string
}

/** A customer is one of the partner that sells to it. */
export const customerKey = ({ partner, customer }: Payment) => JSON.stringify([partner, customer])
export const lineKey = ({ invoice, line }: Payment) => JSON.stringify([invoice, line])

export function paymentsOf({ events }: Scenario): Payment[] {
  return events.filter((event) => event.type === 'payment')
}

export function openBooks(scenario: Scenario): Books {
  const closed = new Set<string>()
  const lines = new Map<string, Line>()
  const volumes = new Map<string, Volume>()
  const payments = Map.groupBy(paymentsOf(scenario), lineKey)
  const start = new Map(scenario.partners.map((partner) => [partner.id, partner]))
  return {
    scenario,
    closed,
    lines,
    volumes,
    firsts: new Map(),
    used: new Map(),
    landed: new Map(),
    accruals: [],
    platform: [],
    reversals: [],
    clawbacks: [],
    trueUps: [],
    bonuses: [],
    adjustments: [],
    delivered: [],
    highest: new Map(),
    shapes: new Set(),
    tierAt(partner, at) {
      const changes = scenario.events.filter((event) => event.type === 'tier')
      const last = lastUntil(changes, { partner, at })
      return last?.tier ?? start.get(partner)?.tier ?? 'bronze'
    },
    parentAt(partner, at) {
      const moves = scenario.events.filter((event) => event.type === 'move')
      const last = lastUntil(moves, { partner, at })
      return last ? last.to : (start.get(partner)?.parent ?? null)
    },
    lineOf(payment) {
      const parts = payments.get(lineKey(payment)) ?? []
      const stated = parts.find(({ lineAmount }) => lineAmount !== null)?.lineAmount
      return entry(lines, lineKey(payment), () => ({
        total: stated ?? sum(parts.map(({ amount }) => amount)),
        collected: 0n,
        payments: 0,
        applied: new Map(),
        slots: new Map(),
        booked: new Map(),
      }))
    },
    volumeOf(rule, partner, period) {
      const key = JSON.stringify([scenario.rules.indexOf(rule), partner, period])
      return entry(volumes, key, () => ({ rule, partner, period, amount: 0n, payments: [] }))
    },
    landing(at) {
      let period = monthOf(at)
      while (closed.has(period)) period = monthAfter(period)
      return period
    },
  }
}

/** The last change of a partner that counts at an instant; at one time the last one delivered. */
function lastUntil<T extends { partner: string; at: Date }>(
  changes: T[],
  { partner, at }: { partner: string; at: Date },
): T | undefined {
  return changes
    .filter((change) => change.partner === partner && change.at <= at)
    .sort((a, b) => a.at.getTime() - b.at.getTime())
    .at(-1)
}
