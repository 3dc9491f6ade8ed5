/** What made an accrual, what it shares a line with, and what came back of it. */
import type { LineTerms } from '../../domain/commission.ts'
import type { AccrualFacts } from '../../domain/commission-reasons.ts'
import type { Rate } from '../../domain/money.ts'
import type { Db } from '../database.ts'
import { nameOrFormer } from '../partner-places.ts'
import { openedField } from '../personal-fields.ts'
import type { StoredRule } from './rules.ts'

/** Everything that made an accrual: its event, base, rule, rate, rounding and what came back. */
export async function getAccrualReasons(db: Db, id: string) {
  return db
    .selectFrom('accruals')
    .innerJoin('linePayments', 'linePayments.id', 'accruals.linePaymentId')
    .innerJoin('payments', 'payments.id', 'linePayments.paymentId')
    .leftJoin('partners', 'partners.id', 'accruals.partnerId')
    .leftJoin('commissionRules', 'commissionRules.id', 'accruals.ruleId')
    .leftJoin('partnerLinks', 'partnerLinks.id', 'commissionRules.linkId')
    .leftJoin('customers', 'customers.id', 'payments.customerId')
    .selectAll('accruals')
    .select([
      nameOrFormer.as('partnerName'),
      openedField('customers', 'name').as('customerName'),
      'partnerLinks.code as linkCode',
      'linePayments.paidAt',
      'linePayments.vendorLineId',
      'linePayments.quantity',
      'payments.id as paymentId',
      'payments.vendorInvoiceId',
      'payments.vendorPaymentId',
    ])
    .where('accruals.id', '=', id)
    .executeTakeFirstOrThrow()
}

/** All shares of one line, in order of depth. */
export async function listSharesOfLine(db: Db, linePaymentId: string) {
  return db
    .selectFrom('accruals')
    .select(['partnerId', 'depth', 'amountMinor'])
    .where('linePaymentId', '=', linePaymentId)
    .orderBy('depth')
    .execute()
}

export async function listClawbacksOf(db: Db, accrualId: string) {
  return db
    .selectFrom('clawbacks')
    .innerJoin('lineReversals', 'lineReversals.id', 'clawbacks.lineReversalId')
    .select([
      'clawbacks.amountMinor',
      'clawbacks.period',
      'lineReversals.cause',
      'lineReversals.vendorSourceId',
      'lineReversals.happenedAt',
    ])
    .where('accrualId', '=', accrualId)
    .orderBy('clawbacks.id')
    .execute()
}

type Reasons = Awaited<ReturnType<typeof getAccrualReasons>>

/** The rate that a line reached; null where the rule pays by the unit. */
export function appliedRate({ rateNum, rateDen }: Reasons): Rate | null {
  return rateNum === null || rateDen === null ? null : { num: rateNum, den: rateDen }
}

/** The facts of an accrual as its sentence tells them. */
export function factsOf(reasons: Reasons, rule: StoredRule): AccrualFacts {
  return {
    partner: reasons.partnerName,
    depth: reasons.depth,
    link: reasons.linkCode,
    tier: rule.scope.tier,
    amount: reasons.amountMinor,
    base: reasons.baseMinor,
    currency: reasons.currency,
    terms: rule.terms as LineTerms,
    rate: appliedRate(reasons),
    quantity: reasons.quantity,
    volume: reasons.volumeMinor,
    target: reasons.targetMinor ?? reasons.amountMinor,
    limitedBy: reasons.limitedBy,
    rounding: reasons.rounding,
    customer: reasons.customerName ?? 'a customer',
    paidOn: reasons.paidAt.toISOString().slice(0, 10),
    invoice: reasons.vendorInvoiceId,
  }
}
