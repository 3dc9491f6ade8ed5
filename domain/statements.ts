/** What the figures of a statement are made of, and why each of them is what it is. */
import { cadenceOf, monthsOf, stretchOf } from './cadence.ts'
import { larger, smaller, sum } from './money.ts'
import { dayOf } from './period.ts'
import { moveWords } from './reserve-moves.ts'
import type {
  CarryReason,
  HeldCause,
  StatementDocument,
  StatementLine,
  StatementLineKind,
  StatementTotals,
} from './settlement.ts'

/** Something of before the month or the week since which a run settles that came in later. */
export function isPrior(line: Pick<StatementLine, 'at'>, since: string): boolean {
  return line.at < stretchOf(since).from
}

/** The week, or the first month, that the run of a statement settles, whatever was left out. */
export function ownSince(statement: {
  period: string
  periodName: string | null
  sincePeriod: string | null
}): string {
  const { period, periodName, sincePeriod } = statement
  if (periodName === null) return period
  if (cadenceOf(periodName) === 'weekly') return periodName
  const { since } = monthsOf(periodName)
  const told = sincePeriod ?? period
  const leftOut = told < since
  return leftOut ? since : told
}

/** What a statement is about, in words. */
export function spanWords({ period, since }: Pick<StatementDocument, 'period' | 'since'>): string {
  const { period: last } = monthsOf(period)
  if (last === period) return since ? `periods ${since} to ${period}` : `period ${period}`
  return `period ${period} (${since ? `${since} to ${last}` : last})`
}

export interface EarnedParts {
  /** On own sales. */
  own: bigint
  /** On sales of partners below. */
  overrides: bigint
  trueUps: bigint
  bonuses: bigint
}

/** What was earned, by its kind; the parts sum to the figure. */
export function earnedParts({ lines }: Pick<StatementDocument, 'lines'>): EarnedParts {
  const of = (kind: StatementLineKind, fits: (line: StatementLine) => boolean = () => true) =>
    sum(lines.filter((line) => line.kind === kind && fits(line)).map(({ amount }) => amount))
  return {
    own: of('accrual', ({ depth }) => depth === 0),
    overrides: of('accrual', ({ depth }) => depth > 0),
    trueUps: of('true_up'),
    bonuses: of('bonus'),
  }
}

/** The net of the lines that belong to earlier months. */
export function priorNet({ lines }: Pick<StatementDocument, 'lines'>): bigint {
  return sum(lines.filter(({ prior }) => prior).map(({ amount }) => amount))
}

export interface CarriedPart {
  reason: CarryReason
  amount: bigint
}

/** Why what is carried is carried: every unit of it has one reason, and the parts sum to it. */
export function carriedParts(totals: StatementTotals): CarriedPart[] {
  const { closing, held, payable, carried, reason } = totals
  if (closing <= 0n) {
    return carried === 0n ? [] : [{ reason: 'negative_balance', amount: carried }]
  }
  const heldPart = smaller(larger(held, 0n), carried)
  const rest = carried - heldPart
  const parts: CarriedPart[] = []
  if (heldPart > 0n) parts.push({ reason: 'held', amount: heldPart })
  if (rest > 0n) parts.push({ reason: restReason(payable, reason), amount: rest })
  return parts
}

/** What is neither held nor paid: where nothing was paid, it did not reach the minimum. */
function restReason(payable: bigint, reason: CarryReason | null): CarryReason {
  if (payable > 0n) return 'payout_step'
  return reason === null || reason === 'held' ? 'below_minimum' : reason
}

const carryWords: Record<string, string> = {
  negative_balance: 'the balance is negative and is set off against what is earned next',
  below_minimum: 'it is below the smallest amount that is paid out',
  held: 'it is held',
  payout_step: 'payouts of this currency are made in whole steps',
}

const heldWords: Record<HeldCause, string> = {
  not_matured: 'the hold period after payment is not over',
  disputed: 'a customer disputes the payment',
  by_person: 'the platform placed a hold',
  forfeited: 'the partnership ended, and what is unpaid is forfeited',
  reserve: 'a reserve, since much of what was sold is disputed',
  unrecorded: 'the cause was not kept',
}

const plural = (count: number) => (count === 1 ? '1 line' : `${count} lines`)

function whenOver(lines: number | null, until: Date | null): string {
  if (until === null) return ''
  return ` (${lines === null ? '' : `${plural(lines)}, `}until ${dayOf(until)})`
}

/** One part of a figure, as every form of the document names it. */
export interface StatementPart {
  /** Of which figure it is a part. */
  figure: 'earned' | 'held' | 'reserve' | 'carried' | 'prior_period' | 'payment'
  part: string
  /** The same for people. */
  words: string
  amount: bigint
  /** Where it is not that of the statement. */
  currency?: string
}

/** What becomes of the payable where there is tax; without tax the figure itself says it. */
function paymentParts({ payment, currency: own }: StatementDocument): StatementPart[] {
  if (!payment || (payment.withheld === 0n && payment.vat === 0n)) return []
  const { currency, gross, withheld, withheldBps, vat } = payment
  const part = (name: string, words: string, amount: bigint): StatementPart => ({
    ...{ figure: 'payment', part: name, words: `Payment: ${words}`, amount },
    ...(currency === own ? {} : { currency }),
  })
  return [
    part('gross', 'payable before tax', gross),
    part('withheld', `tax withheld at ${(withheldBps ?? 0) / 100} %`, withheld),
    part('vat', 'value added tax of self-billed documents', vat),
    part('net', 'paid', gross - withheld + vat),
  ]
}

/** Everything that explains the figures, in reading order; parts of nothing are left out. */
export function statementParts(document: StatementDocument): StatementPart[] {
  const { own, overrides, trueUps, bonuses } = earnedParts(document)
  const earned = (part: string, words: string, amount: bigint): StatementPart => ({
    figure: 'earned',
    part,
    words: `Earned: ${words}`,
    amount,
  })
  const prior = priorNet(document)
  return [
    earned('own', 'on own sales', own),
    earned('overrides', 'overrides on sales of partners below', overrides),
    earned('true_ups', 'true-ups', trueUps),
    earned('bonuses', 'bonuses', bonuses),
    {
      figure: 'prior_period' as const,
      part: 'net',
      words: 'Of the lines, net of earlier periods',
      amount: prior,
    },
    ...document.held.map(({ cause, amount, lines, until }) => ({
      figure: 'held' as const,
      part: cause,
      words: `Held: ${heldWords[cause]}${whenOver(lines, until)}`,
      amount,
    })),
    ...(document.reserves ?? []).map((move) => ({
      figure: 'reserve' as const,
      part: move.what,
      words: moveWords(move),
      amount: move.amount,
    })),
    ...carriedParts(document.totals).map(({ reason, amount }) => ({
      figure: 'carried' as const,
      part: reason,
      words: `Carried: ${carryWords[reason] ?? reason}`,
      amount,
    })),
    ...paymentParts(document),
  ].filter(({ amount }) => amount !== 0n)
}

/**
 * All that a statement says of money, as text: its hash is printed on every form. Names are not
 * part of it, since the law may take them away later; amounts and ids never change.
 */
export function statementText(document: StatementDocument): string {
  const { number, period, since, currency, totals, lines } = document
  const { opening, earned, clawedBack, adjustments, closing, held, payable, carried } = totals
  const figures = [opening, earned, clawedBack, adjustments, closing, held, payable, carried]
  return [
    [number, period, ...(since ? [since] : []), currency, ...figures].join('|'),
    ...lines.map(({ kind, id, at, depth, base, amount }) =>
      [kind, id, at.toISOString(), depth, base, amount].join('|'),
    ),
    ...statementParts(document).map(({ figure, part, amount, currency: other }) =>
      [figure, part, amount, ...(other ? [other] : [])].join('|'),
    ),
  ].join('\n')
}
