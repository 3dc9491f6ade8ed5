/** Why an accrual is what it is: a sentence, and the data behind it. */
import {
  appliedRate,
  factsOf,
  getAccrualReasons,
  listClawbacksOf,
  listSharesOfLine,
} from '../db/commission/reasons.ts'
import { findRule, type StoredRule } from '../db/commission/rules.ts'
import type { Db } from '../db/database.ts'
import { explainAccrual } from '../domain/commission-reasons.ts'
import type { Band } from '../domain/commission-rules.ts'
import { outwardId } from '../domain/ids.ts'
import { type Rate, sum, wireAmount } from '../domain/money.ts'
import type { ActorLevel } from '../domain/partners.ts'

/** Shares of others are there for those who may see them; what is left, for the owner only. */
export async function explain(db: Db, viewer: { level: ActorLevel }, accrualId: string) {
  const reasons = await getAccrualReasons(db, accrualId)
  const rule = await findRule(db, reasons.ruleId)
  const shares = await listSharesOfLine(db, reasons.linePaymentId)
  const clawbacks = await listClawbacksOf(db, accrualId)
  const kept = reasons.baseMinor - sum(shares.map((share) => share.amountMinor))
  return {
    sentence: explainAccrual(factsOf(reasons, rule)),
    data: {
      accrual: outwardId('accrual', accrualId),
      amount: wireAmount(reasons.amountMinor),
      base: wireAmount(reasons.baseMinor),
      currency: reasons.currency,
      event: {
        payment: outwardId('payment', reasons.paymentId),
        invoice: reasons.vendorInvoiceId,
        line: reasons.vendorLineId,
        vendor_payment: reasons.vendorPaymentId,
        paid_at: reasons.paidAt.toISOString(),
      },
      rule: presentRule(rule, appliedRate(reasons)),
      link: rule.scope.link && outwardId('link', rule.scope.link),
      tier: reasons.tier,
      target: wireAmount(reasons.targetMinor ?? reasons.amountMinor),
      limited_by: reasons.limitedBy,
      volume: reasons.volumeMinor === null ? null : wireAmount(reasons.volumeMinor),
      rounding: reasons.rounding,
      matures_at: reasons.maturesAt.toISOString(),
      shares: shares.map((share) => ({
        partner: outwardId('partner', share.partnerId),
        depth: share.depth,
        amount: wireAmount(share.amountMinor),
      })),
      ...(viewer.level === 'super_admin' ? { platform: wireAmount(kept) } : {}),
      clawbacks: clawbacks.map((clawback) => ({
        cause: clawback.cause,
        source: clawback.vendorSourceId,
        amount: wireAmount(clawback.amountMinor),
        period: clawback.period,
        happened_at: clawback.happenedAt.toISOString(),
      })),
    },
  }
}

const presentBand = ({ from, to, rate }: Band) => ({
  from: wireAmount(from),
  to: to === null ? null : wireAmount(to),
  rate_num: wireAmount(rate.num),
  rate_den: wireAmount(rate.den),
})

/** The version of the rule, with the rate that was applied. */
function presentRule(rule: StoredRule, rate: Rate | null) {
  const { terms, cap, floor } = rule
  return {
    code: rule.code,
    version: rule.version,
    depth: rule.depth,
    kind: terms.kind,
    ...(rate ? { rate_num: wireAmount(rate.num), rate_den: wireAmount(rate.den) } : {}),
    ...('amountPerUnit' in terms ? { amount_per_unit: wireAmount(terms.amountPerUnit) } : {}),
    ...('bands' in terms ? { bands: terms.bands.map(presentBand) } : {}),
    ...(cap ? { cap: { amount: wireAmount(cap.amount), per: cap.per } } : {}),
    ...(floor === null ? {} : { floor: wireAmount(floor) }),
  }
}
