import type { Work } from '../deps.ts'
import { newId } from '../ids.ts'
import { type Endpoint, endpoint, found, idIn } from './endpoint.ts'
import { invalid, missing, refused } from './errors.ts'
import { emit, emitChange } from './events.ts'
import { page, paging, whole } from './lists.ts'
import {
  integer,
  mergeMetadata,
  metadata,
  oneOf,
  range,
  required,
  text,
  type Values,
  within,
} from './params.ts'
import { refund } from './refunds.ts'
import type { CreditNote, Invoice } from './wire.ts'

const reasons = ['duplicate', 'fraudulent', 'order_change', 'product_unsatisfactory'] as const

const fields = {
  invoice: required(text()),
  amount: integer(1),
  refund_amount: integer(0),
  out_of_band_amount: integer(0),
  memo: text(),
  reason: oneOf(reasons),
  metadata: metadata(),
}

export const creditNoteEndpoints: Endpoint[] = [
  endpoint({
    on: 'POST /v1/credit_notes',
    params: fields,
    run: (work, { params }) => create(work, params),
  }),
  endpoint({
    on: 'GET /v1/credit_notes',
    params: { ...paging, invoice: text(), customer: text(), created: range() },
    run(work, { params }) {
      const { invoice, customer, created } = params
      const rows = work.tx.all('credit_notes').filter((one) => {
        if (invoice !== undefined && one.invoice !== invoice) return false
        return within(one.created, created) && (!customer || one.customer === customer)
      })
      return page('/v1/credit_notes', rows, params)
    },
  }),
  endpoint({
    on: 'GET /v1/credit_notes/:id',
    params: {},
    run: (work, call) => found(work.tx.get('credit_notes', idIn(call)), 'credit note', call),
  }),
]

/** On an open invoice it lowers what is owed; on a paid one the money must go somewhere. */
function create(work: Work, params: Values<typeof fields>): CreditNote {
  const invoice = work.tx.get('invoices', params.invoice)
  if (invoice === undefined) throw missing('invoice', params.invoice, 'invoice')
  const amount = params.amount ?? (params.refund_amount ?? 0) + (params.out_of_band_amount ?? 0)
  if (amount === 0) {
    throw invalid('Missing required param: amount.', {
      code: 'parameter_missing',
      param: 'amount',
    })
  }
  const before = invoice.status === 'open'
  const after = before ? lower(work, invoice, amount) : giveBack(work, invoice, { amount, params })
  const note = work.tx.put(
    'credit_notes',
    noteOf(work, after.invoice, { amount, params, ...after }),
  )
  emit(work, 'credit_note.created', note)
  return note
}

interface Given {
  invoice: Invoice
  refunded: string | null
}

function lower(work: Work, invoice: Invoice, amount: number): Given {
  if (amount >= invoice.amount_remaining) {
    throw refused(
      `The amount ${amount} is not less than the ${invoice.amount_remaining} that remain on the ` +
        'invoice; void the invoice instead.',
      { param: 'amount' },
    )
  }
  const amount_remaining = invoice.amount_remaining - amount
  for (const payment of work.tx.all('invoice_payments')) {
    if (payment.invoice !== invoice.id || payment.status !== 'open') continue
    work.tx.put('invoice_payments', { ...payment, amount_requested: amount_remaining })
    const intent = work.tx.get('payment_intents', payment.payment.payment_intent ?? '')
    if (intent) work.tx.put('payment_intents', { ...intent, amount: amount_remaining })
  }
  const after = work.tx.put('invoices', {
    ...invoice,
    amount_due: invoice.amount_due - amount,
    amount_remaining,
    pre_payment_credit_notes_amount: invoice.pre_payment_credit_notes_amount + amount,
  })
  emitChange(work, 'invoice.updated', { object: after, before: { amount_due: invoice.amount_due } })
  return { invoice: after, refunded: null }
}

interface Credit {
  amount: number
  params: Values<typeof fields>
}

function giveBack(work: Work, invoice: Invoice, { amount, params }: Credit): Given {
  if (invoice.status !== 'paid') {
    throw refused(`Credit notes can be made for open or paid invoices, not ${invoice.status}.`)
  }
  const { refund_amount = 0, out_of_band_amount = 0 } = params
  if (refund_amount + out_of_band_amount !== amount) {
    throw invalid(
      `The sum of refund_amount and out_of_band_amount is ` +
        `${refund_amount + out_of_band_amount}, expected the credit note's amount, ${amount}.`,
      { param: 'amount' },
    )
  }
  const left = invoice.total - invoice.post_payment_credit_notes_amount
  if (amount > left) throw refused(`Only ${left} of the invoice are not credited yet.`)
  const payment = work.tx.all('invoice_payments').find((one) => {
    return one.invoice === invoice.id && one.status === 'paid'
  })
  const intent = work.tx.get('payment_intents', payment?.payment.payment_intent ?? '')
  const charge = work.tx.get('charges', intent?.latest_charge ?? '')
  if (refund_amount > 0 && charge === undefined) {
    throw refused('This invoice has no charge that could be refunded.')
  }
  const made = refund_amount > 0 && charge && refund(work, charge, { amount: refund_amount })
  const after = work.tx.put('invoices', {
    ...invoice,
    post_payment_credit_notes_amount: invoice.post_payment_credit_notes_amount + amount,
  })
  return { invoice: after, refunded: made ? made.id : null }
}

function noteOf(work: Work, invoice: Invoice, credit: Credit & { refunded: string | null }) {
  const { amount, params, refunded } = credit
  const id = newId('cn')
  const before = invoice.status === 'open'
  const earlier = work.tx.all('credit_notes').filter((one) => one.invoice === invoice.id)
  const note: CreditNote = {
    id,
    object: 'credit_note',
    amount,
    amount_shipping: 0,
    created: work.seconds,
    currency: invoice.currency,
    customer: invoice.customer ?? '',
    customer_account: null,
    customer_balance_transaction: null,
    discount_amount: 0,
    discount_amounts: [],
    effective_at: work.seconds,
    invoice: invoice.id,
    lines: whole(`/v1/credit_notes/${id}/lines`, []),
    livemode: false,
    memo: params.memo ?? null,
    metadata: mergeMetadata({}, params.metadata),
    number: `${invoice.number}-CN-${String(earlier.length + 1).padStart(2, '0')}`,
    out_of_band_amount: params.out_of_band_amount ?? null,
    pdf: invoice.invoice_pdf ?? '',
    post_payment_amount: before ? 0 : amount,
    pre_payment_amount: before ? amount : 0,
    pretax_credit_amounts: [],
    reason: params.reason ?? null,
    refunds: refunded
      ? [
          {
            amount_refunded: params.refund_amount ?? 0,
            payment_record_refund: null,
            refund: refunded,
            type: null,
          },
        ]
      : [],
    shipping_cost: null,
    status: 'issued',
    subtotal: amount,
    subtotal_excluding_tax: amount,
    total: amount,
    total_excluding_tax: amount,
    total_taxes: [],
    type: before ? 'pre_payment' : 'post_payment',
    voided_at: null,
  }
  return note
}
