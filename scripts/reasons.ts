/** Why an entry of a partner's statement is what it is, in sentences. */

import { findAdjustment } from '../db/adjustments.ts'
import { findAccrual } from '../db/commission/accruals.ts'
import { findClosingAccrual } from '../db/commission/closing.ts'
import { factsOf, getAccrualReasons, listClawbacksOf } from '../db/commission/reasons.ts'
import { findClawback } from '../db/commission/reversals.ts'
import { findRule } from '../db/commission/rules.ts'
import type { Db } from '../db/database.ts'
import { explainAccrual } from '../domain/commission-reasons.ts'
import { formatMoney } from '../domain/currencies.ts'
import { outwardId, uuidOf } from '../domain/ids.ts'
import { wireAmount } from '../domain/money.ts'
import { CommandError } from './command.ts'

export interface Reason {
  sentences: string[]
  data: object
}

/** The link whose customers a rule is for; null where it is for every customer. */
const linkOf = (id: string | null) => id && outwardId('link', id)

async function explainAccrualId(db: Db, id: string): Promise<Reason | undefined> {
  if (!(await findAccrual(db, id))) return undefined
  const reasons = await getAccrualReasons(db, id)
  const rule = await findRule(db, reasons.ruleId)
  const clawbacks = await listClawbacksOf(db, id)
  return {
    sentences: [
      explainAccrual(factsOf(reasons, rule)),
      ...clawbacks.map(
        ({ amountMinor, cause, vendorSourceId, period }) =>
          `${formatMoney(amountMinor, reasons.currency)} of it went back in ${period} ` +
          `(${cause} ${vendorSourceId}).`,
      ),
    ],
    data: {
      accrual: outwardId('accrual', id),
      rule: { code: rule.code, version: rule.version, kind: rule.terms.kind },
      base: wireAmount(reasons.baseMinor),
      amount: wireAmount(reasons.amountMinor),
      limited_by: reasons.limitedBy,
      link: linkOf(rule.scope.link),
      tier: reasons.tier,
      rounding: reasons.rounding,
    },
  }
}

async function explainClawback(db: Db, id: string): Promise<Reason | undefined> {
  const clawback = await findClawback(db, id)
  if (!clawback) return undefined
  const { amountMinor, currency, cause, vendorSourceId, base, reversedBase, earned } = clawback
  const money = (amount: bigint) => formatMoney(amount, currency)
  const verb = amountMinor < 0n ? 'given again' : 'taken back'
  return {
    sentences: [
      `${money(amountMinor < 0n ? -amountMinor : amountMinor)} ${verb} by ${cause} ` +
        `${vendorSourceId}: ${money(reversedBase)} of ${money(base)} had gone back by then, so ` +
        `that share of the ${money(earned)} earned, rounded down, less what was taken before.`,
    ],
    data: {
      clawback: outwardId('clawback', id),
      accrual: outwardId('accrual', clawback.accrualId),
    },
  }
}

async function explainWholePeriod(db: Db, id: string): Promise<Reason | undefined> {
  const whole = await findClosingAccrual(db, id)
  if (!whole) return undefined
  const { kind, code, linkId, period, metric, amountMinor, currency } = whole
  const what = kind === 'true_up' ? 'true-up' : 'bonus'
  const reached =
    kind === 'true_up' ? `a net volume of ${formatMoney(metric, currency)}` : `${metric}`
  return {
    sentences: [
      `${formatMoney(amountMinor, currency)} ${what} for ${period} by the rule ${code}: ` +
        `the month reached ${reached}.`,
    ],
    data: {
      closing_accrual: outwardId('closingAccrual', id),
      kind,
      rule: code,
      link: linkOf(linkId),
      period,
    },
  }
}

async function explainAdjustment(db: Db, id: string): Promise<Reason | undefined> {
  const entry = await findAdjustment(db, id)
  if (!entry) return undefined
  const { amountMinor, currency, reason, happenedAt, period } = entry
  return {
    sentences: [
      `${formatMoney(amountMinor, currency)} entered by hand for ` +
        `${happenedAt.toISOString().slice(0, 10)}, booked in ${period}: ${reason}.`,
    ],
    data: { adjustment: outwardId('adjustment', id), reason, period },
  }
}

/** @returns undefined where these books have no such entry. @throws CommandError for other ids */
export async function explain(db: Db, outward: string): Promise<Reason | undefined> {
  const accrual = uuidOf('accrual', outward)
  if (accrual) return explainAccrualId(db, accrual)
  const clawback = uuidOf('clawback', outward)
  if (clawback) return explainClawback(db, clawback)
  const whole = uuidOf('closingAccrual', outward)
  if (whole) return explainWholePeriod(db, whole)
  const adjustment = uuidOf('adjustment', outward)
  if (adjustment) return explainAdjustment(db, adjustment)
  const kinds = 'an accrual, a clawback, a true-up, a bonus or an adjustment'
  throw new CommandError(`${outward} is no id of ${kinds}`, 2)
}
