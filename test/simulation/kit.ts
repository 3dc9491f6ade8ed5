/** Small scenarios as a file holds them, and what a reader says about each. */
import { readScenario, ScenarioError, type ScenarioProblem } from '../../simulation/scenario.ts'

export type Fields = Record<string, unknown>

export const payment = (changes: Fields = {}): Fields => ({
  type: 'payment',
  id: 'p1',
  at: '2026-11-03T10:00:00Z',
  partner: 'r',
  customer: 'c1',
  amount: 9_999,
  ...changes,
})

export const event = (type: string, changes: Fields = {}): Fields => ({
  type,
  at: '2026-11-05T00:00:00Z',
  ...changes,
})
export const refund = (changes: Fields = {}) =>
  event('refund', { id: 'x1', of: 'p1', amount: 3_333, ...changes })
export const dispute = (type: string, changes: Fields = {}) =>
  event(`dispute_${type}`, { id: 'd1', of: 'p1', amount: 9_999, ...changes })
export const move = (changes: Fields = {}) => event('move', { partner: 'r', to: 'm2', ...changes })
export const tier = (changes: Fields = {}) =>
  event('tier', { partner: 'r', tier: 'platinum', ...changes })
export const adjustment = (changes: Fields = {}) =>
  event('adjustment', { id: 'a1', partner: 'r', amount: -100, reason: 'goodwill', ...changes })

export const rule = (changes: Fields = {}): Fields => ({
  id: 'base',
  depth: 0,
  kind: 'percentage',
  rate_bps: 2_000,
  ...changes,
})
export const flat = (changes: Fields = {}) => {
  const { rate_bps: _, ...rest } = rule({ kind: 'flat', amount_per_unit: 100, ...changes })
  return rest
}
export const tiered = (bands: unknown, changes: Fields = {}) => {
  const { rate_bps: _, ...rest } = rule({ kind: 'tiered_marginal', bands, ...changes })
  return rest
}
export const bonus = (changes: Fields = {}) => ({
  id: 'bonus',
  kind: 'performance',
  metric: 'collected',
  target: 10_000,
  bonus: 500,
  ...changes,
})

export const partners = [
  { id: 'm', level: 'master_reseller' },
  { id: 'm2', level: 'master_reseller' },
  { id: 'r', level: 'reseller', parent: 'm', tier: 'gold' },
]

/** The smallest scenario, and what a case changes about it. */
export const scenario = (changes: Fields = {}): Fields => ({
  currency: 'USD',
  partners,
  rules: [rule()],
  ...changes,
})
export const events = (...list: unknown[]) => scenario({ events: list })
export const rules = (...list: unknown[]) => scenario({ rules: list })
export const withPartner = (changes: Fields) =>
  scenario({ partners: [...partners.slice(0, 2), { ...partners[2], ...changes }] })

export function problemsOf(input: unknown): ScenarioProblem[] {
  try {
    readScenario(input)
  } catch (error) {
    if (error instanceof ScenarioError) return error.problems
    throw error
  }
  return []
}
export const pathsOf = (input: unknown) => problemsOf(input).map(({ path }) => path)
export const read = (input: unknown) => readScenario(input)
export const readEvents = (...list: unknown[]) => read(events(...list)).events

export const longBands = (...edges: (number | null)[][]) =>
  rules(tiered(edges.map(([from, to]) => ({ from, to, rate_bps: 100 }))))
export const version = (from: string | null, to: string | null, changes: Fields = {}) =>
  rule({ valid_from: from, valid_to: to, ...changes })
export const june = '2026-06-01T00:00:00Z'
export const over = (changes: Fields = {}) => rule({ id: 'over', depth: 1, ...changes })
export const euro = (fx: unknown[], close: string[]) => ({
  ...withPartner({ payout_currency: 'EUR' }),
  fx,
  close,
})
export const rate = (changes: Fields = {}) => ({
  base: 'USD',
  quote: 'EUR',
  rate: '0.9',
  as_of: '2026-11-01T00:00:00Z',
  ...changes,
})
export const part = (id: string, changes: Fields = {}) =>
  payment({ id, invoice: 'i1', line: 'l1', line_amount: 9_999, amount: 3_333, ...changes })
