import type { Work } from '../deps.ts'
import { newId } from '../ids.ts'
import { book } from './balance.ts'
import { checkStep } from './currencies.ts'
import { type Endpoint, endpoint, found, idIn } from './endpoint.ts'
import { invalid, missing, refused } from './errors.ts'
import { emit, emitChange } from './events.ts'
import { page, paging } from './lists.ts'
import {
  integer,
  type MetadataPatch,
  mergeMetadata,
  metadata,
  oneOf,
  range,
  text,
  within,
} from './params.ts'
import type { Charge, Refund } from './wire.ts'

const reasons = ['duplicate', 'fraudulent', 'requested_by_customer'] as const

export const refundEndpoints: Endpoint[] = [
  endpoint({
    on: 'POST /v1/refunds',
    params: {
      charge: text(),
      payment_intent: text(),
      amount: integer(1),
      reason: oneOf(reasons),
      metadata: metadata(),
    },
    run(work, { params }) {
      return refund(work, chargeNamed(work, params), params)
    },
  }),
  endpoint({
    on: 'GET /v1/refunds',
    params: { ...paging, charge: text(), payment_intent: text(), created: range() },
    run(work, { params }) {
      const { charge, payment_intent, created } = params
      const rows = work.tx.all('refunds').filter((one) => {
        if (charge !== undefined && one.charge !== charge) return false
        if (payment_intent !== undefined && one.payment_intent !== payment_intent) return false
        return within(one.created, created)
      })
      return page('/v1/refunds', rows, params)
    },
  }),
  endpoint({
    on: 'GET /v1/refunds/:id',
    params: {},
    run: (work, call) => found(work.tx.get('refunds', idIn(call)), 'refund', call),
  }),
  endpoint({
    on: 'POST /v1/refunds/:id',
    params: { metadata: metadata() },
    run(work, call) {
      const old = found(work.tx.get('refunds', idIn(call)), 'refund', call)
      const merged = mergeMetadata(old.metadata ?? {}, call.params.metadata)
      const after = work.tx.put('refunds', { ...old, metadata: merged })
      emitChange(work, 'refund.updated', { object: after, before: { metadata: old.metadata } })
      return after
    },
  }),
  endpoint({
    on: 'GET /v1/charges/:id/refunds',
    params: paging,
    run(work, call) {
      const charge = found(work.tx.get('charges', idIn(call)), 'charge', call)
      const rows = work.tx.all('refunds').filter((one) => one.charge === charge.id)
      return page(`/v1/charges/${charge.id}/refunds`, rows, call.params)
    },
  }),
]

interface ChargeNames {
  charge: string | undefined
  payment_intent: string | undefined
}

function chargeNamed(work: Work, { charge, payment_intent }: ChargeNames): Charge {
  if (charge !== undefined) {
    const named = work.tx.get('charges', charge)
    if (named) return named
    throw missing('charge', charge, 'charge')
  }
  if (payment_intent === undefined) {
    throw invalid('One of the following params should be provided: `payment_intent` or `charge`.', {
      code: 'parameter_missing',
    })
  }
  const intent = work.tx.get('payment_intents', payment_intent)
  if (intent === undefined) throw missing('payment_intent', payment_intent, 'payment_intent')
  const named = work.tx.get('charges', intent.latest_charge ?? '')
  if (named?.paid) return named
  throw refused(`This PaymentIntent (${intent.id}) does not have a successful charge to refund.`, {
    code: 'payment_intent_unexpected_state',
    param: 'payment_intent',
  })
}

export interface RefundOrder {
  amount?: number | undefined
  reason?: (typeof reasons)[number] | undefined
  metadata?: MetadataPatch | undefined
}

export function refund(work: Work, charge: Charge, order: RefundOrder): Refund {
  const amount = refundable(work, charge, order.amount)
  const id = newId('re')
  const money = book(work, {
    type: 'refund',
    category: 'refund',
    amount: -amount,
    currency: charge.currency,
    source: id,
    description: `REFUND FOR CHARGE (${charge.description ?? charge.id})`,
  })
  const made: Refund = work.tx.put('refunds', {
    id,
    object: 'refund',
    amount,
    balance_transaction: money.id,
    charge: charge.id,
    created: work.seconds,
    currency: charge.currency,
    customer: charge.customer,
    customer_account: null,
    destination_details: {
      card: {
        reference_status: 'pending',
        reference_type: 'acquirer_reference_number',
        type: 'refund',
      },
      type: 'card',
    },
    metadata: mergeMetadata({}, order.metadata),
    payment_intent: charge.payment_intent,
    payment_method: charge.payment_method,
    reason: order.reason ?? null,
    receipt_number: null,
    source_transfer_reversal: null,
    status: 'succeeded',
    transfer_reversal: null,
  })
  const amount_refunded = charge.amount_refunded + amount
  const after = work.tx.put('charges', {
    ...charge,
    amount_refunded,
    refunded: amount_refunded === charge.amount,
  })
  emit(work, 'refund.created', made)
  emitChange(work, 'charge.refunded', {
    object: after,
    before: {
      amount_refunded: charge.amount_refunded,
      refunded: charge.refunded,
    },
  })
  emitChange(work, 'refund.updated', {
    object: referenced(work, made),
    before: {
      destination_details: made.destination_details,
    },
  })
  return made
}

/** The bank's reference arrives a moment later, which is what makes the vendor tell it twice. */
function referenced(work: Work, made: Refund): Refund {
  const destination_details: Refund['destination_details'] = {
    card: {
      reference: made.id.slice(-12),
      reference_status: 'available',
      reference_type: 'acquirer_reference_number',
      type: 'refund',
    },
    type: 'card',
  }
  return work.tx.put('refunds', { ...made, destination_details })
}

function refundable(work: Work, charge: Charge, asked: number | undefined): number {
  const rest = charge.amount - charge.amount_refunded
  const name = charge.id
  if (!charge.paid) {
    throw refused(`Charge ${name} cannot be refunded because it failed.`, {
      code: 'charge_not_refundable',
    })
  }
  const dispute = work.tx.all('disputes').find((one) => one.charge === name)
  if (dispute && dispute.status !== 'won') {
    throw refused(`Charge ${name} has been charged back; cannot issue a refund.`, {
      code: 'charge_disputed',
    })
  }
  if (rest === 0) {
    throw refused(`Charge ${name} has already been refunded.`, { code: 'charge_already_refunded' })
  }
  const amount = asked ?? rest
  if (amount > rest) {
    throw refused(
      `Refund amount (${amount}) is greater than unrefunded amount on charge (${rest})`,
      { code: 'amount_too_large', param: 'amount' },
    )
  }
  checkStep(amount, charge.currency)
  return amount
}

/** The bank sends the money back: the refund did not happen after all. */
export function failRefund(work: Work, old: Refund): Refund {
  if (old.status !== 'succeeded') {
    throw refused(`The refund ${old.id} is ${old.status}; only a succeeded one can fail.`)
  }
  const money = book(work, {
    type: 'refund_failure',
    category: 'refund_failure',
    amount: old.amount,
    currency: old.currency,
    source: old.id,
    description: `REFUND FAILURE FOR ${old.id}`,
  })
  const failed = work.tx.put('refunds', {
    ...old,
    status: 'failed',
    failure_reason: 'expired_or_canceled_card',
    failure_balance_transaction: money.id,
  })
  const charge = work.tx.get('charges', old.charge ?? '')
  if (charge) {
    const amount_refunded = charge.amount_refunded - old.amount
    work.tx.put('charges', { ...charge, amount_refunded, refunded: false })
  }
  emitChange(work, 'refund.failed', { object: failed, before: { status: old.status } })
  emitChange(work, 'refund.updated', { object: failed, before: { status: old.status } })
  return failed
}
