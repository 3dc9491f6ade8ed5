/** What was paid is shared among those who stood above its seller, by the rules of that time. */
import type { NewAccrual } from '../../db/commission/accruals.ts'
import type { NewLinePayment } from '../../db/commission/payments.ts'
import { recordAccruals } from '../../db/commission/postings.ts'
import type { StoredRule } from '../../db/commission/rules.ts'
import type { Trx } from '../../db/database.ts'
import type { Programme } from '../../db/programmes.ts'
import {
  type Beneficiary,
  bandAt,
  type LineShare,
  type LineTerms,
  type LineToShare,
  shareLine,
} from '../../domain/commission.ts'
import { basisPoints, noRate, plus, type Rate, sum } from '../../domain/money.ts'
import { type RuleUse, readRuleUse, type Use } from './rule-use.ts'
import { type Choice, chooseRules, type SaleTerms } from './terms.ts'

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

type StoredLine = Pick<
  NewLinePayment,
  'currency' | 'paidAt' | 'period' | 'featurePackageId' | 'setupFee'
> & { id: string }

/** Where and when a line was paid, which its base takes over. */
export const placeOf = (line: StoredLine) => ({
  linePaymentId: line.id,
  currency: line.currency,
  paidAt: line.paidAt,
  period: line.period,
  product: line.featurePackageId,
  setupFee: line.setupFee,
})

export interface EarlierPart {
  collected: bigint
  shares: EarlierShareOfPart[]
}

interface EarlierShareOfPart {
  depth: number
  ruleId: string
  excluded: boolean
  /** The rate that this part reached; null where the rule pays by the unit. */
  rate: Rate | null
  target: bigint
  amount: bigint
}

/** A base with the terms of its sale. */
export interface BaseOfSale {
  base: Base
  terms: SaleTerms
}

/**
 * Shares bases one after another, in this order, keeps the accruals and posts them. No two of them
 * may belong to one customer's different payments: the first decides what the next is paid by.
 */
export async function accrueBases(trx: Trx, bases: BaseOfSale[]): Promise<void> {
  const chosen = bases.map((one) => ({
    ...one,
    choices: chooseRules(one.terms, one.base).map((choice) => ({
      ...choice,
      use: useOf(one, choice),
    })),
  }))
  const uses = chosen.flatMap(({ choices }) => choices.map(({ use }) => use))
  const ruleUse = await readRuleUse(trx, uses)
  const made = chosen.flatMap((one) => shareBase(one, ruleUse))
  await recordAccruals(trx, made)
}

type ChosenRule = Choice & { use: Use }

interface ChosenBase extends BaseOfSale {
  choices: ChosenRule[]
}

const useOf = ({ base, terms }: BaseOfSale, { rule, earner }: Choice): Use => ({
  programmeId: terms.programme.id,
  rule,
  partnerId: earner.partnerId,
  at: terms.paidAt,
  period: base.period,
})

/** The accruals of one base; what its rules have given so far is counted on. */
function shareBase({ base, terms, choices }: ChosenBase, ruleUse: RuleUse): NewAccrual[] {
  const beneficiaries = choices.map((choice) => beneficiaryOf(base, choice, ruleUse))
  const { rounding, shares } = shareLine(lineToShare(base, terms.programme), beneficiaries)
  return choices.flatMap(({ use, tier }, i): NewAccrual[] => {
    const share = shares[i]
    if (!share) return []
    const { amount, beneficiary, limitedBy, target } = share
    const excluded = beneficiary.excluded !== null
    ruleUse.add(use, { base: base.base, amount, excluded })
    const rate = appliedRate(share, base)
    return [
      {
        linePaymentId: base.linePaymentId,
        partnerId: beneficiary.partnerId,
        depth: beneficiary.depth,
        ruleId: beneficiary.ruleId,
        baseMinor: base.base,
        rateNum: rate?.num ?? null,
        rateDen: rate?.den ?? null,
        rounding,
        currency: base.currency,
        amountMinor: amount,
        targetMinor: target,
        limitedBy,
        tier,
        volumeMinor: 'bands' in beneficiary.terms ? volumeWith(share, base) : null,
        period: base.period,
        maturesAt: new Date(base.paidAt.getTime() + terms.programme.holdDays * dayMs),
      },
    ]
  })
}

const dayMs = 24 * 3_600_000

function lineToShare(base: Base, programme: Programme): LineToShare {
  const pool = programme.overridePoolBps
  return {
    base: base.base,
    collectedBefore: sum(base.earlier.map(({ collected }) => collected)),
    givenBefore: base.earlier.flatMap(({ shares }) => shares),
    lineAmount: base.lineAmount,
    quantity: base.quantity,
    whole: base.whole,
    overridePool: pool === null ? null : basisPoints(pool),
  }
}

function beneficiaryOf(
  base: Base,
  { rule, earner, excluded, use }: ChosenRule,
  ruleUse: RuleUse,
): Beneficiary {
  const { partnerId, depth } = earner
  return {
    partnerId,
    depth,
    ruleId: rule.id,
    terms: lineTerms(rule),
    floor: rule.floor,
    capRoom: ruleUse.capRoom(use),
    volumeBefore: ruleUse.volumeBefore(use),
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
    exact: own.reduce((exact, { collected, rate }) => plus(exact, of(collected, rate)), noRate),
    amount: sum(parts.map(({ amount }) => amount)),
    byOthers: sum(others.map(({ amount }) => amount)),
  }
}

const of = (collected: bigint, rate: Rate | null): Rate =>
  rate ? { num: collected * rate.num, den: rate.den } : noRate

function lineTerms(rule: StoredRule): LineTerms {
  if (rule.terms.kind === 'performance') throw new Error(`${rule.code} is no rule of a line`)
  return rule.terms
}

const volumeWith = ({ beneficiary }: LineShare, { base }: Base) => beneficiary.volumeBefore + base

/** The rate that the line reached; null where the rule pays by the unit. */
function appliedRate(share: LineShare, base: Base): Rate | null {
  const { terms } = share.beneficiary
  if ('rate' in terms) return terms.rate
  return 'bands' in terms ? bandAt(terms.bands, volumeWith(share, base)).rate : null
}
