import type { Work } from '../deps.ts'
import { newId, randomText } from '../ids.ts'
import { customerNamed } from './customers.ts'
import { emit, emitChange } from './events.ts'
import { whole } from './lists.ts'
import { newIntent } from './payment-make.ts'
import type { Customer, Invoice, InvoiceLine, InvoicePayment, Subscription } from './wire.ts'

export type BillingReason = 'subscription_create' | 'subscription_cycle'

/**
 * Makes the finalized invoice of a subscription's present period, with the payment that waits for
 * it. An invoice over nothing is paid as soon as it is made.
 */
export function openInvoice(work: Work, subscription: Subscription, reason: BillingReason) {
  const customer = customerNamed(work, subscription.customer)
  const invoice = newInvoice(work, { customer, subscription, reason })
  const { next_invoice_sequence = 1 } = customer
  work.tx.put('customers', { ...customer, next_invoice_sequence: next_invoice_sequence + 1 })
  work.tx.put('invoices', invoice)
  const draft: Invoice = {
    ...invoice,
    status: 'draft',
    number: null,
    hosted_invoice_url: null,
    invoice_pdf: null,
    status_transitions: { ...invoice.status_transitions, finalized_at: null },
  }
  emit(work, 'invoice.created', draft)
  if (invoice.amount_due > 0) {
    const intent = newIntent(work, { invoice, amount: invoice.amount_due })
    addPayment(work, { invoice, intent: intent.id, amount: invoice.amount_due, isDefault: true })
  }
  emitChange(work, 'invoice.finalized', { object: invoice, before: { status: 'draft' } })
  return invoice.amount_due > 0 ? invoice : payNothing(work, invoice)
}

function payNothing(work: Work, invoice: Invoice): Invoice {
  const paid = work.tx.put('invoices', {
    ...invoice,
    status: 'paid',
    attempted: true,
    status_transitions: { ...invoice.status_transitions, paid_at: work.seconds },
  })
  emit(work, 'invoice.paid', paid)
  emit(work, 'invoice.payment_succeeded', paid)
  return paid
}

interface PaymentOrder {
  invoice: Invoice
  intent: string
  amount: number
  isDefault: boolean
}

export function addPayment(work: Work, order: PaymentOrder): InvoicePayment {
  return work.tx.put('invoice_payments', {
    id: newId('inpay'),
    object: 'invoice_payment',
    amount_paid: null,
    amount_requested: order.amount,
    created: work.seconds,
    currency: order.invoice.currency,
    invoice: order.invoice.id,
    is_default: order.isDefault,
    livemode: false,
    payment: { payment_intent: order.intent, type: 'payment_intent' },
    status: 'open',
    status_transitions: { canceled_at: null, paid_at: null },
  })
}

interface InvoiceOrder {
  customer: Customer
  subscription: Subscription
  reason: BillingReason
}

function newInvoice(work: Work, { customer, subscription, reason }: InvoiceOrder): Invoice {
  const id = newId('in')
  const token = randomText(40)
  const url = work.deps.url()
  const lines = subscription.items.data.map((item) => newLine(id, item, subscription))
  const total = lines.reduce((sum, line) => sum + line.amount, 0)
  const manual = subscription.collection_method === 'send_invoice'
  const dueIn = subscription.days_until_due ?? 0
  const sequence = String(customer.next_invoice_sequence ?? 1).padStart(4, '0')
  // A renewal bills the period that begins; the vendor's own field names the one that ended.
  const start = subscription.items.data[0]?.current_period_start ?? work.seconds
  return {
    ...unusedFields,
    id,
    object: 'invoice',
    account_country: 'US',
    account_name: 'Sandbox platform',
    amount_due: total,
    amount_paid: 0,
    amount_remaining: total,
    attempt_count: 0,
    attempted: false,
    auto_advance: !manual,
    billing_reason: reason,
    collection_method: subscription.collection_method,
    created: work.seconds,
    currency: subscription.currency,
    customer: customer.id,
    customer_address: customer.address ?? null,
    customer_email: customer.email,
    customer_name: customer.name ?? null,
    customer_phone: customer.phone ?? null,
    customer_tax_exempt: customer.tax_exempt ?? 'none',
    due_date: manual ? work.seconds + dueIn * 24 * 60 * 60 : null,
    effective_at: work.seconds,
    hosted_invoice_url: `${url}/invoice/${token}`,
    invoice_pdf: `${url}/files/invoices/${id}.pdf`,
    lines: whole(`/v1/invoices/${id}/lines`, lines),
    metadata: {},
    number: `${customer.invoice_prefix}-${sequence}`,
    parent: {
      quote_details: null,
      subscription_details: { metadata: subscription.metadata, subscription: subscription.id },
      type: 'subscription_details',
    },
    period_end: start,
    period_start: start,
    status: 'open',
    status_transitions: {
      finalized_at: work.seconds,
      marked_uncollectible_at: null,
      paid_at: null,
      voided_at: null,
    },
    subtotal: total,
    subtotal_excluding_tax: total,
    total,
    total_excluding_tax: total,
    webhooks_delivered_at: work.seconds,
  }
}

function newLine(
  invoice: string,
  item: Subscription['items']['data'][number],
  subscription: Subscription,
): InvoiceLine {
  const quantity = item.quantity ?? 1
  const amount = (item.price.unit_amount ?? 0) * quantity
  return {
    id: newId('il'),
    object: 'line_item',
    amount,
    currency: subscription.currency,
    description: `${quantity} × ${item.price.nickname ?? item.price.product}`,
    discount_amounts: [],
    discountable: true,
    discounts: [],
    invoice,
    livemode: false,
    metadata: { ...subscription.metadata, ...item.metadata },
    parent: {
      invoice_item_details: null,
      subscription_item_details: {
        invoice_item: null,
        proration: false,
        proration_details: { credited_items: null },
        subscription: subscription.id,
        subscription_item: item.id,
      },
      type: 'subscription_item_details',
    },
    period: { end: item.current_period_end, start: item.current_period_start },
    pretax_credit_amounts: [],
    pricing: {
      price_details: { price: item.price.id, product: item.price.product },
      type: 'price_details',
      unit_amount_decimal: item.price.unit_amount_decimal,
    },
    quantity,
    quantity_decimal: String(quantity),
    subscription: subscription.id,
    subtotal: amount,
    taxes: [],
  }
}

/** What an invoice of the real vendor carries and this one never fills. */
const unusedFields = {
  account_tax_ids: null,
  amount_overpaid: 0,
  amount_shipping: 0,
  application: null,
  automatic_tax: {
    disabled_reason: null,
    enabled: false,
    liability: null,
    provider: null,
    status: null,
  },
  automatically_finalizes_at: null,
  custom_fields: null,
  customer_account: null,
  customer_shipping: null,
  customer_tax_ids: [],
  default_payment_method: null,
  default_source: null,
  default_tax_rates: [],
  description: null,
  discounts: [],
  ending_balance: 0,
  footer: null,
  from_invoice: null,
  issuer: { type: 'self' },
  last_finalization_error: null,
  latest_revision: null,
  livemode: false,
  next_payment_attempt: null,
  on_behalf_of: null,
  payment_settings: {
    default_mandate: null,
    payment_method_options: null,
    payment_method_types: null,
  },
  post_payment_credit_notes_amount: 0,
  pre_payment_credit_notes_amount: 0,
  receipt_number: null,
  rendering: null,
  shipping_cost: null,
  shipping_details: null,
  starting_balance: 0,
  statement_descriptor: null,
  test_clock: null,
  total_discount_amounts: [],
  total_pretax_credit_amounts: [],
  total_taxes: [],
} satisfies Partial<Invoice>
