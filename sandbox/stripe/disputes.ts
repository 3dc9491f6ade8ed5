import type { Work } from '../deps.ts'
import { newId } from '../ids.ts'
import { book } from './balance.ts'
import { decimalsOf } from './currencies.ts'
import { type Endpoint, endpoint, found, idIn } from './endpoint.ts'
import { refused } from './errors.ts'
import { emit, emitChange } from './events.ts'
import { page, paging } from './lists.ts'
import { range, text, within } from './params.ts'
import type { BalanceTransaction, Charge, Dispute } from './wire.ts'

const evidenceDays = 9
const open = ['needs_response', 'under_review']

export const disputeEndpoints: Endpoint[] = [
  endpoint({
    on: 'GET /v1/disputes',
    params: { ...paging, charge: text(), payment_intent: text(), created: range() },
    run(work, { params }) {
      const { charge, payment_intent, created } = params
      const rows = work.tx.all('disputes').filter((one) => {
        if (charge !== undefined && one.charge !== charge) return false
        if (payment_intent !== undefined && one.payment_intent !== payment_intent) return false
        return within(one.created, created)
      })
      return page('/v1/disputes', rows, params)
    },
  }),
  endpoint({
    on: 'GET /v1/disputes/:id',
    params: {},
    run: (work, call) => found(work.tx.get('disputes', idIn(call)), 'dispute', call),
  }),
  endpoint({
    on: 'POST /v1/disputes/:id/close',
    params: {},
    run(work, call) {
      const dispute = found(work.tx.get('disputes', idIn(call)), 'dispute', call)
      return closeDispute(work, dispute, 'lost')
    },
  }),
]

/** The bank takes the customer's side and the money, until the dispute is closed. */
export function openDispute(work: Work, charge: Charge, asked?: number): Dispute {
  const amount = asked ?? charge.amount
  if (!charge.paid) throw refused(`Charge ${charge.id} failed; nobody can dispute it.`)
  if (amount < 1 || amount > charge.amount) {
    throw refused(`The amount is ${amount}, expected 1 to ${charge.amount} (the charge's).`)
  }
  const earlier = work.tx.all('disputes').find((one) => one.charge === charge.id)
  if (earlier) throw refused(`Charge ${charge.id} is already disputed (${earlier.id}).`)
  const id = newId('du')
  const withdrawn = bookDispute(work, { id, charge, amount: -amount, fee: feeOf(charge) })
  const created: Dispute = {
    id,
    object: 'dispute',
    amount,
    balance_transactions: [],
    charge: charge.id,
    created: work.seconds,
    currency: charge.currency,
    enhanced_eligibility_types: [],
    evidence: noEvidence,
    evidence_details: {
      due_by: work.seconds + evidenceDays * 24 * 60 * 60,
      enhanced_eligibility: {},
      has_evidence: false,
      past_due: false,
      submission_count: 0,
      submission_method: 'manual',
    },
    intended_submission_method: 'manual',
    is_charge_refundable: false,
    livemode: false,
    metadata: {},
    payment_intent: charge.payment_intent,
    payment_method_details: {
      card: { brand: 'visa', case_type: 'chargeback', network: 'visa', network_reason_code: '83' },
      type: 'card',
    },
    reason: 'fraudulent',
    status: 'needs_response',
  }
  work.tx.put('charges', { ...charge, disputed: true })
  emit(work, 'charge.dispute.created', created)
  const dispute = work.tx.put('disputes', { ...created, balance_transactions: [withdrawn] })
  emitChange(work, 'charge.dispute.funds_withdrawn', {
    object: dispute,
    before: { balance_transactions: [] },
  })
  return dispute
}

export function closeDispute(work: Work, old: Dispute, outcome: 'won' | 'lost'): Dispute {
  if (!open.includes(old.status)) {
    throw refused(`This dispute is already closed with the status ${old.status}.`)
  }
  const closed = work.tx.put('disputes', { ...old, status: outcome })
  emitChange(work, 'charge.dispute.closed', { object: closed, before: { status: old.status } })
  const charge = work.tx.get('charges', old.charge)
  if (outcome === 'lost' || charge === undefined) return closed
  const returned = bookDispute(work, {
    id: old.id,
    charge,
    amount: old.amount,
    fee: -feeOf(charge),
  })
  const balance_transactions = [...old.balance_transactions, returned]
  const dispute = work.tx.put('disputes', { ...closed, balance_transactions })
  emitChange(work, 'charge.dispute.funds_reinstated', {
    object: dispute,
    before: {
      balance_transactions: old.balance_transactions,
    },
  })
  return dispute
}

/** Fifteen whole units of the charge's currency. */
function feeOf({ currency }: Charge): number {
  return 15 * 10 ** decimalsOf(currency)
}

interface DisputeMoney {
  id: string
  charge: Charge
  amount: number
  fee: number
}

function bookDispute(work: Work, { id, charge, amount, fee }: DisputeMoney): BalanceTransaction {
  return book(work, {
    type: 'adjustment',
    category: amount < 0 ? 'dispute' : 'dispute_reversal',
    amount,
    fee,
    currency: charge.currency,
    source: id,
    description: `Chargeback ${amount < 0 ? 'withdrawal' : 'reversal'} for ${charge.id}`,
  })
}

const noEvidence = {
  access_activity_log: null,
  billing_address: null,
  cancellation_policy: null,
  cancellation_policy_disclosure: null,
  cancellation_rebuttal: null,
  customer_communication: null,
  customer_email_address: null,
  customer_name: null,
  customer_purchase_ip: null,
  customer_signature: null,
  duplicate_charge_documentation: null,
  duplicate_charge_explanation: null,
  duplicate_charge_id: null,
  enhanced_evidence: {},
  product_description: null,
  receipt: null,
  refund_policy: null,
  refund_policy_disclosure: null,
  refund_refusal_explanation: null,
  service_date: null,
  service_documentation: null,
  shipping_address: null,
  shipping_carrier: null,
  shipping_date: null,
  shipping_documentation: null,
  shipping_tracking_number: null,
  uncategorized_file: null,
  uncategorized_text: null,
} satisfies Dispute['evidence']
