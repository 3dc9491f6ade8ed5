import type { Work } from '../deps.ts'
import { newId, randomText } from '../ids.ts'
import type { Charge, Invoice, PaymentIntent } from './wire.ts'

interface IntentOrder {
  invoice: Invoice
  amount: number
}

export function newIntent(work: Work, { invoice, amount }: IntentOrder): PaymentIntent {
  const id = newId('pi')
  return work.tx.put('payment_intents', {
    id,
    object: 'payment_intent',
    allowed_payment_method_types: null,
    amount,
    amount_capturable: 0,
    amount_received: 0,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods: null,
    canceled_at: null,
    cancellation_reason: null,
    capture_method: 'automatic',
    client_secret: `${id}_secret_${randomText(25)}`,
    confirmation_method: 'automatic',
    created: work.seconds,
    currency: invoice.currency,
    customer: invoice.customer,
    customer_account: null,
    description: 'Subscription creation',
    excluded_payment_method_types: null,
    last_payment_error: null,
    latest_charge: null,
    livemode: false,
    managed_payments: null,
    metadata: {},
    next_action: null,
    on_behalf_of: null,
    payment_method: null,
    payment_method_configuration_details: null,
    payment_method_options: null,
    payment_method_types: ['card'],
    payment_record: null,
    processing: null,
    receipt_email: null,
    review: null,
    setup_future_usage: null,
    shipping: null,
    source: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: 'requires_payment_method',
    transfer_group: null,
  })
}

export interface ChargeOrder {
  intent: PaymentIntent
  invoice: Invoice
  succeeded: boolean
}

/** Whether it succeeded is the card's doing; the money is booked by the caller. */
export function newCharge(work: Work, { intent, invoice, succeeded }: ChargeOrder): Charge {
  const id = newId('ch')
  const failure = succeeded ? null : 'card_declined'
  return {
    id,
    object: 'charge',
    amount: intent.amount,
    amount_captured: succeeded ? intent.amount : 0,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: null,
    billing_details: {
      address: null,
      email: invoice.customer_email,
      name: invoice.customer_name,
      phone: null,
      tax_id: null,
    },
    calculated_statement_descriptor: 'SANDBOX',
    captured: succeeded,
    created: work.seconds,
    currency: intent.currency,
    customer: intent.customer,
    description: intent.description,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: failure,
    failure_message: succeeded ? null : 'Your card was declined.',
    fraud_details: {},
    livemode: false,
    // The vendor leaves this empty; here it repeats the subscription's, so that people and
    // scripts can tell whose payment this is.
    metadata: invoice.parent?.subscription_details?.metadata ?? {},
    on_behalf_of: null,
    outcome: outcomeOf(succeeded),
    paid: succeeded,
    payment_intent: intent.id,
    payment_method: newId('pm'),
    payment_method_details: { card: cardDetails, type: 'card' },
    receipt_email: null,
    receipt_number: null,
    receipt_url: null,
    refunded: false,
    review: null,
    shipping: null,
    source: null,
    source_transfer: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: succeeded ? 'succeeded' : 'failed',
    transfer_data: null,
    transfer_group: null,
  }
}

function outcomeOf(succeeded: boolean): Charge['outcome'] {
  return {
    advice_code: null,
    network_advice_code: null,
    network_decline_code: null,
    network_status: succeeded ? 'approved_by_network' : 'declined_by_network',
    reason: succeeded ? null : 'generic_decline',
    risk_level: 'normal',
    seller_message: succeeded ? 'Payment complete.' : 'The bank did not return any reason.',
    type: succeeded ? 'authorized' : 'issuer_declined',
  }
}

const cardDetails = {
  amount_authorized: null,
  authorization_code: null,
  checks: null,
  electronic_commerce_indicator: null,
  brand: 'visa',
  country: 'US',
  exp_month: 12,
  exp_year: 2034,
  fingerprint: 'sandboxsandbox42',
  funding: 'credit',
  installments: null,
  last4: '4242',
  mandate: null,
  network: 'visa',
  network_token: null,
  network_transaction_id: null,
  regulated_status: 'unregulated',
  three_d_secure: null,
  transaction_link_id: null,
  wallet: null,
} satisfies NonNullable<NonNullable<Charge['payment_method_details']>['card']>
