import { showMoney } from '../stripe/currencies.ts'
import { html } from './html.ts'
import { metadataOf, moment, sendPage, table } from './layout.ts'
import type { Pages } from './routes.ts'

const columns = [
  { name: 'Transfer' },
  { name: 'For' },
  { name: 'To' },
  { name: 'Amount', number: true },
  { name: 'Reversed', number: true },
  { name: 'Created' },
]

export function transferPages({ get, parts }: Pages): void {
  const { store } = parts.deps
  get('/transfers', (ctx) => {
    const rows = store
      .all('transfers')
      .toReversed()
      .map((one) => {
        const account = store.get('accounts', one.destination ?? '')
        return [
          html`<code>${one.id}</code><div class="small soft">${one.transfer_group}</div>`,
          metadataOf(one.metadata),
          html`<div>${account?.display_name ?? account?.contact_email}</div>
<code class="soft">${one.destination}</code>`,
          showMoney(one.amount, one.currency),
          one.amount_reversed > 0 && showMoney(one.amount_reversed, one.currency),
          moment(one.created),
        ]
      })
    const lead = 'Money that the platform has sent to its recipients.'
    sendPage(ctx, { title: 'Transfers', lead, section: '/transfers', body: table(columns, rows) })
  })
}
