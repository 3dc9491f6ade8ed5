/** What the parts of a scenario say about each other: names, versions, rates and sums. */
import { formatRate } from '../domain/commission-reasons.ts'
import type { CommissionRule } from '../domain/commission-rules.ts'
import { periodEnd } from '../domain/period.ts'
import {
  bandProblems,
  type ChainExcess,
  chainExcess,
  overlaps,
  paysLines,
  sameScope,
  validTogether,
} from '../domain/rule-checks.ts'
import { chainsOf, circleProblems, moveProblems } from './scenario-chains.ts'
import { type Draft, type Located, type ScenarioProblem, shown } from './scenario-types.ts'

const listOf = (section: unknown): unknown[] => (Array.isArray(section) ? section : [])

/** A name that an entry of the file holds, however malformed the rest of the entry is. */
function nameIn(entry: unknown, field: string): string | null {
  if (typeof entry !== 'object' || entry === null || !Object.hasOwn(entry, field)) return null
  const value: unknown = Reflect.get(entry, field)
  return typeof value === 'string' && value !== '' ? value : null
}

const idsOf = (entries: unknown[]) => new Set(entries.map((entry) => nameIn(entry, 'id')))

/** Which fields of an event name something, by type. */
const namingFields: Record<string, Record<string, 'partners' | 'payments' | 'refunds'>> = {
  payment: { partner: 'partners' },
  refund: { of: 'payments' },
  credit_note: { of: 'payments' },
  refund_failed: { of: 'refunds' },
  dispute_opened: { of: 'payments' },
  dispute_lost: { of: 'payments' },
  dispute_won: { of: 'payments' },
  tier: { partner: 'partners' },
  move: { partner: 'partners', to: 'partners' },
  adjustment: { partner: 'partners' },
}

/** Names that stand nowhere in the file, also in entries with other problems. */
export function nameProblems(file: {
  partners?: unknown
  rules?: unknown
  events?: unknown
}): ScenarioProblem[] {
  const events = listOf(file.events)
  const ofType = (type: string) => idsOf(events.filter((event) => nameIn(event, 'type') === type))
  const known = {
    partners: idsOf(listOf(file.partners)),
    payments: ofType('payment'),
    refunds: ofType('refund'),
  }
  const look = (place: Located<unknown>, fields: Record<string, keyof typeof known>) =>
    Object.entries(fields).flatMap(([field, what]) => {
      const name = nameIn(place.value, field)
      if (name === null || known[what].has(name)) return []
      const expected = `the id of one of the ${what} in the file`
      return [{ path: `${place.path}.${field}`, found: shown(name), expected }]
    })
  return [
    ...located('partners', file.partners).flatMap((at) => look(at, { parent: 'partners' })),
    ...located('rules', file.rules).flatMap((at) => look(at, { partner: 'partners' })),
    ...located('events', file.events).flatMap((at) =>
      look(at, namingFields[nameIn(at.value, 'type') ?? ''] ?? {}),
    ),
  ]
}

function located(section: string, entries: unknown): Located<unknown>[] {
  return listOf(entries).map((value, index) => ({ path: `${section}[${index}]`, value }))
}

/** @param before what is malformed already, so that nothing is told to be missing because of it. */
export function draftProblems(draft: Draft, before: ScenarioProblem[]): ScenarioProblem[] {
  const circles = circleProblems(draft.partners)
  const fxIsRead = !before.some(({ path }) => /^fx(\[|$)/.test(path))
  return [
    ...partnerIdProblems(draft),
    ...circles,
    ...draft.rules.flatMap(ruleProblems),
    ...versionProblems(draft.rules),
    ...overlapProblems(draft.rules),
    // In a circle nobody stands at the top, so there is no chain to follow.
    ...(circles.length === 0 ? hierarchyProblems(draft) : []),
    ...repeatedRates(draft),
    ...(fxIsRead ? missingRates(draft) : []),
    ...closeProblems(draft.close),
  ]
}

function partnerIdProblems({ partners }: Draft): ScenarioProblem[] {
  const known = new Set<string>()
  return partners.flatMap(({ path, value: { id } }) => {
    if (!known.has(id)) {
      known.add(id)
      return []
    }
    return [{ path: `${path}.id`, found: shown(id), expected: 'an id that no other partner has' }]
  })
}

function ruleProblems({ path, value: { terms, ...rule } }: Located<CommissionRule>) {
  const problems: ScenarioProblem[] = []
  if (rule.validFrom && rule.validTo && rule.validTo <= rule.validFrom) {
    const expected = `an instant after valid_from, ${rule.validFrom.toISOString()}`
    problems.push({ path: `${path}.valid_to`, found: rule.validTo.toISOString(), expected })
  }
  if ('bands' in terms) {
    for (const { index, edge, found, expected } of bandProblems(terms.bands)) {
      problems.push({ path: `${path}.bands[${index}].${edge}`, found: shown(found), expected })
    }
  }
  return problems
}

/** Rules with one id are versions of one rule: one after the other, for the same partners. */
function versionProblems(rules: Located<CommissionRule>[]): ScenarioProblem[] {
  return rules.flatMap(({ path, value }, index) => {
    const earlier = rules.slice(0, index).filter((other) => other.value.code === value.code)
    const clash = earlier.find((other) => !areVersions(other.value, value))
    if (!clash) return []
    const expected = `an id of its own, or depth and scope of ${clash.path} at another time`
    return [{ path: `${path}.id`, found: shown(value.code), expected }]
  })
}

function areVersions(a: CommissionRule, b: CommissionRule): boolean {
  return (
    a.depth === b.depth && paysLines(a) === paysLines(b) && sameScope(a, b) && !validTogether(a, b)
  )
}

type Paths = (rule: CommissionRule) => string

function pathsOf(rules: Located<CommissionRule>[]): Paths {
  const paths = new Map(rules.map(({ path, value }) => [value, path]))
  return (rule) => paths.get(rule) ?? 'rules'
}

function overlapProblems(rules: Located<CommissionRule>[]): ScenarioProblem[] {
  const pathOf = pathsOf(rules)
  return overlaps(rules.map(({ value }) => value)).map(({ rule, other }) => ({
    path: pathOf(other),
    found: `${shown(other.code)}, as specific as ${pathOf(rule)} at one time`,
    expected: `another depth, scope or time than ${pathOf(rule)}`,
  }))
}

/** What is wrong with moves, and with percentages over the chains that there are. */
function hierarchyProblems(draft: Draft): ScenarioProblem[] {
  const partners = draft.partners.map(({ value }) => value)
  const events = draft.events.map(({ value }) => value)
  const pathOf = pathsOf(draft.rules)
  const excesses = chainExcess(
    draft.rules.map(({ value }) => value),
    chainsOf(partners, events),
  )
  return [
    ...moveProblems(partners, draft.events),
    ...excesses.map((excess) => excessProblem(excess, pathOf)),
  ]
}

function excessProblem(excess: ChainExcess, pathOf: Paths): ScenarioProblem {
  const { rules, partners, total } = excess
  const last = rules.at(-1)
  return {
    path: last ? pathOf(last) : 'rules',
    found: `${formatRate(total)} from ${rules.map(pathOf).join(', ')} over ${partners.join(', ')}`,
    expected: 'at most 100 % over one chain',
  }
}

function repeatedRates({ fx }: Draft): ScenarioProblem[] {
  const known = new Map<string, string>()
  return fx.flatMap(({ path, value: { base, quote, asOf } }) => {
    const key = `${base}/${quote}/${asOf.getTime()}`
    const first = known.get(key)
    if (first === undefined) {
      known.set(key, path)
      return []
    }
    const expected = `one rate at a time: ${first} has the same currencies`
    return [{ path: `${path}.as_of`, found: asOf.toISOString(), expected }]
  })
}

/** Who is paid in another currency needs a rate from the first close on. */
function missingRates({ currency, partners, fx, close }: Draft): ScenarioProblem[] {
  if (currency === null) return []
  return partners.flatMap(({ path, value: { payoutCurrency } }) => {
    if (payoutCurrency === null || payoutCurrency === currency) return []
    const rates = fx.filter(
      ({ value }) => value.base === currency && value.quote === payoutCurrency,
    )
    const missing = close.find(({ value }) =>
      rates.every((rate) => rate.value.asOf > periodEnd(value)),
    )
    if (!missing) return []
    const until = periodEnd(missing.value).toISOString()
    const expected = `a rate from ${currency} to ${payoutCurrency} in fx as of ${until} or before`
    return [{ path: `${path}.payout_currency`, found: shown(payoutCurrency), expected }]
  })
}

function closeProblems(close: Located<string>[]): ScenarioProblem[] {
  return close.flatMap(({ path, value }, index) => {
    const before = close[index - 1]?.value
    if (before === undefined || value > before) return []
    return [{ path, found: shown(value), expected: `a period after ${before}` }]
  })
}
