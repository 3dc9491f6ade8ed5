import type { Work } from '../deps.ts'
import type { Reader } from '../store.ts'
import { book, feeOf } from './balance.ts'
import { refused } from './errors.ts'
import { emit, emitChange } from './events.ts'
import { addPayment } from './invoice-make.ts'
import { newCharge, newIntent } from './payment-make.ts'
import type { Charge, Invoice, InvoicePayment, PaymentIntent } from './wire.ts'

/** The card of a customer pays an open invoice: all that is left, or a part of it. */
export function collect(work: Work, invoice: Invoice, part?: number): Invoice {
  const owed = amountOwed(invoice)
  const amount = part ?? owed
  if (amount > owed) {
    throw refused(`The amount ${amount} is more than the ${owed} that remain on the invoice.`, {
      param: 'amount',
    })
  }
  const { payment, intent } =
    amount === owed ? defaultPayment(work.tx, invoice) : partPayment(work, { invoice, amount })
  const made = newCharge(work, { intent, invoice, succeeded: true })
  const money = book(work, {
    type: 'charge',
    category: 'charge',
    amount,
    fee: feeOf(amount),
    currency: invoice.currency,
    source: made.id,
    description: made.description,
  })
  const charge = work.tx.put('charges', { ...made, balance_transaction: money.id })
  const succeeded = work.tx.put('payment_intents', {
    ...intent,
    status: 'succeeded',
    amount_received: amount,
    latest_charge: charge.id,
    last_payment_error: null,
    payment_method: charge.payment_method,
  })
  emit(work, 'payment_intent.succeeded', succeeded)
  emit(work, 'charge.succeeded', charge)
  const settled = work.tx.put('invoice_payments', {
    ...payment,
    status: 'paid',
    amount_paid: amount,
    status_transitions: { canceled_at: null, paid_at: work.seconds },
  })
  emit(work, 'invoice_payment.paid', settled)
  const after = work.tx.put('invoices', {
    ...invoice,
    amount_paid: invoice.amount_paid + amount,
    amount_remaining: owed - amount,
    attempted: true,
    attempt_count: invoice.attempt_count + 1,
  })
  if (amount < owed) {
    const { amount_paid, amount_remaining } = invoice
    emitChange(work, 'invoice.updated', {
      object: after,
      before: { amount_paid, amount_remaining },
    })
    return after
  }
  return close(work, after, { ofStripe: true })
}

/** The money came another way; nobody's card was charged. */
export function payOutOfBand(work: Work, invoice: Invoice): Invoice {
  const owed = amountOwed(invoice)
  cancelPayments(work, invoice)
  const after = { ...invoice, amount_paid: invoice.amount_paid + owed, amount_remaining: 0 }
  return close(work, after, { ofStripe: false })
}

function close(work: Work, invoice: Invoice, { ofStripe }: { ofStripe: boolean }): Invoice {
  const paid = work.tx.put('invoices', {
    ...invoice,
    status: 'paid',
    next_payment_attempt: null,
    status_transitions: { ...invoice.status_transitions, paid_at: work.seconds },
  })
  emit(work, 'invoice.paid', paid)
  if (ofStripe) emit(work, 'invoice.payment_succeeded', paid)
  setSubscription(work, paid, 'active')
  return paid
}

/** The card is declined. Answers the charge that failed. */
export function decline(work: Work, invoice: Invoice): Charge {
  amountOwed(invoice)
  const { intent } = defaultPayment(work.tx, invoice)
  const charge = work.tx.put('charges', newCharge(work, { intent, invoice, succeeded: false }))
  const failed = work.tx.put('payment_intents', {
    ...intent,
    latest_charge: charge.id,
    last_payment_error: {
      charge: charge.id,
      code: 'card_declined',
      decline_code: 'generic_decline',
      doc_url: 'https://stripe.com/docs/error-codes/card-declined',
      message: 'Your card was declined.',
      type: 'card_error',
    },
  })
  emit(work, 'charge.failed', charge)
  emit(work, 'payment_intent.payment_failed', failed)
  const after = work.tx.put('invoices', {
    ...invoice,
    attempted: true,
    attempt_count: invoice.attempt_count + 1,
  })
  emit(work, 'invoice.payment_failed', after)
  setSubscription(work, after, 'past_due')
  return charge
}

/** A first invoice leaves its subscription incomplete until it is paid, whatever fails. */
function setSubscription(work: Work, invoice: Invoice, status: 'active' | 'past_due'): void {
  const id = invoice.parent?.subscription_details?.subscription
  const old = id === undefined ? undefined : work.tx.get('subscriptions', id)
  if (old === undefined || old.latest_invoice !== invoice.id) return
  const from = status === 'active' ? ['incomplete', 'past_due'] : ['active']
  if (!from.includes(old.status)) return
  const subscription = work.tx.put('subscriptions', { ...old, status })
  emitChange(work, 'customer.subscription.updated', {
    object: subscription,
    before: { status: old.status },
  })
}

export function cancelPayments(work: Work, invoice: Invoice): void {
  for (const payment of work.tx.all('invoice_payments')) {
    if (payment.invoice !== invoice.id || payment.status !== 'open') continue
    work.tx.put('invoice_payments', {
      ...payment,
      status: 'canceled',
      status_transitions: { canceled_at: work.seconds, paid_at: null },
    })
    const intent = work.tx.get('payment_intents', payment.payment.payment_intent ?? '')
    if (intent === undefined) continue
    const canceled = work.tx.put('payment_intents', {
      ...intent,
      status: 'canceled',
      canceled_at: work.seconds,
      cancellation_reason: 'void_invoice',
    })
    emit(work, 'payment_intent.canceled', canceled)
  }
}

function amountOwed(invoice: Invoice): number {
  if (invoice.status === 'open' || invoice.status === 'uncollectible') {
    return invoice.amount_remaining
  }
  throw refused(
    invoice.status === 'paid'
      ? 'Invoice is already paid'
      : `Invoices with status ${invoice.status} cannot be paid.`,
  )
}

interface Payment {
  payment: InvoicePayment
  intent: PaymentIntent
}

function defaultPayment(reader: Reader, invoice: Invoice): Payment {
  const payment = reader.all('invoice_payments').find((one) => {
    return one.invoice === invoice.id && one.is_default && one.status === 'open'
  })
  const intent = reader.get('payment_intents', payment?.payment.payment_intent ?? '')
  if (payment && intent) return { payment, intent }
  throw refused('This invoice has no open payment.')
}

/** A part gets a payment of its own, and the one that was open asks for the rest. */
function partPayment(work: Work, { invoice, amount }: { invoice: Invoice; amount: number }) {
  const open = defaultPayment(work.tx, invoice)
  const rest = invoice.amount_remaining - amount
  work.tx.put('payment_intents', { ...open.intent, amount: rest })
  work.tx.put('invoice_payments', { ...open.payment, amount_requested: rest })
  const intent = newIntent(work, { invoice, amount })
  const payment = addPayment(work, { invoice, intent: intent.id, amount, isDefault: false })
  return { payment, intent }
}
