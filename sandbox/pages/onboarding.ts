import { change } from '../deps.ts'
import { HttpProblem } from '../http.ts'
import { leaveLink, openLink } from '../stripe/account-links.ts'
import { decideKyc } from '../stripe/kyc.ts'
import { kycButtons, openPoints } from './accounts.ts'
import { html } from './html.ts'
import { sendPage } from './layout.ts'
import type { Pages } from './routes.ts'

/** What stands in for the vendor's own questions: a person says how the check ends. */
export function onboardingPages({ get, post, parts }: Pages): void {
  const { deps } = parts
  const read = (id: string) => {
    const link = deps.store.get('account_links', id)
    const account = deps.store.get('accounts', link?.account ?? '')
    if (link && account) return { link, account }
    throw new HttpProblem(404, 'There is no such link.')
  }
  get('/connect/onboarding/:id', (ctx, id) => {
    const { link, account } = read(id)
    const opened = change(deps, 'onboarding page', (work) => openLink(work, link))
    if (opened === null) {
      ctx.redirect(link.refresh_url)
      return
    }
    const session = html`<input type="hidden" name="session" value="${opened.session}">`
    sendPage(ctx, {
      title: 'Tell us who you are',
      lead: 'Stripe would ask for papers here. In the sandbox you choose how the check ends.',
      body: html`<div class="card"><dl>
<dt>Account</dt><dd>${account.display_name ?? account.id}</dd>
<dt>E-mail</dt><dd>${account.contact_email}</dd>
<dt>Country</dt><dd>${account.identity?.country?.toUpperCase()}</dd>
<dt>Still to show</dt><dd>${openPoints(account)}</dd></dl>
${kycButtons(`/connect/onboarding/${id}`, session)}</div>`,
    })
  })
  get('/connect/onboarding/:id/done', (ctx, id) => {
    read(id)
    const body = html`<div class="card"><p>You can close this page.</p></div>`
    sendPage(ctx, { title: 'Thank you', body })
  })
  post('/connect/onboarding/:id', (form, id) => {
    const { link, account } = read(id)
    if (link.session === null || form.session !== link.session) {
      throw new HttpProblem(403, 'Open the link first, and decide on the page that it shows.')
    }
    const result = form.result === 'pass' ? 'pass' : 'fail'
    change(deps, 'onboarding', (work) => {
      decideKyc(work, account, { result, final: form.final === 'true' })
      leaveLink(work, link)
    })
    return link.return_url ?? `/connect/onboarding/${id}/done`
  })
}
