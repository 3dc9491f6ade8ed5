import { showMoney } from '../stripe/currencies.ts'
import type { Charge, Dispute } from '../stripe/wire.ts'
import { type Html, html, type Part } from './html.ts'
import { button, metadataOf, moment, sendPage, table, tag } from './layout.ts'
import { amountIn, type Pages } from './routes.ts'

const columns = [
  { name: 'Charge' },
  { name: 'For' },
  { name: 'Amount', number: true },
  { name: 'Refunded', number: true },
  { name: 'Status' },
  { name: 'Created' },
  { name: '' },
]

export function chargePages({ get, post, parts }: Pages): void {
  const { deps, actions } = parts
  get('/charges', (ctx) => {
    const disputes = new Map(deps.store.all('disputes').map((one) => [one.charge, one]))
    const charges = deps.store.all('charges').toReversed()
    const rows = charges.map((charge) => rowOf(charge, disputes.get(charge.id)))
    const lead = 'Money that was collected. Amounts in the fields are in minor units; empty is all.'
    sendPage(ctx, { title: 'Charges', lead, section: '/charges', body: table(columns, rows) })
  })
  post('/charges/:id/refund', (form, id) => {
    actions.refundCharge(id, { amount: amountIn(form), fail: form.fail === 'true' })
    return '/charges'
  })
  post('/charges/:id/dispute', (form, id) => {
    actions.disputeCharge(id, amountIn(form))
    return '/charges'
  })
  post('/disputes/:id/close', (form, id) => {
    actions.closeDispute(id, form.outcome === 'won' ? 'won' : 'lost')
    return '/charges'
  })
}

function rowOf(charge: Charge, dispute: Dispute | undefined): Part[] {
  return [
    html`<code>${charge.id}</code>`,
    metadataOf(charge.metadata),
    showMoney(charge.amount, charge.currency),
    charge.amount_refunded > 0 && showMoney(charge.amount_refunded, charge.currency),
    html`${tag(charge.status)}${dispute && html` ${tag(dispute.status)}`}`,
    moment(charge.created),
    charge.paid && html`<div class="actions">${actionsOf(charge, dispute)}</div>`,
  ]
}

const amountField = html`<input name="amount" inputmode="numeric" pattern="[0-9]+"
 placeholder="all" aria-label="Amount in minor units">`

function actionsOf(charge: Charge, dispute: Dispute | undefined): Html[] {
  if (dispute?.status === 'needs_response') {
    return (['won', 'lost'] as const).map((outcome) =>
      button(`/disputes/${dispute.id}/close`, outcome === 'won' ? 'Dispute won' : 'Dispute lost', {
        fields: html`<input type="hidden" name="outcome" value="${outcome}">`,
      }),
    )
  }
  const refundable = !charge.refunded && dispute?.status !== 'lost'
  return [
    ...(refundable
      ? [button(`/charges/${charge.id}/refund`, 'Refund', { fields: amountField })]
      : []),
    ...(dispute
      ? []
      : [button(`/charges/${charge.id}/dispute`, 'Dispute', { fields: amountField })]),
  ]
}
