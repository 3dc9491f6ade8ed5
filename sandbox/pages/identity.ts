import { change } from '../deps.ts'
import { HttpProblem } from '../http.ts'
import { decideIdentity } from '../stripe/identity.ts'
import { html } from './html.ts'
import { button, sendPage } from './layout.ts'
import type { Pages } from './routes.ts'

/** Where a person would show a document and its face. */
export function identityPages({ get, post, parts }: Pages): void {
  const { deps } = parts
  const read = (id: string) => {
    const session = deps.store.get('verification_sessions', id)
    if (session) return session
    throw new HttpProblem(404, 'There is no such session.')
  }
  const field = (value: string) => html`<input type="hidden" name="result" value="${value}">`
  get('/identity/:id', (ctx, id) => {
    const session = read(id)
    const open = session.status === 'requires_input' && session.redaction === null
    const buttons = html`<div class="actions">
${button(`/identity/${id}`, 'Verify', { main: true, fields: field('verify') })}
${button(`/identity/${id}`, 'Fail', { fields: field('fail') })}</div>`
    sendPage(ctx, {
      title: 'Show who you are',
      lead: 'Stripe would ask for a document and a picture. Here you choose how the check ends.',
      body: html`<div class="card"><dl><dt>State</dt><dd>${session.status}</dd>
<dt>Last try</dt><dd>${session.last_error?.code ?? 'none failed'}</dd></dl>
${open && buttons}</div>`,
    })
  })
  post('/identity/:id', (form, id) => {
    const session = read(id)
    const result = form.result === 'verify' ? 'verify' : 'fail'
    change(deps, 'identity page', (work) => decideIdentity(work, session, { result }))
    return session.return_url ?? `/identity/${id}`
  })
}
