/** A scenario as the simulator runs it: every name known, every default filled in. */
import type { CommissionRule } from '../domain/commission-rules.ts'
import type { TierName } from '../domain/tiers.ts'

export interface Scenario {
  currency: string
  programme: ScenarioProgramme
  partners: ScenarioPartner[]
  rules: CommissionRule[]
  fx: ScenarioRate[]
  /** In order of delivery; exact repetitions are removed. */
  events: ScenarioEvent[]
  close: string[]
}

export interface ScenarioProgramme {
  minimumPayout: bigint
  holdDays: number
  allocationUnit: 'line' | 'invoice'
  overridePoolBps: number | null
}

export interface ScenarioPartner {
  id: string
  level: 'master_reseller' | 'reseller'
  parent: string | null
  tier: TierName
  payoutCurrency: string | null
}

export interface ScenarioRate {
  base: string
  quote: string
  /** A plain decimal number. */
  rate: string
  asOf: Date
}

interface Delivered {
  at: Date
  receivedAt: Date
}

/** What happened, without when it reached us. */
export type ScenarioFact =
  | {
      type: 'payment'
      id: string
      invoice: string
      line: string
      partner: string
      customer: string
      product: string | null
      quantity: bigint
      amount: bigint
      /** The whole line; null where the file leaves it to what is paid of it. */
      lineAmount: bigint | null
      setupFee: boolean
    }
  | { type: 'refund' | 'credit_note'; id: string; of: string; amount: bigint }
  | { type: 'refund_failed'; id: string | null; of: string }
  | {
      type: 'dispute_opened' | 'dispute_lost' | 'dispute_won'
      id: string
      of: string
      amount: bigint
    }
  | { type: 'tier'; partner: string; tier: TierName }
  | { type: 'move'; partner: string; to: string }
  | { type: 'adjustment'; id: string; partner: string; amount: bigint; reason: string }

export type ScenarioEvent = Delivered & ScenarioFact

/** An event as the file states it: null where it leaves the delivery to the default. */
export type StatedEvent = { at: Date; receivedAt: Date | null } & ScenarioFact

export interface ScenarioProblem {
  /** Names joined by dots, indexes in brackets; empty for the file as a whole. */
  path: string
  found: string
  expected: string
}

/** Everything that is wrong with a scenario, at once. */
export class ScenarioError extends Error {
  readonly problems: ScenarioProblem[]

  constructor(problems: ScenarioProblem[]) {
    const lines = problems.map(
      ({ path, found, expected }) => `${path || 'the file'}: found ${found}, expected ${expected}`,
    )
    super(`the scenario has ${problems.length} problem(s)\n${lines.join('\n')}`)
    this.name = 'ScenarioError'
    this.problems = problems
  }
}

/** A well-formed part of the file and where it stands. */
export interface Located<T> {
  path: string
  value: T
}

const longestShown = 80

/** A value of the file in a message. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text = typeof value === 'bigint' ? value.toString() : JSON.stringify(value)
  return text.length > longestShown ? `${text.slice(0, longestShown)}…` : text
}

/** The well-formed parts of a file whose names and sums are still to be checked. */
export interface Draft {
  currency: string | null
  partners: Located<ScenarioPartner>[]
  rules: Located<CommissionRule>[]
  fx: Located<ScenarioRate>[]
  events: Located<ScenarioEvent>[]
  close: Located<string>[]
}
