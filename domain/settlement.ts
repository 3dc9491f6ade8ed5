/** The figures of a statement, and the stages of the run that makes it. */
import { downToStep, larger, sum } from './money.ts'
import type { ReserveMove } from './reserve-moves.ts'

export const runStages = [
  'freeze',
  'calculate',
  'review',
  'release',
  'pay',
  'reconcile',
  'closed',
  'cancelled',
] as const
export type RunStage = (typeof runStages)[number]

export type RunMode = 'preview' | 'live'

/** So many partners are drafted in one transaction. */
export const partnersPerPage = 10_000

const fewPartners = 5_000
const mostShards = 16

/** Into how many shards a run over so many partners is divided: few are done soonest in one. */
export function shardsFor(partners: number): number {
  return partners < fewPartners ? 1 : mostShards
}

/** What people decide about a run, beside their two signatures. */
export const runDecisionKinds = [
  'hold',
  'release_hold',
  'exclude',
  'rerun_partner',
  'recalculate',
  'reject',
  'pause',
  'resume',
  'cancel',
] as const
export type RunDecisionKind = (typeof runDecisionKinds)[number]

export interface StatementInput {
  opening: bigint
  earned: bigint
  clawedBack: bigint
  adjustments: bigint
  held: bigint
  minimumPayout: bigint
  payoutStep: bigint
  /** Nothing of it is paid, whatever it is. */
  unpaid?: boolean
}

type Terms = 'minimumPayout' | 'payoutStep' | 'unpaid'

export interface StatementTotals extends Omit<StatementInput, Terms> {
  closing: bigint
  payable: bigint
  carried: bigint
  reason: CarryReason | null
}

/** Why nothing, or not everything, of the closing balance is paid. */
export type CarryReason = 'negative_balance' | 'below_minimum' | 'held' | 'payout_step'

/**
 * `closing = opening + earned - clawed back + adjustments`; payable is what is not held, down to
 * the payout step, where that reaches the minimum; the rest is carried into the next period.
 */
export function statementTotals(input: StatementInput): StatementTotals {
  const { minimumPayout, payoutStep, unpaid = false, ...given } = input
  const closing = input.opening + input.earned - input.clawedBack + input.adjustments
  const figures = unpaid ? { ...given, held: larger(closing, input.held) } : given
  const free = larger(closing - figures.held, 0n)
  const stepped = downToStep(free, payoutStep)
  const payable = stepped > 0n && stepped >= minimumPayout ? stepped : 0n
  const carried = closing - payable
  return {
    ...figures,
    closing,
    payable,
    carried,
    reason: carryReason(figures, { closing, payable }),
  }
}

function carryReason(
  input: Pick<StatementInput, 'held'>,
  { closing, payable }: { closing: bigint; payable: bigint },
): CarryReason | null {
  if (closing < 0n) return 'negative_balance'
  if (closing === payable) return null
  if (input.held > 0n) return 'held'
  return payable === 0n ? 'below_minimum' : 'payout_step'
}

/** Why less than the minimum is paid. */
export type PayableReason = 'aged_balance' | 'final_balance'

/** Whether a balance that waits since the end of a month is so old that any of it is paid. */
export function isAged(since: Date, at: Date, days: number | null): boolean {
  return days !== null && at.getTime() - since.getTime() >= days * 86_400_000
}

export const statementLineKinds = ['accrual', 'true_up', 'bonus', 'clawback', 'adjustment'] as const
export type StatementLineKind = (typeof statementLineKinds)[number]

/** One entry of a statement; the amount is negative where money was taken back. */
export interface StatementLine {
  kind: StatementLineKind
  id: string
  at: Date
  customer: string | null
  /** Null for what no single invoice made. */
  invoice: string | null
  depth: number
  base: bigint
  amount: bigint
  note: string | null
  /** Of an earlier month, and booked after that was closed. */
  prior: boolean
}

/** Why a part of a balance is held. */
export const heldCauses = [
  /** The hold period after its payment is not over. */
  'not_matured',
  /** The customer's bank wants it back. */
  'disputed',
  /** A person of the platform placed a hold. */
  'by_person',
  /** The partnership ended in a way that forfeits what is unpaid. */
  'forfeited',
  /** Kept of payouts, because much of what the partner sells is disputed. */
  'reserve',
  /** Issued before causes were kept. */
  'unrecorded',
] as const
export type HeldCause = (typeof heldCauses)[number]

export interface HeldPart {
  cause: HeldCause
  amount: bigint
  /** Of what matures: how many lines, and when the last one does; of reserves, the last day. */
  lines: number | null
  until: Date | null
}

/** What is paid, in the currency in which it is: what is payable, less tax. */
export interface StatementPayment {
  currency: string
  gross: bigint
  withheld: bigint
  /** In hundredths of a percent; null where nothing is withheld. */
  withheldBps: number | null
  /** Of self-billed documents, which goes out with it. */
  vat: bigint
}

/** An issued statement as every form of it shows it: JSON, PDF and CSV have this one source. */
export interface StatementDocument {
  number: string
  partner: string
  /** The name of its run: a month, or a quarter. */
  period: string
  /** The first month that it is about, where that is not its last one. */
  since: string | null
  currency: string
  issuedAt: Date
  /** The newest seal of the ledger when it was issued, as `ledger:check --seal` takes it. */
  seal: string | null
  /** Not before this day; null where it is paid at once, or nothing is. */
  payOn?: string | null
  totals: StatementTotals
  /** What of the totals is held, by cause. */
  held: HeldPart[]
  /** What is kept of this payout, and what ends of what was kept before. */
  reserves?: ReserveMove[]
  /** What is paid of the payable; null where nothing is. */
  payment: StatementPayment | null
  lines: StatementLine[]
}

/** The seal of a statement in the form in which people keep it. */
export function sealText(statement: {
  sealNumber: bigint | null
  sealHash: Buffer | null
}): string | null {
  const { sealNumber, sealHash } = statement
  return sealNumber !== null && sealHash ? `${sealNumber}:${sealHash.toString('hex')}` : null
}

/** The figures of a statement in reading order, with the words under which they are shown. */
export function statementFigures(totals: StatementTotals): { label: string; amount: bigint }[] {
  return [
    { label: 'Opening balance', amount: totals.opening },
    { label: 'Earned', amount: totals.earned },
    { label: 'Clawed back', amount: totals.clawedBack },
    { label: 'Adjustments', amount: totals.adjustments },
    { label: 'Closing balance', amount: totals.closing },
    { label: 'Held', amount: totals.held },
    { label: 'Payable', amount: totals.payable },
    { label: 'Carried forward', amount: totals.carried },
  ]
}

/**
 * @throws RangeError when the lines, the causes of what is held, or what is paid do not add up to
 * the totals: such a document is not shown.
 */
export function assertLinesMatch(statement: StatementDocument): void {
  const lines = (...kinds: StatementLineKind[]) =>
    sum(statement.lines.filter(({ kind }) => kinds.includes(kind)).map(({ amount }) => amount))
  const { earned, clawedBack, adjustments } = statement.totals
  if (
    lines('accrual', 'true_up', 'bonus') !== earned ||
    lines('clawback') !== -clawedBack ||
    lines('adjustment') !== adjustments ||
    sum(statement.held.map(({ amount }) => amount)) !== statement.totals.held ||
    !isPaymentOf(statement)
  ) {
    throw new RangeError(`the lines of statement ${statement.number} do not add up to its totals`)
  }
}

/** What is paid before tax is what is payable, where both are in one currency. */
function isPaymentOf({ payment, currency, totals }: StatementDocument): boolean {
  if (!payment) return totals.payable === 0n
  const { gross, withheld } = payment
  return (payment.currency !== currency || gross === totals.payable) && withheld <= gross
}

/**
 * The two-person rule: who reviewed a run may not release it.
 * @returns the code of the refusal, or null when the release may go ahead.
 */
export function releaseRefusal(
  run: { reviewedBy: string | null; totalsHash: string | null },
  release: { memberId: string; totalsHash: string },
): 'not_reviewed' | 'totals_changed' | 'second_person_required' | null {
  if (run.reviewedBy === null) return 'not_reviewed'
  if (run.totalsHash !== release.totalsHash) return 'totals_changed'
  return run.reviewedBy === release.memberId ? 'second_person_required' : null
}
