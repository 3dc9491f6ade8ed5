import { isOpen } from '../docusign/signing.ts'
import type { Envelope } from '../docusign/wire.ts'
import { html, type Part } from './html.ts'
import { button, metadataOf, moment, pair, sendPage, table, tag } from './layout.ts'
import type { Pages } from './routes.ts'

const columns = [
  { name: 'Envelope' },
  { name: 'Signers' },
  { name: 'For' },
  { name: 'Status' },
  { name: 'Sent' },
  { name: '' },
]

export function envelopePages({ get, post, parts }: Pages): void {
  const { deps, actions } = parts
  get('/envelopes', (ctx) => {
    const rows = deps.store.all('envelopes').toReversed().map(rowOf)
    const lead = 'What was sent to be signed through DocuSign.'
    sendPage(ctx, { title: 'Envelopes', lead, section: '/envelopes', body: table(columns, rows) })
  })
  post('/envelopes/:id/sign', (_, id) => {
    actions.signEnvelope(id)
    return '/envelopes'
  })
  post('/envelopes/:id/decline', (form, id) => {
    actions.declineEnvelope(id, form.reason ?? 'Declined in the sandbox.')
    return '/envelopes'
  })
}

function rowOf(envelope: Envelope): Part[] {
  const { id, signers, customFields } = envelope
  const metadata = Object.fromEntries(customFields.map(({ name, value }) => [name, value]))
  const actions = html`<div class="actions">
${button(`/envelopes/${id}/sign`, 'Sign', { main: true })}
${button(`/envelopes/${id}/decline`, 'Decline')}</div>`
  return [
    html`<div>${envelope.emailSubject}</div><code class="soft">${id}</code>`,
    html`${signers.map(({ name, email }) => pair(name, email))}`,
    metadataOf(metadata),
    tag(envelope.status),
    moment(envelope.sentDateTime),
    isOpen(envelope) && actions,
  ]
}
