/** Customers, prices, subscriptions and invoices at Stripe, in our words. */
import type Stripe from 'stripe'
import { fromStripeAmount, toStripeAmount } from '../domain/currencies.ts'
import { sum } from '../domain/money.ts'
import type { InvoiceLine, InvoicePayment, SubscriptionStatus } from '../domain/subscriptions.ts'
import { callStripe } from './stripe-client.ts'
import { VendorError } from './vendor-error.ts'

/** Ids of ours that Stripe keeps beside its objects; never names or addresses. */
export type Metadata = Record<string, string>

export interface PaidInvoice {
  invoiceId: string
  currency: string
  /** What the invoice asks for in all, tax included. */
  total: bigint
  /** True where nothing more will be paid: all of it is, or the rest was given up (voided). */
  settled: boolean
  lines: InvoiceLine[]
  payments: (InvoicePayment & { chargeId: string | null })[]
  subscriptionId: string | null
  /** The metadata of the subscription as it was when the invoice was made. */
  metadata: Metadata
}

export interface CreditNote {
  creditNoteId: string
  invoiceId: string
  /** The one payment that it corrects; null where it corrects the invoice. */
  paymentId: string | null
  /** Given back of what was paid, otherwise than by refunds. */
  amount: bigint
  createdAt: Date
  voided: boolean
}

export interface BillingSubscription {
  subscriptionId: string
  invoiceId: string | null
  status: SubscriptionStatus
  metadata: Metadata
}

export type StripeBilling = ReturnType<typeof stripeBilling>

export function stripeBilling(stripe: Stripe) {
  return {
    /** @returns the id of the customer at Stripe; the same key gives the same customer. */
    async createCustomer(
      customer: { name: string; email: string; metadata: Metadata },
      idempotencyKey: string,
    ): Promise<string> {
      const created = await callStripe(stripe.customers.create(customer, { idempotencyKey }))
      return created.id
    },

    /** A customer that an earlier call made and whose answer was lost, by its metadata. */
    async findCustomer(email: string, metadata: Metadata): Promise<string | null> {
      const pages = stripe.customers.list({ email, limit: 100 })
      const found = await callStripe(pages.autoPagingToArray({ limit: 1_000 }))
      return found.find((customer) => includes(customer.metadata, metadata))?.id ?? null
    },

    /** Whether the customer is there; one that was deleted is not. */
    async hasCustomer(customerId: string): Promise<boolean> {
      const customer = await ifThere(callStripe(stripe.customers.retrieve(customerId)))
      return customer !== null && customer.deleted !== true
    },

    /**
     * Deletes a customer that has no invoice: one that has belongs to the books of the vendor.
     * @returns whether it is gone.
     */
    async removeCustomer(customerId: string): Promise<boolean> {
      const invoices = await callStripe(stripe.invoices.list({ customer: customerId, limit: 1 }))
      if (invoices.data.length > 0) return false
      await ifThere(callStripe(stripe.customers.del(customerId)))
      return true
    },

    /** Subscriptions of a customer that have not ended, by their metadata. */
    async findSubscriptions(customerId: string, metadata: Metadata): Promise<string[]> {
      const pages = stripe.subscriptions.list({ customer: customerId, status: 'all', limit: 100 })
      const found = await callStripe(pages.autoPagingToArray({ limit: 1_000 }))
      return found
        .filter(({ status }) => status !== 'canceled' && status !== 'incomplete_expired')
        .filter((subscription) => includes(subscription.metadata, metadata))
        .map(({ id }) => id)
    },

    async createMonthlyPrice(
      price: { name: string; amount: bigint; currency: string; metadata: Metadata },
      idempotencyKey: string,
    ): Promise<{ productId: string; priceId: string }> {
      const product = await callStripe(
        stripe.products.create(
          { name: price.name, metadata: price.metadata },
          { idempotencyKey: `${idempotencyKey}:product` },
        ),
      )
      const created = await callStripe(
        stripe.prices.create(
          {
            product: product.id,
            currency: price.currency.toLowerCase(),
            unit_amount: toStripeAmount(price.amount, price.currency),
            recurring: { interval: 'month' },
            metadata: price.metadata,
          },
          { idempotencyKey: `${idempotencyKey}:price` },
        ),
      )
      return { productId: product.id, priceId: created.id }
    },

    /** Opens a subscription whose first invoice waits to be paid. */
    async openSubscription(
      order: { customerId: string; priceId: string; metadata: Metadata },
      idempotencyKey: string,
    ): Promise<BillingSubscription> {
      const created = await callStripe(
        stripe.subscriptions.create(
          {
            customer: order.customerId,
            items: [{ price: order.priceId, quantity: 1 }],
            payment_behavior: 'default_incomplete',
            billing_mode: { type: 'flexible' },
            metadata: order.metadata,
          },
          { idempotencyKey },
        ),
      )
      return billingSubscription(created)
    },

    async readSubscription(subscriptionId: string): Promise<BillingSubscription> {
      return billingSubscription(await callStripe(stripe.subscriptions.retrieve(subscriptionId)))
    },

    /** Ends a subscription at once; one that is ended already is fine. */
    async cancelSubscription(subscriptionId: string): Promise<void> {
      const current = await callStripe(stripe.subscriptions.retrieve(subscriptionId))
      if (current.status === 'canceled' || current.status === 'incomplete_expired') return
      await callStripe(stripe.subscriptions.cancel(subscriptionId, { prorate: false }))
    },

    async readInvoice(invoiceId: string): Promise<PaidInvoice> {
      const invoice = await callStripe(
        stripe.invoices.retrieve(invoiceId, {
          expand: ['payments.data.payment.payment_intent'],
        }),
      )
      const [lines, payments] = await Promise.all([
        allLines(stripe, invoice),
        allPayments(stripe, invoice),
      ])
      return paidInvoice(invoice, { lines, payments })
    },

    /** The invoices that a charge paid, for corrections that arrive before their payment. */
    async findInvoicesOfCharge(chargeId: string): Promise<string[]> {
      const charge = await callStripe(stripe.charges.retrieve(chargeId))
      const intent = idOf(charge.payment_intent)
      if (!intent) return []
      const payments = await callStripe(
        stripe.invoicePayments.list({
          payment: { type: 'payment_intent', payment_intent: intent },
          limit: 100,
        }),
      )
      return payments.data.flatMap((payment) => idOf(payment.invoice) ?? [])
    },

    async readRefund(refundId: string) {
      const refund = await callStripe(stripe.refunds.retrieve(refundId))
      const currency = refund.currency.toUpperCase()
      return {
        refundId: refund.id,
        chargeId: idOf(refund.charge),
        currency,
        amount: fromStripeAmount(refund.amount, currency),
        createdAt: instant(refund.created),
        failed: refund.status === 'failed' || refund.status === 'canceled',
      }
    },

    /** What a credit note gave back without a refund: those are events of their own. */
    async readCreditNote(creditNoteId: string): Promise<CreditNote> {
      const note = await callStripe(stripe.creditNotes.retrieve(creditNoteId))
      const currency = note.currency.toUpperCase()
      const refunded = total(note.refunds.map(({ amount_refunded }) => amount_refunded))
      return {
        creditNoteId: note.id,
        invoiceId: idOf(note.invoice) ?? '',
        paymentId: null,
        amount: fromStripeAmount(Math.max(0, note.post_payment_amount - refunded), currency),
        createdAt: instant(note.created),
        voided: note.status === 'void',
      }
    },

    async readDispute(disputeId: string) {
      const dispute = await callStripe(stripe.disputes.retrieve(disputeId))
      const currency = dispute.currency.toUpperCase()
      return {
        disputeId: dispute.id,
        chargeId: idOf(dispute.charge),
        currency,
        amount: fromStripeAmount(dispute.amount, currency),
        openedAt: instant(dispute.created),
        outcome: disputeOutcome(dispute.status),
      }
    },
  }
}

const includes = (all: Metadata, some: Metadata) =>
  Object.entries(some).every(([name, value]) => all[name] === value)

/** Null for what the vendor does not know any more. */
async function ifThere<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call
  } catch (error) {
    if (error instanceof VendorError && error.code === 'resource_missing') return null
    throw error
  }
}

const instant = (seconds: number) => new Date(seconds * 1000)

function idOf(reference: string | { id: string } | null | undefined): string | null {
  return typeof reference === 'string' ? reference : (reference?.id ?? null)
}

function disputeOutcome(status: string): 'open' | 'won' | 'lost' {
  if (status === 'won' || status === 'warning_closed' || status === 'prevented') return 'won'
  return status === 'lost' ? 'lost' : 'open'
}

/** Stripe's eight states as our five; one that is new to us counts as waiting for payment. */
function subscriptionStatus(status: string): SubscriptionStatus {
  switch (status) {
    case 'active':
    case 'trialing':
    case 'paused':
      return 'active'
    case 'past_due':
    case 'unpaid':
      return 'past_due'
    case 'canceled':
    case 'incomplete_expired':
      return 'canceled'
    default:
      return 'awaiting_payment'
  }
}

function billingSubscription(subscription: Stripe.Subscription): BillingSubscription {
  return {
    subscriptionId: subscription.id,
    invoiceId: idOf(subscription.latest_invoice),
    status: subscriptionStatus(subscription.status),
    metadata: subscription.metadata,
  }
}

async function allLines(stripe: Stripe, invoice: Stripe.Invoice) {
  if (!invoice.lines.has_more) return invoice.lines.data
  const pages = stripe.invoices.listLineItems(invoice.id, { limit: 100 })
  return callStripe(pages.autoPagingToArray({ limit: 10_000 }))
}

async function allPayments(stripe: Stripe, invoice: Stripe.Invoice) {
  if (!invoice.payments?.has_more) return invoice.payments?.data ?? []
  const pages = stripe.invoicePayments.list({
    invoice: invoice.id,
    limit: 100,
    expand: ['data.payment.payment_intent'],
  })
  return callStripe(pages.autoPagingToArray({ limit: 10_000 }))
}

function paidInvoice(
  invoice: Stripe.Invoice,
  whole: { lines: Stripe.InvoiceLineItem[]; payments: Stripe.InvoicePayment[] },
): PaidInvoice {
  const currency = invoice.currency.toUpperCase()
  const details = invoice.parent?.subscription_details
  return {
    invoiceId: invoice.id,
    currency,
    total: fromStripeAmount(invoice.total, currency),
    settled: invoice.status === 'paid' || invoice.status === 'void',
    lines: whole.lines.map((line) => invoiceLine(line, currency)),
    payments: whole.payments.flatMap((payment) => paidPart(payment, currency)),
    subscriptionId: idOf(details?.subscription),
    metadata: details?.metadata ?? {},
  }
}

/** What a line costs after discounts and without tax, whether tax is inside its price or not. */
function invoiceLine(line: Stripe.InvoiceLineItem, currency: string): InvoiceLine {
  const discounts = (line.discount_amounts ?? []).map(({ amount }) => amount)
  const taxes = line.taxes ?? []
  const inside = taxes.filter((tax) => tax.tax_behavior === 'inclusive')
  const net = line.amount - total(discounts) - total(inside.map(({ amount }) => amount))
  const product = line.pricing?.price_details?.product
  return {
    lineId: line.id,
    product: product ? idOf(product) : null,
    quantity: line.quantity ?? 1,
    setupFee: line.metadata?.kind === 'setup_fee',
    net: fromStripeAmount(net, currency),
    tax: fromStripeAmount(total(taxes.map(({ amount }) => amount)), currency),
  }
}

const total = (amounts: number[]) => Number(sum(amounts.map(BigInt)))

function paidPart(payment: Stripe.InvoicePayment, currency: string) {
  if (payment.status !== 'paid' || payment.amount_paid === null) return []
  const intent = payment.payment.payment_intent
  const charge = typeof intent === 'object' ? idOf(intent.latest_charge) : null
  const paidAt = payment.status_transitions.paid_at ?? payment.created
  return [
    {
      paymentId: payment.id,
      amount: fromStripeAmount(payment.amount_paid, currency),
      paidAt: instant(paidAt),
      lineId: null,
      chargeId: charge ?? idOf(payment.payment.charge),
    },
  ]
}
