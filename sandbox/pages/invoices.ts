import { showMoney } from '../stripe/currencies.ts'
import type { Invoice } from '../stripe/wire.ts'
import { html, type Part } from './html.ts'
import { button, metadataOf, moment, pair, sendPage, table, tag } from './layout.ts'
import { amountIn, type Pages } from './routes.ts'

const columns = [
  { name: 'Invoice' },
  { name: 'Customer' },
  { name: 'For' },
  { name: 'Due', number: true },
  { name: 'Status' },
  { name: 'Created' },
  { name: '' },
]

export function invoicePages({ get, post, parts }: Pages): void {
  const { deps, actions } = parts
  get('/invoices', (ctx) => {
    const rows = deps.store.all('invoices').toReversed().map(rowOf)
    const lead = 'Invoices at Stripe. Pay one as its customer would, or let the card be declined.'
    sendPage(ctx, { title: 'Invoices', lead, section: '/invoices', body: table(columns, rows) })
  })
  post('/invoices/:id/pay', (form, id) => {
    actions.payInvoice(id, amountIn(form))
    return '/invoices'
  })
  post('/invoices/:id/fail', (_, id) => {
    actions.failInvoice(id)
    return '/invoices'
  })
}

function rowOf(invoice: Invoice): Part[] {
  const { id, currency, amount_due, amount_paid } = invoice
  const actions = html`<div class="actions">
${button(`/invoices/${id}/pay`, 'Pay', { main: true })}
${button(`/invoices/${id}/fail`, 'Decline card')}</div>`
  const part = amount_paid > 0 && invoice.status === 'open'
  return [
    html`<a href="${invoice.hosted_invoice_url}">${invoice.number}</a>
<div><code class="soft">${id}</code></div>`,
    pair(invoice.customer_name, invoice.customer_email),
    metadataOf(invoice.parent?.subscription_details?.metadata ?? {}),
    html`${showMoney(amount_due, currency)}
${part && html`<div class="small soft">${showMoney(amount_paid, currency)} paid</div>`}`,
    tag(invoice.status ?? ''),
    moment(invoice.created),
    invoice.status === 'open' && actions,
  ]
}
