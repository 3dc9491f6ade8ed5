/** Random scenario files as a person could write them: small, and dense in what may go wrong. */
import fc from 'fast-check'
import type { Fields } from './kit.ts'

const hourMs = 3_600_000
const start = Date.UTC(2026, 10, 1)
export const months = ['2026-11', '2026-12', '2027-01', '2027-02']
const tiers = ['bronze', 'silver', 'gold', 'platinum']
const products = ['pro', 'lite']

export const optional = <T>(arbitrary: fc.Arbitrary<T>, freq = 3) =>
  fc.option(arbitrary, { nil: undefined, freq })
export const rarely = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary })

export const amount = fc.oneof(
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 12_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(1_000, 5_000, 10_000, 99_999) },
)
export const bps = (max: number) => fc.integer({ min: 0, max })
/** An hour of the time in which the scenario plays, about its month ends more often. */
export const hour = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 1_900 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, 719, 720, 721, 792, 1_463, 1_464, 1_536) },
)
/** Hours until an event reaches us, or until the next one about the same payment. */
export const wait = fc.oneof(
  { weight: 5, arbitrary: fc.constant(0) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 48 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 900 }) },
)

const instant = (hours: number) => new Date(start + hours * hourMs).toISOString()

export const partnerArbitrary = fc.record({
  parent: optional(fc.nat(4), 1),
  tier: optional(fc.constantFrom(...tiers)),
  euro: rarely(fc.constant(true)),
})

/** A partner stands below one that is named before it, so that there is no circle. */
export function partnersOf(
  list: { parent: number | undefined; tier: string | undefined; euro: true | undefined }[],
) {
  return list.map(({ parent, tier, euro }, index): Fields => {
    const isBelow = parent !== undefined && index > 0
    return {
      id: `partner${index}`,
      level: isBelow ? 'reseller' : 'master_reseller',
      ...(isBelow && { parent: `partner${parent % index}` }),
      ...(tier && { tier }),
      ...(euro && { payout_currency: 'EUR' }),
    }
  })
}

const bands = fc
  .record({
    edges: fc.uniqueArray(fc.constantFrom(1_000, 2_500, 10_000, 15_000), {
      minLength: 0,
      maxLength: 2,
    }),
    rates: fc.array(bps(4_000), { minLength: 3, maxLength: 3 }),
  })
  .map(({ edges, rates }) => {
    const from = [0, ...edges.toSorted((a, b) => a - b)]
    return from.map((edge, index) => ({
      from: edge,
      to: from[index + 1] ?? null,
      rate_bps: rates[index] ?? 0,
    }))
  })

const terms: fc.Arbitrary<Fields> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('percentage'), rate_bps: bps(5_000) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('percentage'),
      rate_num: fc.constantFrom(0, 1, 2),
      rate_den: fc.constantFrom(3, 7),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('flat'), amount_per_unit: amount }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('hybrid'),
      rate_bps: bps(3_000),
      amount_per_unit: fc.integer({ min: 0, max: 300 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('tiered_marginal'), bands }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('tiered_cliff'), bands }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('performance'),
      metric: fc.constantFrom('collected', 'new_customers'),
      target: fc.oneof(fc.constantFrom(1, 2, 3), fc.integer({ min: 1, max: 20_000 })),
      bonus: fc.integer({ min: 1, max: 900 }),
    }),
  },
)

const limits = fc.record(
  {
    cap: fc.record({
      amount: fc.integer({ min: 0, max: 1_500 }),
      per: fc.constantFrom('day', 'week', 'month', 'all'),
    }),
    floor: fc.integer({ min: 0, max: 600 }),
    window: fc.record({ months: fc.integer({ min: 0, max: 2 }) }),
  },
  { requiredKeys: [] },
)

const ruleArbitrary = fc
  .record({
    terms,
    depth: fc.constantFrom(0, 0, 0, 1, 1, 2, 3),
    limits: rarely(limits),
    partner: rarely(fc.nat(5)),
    tier: rarely(fc.constantFrom(...tiers)),
    product: rarely(fc.constantFrom(...products)),
    setupFee: rarely(fc.constant(true)),
    /** Where the rule has two versions: when the second begins, and what it pays. */
    second: rarely(fc.record({ terms, hour, limits: rarely(limits) })),
  })
  .filter(({ terms: first, second }) =>
    second ? [first, second.terms].every(({ kind }) => kind !== 'performance') : true,
  )

type RuleChoice = typeof ruleArbitrary extends fc.Arbitrary<infer T> ? T : never

function rulesOf(choices: RuleChoice[], partners: number): Fields[] {
  return choices.flatMap((choice, index): Fields[] => {
    const { partner, tier, product, depth, setupFee, second } = choice
    const common = {
      id: `rule${index}`,
      depth,
      ...(partner !== undefined && { partner: `partner${partner % partners}` }),
      ...(tier && { tier }),
      ...(product && { product }),
      ...(setupFee && { setup_fee: true }),
    }
    const limited = (of: Fields, more: Fields | undefined) =>
      of.kind === 'performance' ? {} : (more ?? {})
    const first = { ...common, ...choice.terms, ...limited(choice.terms, choice.limits) }
    if (!second) return [first]
    const at = instant(second.hour + 1)
    const later = { ...common, ...second.terms, ...limited(second.terms, second.limits) }
    return [
      { ...first, valid_to: at },
      { ...later, valid_from: at },
    ]
  })
}

export const followUp = fc.record({
  kind: fc.constantFrom('refund', 'refund', 'credit_note', 'dispute', 'dispute'),
  part: fc.nat(2),
  percent: fc.oneof(
    { weight: 1, arbitrary: fc.constant(100) },
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 60 }) },
  ),
  after: fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 1_200 })),
  delay: wait,
  /** How a dispute goes on, or a refund fails: none, one or both of them. */
  steps: fc.subarray(['opened', 'lost', 'won'], { minLength: 1 }),
  fails: rarely(fc.constant(true)),
  stepAfter: fc.integer({ min: 1, max: 700 }),
  stepDelay: wait,
})

const saleArbitrary = fc.record({
  partner: fc.nat(5),
  customer: fc.nat(1),
  product: optional(fc.constantFrom(...products)),
  quantity: fc.constantFrom(1, 1, 1, 2, 3, 0),
  setupFee: rarely(fc.constant(true)),
  statesLine: fc.boolean(),
  /** Its parts with the hours between them. */
  parts: fc.oneof(
    { weight: 3, arbitrary: fc.tuple(amount) },
    { weight: 1, arbitrary: fc.array(amount, { minLength: 2, maxLength: 3 }) },
  ),
  unpaid: rarely(fc.integer({ min: 1, max: 500 })),
  between: fc.integer({ min: 0, max: 200 }),
  hour,
  delays: fc.tuple(wait, wait, wait),
  followUps: fc.oneof(
    { weight: 2, arbitrary: fc.array(followUp, { maxLength: 0 }) },
    { weight: 2, arbitrary: fc.array(followUp, { minLength: 1, maxLength: 3 }) },
  ),
})

type SaleChoice = typeof saleArbitrary extends fc.Arbitrary<infer T> ? T : never
type FollowUpChoice = typeof followUp extends fc.Arbitrary<infer T> ? T : never

/** An event of the file and the hours at which it happens and reaches us. */
export interface Told {
  at: number
  received: number
  event: Fields
}

export const told = (event: Fields, at: number, delay: number): Told => ({
  at,
  received: at + delay,
  event,
})

function saleOf(sale: SaleChoice, name: string, partners: number): Told[] {
  const whole = sale.parts.reduce((a, b) => a + b, 0) + (sale.unpaid ?? 0)
  const isStated = sale.statesLine || sale.unpaid !== undefined
  const payments = sale.parts.map((paid, index) =>
    told(
      {
        type: 'payment',
        id: `${name}p${index}`,
        invoice: name,
        line: name,
        partner: `partner${sale.partner % partners}`,
        customer: `customer${sale.customer}`,
        ...(sale.product && { product: sale.product }),
        quantity: sale.quantity,
        amount: paid,
        ...(isStated && { line_amount: whole }),
        ...(sale.setupFee && { setup_fee: true }),
      },
      sale.hour + index * sale.between,
      sale.delays[index] ?? 0,
    ),
  )
  const more = sale.followUps.flatMap((choice, index) => {
    const payment = payments[choice.part % payments.length]
    return payment ? followUpOf(choice, payment, `${name}x${index}`) : []
  })
  return [...payments, ...more]
}

export function followUpOf(choice: FollowUpChoice, payment: Told, id: string): Told[] {
  const { kind, after, delay, stepAfter, stepDelay } = choice
  const paid = Number(payment.event.amount)
  const back = Math.ceil((paid * choice.percent) / 100)
  if (back === 0) return []
  const at = payment.at + after
  const fact = { id, of: payment.event.id, amount: back }
  if (kind === 'dispute') {
    return choice.steps.map((step, index) =>
      told(
        { type: `dispute_${step}`, ...fact },
        at + index * stepAfter,
        index === 0 ? delay : stepDelay,
      ),
    )
  }
  const first = told({ type: kind, ...fact }, at, delay)
  if (kind !== 'refund' || !choice.fails) return [first]
  return [first, told({ type: 'refund_failed', of: id }, at + stepAfter, stepDelay)]
}

const changeArbitrary = fc.record({
  kind: fc.constantFrom('tier', 'tier', 'move', 'adjustment'),
  partner: fc.nat(5),
  to: fc.nat(5),
  tier: fc.constantFrom(...tiers),
  amount: fc.integer({ min: -5_000, max: 5_000 }),
  hour,
  delay: wait,
})

type ChangeChoice = typeof changeArbitrary extends fc.Arbitrary<infer T> ? T : never

function changeOf(choice: ChangeChoice, name: string, partners: number): Told {
  const partner = `partner${choice.partner % partners}`
  const { kind, tier, amount: given, delay } = choice
  if (kind === 'adjustment') {
    return told({ type: kind, id: name, partner, amount: given, reason: 'r' }, choice.hour, delay)
  }
  const change = kind === 'tier' ? { tier } : { to: `partner${choice.to % partners}` }
  // The half hour keeps a change apart from the payments: what comes first at one instant is
  // not in the contract. It is told at once: see the shapes in model.test.ts.
  return told({ type: kind, partner, ...change }, choice.hour + 0.5, 0)
}

export const scenarioArbitrary: fc.Arbitrary<Fields> = fc
  .record({
    currency: fc.constantFrom('USD', 'USD', 'JPY', 'HUF', 'KWD'),
    partners: fc.array(partnerArbitrary, { minLength: 2, maxLength: 6 }),
    rules: fc.array(ruleArbitrary, { minLength: 1, maxLength: 5 }),
    sales: fc.array(saleArbitrary, { minLength: 1, maxLength: 8 }),
    changes: fc.array(changeArbitrary, { maxLength: 4 }),
    again: fc.array(fc.nat(30), { maxLength: 2 }),
    closes: fc.integer({ min: 0, max: months.length }),
    minimum: optional(fc.constantFrom(1, 500, 2_500)),
    holdDays: optional(fc.constantFrom(1, 14, 30, 45)),
    pool: rarely(bps(2_000)),
  })
  .map((choice) => {
    const count = choice.partners.length
    const events = [
      ...choice.sales.flatMap((sale, index) => saleOf(sale, `s${index}`, count)),
      ...choice.changes.map((change, index) => changeOf(change, `a${index}`, count)),
    ]
    return {
      currency: choice.currency,
      programme: {
        minimum_payout: choice.minimum ?? 0,
        hold_days: choice.holdDays ?? 0,
        ...(choice.pool !== undefined && { override_pool_bps: choice.pool }),
      },
      partners: partnersOf(choice.partners),
      rules: rulesOf(choice.rules, count),
      fx: [
        { base: choice.currency, quote: 'EUR', rate: '0.92341', as_of: instant(0) },
        { base: choice.currency, quote: 'EUR', rate: '1.7', as_of: instant(800) },
      ],
      events: deliveryOf(events, choice.again),
      close: months.slice(0, choice.closes),
    }
  })

/** In order of delivery; some events are delivered again after everything else. */
export function deliveryOf(events: Told[], again: number[]): Fields[] {
  const inOrder = events.toSorted((a, b) => a.received - b.received)
  const last = inOrder.at(-1)?.received ?? 0
  const repeatable = inOrder.filter(({ event }) => event.type !== 'tier' && event.type !== 'move')
  const repeated = again.flatMap((index) => {
    const one = repeatable[index % Math.max(1, repeatable.length)]
    return one ? [{ ...one, received: last + 1 }] : []
  })
  return [...inOrder, ...repeated].map(({ event, at, received }) => ({
    ...event,
    at: instant(at),
    received_at: instant(received),
  }))
}
