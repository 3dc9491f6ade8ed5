import { HttpProblem } from '../http.ts'
import type { Mail } from '../records.ts'
import { html, linked } from './html.ts'
import { moment, sendPage, table } from './layout.ts'
import type { Pages } from './routes.ts'

const columns = [{ name: 'Subject' }, { name: 'To' }, { name: 'Kind' }, { name: 'Received' }]

export function mailPages({ get, parts }: Pages): void {
  const { store } = parts.deps
  get('/mailbox', (ctx) => {
    const rows = store
      .all('mails')
      .toReversed()
      .map((mail) => [
        html`<a href="/mailbox/${mail.id}">${mail.subject || '(no subject)'}</a>`,
        mail.to,
        mail.kind && html`<code>${mail.kind}</code>`,
        moment(mail.at),
      ])
    const lead = 'Every mail that anybody here has sent. None of them leaves this machine.'
    sendPage(ctx, { title: 'Mailbox', lead, section: '/mailbox', body: table(columns, rows) })
  })
  get('/mailbox/:id', (ctx, id) => {
    const mail = store.get('mails', id)
    if (mail === undefined) throw new HttpProblem(404, `There is no mail ${id}.`)
    const title = mail.subject || '(no subject)'
    sendPage(ctx, { title, section: '/mailbox', body: mailBody(mail) })
  })
}

function mailBody(mail: Mail) {
  return html`<dl>
<dt>From</dt><dd>${mail.from}</dd>
<dt>To</dt><dd>${mail.to}</dd>
<dt>Received</dt><dd>${moment(mail.at)} UTC${mail.copies > 1 && `, ${mail.copies} times`}</dd>
${mail.kind && html`<dt>Kind</dt><dd><code>${mail.kind}</code></dd>`}
</dl>
${mail.text && html`<div class="card"><pre>${linked(mail.text)}</pre></div>`}
${mail.html && framed(mail.html)}`
}

/** No scripts and no looking around: only its links work, each in a window of its own. */
function framed(markup: string) {
  return html`<h2>As HTML</h2>
<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" title="The mail as HTML"
 srcdoc="${`<base target="_blank">${markup}`}"></iframe>`
}
