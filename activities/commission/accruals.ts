/** What was paid is shared among those who stood above its seller, by the rules of that time. */
import { insertAccruals, type NewAccrual } from '../../db/commission/accruals.ts'
import { listPinnedRules, listRulesAt, type StoredRule } from '../../db/commission/rules.ts'
import {
  type Earner,
  earnedUnder,
  findCustomerSince,
  listChain,
  lockRuleUse,
  volumeUnder,
} from '../../db/commission/standing.ts'
import type { Trx } from '../../db/database.ts'
import { type Journal, recordJournals } from '../../db/ledger.ts'
import { getProgramme, type Programme } from '../../db/programmes.ts'
import {
  type Beneficiary,
  bandAt,
  type Exclusion,
  type LineShare,
  type LineTerms,
  type LineToShare,
  shareLine,
} from '../../domain/commission.ts'
import { basisPoints, type Rate, sum } from '../../domain/money.ts'
import { monthsLater } from '../../domain/period.ts'
import { ruleFor } from '../../domain/rule-checks.ts'
import { higherTier, type TierName } from '../../domain/tiers.ts'

/** What is shared as one base: a part of a line, or all lines of an invoice under equal rules. */
export interface Base {
  /** The line payment that the accruals are kept with. */
  linePaymentId: string
  currency: string
  base: bigint
  lineAmount: bigint
  quantity: bigint
  whole: boolean
  paidAt: Date
  period: string
  product: string | null
  setupFee: boolean
  /** What earlier payments of the same line collected and gave. */
  earlier: EarlierPart[]
}

export interface EarlierPart {
  collected: bigint
  shares: { depth: number; ruleId: string; excluded: boolean; target: bigint; amount: bigint }[]
}

/** Everything that is known of a sale before its lines are looked at. */
export interface SaleTerms {
  programme: Programme
  customerSince: Date
  paidAt: Date
  chain: Earner[]
  rules: StoredRule[]
  pinned: StoredRule[]
}

/** The chain, the tiers and the rules as they were when a sale was paid. */
export async function readSaleTerms(
  trx: Trx,
  sale: { partnerId: string; customerId: string; paidAt: Date },
): Promise<SaleTerms> {
  const { customerId, paidAt, partnerId } = sale
  const programme = await getProgramme(trx)
  const since = await findCustomerSince(trx, customerId)
  const customerSince = since && since < paidAt ? since : paidAt
  const chain = await listChain(trx, { partnerId, at: paidAt, customerSince })
  const rules = await listRulesAt(trx, {
    programmeId: programme.id,
    at: paidAt,
    partnerIds: chain.map((earner) => earner.partnerId),
  })
  const pinned = since ? await listPinnedRules(trx, customerId) : []
  return { programme, customerSince, paidAt, chain, rules, pinned }
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

/**
 * Sales under rules that count over several lines follow one another. All are taken at once and in
 * one order, so that two payments never wait for each other.
 */
export async function lockCountingRules(
  trx: Trx,
  terms: SaleTerms,
  lines: { product: string | null; setupFee: boolean }[],
): Promise<void> {
  const counting = lines
    .flatMap((line) => chooseRules(terms, line))
    .filter(({ rule }) => rule.cap !== null || 'bands' in rule.terms)
  await lockRuleUse(
    trx,
    counting.map(({ rule, earner }) => ({ code: rule.code, partnerId: earner.partnerId })),
  )
}

/** Shares one base, keeps the accruals, and posts them. */
export async function accrueBase(trx: Trx, base: Base, terms: SaleTerms): Promise<void> {
  const choices = chooseRules(terms, base)
  const beneficiaries: Beneficiary[] = []
  for (const choice of choices)
    beneficiaries.push(await beneficiaryOf(trx, base, { choice, terms }))
  const line = lineToShare(base, terms.programme)
  const { rounding, shares } = shareLine(line, beneficiaries)
  const accruals = shares.map((share, i): NewAccrual => {
    const rate = appliedRate(share, base)
    return {
      linePaymentId: base.linePaymentId,
      partnerId: share.beneficiary.partnerId,
      depth: share.beneficiary.depth,
      ruleId: share.beneficiary.ruleId,
      baseMinor: base.base,
      rateNum: rate?.num ?? null,
      rateDen: rate?.den ?? null,
      rounding,
      currency: base.currency,
      amountMinor: share.amount,
      targetMinor: share.target,
      limitedBy: share.limitedBy,
      tier: choices[i]?.tier ?? null,
      volumeMinor: 'bands' in share.beneficiary.terms ? volumeWith(share, base) : null,
      period: base.period,
      maturesAt: new Date(base.paidAt.getTime() + terms.programme.holdDays * dayMs),
    }
  })
  await insertAccruals(trx, accruals)
  await recordJournals(trx, [accrualJournal(base, accruals)])
}

const dayMs = 24 * 3_600_000

function lineToShare(base: Base, programme: Programme): LineToShare {
  const pool = programme.overridePoolBps
  return {
    base: base.base,
    collectedBefore: base.earlier.reduce((total, { collected }) => total + collected, 0n),
    lineAmount: base.lineAmount,
    quantity: base.quantity,
    whole: base.whole,
    overridePool: pool === null ? null : basisPoints(pool),
  }
}

async function beneficiaryOf(
  trx: Trx,
  base: Base,
  { choice, terms }: { choice: Choice; terms: SaleTerms },
): Promise<Beneficiary> {
  const { rule, earner, excluded } = choice
  const { partnerId, depth } = earner
  const use = { partnerId, ruleId: rule.id, period: base.period }
  return {
    partnerId,
    depth,
    ruleId: rule.id,
    terms: lineTerms(rule),
    floor: rule.floor,
    capRoom: await capRoomOf(trx, { rule, partnerId, terms }),
    volumeBefore: 'bands' in rule.terms ? await volumeUnder(trx, use) : 0n,
    excluded,
    earlier: earlierOf(base, { depth, ruleId: rule.id }),
  }
}

/** Parts that another rule paid, or that earned nothing, are not rated again by this one. */
function earlierOf({ earlier }: Base, { depth, ruleId }: { depth: number; ruleId: string }) {
  const parts = earlier.flatMap(({ collected, shares }) =>
    shares.filter((share) => share.depth === depth).map((share) => ({ ...share, collected })),
  )
  const own = parts.filter((part) => part.ruleId === ruleId && !part.excluded)
  const others = parts.filter((part) => !own.includes(part))
  return {
    collected: sum(own.map(({ collected }) => collected)),
    target: sum(own.map(({ target }) => target)),
    amount: sum(parts.map(({ amount }) => amount)),
    byOthers: sum(others.map(({ amount }) => amount)),
  }
}

function lineTerms(rule: StoredRule): LineTerms {
  if (rule.terms.kind === 'performance') throw new Error(`${rule.code} is no rule of a line`)
  return rule.terms
}

async function capRoomOf(
  trx: Trx,
  { rule, partnerId, terms }: { rule: StoredRule; partnerId: string; terms: SaleTerms },
): Promise<bigint | null> {
  if (!rule.cap) return null
  const earned = await earnedUnder(trx, {
    programmeId: terms.programme.id,
    code: rule.code,
    partnerId,
    per: rule.cap.per,
    at: terms.paidAt,
  })
  return earned < rule.cap.amount ? rule.cap.amount - earned : 0n
}

const volumeWith = ({ beneficiary }: LineShare, { base }: Base) => beneficiary.volumeBefore + base

/** The rate that the line reached; null where the rule pays by the unit. */
function appliedRate(share: LineShare, base: Base): Rate | null {
  const { terms } = share.beneficiary
  if ('rate' in terms) return terms.rate
  return 'bands' in terms ? bandAt(terms.bands, volumeWith(share, base)).rate : null
}

function accrualJournal(base: Base, accruals: NewAccrual[]): Journal {
  return {
    kind: 'accrual',
    sourceType: 'line_payment',
    sourceId: base.linePaymentId,
    period: base.period,
    effectiveAt: base.paidAt,
    postings: accruals.map((accrual) => ({
      debit: { purpose: 'commission_expense' },
      credit: { purpose: 'partner_accrued', partnerId: accrual.partnerId },
      currency: base.currency,
      amount: accrual.amountMinor,
    })),
  }
}
