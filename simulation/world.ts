/** Sets a scenario up in empty tables, and knows its names by their ids. */
import { randomUUIDv7 } from 'node:crypto'
import { recordMember } from '../db/access.ts'
import { markFeaturePackagePriced, recordFeaturePackage } from '../db/catalog.ts'
import { insertRules } from '../db/commission/rules.ts'
import type { Trx } from '../db/database.ts'
import { recordPartner } from '../db/partners.ts'
import { getProgramme, recordProgramme } from '../db/programmes.ts'
import { insertRates, markPayoutCurrency } from '../db/settlement/rates.ts'
import { recordCustomer, recordSubscription } from '../db/subscriptions.ts'
import type { Scenario, ScenarioPartner } from './scenario.ts'

export interface World {
  scenario: Scenario
  programmeId: string
  /** UUIDs by the names of the file. */
  partners: Map<string, string>
  /** Two persons: one reviews, another releases. */
  members: { reviewer: string; releaser: string }
  /** A subscription of this customer to this product; made when it is first needed. */
  subscription(sale: { partner: string; customer: string; product: string | null }): Promise<string>
}

const beginning = new Date('1970-01-01T00:00:00Z')

/** The programme, its rules, the partners and the rates of a scenario. */
export async function makeWorld(trx: Trx, scenario: Scenario): Promise<World> {
  const { currency, programme } = scenario
  await recordProgramme(trx, {
    code: 'simulation',
    name: 'Simulation',
    currency,
    holdDays: programme.holdDays,
    minimumPayoutMinor: programme.minimumPayout,
    platformFeeMinor: 0n,
    tierWindowMonths: 12,
    allocationUnit: programme.allocationUnit,
    overridePoolBps: programme.overridePoolBps,
    deadlines: {},
    // A scenario says itself what is paid when.
    onboarding: { agedBalanceDays: null },
    tiers: [{ tier: 'bronze', threshold: 0n }],
    rules: [],
  })
  const { id: programmeId } = await getProgramme(trx)
  const partners = await makePartners(trx, { scenario, programmeId })
  const products = await makeProducts(trx, { scenario, programmeId })
  await makeRules(trx, { scenario, programmeId, partners, products })
  await insertRates(
    trx,
    scenario.fx.map((rate) => ({ ...rate, source: 'scenario' })),
  )
  const person = (name: string) =>
    recordMember(trx, { id: randomUUIDv7(), partnerId: null, name, email: `${name}@sim.invalid` })
  const members = { reviewer: await person('reviewer'), releaser: await person('releaser') }
  const subscription = subscriptionsOf(trx, { partners, products })
  return { scenario, programmeId, partners, members, subscription }
}

interface Start {
  scenario: Scenario
  programmeId: string
}

/** UUIDs by the names of the file. */
interface Names {
  partners: Map<string, string>
  products: Map<string | null, string>
}

/** Parents before their children. */
function inOrderOfHierarchy(partners: ScenarioPartner[]): ScenarioPartner[] {
  const byId = new Map(partners.map((partner) => [partner.id, partner]))
  const placed = new Set<ScenarioPartner>()
  const place = (partner: ScenarioPartner | undefined) => {
    if (!partner || placed.has(partner)) return
    if (partner.parent !== null) place(byId.get(partner.parent))
    placed.add(partner)
  }
  for (const partner of partners) place(partner)
  return [...placed]
}

async function makePartners(trx: Trx, { scenario, programmeId }: Start) {
  const ids = new Map(scenario.partners.map(({ id }) => [id, randomUUIDv7()]))
  for (const partner of inOrderOfHierarchy(scenario.partners)) {
    const id = ids.get(partner.id) ?? ''
    await recordPartner(trx, {
      id,
      programmeId,
      name: partner.id,
      level: partner.level,
      type: 'white_label',
      country: 'US',
      website: 'https://simulation.invalid',
      contactName: partner.id,
      contactEmail: 'partner@simulation.invalid',
      parentId: partner.parent === null ? null : (ids.get(partner.parent) ?? null),
      tier: partner.tier,
      effectiveFrom: beginning,
    })
    if (partner.payoutCurrency) await markPayoutCurrency(trx, id, partner.payoutCurrency)
  }
  return ids
}

/** Products by name; null has one of its own, which no rule can name. */
async function makeProducts(trx: Trx, { scenario, programmeId }: Start) {
  const named = [
    ...scenario.events.map((event) => (event.type === 'payment' ? event.product : null)),
    ...scenario.rules.map(({ scope }) => scope.product),
  ]
  const products = new Map<string | null, string>()
  for (const product of new Set<string | null>([null, ...named])) {
    const { id } = await recordFeaturePackage(trx, {
      id: randomUUIDv7(),
      programmeId,
      name: product ?? 'without a product',
      amountMinor: 1n,
      currency: scenario.currency,
      interval: 'month',
    })
    products.set(product, id)
    if (product === null) continue
    const vendor = { productId: product, priceId: `price of ${product}` }
    await markFeaturePackagePriced(trx, id, vendor)
  }
  return products
}

async function makeRules(trx: Trx, { scenario, programmeId, partners, products }: Start & Names) {
  const versions = new Map<string, number>()
  const rules = scenario.rules.map((rule) => {
    const version = (versions.get(rule.code) ?? 0) + 1
    versions.set(rule.code, version)
    const { partner, product } = rule.scope
    return {
      ...rule,
      programmeId,
      version,
      // A file's versions hold for everybody from their beginning on: nothing is pinned.
      migratesAt: beginning,
      scope: {
        ...rule.scope,
        partner: partner === null ? null : (partners.get(partner) ?? null),
        product: product === null ? null : (products.get(product) ?? null),
      },
    }
  })
  await insertRules(trx, rules)
}

function subscriptionsOf(trx: Trx, { partners, products }: Names): World['subscription'] {
  const customers = new Map<string, string>()
  const subscriptions = new Map<string, string>()
  return async ({ partner, customer, product }) => {
    const partnerId = partners.get(partner) ?? ''
    const pair = JSON.stringify([partner, customer])
    const order = JSON.stringify([partner, customer, product])
    const known = subscriptions.get(order)
    if (known) return known
    const customerId = customers.get(pair) ?? randomUUIDv7()
    if (!customers.has(pair)) {
      const email = 'customer@simulation.invalid'
      await recordCustomer(trx, { id: customerId, partnerId, name: customer, email })
      customers.set(pair, customerId)
    }
    const id = randomUUIDv7()
    const featurePackageId = products.get(product) ?? ''
    await recordSubscription(trx, { id, customerId, partnerId, featurePackageId })
    subscriptions.set(order, id)
    return id
  }
}
