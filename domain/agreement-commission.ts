/** What a partner earns, in the sentences of its agreement. */
import { formatRate } from './commission-reasons.ts'
import type { Band, CapPeriod, CommissionRule } from './commission-rules.ts'
import { formatMoney } from './currencies.ts'
import { ruleFor } from './rule-checks.ts'
import type { TierName } from './tiers.ts'

/** The rules that matter for the agreement of one partner, and how to say them. */
export interface AgreedCommission {
  currency: string
  rules: CommissionRule[]
  /** The names of what rules are for, by id. */
  products: Map<string, string>
}

/** One sentence for each rule, from the own sales upwards. */
export function commissionSentences({ currency, rules, products }: AgreedCommission): string[] {
  const ordered = [...rules].sort((a, b) => a.depth - b.depth || (a.code < b.code ? -1 : 1))
  return ordered.map((rule) => {
    const { product, tier, partner } = rule.scope
    const where =
      saleAt(rule.depth) +
      (product === null ? '' : ` of ${products.get(product) ?? 'one package'}`) +
      (tier === null ? '' : `, while it is ${tier}`)
    const who = partner === null ? 'The partner earns' : 'By terms of its own the partner earns'
    return `${who} ${earning(rule, { currency, where })}${limits(rule, currency)}.`
  })
}

/**
 * What a partner would earn with a tier, a sentence for each depth and product: of several rules
 * the one that pays. Bonuses are beside them.
 */
export function ratesByTier(
  { currency, rules, products }: AgreedCommission,
  { tier, partner, at }: { tier: TierName; partner: string; at: Date },
): Map<number, string[]> {
  const own = rules.filter(({ terms }) => terms.kind !== 'performance')
  const named = [null, ...new Set(own.flatMap(({ scope }) => scope.product ?? []))]
  const depths = [...new Set(own.map(({ depth }) => depth))].sort((a, b) => a - b)
  return new Map(
    depths.map((depth) => {
      const paying = named.flatMap((product) => {
        const place = { depth, at, link: null, partner, tier, product, setupFee: false }
        return ruleFor(own, place) ?? []
      })
      return [depth, commissionSentences({ currency, rules: [...new Set(paying)], products })]
    }),
  )
}

const saleAt = (depth: number) =>
  depth === 0 ? "the partner's own sales" : `sales ${depth} level(s) below it`

const paid = 'what customers paid, without tax,'

function earning(
  { terms }: CommissionRule,
  { currency, where }: { currency: string; where: string },
): string {
  const money = (amount: bigint) => formatMoney(amount, currency)
  switch (terms.kind) {
    case 'percentage':
      return `${formatRate(terms.rate)} of ${paid} on ${where}`
    case 'flat':
      return `${money(terms.amountPerUnit)} for each unit that customers paid on ${where}`
    case 'hybrid':
      return (
        `${formatRate(terms.rate)} of ${paid} and ${money(terms.amountPerUnit)} for each unit ` +
        `on ${where}`
      )
    case 'tiered_marginal':
      return `on ${where}, for each part of a month's volume, ${bandWords(terms.bands, currency)}`
    case 'tiered_cliff':
      return (
        `on ${where}, by the band that a month's whole volume reaches, ` +
        bandWords(terms.bands, currency)
      )
    case 'performance':
      return (
        `a bonus of ${money(terms.bonus)} for a month in which ${where} reach ` +
        (terms.metric === 'collected' ? money(terms.target) : `${terms.target} new customer(s)`)
      )
  }
}

const bandWords = (bands: Band[], currency: string) =>
  bands
    .map(({ from, to, rate }) => {
      const upTo = to === null ? '' : ` to below ${formatMoney(to, currency)}`
      return `${formatRate(rate)} from ${formatMoney(from, currency)}${upTo}`
    })
    .join(', ')

const stretches: Record<CapPeriod, string> = {
  day: 'in a day',
  week: 'in a week',
  month: 'in a month',
  all: 'in all',
}

function limits(rule: CommissionRule, currency: string): string {
  const { cap, floor, windowMonths, setupFee, terms } = rule
  const said = [
    cap ? `at most ${formatMoney(cap.amount, currency)} ${stretches[cap.per]}` : '',
    floor === null ? '' : `at least ${formatMoney(floor, currency)} for a line`,
    windowMonths === null ? '' : windowWords(windowMonths),
    setupFee && terms.kind !== 'performance' ? 'set-up fees included' : '',
  ].filter((words) => words !== '')
  return said.length === 0 ? '' : `; ${said.join(', ')}`
}

const windowWords = (months: number) =>
  months === 0
    ? 'for the first payment of a customer only'
    : `in the first ${months} month(s) of a customer`
