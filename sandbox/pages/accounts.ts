import { transfersStatus } from '../stripe/kyc.ts'
import type { Account } from '../stripe/wire.ts'
import { html, type Part } from './html.ts'
import { button, metadataOf, sendPage, table, tag } from './layout.ts'
import type { Pages } from './routes.ts'

const columns = [
  { name: 'Account' },
  { name: 'For' },
  { name: 'Transfers' },
  { name: 'Still to show' },
  { name: '' },
]

export function accountPages({ get, post, parts }: Pages): void {
  const { deps, actions } = parts
  get('/accounts', (ctx) => {
    const rows = deps.store.all('accounts').toReversed().map(rowOf)
    const lead = 'Recipients of money at Stripe Connect, and whether they are known well enough.'
    sendPage(ctx, { title: 'Accounts', lead, section: '/accounts', body: table(columns, rows) })
  })
  post('/accounts/:id/kyc', (form, id) => {
    const result = form.result === 'pass' ? 'pass' : 'fail'
    actions.decideKyc(id, { result, final: form.final === 'true' })
    return '/accounts'
  })
}

export function kycButtons(to: string, hidden?: Part): Part {
  const field = (name: string, value: string) =>
    html`<input type="hidden" name="${name}" value="${value}">`
  return html`<div class="actions">
${button(to, 'Pass', { main: true, fields: html`${hidden}${field('result', 'pass')}` })}
${button(to, 'Fail', { fields: html`${hidden}${field('result', 'fail')}` })}
${button(to, 'Reject', {
  fields: html`${hidden}${field('result', 'fail')}${field('final', 'true')}`,
})}</div>`
}

export function openPoints(account: Account): Part {
  const entries = account.requirements?.entries ?? []
  return html`${entries.map(
    ({ description, errors }) =>
      html`<div class="small"><code>${description}</code>
${errors.map((error) => html`<div class="soft">${error.description}</div>`)}</div>`,
  )}`
}

function rowOf(account: Account): Part[] {
  const status = transfersStatus(account)
  const decidable = status !== null && status !== 'rejected'
  return [
    html`<div>${account.display_name ?? account.contact_email ?? 'Unnamed'}</div>
<code class="soft">${account.id}</code>`,
    metadataOf(account.metadata ?? {}),
    status && tag(status),
    openPoints(account),
    decidable && kycButtons(`/accounts/${account.id}/kyc`),
  ]
}
