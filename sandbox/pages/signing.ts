import { change } from '../deps.ts'
import { documentBytes, documentsOf } from '../docusign/documents.ts'
import { declineEnvelope, isOpen, openSigningLink, sign } from '../docusign/signing.ts'
import type { Envelope, SigningLink } from '../docusign/wire.ts'
import { HttpProblem } from '../http.ts'
import { html } from './html.ts'
import { moment, sendPage, tag } from './layout.ts'
import type { Form, Pages } from './routes.ts'

export function signingPages({ get, post, parts }: Pages): void {
  const { deps } = parts
  const read = (id: string): { link: SigningLink; envelope: Envelope } => {
    const link = deps.store.get('signing_links', id)
    const envelope = deps.store.get('envelopes', link?.envelope ?? '')
    if (link && envelope) return { link, envelope }
    throw new HttpProblem(404, 'There is no such link.')
  }
  /** The page that was opened knows the session; the link alone is not enough to act. */
  const readOpen = (id: string, form: Form) => {
    const found = read(id)
    if (found.link.opened && form.session === found.link.session) return found
    throw new HttpProblem(403, 'Open the link first, and act from the page that it shows.')
  }

  get('/signing/:id', (ctx, id) => {
    const { link } = read(id)
    if (!change(deps, 'signing page', (work) => openSigningLink(work, link))) {
      ctx.redirect(returnTo(link, 'ttl_expired') ?? '/')
      return
    }
    const { envelope } = read(id)
    sendPage(ctx, {
      title: envelope.emailSubject,
      lead: envelope.emailBlurb || undefined,
      body: isOpen(envelope) && isTurnOf(envelope, link) ? signingForm() : finished(envelope),
    })

    function signingForm() {
      const signer = envelope.signers.find((one) => one.recipientId === link.recipientId)
      const session = html`<input type="hidden" name="session" value="${link.session}">`
      const documents = documentsOf(deps.store, envelope).map(({ documentId, name }) => {
        const to = `/signing/${id}/document/${documentId}?session=${link.session}`
        return html`<li><a href="${to}">${name}</a></li>`
      })
      return html`<div class="card"><p>To be signed by <b>${signer?.name}</b>,
${signer?.email}:</p><ul>${documents}</ul>
<form class="stack" method="post" action="/signing/${id}/sign">${session}
<button class="main">Sign</button></form></div>
<div class="card"><form class="stack" method="post" action="/signing/${id}/decline">${session}
<label>Reason<input name="reason" placeholder="optional"></label>
<button>Decline to sign</button></form></div>`
    }
  })
  get('/signing/:id/document/:document', async (ctx, id) => {
    const { envelope } = readOpen(id, { session: String(ctx.query.session) })
    ctx.type = 'application/pdf'
    ctx.body = await documentBytes(deps.store, envelope, String(ctx.params.document))
  })
  post('/signing/:id/sign', (form, id) => {
    const { link, envelope } = readOpen(id, form)
    change(deps, 'signed', (work) => sign(work, envelope, link.recipientId))
    return returnTo(link, 'signing_complete') ?? `/signing/${id}`
  })
  post('/signing/:id/decline', (form, id) => {
    const { link, envelope } = readOpen(id, form)
    const reason = form.reason ?? 'No reason given.'
    const { recipientId } = link
    change(deps, 'declined', (work) => declineEnvelope(work, envelope, { recipientId, reason }))
    return returnTo(link, 'decline') ?? `/signing/${id}`
  })
}

function isTurnOf(envelope: Envelope, { recipientId }: SigningLink): boolean {
  const signer = envelope.signers.find((one) => one.recipientId === recipientId)
  return signer?.status === 'delivered'
}

function finished(envelope: Envelope) {
  return html`<div class="card"><p>${tag(envelope.status)}</p>
<dl>${envelope.signers.map(
    ({ name, status, signedDateTime, declinedDateTime }) =>
      html`<dt>${name}</dt><dd>${status}
${moment(signedDateTime ?? declinedDateTime ?? null)}</dd>`,
  )}</dl>
<p class="soft">There is nothing left to do on this page.</p></div>`
}

/** Where an embedded signer goes back to; a mailed one stays here. */
function returnTo({ embedded }: SigningLink, event: string): string | null {
  if (embedded === null) return null
  const url = new URL(embedded.returnUrl)
  url.searchParams.set('event', event)
  return url.href
}
