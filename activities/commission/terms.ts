/** What held when a sale was paid: who stood above its seller, and by which rules they earn. */
import { listPinnedRules, listRulesBetween, type StoredRule } from '../../db/commission/rules.ts'
import { type Earner, listChains, listCustomersSince } from '../../db/commission/standing.ts'
import type { Trx } from '../../db/database.ts'
import { getProgramme, type Programme } from '../../db/programmes.ts'
import type { Exclusion } from '../../domain/commission.ts'
import { monthsLater } from '../../domain/period.ts'
import { ruleFor } from '../../domain/rule-checks.ts'
import { higherTier, type TierName } from '../../domain/tiers.ts'

export interface PaidSale {
  partnerId: string
  customerId: string
  /** Through which link the customer came; null is none. */
  linkId: string | null
  paidAt: Date
}

/** Everything that is known of a sale before its lines are looked at. */
export interface SaleTerms {
  programme: Programme
  customerSince: Date
  linkId: string | null
  paidAt: Date
  chain: Earner[]
  rules: StoredRule[]
  pinned: StoredRule[]
}

/** The chains, the tiers and the rules as they were when each of the sales was paid. */
export async function readSaleTerms(trx: Trx, sales: PaidSale[]): Promise<SaleTerms[]> {
  if (sales.length === 0) return []
  const programme = await getProgramme(trx)
  const since = await listCustomersSince(
    trx,
    sales.map(({ customerId }) => customerId),
  )
  const dated = sales.map(({ partnerId, customerId, paidAt: at }) => {
    const known = since.get(customerId)
    return { partnerId, at, customerSince: known && known < at ? known : at }
  })
  const chains = await listChains(trx, dated)
  const rulesOf = await readRules(trx, { programmeId: programme.id, sales, chains })
  const pinned = await listPinnedRules(trx, [...since.keys()])
  return sales.map(({ customerId, linkId, paidAt }, i) => ({
    programme,
    customerSince: dated[i]?.customerSince ?? paidAt,
    linkId,
    paidAt,
    chain: chains[i] ?? [],
    rules: rulesOf(chains[i] ?? [], linkId),
    pinned: pinned.get(customerId) ?? [],
  }))
}

/** Rules for everybody, and for each sale those that name its link or a partner of its chain. */
async function readRules(
  trx: Trx,
  { programmeId, sales, chains }: { programmeId: string; sales: PaidSale[]; chains: Earner[][] },
): Promise<(chain: Earner[], linkId: string | null) => StoredRule[]> {
  const instants = sales.map(({ paidAt }) => paidAt.getTime())
  const rules = await listRulesBetween(trx, {
    programmeId,
    first: new Date(instants.reduce((a, b) => Math.min(a, b))),
    last: new Date(instants.reduce((a, b) => Math.max(a, b))),
    linkIds: [...new Set(sales.flatMap(({ linkId }) => linkId ?? []))],
    partnerIds: [...new Set(chains.flat().map(({ partnerId }) => partnerId))],
  })
  const byLink = Map.groupBy(rules, ({ scope }) => scope.link)
  const others = byLink.get(null) ?? []
  const general = others.filter(({ scope }) => scope.partner === null)
  const byPartner = Map.groupBy(others, ({ scope }) => scope.partner)
  return (chain, linkId) => {
    const ofLink = linkId === null ? [] : (byLink.get(linkId) ?? [])
    const ofPartners = chain.flatMap(({ partnerId }) => byPartner.get(partnerId) ?? [])
    const own = [...ofLink, ...ofPartners]
    return own.length === 0 ? general : [...own, ...general]
  }
}

/** The rule that pays one earner for a line, and why it pays nothing where it does not. */
export interface Choice {
  earner: Earner
  tier: TierName | null
  rule: StoredRule
  excluded: Exclusion | null
}

/** The rules that pay for a line, one for each depth that has one. */
export function chooseRules(
  terms: SaleTerms,
  line: { product: string | null; setupFee: boolean },
): Choice[] {
  return terms.chain.flatMap((earner) => {
    const tier = higherTier(earner.tierNow, earner.tierAtFirst)
    const place = {
      depth: earner.depth,
      at: terms.paidAt,
      link: terms.linkId,
      partner: earner.partnerId,
      tier,
      product: line.product,
    }
    const paying = ruleFor(terms.rules, { ...place, setupFee: line.setupFee })
    const named = paying ?? ruleFor(terms.rules, { ...place, setupFee: false })
    if (!named) return []
    const rule = versionFor(terms, named)
    return [{ earner, tier, rule, excluded: paying ? outsideWindow(terms, rule) : 'setup_fee' }]
  })
}

/** A customer stays under the version it began with until a newer one was migrated to. */
function versionFor({ pinned, paidAt }: SaleTerms, rule: StoredRule): StoredRule {
  if (rule.migratesAt && rule.migratesAt <= paidAt) return rule
  return pinned.find((candidate) => candidate.code === rule.code) ?? rule
}

function outsideWindow({ customerSince, paidAt }: SaleTerms, rule: StoredRule): Exclusion | null {
  if (rule.windowMonths === null) return null
  if (rule.windowMonths === 0) return paidAt > customerSince ? 'window' : null
  return paidAt >= monthsLater(customerSince, rule.windowMonths) ? 'window' : null
}
