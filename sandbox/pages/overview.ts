import { apiVersion } from '../stripe/wire.ts'
import { html } from './html.ts'
import { moment, sendPage } from './layout.ts'
import type { Pages } from './routes.ts'

export function overviewPage({ get, parts }: Pages): void {
  const { deps } = parts
  const { store, clock } = deps
  get('/', (ctx) => {
    const waiting = store.all('deliveries').filter(({ state }) => state === 'pending').length
    const armed = store.all('faults').filter(({ count }) => count !== 0).length
    const tiles: [string, string, number][] = [
      ['/envelopes', 'envelopes', store.all('envelopes').length],
      ['/accounts', 'accounts', store.all('accounts').length],
      ['/invoices', 'invoices', store.all('invoices').length],
      ['/charges', 'charges', store.all('charges').length],
      ['/transfers', 'transfers', store.all('transfers').length],
      ['/mailbox', 'mails', store.all('mails').length],
      ['/_sandbox/deliveries', 'webhooks waiting', waiting],
      ['/faults', 'faults armed', armed],
    ]
    const { endpoints = [] } = store.get('settings', 'stripe_endpoints') ?? {}
    const moved = clock.offsetMs() !== 0
    sendPage(ctx, {
      title: 'Overview',
      lead: 'Stand-ins of Stripe and DocuSign, and a mailbox. Nothing leaves this machine.',
      section: '/',
      body: html`<div class="tiles">${tiles.map(
        ([to, name, count]) => html`<a class="tile" href="${to}"><b>${count}</b>${name}</a>`,
      )}</div>
<div class="card"><dl>
<dt>Time here</dt><dd>${moment(clock.now().toISOString())} UTC
${moved && html`<span class="tag wait">moved</span>`}</dd>
<dt>Stripe</dt><dd><code>${deps.url()}</code>, version ${apiVersion}</dd>
<dt>DocuSign REST</dt><dd><code>${deps.url()}/restapi</code></dd>
<dt>Webhooks to</dt><dd>${endpoints.map(
        ({ url, payload }) =>
          html`<div><code>${url}</code> <span class="soft">${payload}</span></div>`,
      )}${endpoints.length === 0 && 'nobody yet'}</dd>
</dl></div>`,
    })
  })
}
