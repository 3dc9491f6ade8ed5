import type { Work } from '../deps.ts'
import { newId, randomText } from '../ids.ts'
import { dateTime, notify } from './connect.ts'
import { DocusignProblem, invalidRequest } from './errors.ts'
import { currentOrder } from './present.ts'
import type { Envelope, EnvelopeStatus, Signer, SigningLink } from './wire.ts'

const embeddedLivesMs = 5 * 60 * 1000

export function isOpen({ status }: Envelope): boolean {
  return status === 'sent' || status === 'delivered'
}

interface Deed {
  action: string
  who: string
}

/** Keeps the envelope with the deed in its history. */
export function record(work: Work, envelope: Envelope, { action, who }: Deed): Envelope {
  const at = dateTime(work.iso)
  const message = `${who}: ${action}`
  return work.tx.put('envelopes', {
    ...envelope,
    lastModifiedDateTime: at,
    audit: [...envelope.audit, { at, action, who, message }],
  })
}

function enter(work: Work, envelope: Envelope, status: EnvelopeStatus): Envelope {
  return { ...envelope, status, statusChangedDateTime: dateTime(work.iso) }
}

export function sendEnvelope(work: Work, draft: Envelope): Envelope {
  const documents = work.tx.all('documents').some(({ envelope }) => envelope === draft.id)
  if (!documents || draft.signers.length === 0 || draft.emailSubject === '') {
    throw new DocusignProblem(
      'ENVELOPE_IS_INCOMPLETE',
      'The Envelope is not Complete. A Complete Envelope Requires Documents, Recipients, Tabs, ' +
        'and a Subject Line.',
    )
  }
  const sent = { ...enter(work, draft, 'sent'), sentDateTime: dateTime(work.iso) }
  const envelope = record(work, reachNext(work, sent), { action: 'Sent', who: 'Sandbox sender' })
  notify(work, 'envelope-sent', { envelope })
  return envelope
}

/** Everybody of the present routing order gets the envelope; those who sign by mail get a mail. */
function reachNext(work: Work, envelope: Envelope): Envelope {
  const order = currentOrder(envelope.signers)
  const signers = envelope.signers.map((signer): Signer => {
    if (signer.routingOrder !== order || signer.status !== 'created') return signer
    if (signer.clientUserId === undefined) mailTo(work, envelope, signer)
    return { ...signer, status: 'sent', sentDateTime: dateTime(work.iso) }
  })
  return { ...envelope, signers }
}

function mailTo(work: Work, envelope: Envelope, signer: Signer): void {
  const link = work.tx.put('signing_links', {
    id: randomText(40),
    envelope: envelope.id,
    recipientId: signer.recipientId,
    embedded: null,
    opened: false,
    session: randomText(24),
  })
  const url = `${work.deps.url()}/signing/${link.id}`
  work.tx.put('mails', {
    id: newId('mail', 12),
    to: signer.email,
    from: 'dse@docusign.test',
    kind: 'docusign_envelope',
    subject: envelope.emailSubject,
    text: `Hello ${signer.name},\n\n${envelope.emailBlurb}\n\nReview and sign: ${url}\n`,
    html: null,
    at: new Date().toISOString(),
    message_id: null,
    copies: 1,
  })
}

export function resendEnvelope(work: Work, envelope: Envelope): Envelope {
  if (!isOpen(envelope)) throw invalidRequest(`The envelope is ${envelope.status}, not sent.`)
  for (const signer of envelope.signers) {
    const waits = signer.status === 'sent' || signer.status === 'delivered'
    if (waits && signer.clientUserId === undefined) mailTo(work, envelope, signer)
  }
  const after = record(work, envelope, { action: 'Resent', who: 'Sandbox sender' })
  notify(work, 'envelope-resent', { envelope: after })
  return after
}

/** A signer has opened the envelope. */
export function deliver(work: Work, envelope: Envelope, recipientId: string): Envelope {
  const signer = envelope.signers.find((one) => one.recipientId === recipientId)
  if (signer?.status !== 'sent') return envelope
  const at = dateTime(work.iso)
  const seen = setSigner(envelope, recipientId, { status: 'delivered', deliveredDateTime: at })
  const first = seen.status === 'sent'
  const next = first ? { ...enter(work, seen, 'delivered'), deliveredDateTime: at } : seen
  const after = record(work, next, { action: 'Viewed', who: signer.name })
  notify(work, 'recipient-delivered', { envelope: after, recipientId })
  if (first) notify(work, 'envelope-delivered', { envelope: after })
  return after
}

function setSigner(envelope: Envelope, recipientId: string, patch: Partial<Signer>): Envelope {
  const signers = envelope.signers.map((signer) =>
    signer.recipientId === recipientId ? { ...signer, ...patch } : signer,
  )
  return { ...envelope, signers }
}

export function sign(work: Work, envelope: Envelope, recipientId: string): Envelope {
  const seen = deliver(work, envelope, recipientId)
  const signer = turnOf(seen, recipientId)
  const at = dateTime(work.iso)
  const signed = setSigner(seen, recipientId, { status: 'completed', signedDateTime: at })
  const all = signed.signers.every(({ status }) => status === 'completed')
  const next = all
    ? { ...enter(work, signed, 'completed'), completedDateTime: at }
    : reachNext(work, signed)
  const after = record(work, next, { action: 'Signed', who: signer.name })
  notify(work, 'recipient-completed', { envelope: after, recipientId })
  if (all) notify(work, 'envelope-completed', { envelope: after })
  return after
}

/** Everybody who has not signed yet signs, in the order of routing. */
export function signAll(work: Work, envelope: Envelope): Envelope {
  let after = envelope
  while (isOpen(after)) {
    const order = currentOrder(after.signers)
    const next = after.signers.find((signer) => {
      return signer.routingOrder === order && signer.status !== 'completed'
    })
    if (next === undefined) break
    after = sign(work, after, next.recipientId)
  }
  return after
}

export interface Decline {
  recipientId: string
  reason: string
}

export function declineEnvelope(
  work: Work,
  envelope: Envelope,
  { recipientId, reason }: Decline,
): Envelope {
  const seen = deliver(work, envelope, recipientId)
  const signer = turnOf(seen, recipientId)
  const at = dateTime(work.iso)
  const declined = setSigner(seen, recipientId, {
    status: 'declined',
    declinedDateTime: at,
    declinedReason: reason,
  })
  const next = { ...enter(work, declined, 'declined'), declinedDateTime: at }
  const after = record(work, next, { action: 'Declined', who: signer.name })
  notify(work, 'recipient-declined', { envelope: after, recipientId })
  notify(work, 'envelope-declined', { envelope: after })
  return after
}

function turnOf(envelope: Envelope, recipientId: string): Signer {
  const signer = envelope.signers.find((one) => one.recipientId === recipientId)
  if (signer === undefined) throw invalidRequest(`There is no recipient ${recipientId}.`)
  if (isOpen(envelope) && signer.status === 'delivered') return signer
  throw invalidRequest(
    `It is not ${signer.name}'s turn: the envelope is ${envelope.status}, the signer is ` +
      `${signer.status}.`,
  )
}

export function voidEnvelope(work: Work, envelope: Envelope, reason: string): Envelope {
  if (!isOpen(envelope)) {
    throw new DocusignProblem(
      'ENVELOPE_CANNOT_VOID_INVALID_STATE',
      "Only envelopes in the 'Sent' or 'Delivered' states may be voided.",
    )
  }
  const at = dateTime(work.iso)
  const next = { ...enter(work, envelope, 'voided'), voidedDateTime: at, voidedReason: reason }
  const after = record(work, next, { action: 'Voided', who: 'Sandbox sender' })
  notify(work, 'envelope-voided', { envelope: after })
  return after
}

export function embeddedLink(
  work: Work,
  envelope: Envelope,
  { recipientId, returnUrl }: { recipientId: string; returnUrl: string },
): SigningLink {
  return work.tx.put('signing_links', {
    id: randomText(40),
    envelope: envelope.id,
    recipientId,
    embedded: { returnUrl, expires: Date.now() + embeddedLivesMs },
    opened: false,
    session: randomText(24),
  })
}

/** An embedded link works once and for minutes; a mailed one until the envelope is finished. */
export function openSigningLink(work: Work, link: SigningLink): boolean {
  if (link.embedded && (link.opened || link.embedded.expires < Date.now())) return false
  work.tx.put('signing_links', { ...link, opened: true })
  const envelope = work.tx.get('envelopes', link.envelope)
  if (envelope && isOpen(envelope)) deliver(work, envelope, link.recipientId)
  return true
}
