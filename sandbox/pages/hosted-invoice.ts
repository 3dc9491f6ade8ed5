import { change, type Deps } from '../deps.ts'
import { HttpProblem } from '../http.ts'
import { makePdf } from '../pdf.ts'
import { showMoney } from '../stripe/currencies.ts'
import { collect, decline } from '../stripe/payments.ts'
import type { Invoice } from '../stripe/wire.ts'
import { html } from './html.ts'
import { button, moment, sendPage, tag } from './layout.ts'
import type { Pages } from './routes.ts'

/** The page that the customer of an invoice sees, and the file of it. */
export function hostedInvoicePages({ get, post, parts }: Pages): void {
  const { deps } = parts
  get('/invoice/:id', (ctx, token) => {
    const invoice = invoiceOf(deps, token)
    sendPage(ctx, {
      title: `Invoice ${invoice.number}`,
      lead: `from ${invoice.account_name} to ${invoice.customer_name ?? invoice.customer_email}`,
      body: invoiceBody(invoice, token),
    })
  })
  post('/invoice/:id/pay', (_, token) => {
    change(deps, 'customer pays', (work) => collect(work, invoiceOf(deps, token)))
    return `/invoice/${token}`
  })
  post('/invoice/:id/fail', (_, token) => {
    change(deps, 'card is declined', (work) => decline(work, invoiceOf(deps, token)))
    return `/invoice/${token}`
  })
  get('/files/invoices/:id.pdf', async (ctx, id) => {
    const invoice = deps.store.get('invoices', id)
    if (invoice === undefined) throw new HttpProblem(404, `There is no invoice ${id}.`)
    ctx.type = 'application/pdf'
    ctx.body = await pdfOf(invoice)
  })
}

function invoiceOf({ store }: Deps, token: string): Invoice {
  const invoice = store
    .all('invoices')
    .find(({ hosted_invoice_url: url }) => url?.endsWith(`/invoice/${token}`))
  if (invoice) return invoice
  throw new HttpProblem(404, 'There is no such invoice.')
}

function invoiceBody(invoice: Invoice, token: string) {
  const { currency } = invoice
  const lines = invoice.lines.data.map(
    (line) =>
      html`<dt>${line.description}</dt><dd>${showMoney(line.amount, currency)}
<span class="soft small">${moment(line.period.start).slice(0, 10)} to
${moment(line.period.end).slice(0, 10)}</span></dd>`,
  )
  const paid = showMoney(invoice.amount_paid, currency)
  const rest = showMoney(invoice.amount_remaining, currency)
  const declined = invoice.attempt_count > 0 && invoice.status === 'open'
  return html`<div class="card"><p>${tag(invoice.status ?? '')}
${declined && invoice.amount_paid === 0 && html`<span class="tag bad">card declined</span>`}</p>
<dl>${lines}</dl>
${invoice.amount_paid > 0 && html`<p class="soft">Paid: ${paid}</p>`}
<p class="total"><span>To pay</span><span>${rest}</span></p>
${
  invoice.status === 'open' &&
  html`<div class="actions">${button(`/invoice/${token}/pay`, 'Pay', { main: true })}
${button(`/invoice/${token}/fail`, 'Pay with a card that is declined')}</div>`
}</div>
<p><a href="${invoice.invoice_pdf}">Download as PDF</a></p>`
}

function pdfOf(invoice: Invoice): Promise<Buffer> {
  const { currency } = invoice
  return makePdf({
    title: `Invoice ${invoice.number}`,
    date: new Date(invoice.created * 1000),
    parts: [
      {
        rows: [
          ['From', invoice.account_name ?? ''],
          ['To', `${invoice.customer_name ?? ''} ${invoice.customer_email ?? ''}`.trim()],
          ['Issued', moment(invoice.created).slice(0, 10)],
          ['Status', invoice.status ?? ''],
        ],
      },
      ...invoice.lines.data.map((line) => ({
        heading: line.description ?? '',
        text: showMoney(line.amount, currency),
      })),
      { heading: 'Total', text: showMoney(invoice.total, currency) },
      { heading: 'Paid', text: showMoney(invoice.amount_paid, currency) },
    ],
  })
}
