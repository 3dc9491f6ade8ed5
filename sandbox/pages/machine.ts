import { type FaultKind, faultKinds, vendors } from '../fault-kinds.ts'
import { HttpProblem } from '../http.ts'
import { html } from './html.ts'
import { button, moment, sendPage, table } from './layout.ts'
import type { Form, Pages } from './routes.ts'

/** The pages about the sandbox itself: its time, and what it does wrong on purpose. */
export function machinePages({ get, post, parts }: Pages): void {
  const { deps, actions } = parts
  get('/clock', (ctx) => {
    const now = deps.clock.now().toISOString()
    sendPage(ctx, {
      title: 'Clock',
      lead: 'Objects of Stripe and DocuSign carry this time. It runs on at the usual speed.',
      section: '/clock',
      body: html`<div class="card"><dl>
<dt>Here</dt><dd>${moment(now)} UTC</dd>
<dt>Really</dt><dd>${moment(new Date().toISOString())} UTC</dd></dl>
<div class="actions">
<form method="post" action="/clock"><label>Move to (UTC)
<input name="now" type="datetime-local" step="1" value="${now.slice(0, 19)}" required></label>
<button class="main">Move</button></form>
${button('/clock/reset', 'Back to the real time')}</div></div>`,
    })
  })
  post('/clock', (form) => {
    const now = new Date(`${form.now}Z`)
    if (Number.isNaN(now.getTime())) throw new HttpProblem(400, `"${form.now}" is no time.`)
    actions.setClock(now)
    return '/clock'
  })
  post('/clock/reset', () => {
    actions.setClock(null)
    return '/clock'
  })
  get('/faults', (ctx) => {
    const rows = deps.store
      .all('faults')
      .map((fault) => [
        fault.vendor,
        html`<code>${fault.kind}</code>`,
        String(fault.rate),
        fault.count === null ? 'no end' : String(fault.count),
        fault.path && html`<code>${fault.path}</code>`,
        String(fault.fired),
      ])
    sendPage(ctx, {
      title: 'Faults',
      lead: 'Let a vendor fail on purpose: lose an answer, refuse a call, mix up its webhooks.',
      section: '/faults',
      body: html`${faultForm()}${table(faultColumns, rows)}
${rows.length > 0 && html`<p>${button('/faults/clear', 'Clear all')}</p>`}`,
    })
  })
  post('/faults', (form) => {
    actions.arm(readFault(form))
    return '/faults'
  })
  post('/faults/clear', () => {
    actions.disarm()
    return '/faults'
  })
}

const faultColumns = [
  { name: 'Vendor' },
  { name: 'Kind' },
  { name: 'Rate', number: true },
  { name: 'Times left', number: true },
  { name: 'Path' },
  { name: 'Fired', number: true },
]

function faultForm() {
  const names = vendors.map((name) => html`<option>${name}</option>`)
  const kinds = faultKinds.map((kind) => html`<option>${kind}</option>`)
  return html`<div class="card"><form method="post" action="/faults">
<label>Vendor<select name="vendor">${names}</select></label>
<label>Kind<select name="kind">${kinds}</select></label>
<label>Rate, 0 to 1<input name="rate" inputmode="decimal" placeholder="1"></label>
<label>Times<input name="count" inputmode="numeric" placeholder="1"></label>
<label>Path or event<input name="path" placeholder="any"></label>
<button class="main">Arm</button></form></div>`
}

function readFault(form: Form) {
  const rate = form.rate === undefined ? undefined : Number(form.rate)
  const count = form.count === undefined ? undefined : Number(form.count)
  if (rate !== undefined && !(rate >= 0 && rate <= 1)) {
    throw new HttpProblem(400, `The rate is "${form.rate}", expected a number from 0 to 1.`)
  }
  if (count !== undefined && !(Number.isSafeInteger(count) && count > 0)) {
    throw new HttpProblem(400, `The times are "${form.count}", expected a whole number.`)
  }
  const vendor = vendors.find((one) => one === form.vendor)
  const kind = faultKinds.find((one: FaultKind) => one === form.kind)
  if (vendor && kind) return { vendor, kind, rate, count, path: form.path }
  throw new HttpProblem(400, `There is no fault "${form.kind}" of "${form.vendor}".`)
}
