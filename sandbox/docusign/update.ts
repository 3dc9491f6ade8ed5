import type { Work } from '../deps.ts'
import { textOf } from './create.ts'
import { DocusignProblem, invalidRequest } from './errors.ts'
import {
  embeddedLink,
  isOpen,
  record,
  resendEnvelope,
  sendEnvelope,
  voidEnvelope,
} from './signing.ts'
import type { Envelope, Signer, SigningLink } from './wire.ts'

type Json = Record<string, unknown>

interface Update {
  body: Json
  resend: boolean
}

export function updateEnvelope(work: Work, envelope: Envelope, { body, resend }: Update): Envelope {
  const status = textOf(body, 'status')
  if (status === 'voided') {
    const reason = textOf(body, 'voidedReason')
    if (!reason) throw invalidRequest('voidedReason is required to void an envelope.')
    return voidEnvelope(work, envelope, reason)
  }
  if (status === 'sent') {
    if (envelope.status === 'created') return sendEnvelope(work, envelope)
    throw invalidRequest(`The envelope is ${envelope.status} and cannot be sent again.`)
  }
  if (status !== undefined) throw invalidRequest(`status "${status}" cannot be set.`)
  if (resend) return resendEnvelope(work, envelope)
  throw invalidRequest('Nothing to change: expected a status or resend_envelope=true.')
}

/** Corrects the name or address of somebody who has not signed yet. */
export function updateRecipients(
  work: Work,
  envelope: Envelope,
  { body, resend }: Update,
): { recipientUpdateResults: object[] } {
  const patches = body.signers
  if (!Array.isArray(patches)) throw invalidRequest('signers must be a list.')
  if (envelope.status !== 'created' && !isOpen(envelope)) {
    throw new DocusignProblem(
      'ENVELOPE_INVALID_STATUS',
      `Invalid envelope status: the envelope is ${envelope.status}.`,
    )
  }
  const results: object[] = []
  const changed = new Map<string, Partial<Signer>>()
  for (const patch of patches as Json[]) {
    const recipientId = textOf(patch, 'recipientId') ?? ''
    const signer = envelope.signers.find((one) => one.recipientId === recipientId)
    const problem = problemWith(signer)
    if (problem === null) changed.set(recipientId, patchOf(patch))
    results.push({ recipientId, errorDetails: problem ?? { errorCode: 'SUCCESS', message: '' } })
  }
  const signers = envelope.signers.map((one) => ({ ...one, ...changed.get(one.recipientId) }))
  const deed = { action: 'Corrected', who: 'Sandbox sender' }
  const after = record(work, { ...envelope, signers }, deed)
  if (resend && isOpen(after)) resendEnvelope(work, after)
  return { recipientUpdateResults: results }
}

function problemWith(signer: Signer | undefined): { errorCode: string; message: string } | null {
  if (signer === undefined) {
    return { errorCode: 'UNKNOWN_ENVELOPE_RECIPIENT', message: 'There is no such recipient.' }
  }
  if (signer.status !== 'completed') return null
  return { errorCode: 'RECIPIENT_ALREADY_COMPLETED', message: 'The recipient has signed already.' }
}

function patchOf(patch: Json): Partial<Signer> {
  const name = textOf(patch, 'name')
  const email = textOf(patch, 'email')
  return { ...(name ? { name } : {}), ...(email ? { email } : {}) }
}

export function recipientView(work: Work, envelope: Envelope, body: Json): SigningLink {
  const returnUrl = textOf(body, 'returnUrl') ?? ''
  if (!/^https?:\/\//.test(returnUrl) || !URL.canParse(returnUrl)) {
    throw invalidRequest(`returnUrl is "${returnUrl}", expected a web address.`)
  }
  const signer = envelope.signers.find((one) => {
    return (
      one.clientUserId !== undefined &&
      one.clientUserId === textOf(body, 'clientUserId') &&
      one.email === textOf(body, 'email') &&
      one.name === textOf(body, 'userName')
    )
  })
  if (signer === undefined) {
    throw new DocusignProblem(
      'UNKNOWN_ENVELOPE_RECIPIENT',
      'The recipient you have identified is not a valid recipient of the specified envelope.',
    )
  }
  if (!isOpen(envelope)) {
    throw new DocusignProblem(
      'ENVELOPE_INVALID_STATUS',
      `Invalid envelope status: the envelope is ${envelope.status}.`,
    )
  }
  if (signer.status === 'created') {
    throw new DocusignProblem(
      'RECIPIENT_NOT_IN_SEQUENCE',
      'The token for an out of sequence recipient cannot be generated.',
    )
  }
  return embeddedLink(work, envelope, { recipientId: signer.recipientId, returnUrl })
}
