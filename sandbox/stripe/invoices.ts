import type { Work } from '../deps.ts'
import { type Endpoint, endpoint, found, idIn } from './endpoint.ts'
import { cardDeclined, invalid, refused } from './errors.ts'
import { emitChange } from './events.ts'
import { page, paging } from './lists.ts'
import { bool, group, oneOf, range, required, text, within } from './params.ts'
import { cancelPayments, collect, decline, payOutOfBand } from './payments.ts'
import type { Invoice } from './wire.ts'

/** The vendor's own names of test cards; others are not known here. */
const decliningMethod = 'pm_card_chargeDeclined'

const invoiceReads: Endpoint[] = [
  endpoint({
    on: 'GET /v1/invoices',
    params: {
      ...paging,
      customer: text(),
      subscription: text(),
      status: oneOf(['draft', 'open', 'paid', 'uncollectible', 'void']),
      collection_method: text(),
      created: range(),
    },
    run(work, { params }) {
      const { customer, subscription, status, collection_method, created } = params
      const rows = work.tx.all('invoices').filter((invoice) => {
        if (customer !== undefined && invoice.customer !== customer) return false
        if (status !== undefined && invoice.status !== status) return false
        if (subscription !== undefined && subscriptionOf(invoice) !== subscription) return false
        if (collection_method && invoice.collection_method !== collection_method) return false
        return within(invoice.created, created)
      })
      return page('/v1/invoices', rows, params)
    },
  }),
  endpoint({ on: 'GET /v1/invoices/:id', params: {}, run: (work, call) => read(work, call) }),
  endpoint({
    on: 'GET /v1/invoices/:id/lines',
    params: paging,
    run(work, call) {
      const { id, lines } = read(work, call)
      return page(`/v1/invoices/${id}/lines`, lines.data.toReversed(), call.params)
    },
  }),
]

const invoiceActions: Endpoint[] = [
  endpoint({
    on: 'POST /v1/invoices/:id/pay',
    params: {
      payment_method: text(),
      paid_out_of_band: bool(),
      off_session: bool(),
      forgive: bool(),
    },
    run(work, call) {
      const invoice = read(work, call)
      const { payment_method, paid_out_of_band } = call.params
      if (paid_out_of_band) return payOutOfBand(work, invoice)
      if (payment_method === undefined) {
        throw refused(
          'There is no `default_payment_method` set on this Customer or Invoice. Please set one ' +
            'of these fields before paying, or pass a `payment_method` (here: pm_card_visa).',
          { code: 'missing' },
        )
      }
      if (payment_method !== decliningMethod) return collect(work, invoice)
      const charge = decline(work, invoice)
      // Returned, not thrown: the failed attempt stays although the request is refused.
      return cardDeclined({ charge: charge.id, payment_intent: { id: charge.payment_intent } })
    },
  }),
  endpoint({
    on: 'POST /v1/invoices/:id/void',
    params: {},
    run: (work, call) => voidInvoice(work, read(work, call)),
  }),
  endpoint({
    on: 'POST /v1/invoices/:id/mark_uncollectible',
    params: {},
    run(work, call) {
      const invoice = read(work, call)
      if (invoice.status !== 'open') throw notOpen(invoice)
      const after = work.tx.put('invoices', {
        ...invoice,
        status: 'uncollectible',
        status_transitions: {
          ...invoice.status_transitions,
          marked_uncollectible_at: work.seconds,
        },
      })
      emitChange(work, 'invoice.marked_uncollectible', {
        object: after,
        before: { status: 'open' },
      })
      return after
    },
  }),
]

const paymentReads: Endpoint[] = [
  endpoint({
    on: 'GET /v1/invoice_payments',
    params: {
      ...paging,
      invoice: text(),
      payment: group({ type: required(oneOf(['payment_intent'])), payment_intent: text() }),
      status: oneOf(['canceled', 'open', 'paid']),
      created: range(),
    },
    run(work, { params }) {
      const { invoice, payment, status, created } = params
      const rows = work.tx.all('invoice_payments').filter((one) => {
        if (invoice !== undefined && one.invoice !== invoice) return false
        if (status !== undefined && one.status !== status) return false
        if (payment && one.payment.payment_intent !== payment.payment_intent) return false
        return within(one.created, created)
      })
      return page('/v1/invoice_payments', rows, params)
    },
  }),
  endpoint({
    on: 'GET /v1/invoice_payments/:id',
    params: {},
    run(work, call) {
      return found(work.tx.get('invoice_payments', idIn(call)), 'invoice payment', call)
    },
  }),
  endpoint({
    on: 'GET /v1/payment_intents',
    params: { ...paging, customer: text(), created: range() },
    run(work, { params }) {
      const rows = work.tx.all('payment_intents').filter((one) => {
        if (params.customer !== undefined && one.customer !== params.customer) return false
        return within(one.created, params.created)
      })
      return page('/v1/payment_intents', rows, params)
    },
  }),
  endpoint({
    on: 'GET /v1/payment_intents/:id',
    params: {},
    run(work, call) {
      return found(work.tx.get('payment_intents', idIn(call)), 'payment_intent', call)
    },
  }),
  endpoint({
    on: 'GET /v1/charges',
    params: { ...paging, customer: text(), payment_intent: text(), created: range() },
    run(work, { params }) {
      const { customer, payment_intent, created } = params
      const rows = work.tx.all('charges').filter((one) => {
        if (customer !== undefined && one.customer !== customer) return false
        if (payment_intent !== undefined && one.payment_intent !== payment_intent) return false
        return within(one.created, created)
      })
      return page('/v1/charges', rows, params)
    },
  }),
  endpoint({
    on: 'GET /v1/charges/:id',
    params: {},
    run: (work, call) => found(work.tx.get('charges', idIn(call)), 'charge', call),
  }),
]

export const invoiceEndpoints = [...invoiceReads, ...invoiceActions, ...paymentReads]

function read(work: Work, call: Parameters<typeof found>[2]): Invoice {
  return found(work.tx.get('invoices', idIn(call)), 'invoice', call)
}

export function subscriptionOf(invoice: Invoice): string | undefined {
  return invoice.parent?.subscription_details?.subscription
}

function notOpen(invoice: Invoice): Error {
  return invalid(
    `You can only pass in open invoices. This invoice isn't open; it has status ` +
      `${invoice.status}.`,
  )
}

export function voidInvoice(work: Work, invoice: Invoice): Invoice {
  if (invoice.status !== 'open' && invoice.status !== 'uncollectible') throw notOpen(invoice)
  if (invoice.amount_paid > 0) {
    throw refused('You cannot void an invoice that has been partially paid.')
  }
  cancelPayments(work, invoice)
  const voided = work.tx.put('invoices', {
    ...invoice,
    status: 'void',
    next_payment_attempt: null,
    status_transitions: { ...invoice.status_transitions, voided_at: work.seconds },
  })
  emitChange(work, 'invoice.voided', { object: voided, before: { status: invoice.status } })
  return voided
}
