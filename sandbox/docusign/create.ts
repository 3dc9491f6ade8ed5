import { randomUUID } from 'node:crypto'
import type { Work } from '../deps.ts'
import { sha256 } from '../signatures.ts'
import { dateTime } from './connect.ts'
import { DocusignProblem, invalidRequest } from './errors.ts'
import { record } from './signing.ts'
import type {
  Envelope,
  EnvelopeDocument,
  EventNotification,
  Signer,
  TextCustomField,
} from './wire.ts'

type Json = Record<string, unknown>

const expiresDays = 120

/** A draft; sending it is the next step. */
export function createEnvelope(work: Work, definition: Json): Envelope {
  if (definition.compositeTemplates !== undefined) {
    throw invalidRequest('This sandbox knows templateId, and no compositeTemplates.')
  }
  const id = randomUUID()
  const now = dateTime(work.iso)
  const expires = new Date(Date.parse(work.iso) + expiresDays * 24 * 60 * 60 * 1000)
  for (const document of readDocuments(id, definition)) work.tx.put('documents', document)
  const envelope: Envelope = {
    id,
    status: 'created',
    emailSubject: textOf(definition, 'emailSubject') ?? '',
    emailBlurb: textOf(definition, 'emailBlurb') ?? '',
    transactionId: textOf(definition, 'transactionId') ?? null,
    customFields: readCustomFields(definition),
    signers: readSigners(definition),
    notifications: readNotifications(definition),
    createdDateTime: now,
    lastModifiedDateTime: now,
    statusChangedDateTime: now,
    expireDateTime: dateTime(expires.toISOString()),
    sentDateTime: null,
    deliveredDateTime: null,
    completedDateTime: null,
    declinedDateTime: null,
    voidedDateTime: null,
    voidedReason: null,
    audit: [],
  }
  return record(work, envelope, { action: 'Registered', who: 'Sandbox sender' })
}

function readDocuments(envelope: string, definition: Json): EnvelopeDocument[] {
  return listOf(definition, 'documents').map((document, index) => {
    const documentId = textOf(document, 'documentId')
    if (!documentId || !/^\d+$/.test(documentId)) {
      throw invalidRequest(`documents[${index}].documentId must be a positive number.`)
    }
    const base64 = textOf(document, 'documentBase64') ?? ''
    const bytes = Buffer.from(base64, 'base64')
    if (bytes.length === 0) {
      throw new DocusignProblem(
        'INVALID_REQUEST_BODY',
        `The request body is missing or improperly formatted. Document ${documentId} is empty.`,
      )
    }
    if (!bytes.subarray(0, 1024).includes('%PDF')) {
      throw new DocusignProblem(
        'UNABLE_TO_CONVERT_DOCUMENT',
        `System was unable to convert this document to a PDF. Document ${documentId} is no PDF.`,
      )
    }
    return {
      id: `${envelope}/${documentId}`,
      envelope,
      documentId,
      name: textOf(document, 'name') ?? `Document ${documentId}`,
      order: textOf(document, 'order') ?? String(index + 1),
      base64: bytes.toString('base64'),
      sha256: sha256(bytes),
    }
  })
}

function readSigners(definition: Json): Signer[] {
  const recipients = definition.recipients
  if (recipients === undefined) return []
  const others = Object.entries(recipients as Json).filter(([kind, list]) => {
    return kind !== 'signers' && Array.isArray(list) && list.length > 0
  })
  if (others.length > 0) throw invalidRequest(`This sandbox knows signers, not ${others[0]?.[0]}.`)
  const signers = listOf(recipients as Json, 'signers').map(readSigner)
  const ids = new Set(signers.map(({ recipientId }) => recipientId))
  if (ids.size < signers.length) {
    throw new DocusignProblem('RECIPIENT_ID_DUPLICATE', 'Recipient IDs must be unique.')
  }
  return signers
}

function readSigner(signer: Json, index: number): Signer {
  const email = textOf(signer, 'email') ?? ''
  const name = textOf(signer, 'name') ?? ''
  const recipientId = textOf(signer, 'recipientId') ?? String(index + 1)
  if (!/^[^\s@]+@[^\s@]+$/.test(email)) {
    throw new DocusignProblem(
      'INVALID_EMAIL_ADDRESS_FOR_RECIPIENT',
      `The email address for the recipient is invalid. The recipient Id follows. ${recipientId}`,
    )
  }
  if (name === '') {
    throw new DocusignProblem(
      'INVALID_USERNAME_FOR_RECIPIENT',
      `The recipient's name is missing. The recipient Id follows. ${recipientId}`,
    )
  }
  const clientUserId = textOf(signer, 'clientUserId')
  return {
    recipientId,
    recipientIdGuid: randomUUID(),
    recipientType: 'signer',
    userId: randomUUID(),
    name,
    email,
    ...(clientUserId === undefined ? {} : { clientUserId }),
    routingOrder: textOf(signer, 'routingOrder') ?? '1',
    ...roleOf(signer),
    status: 'created',
    deliveryMethod: 'email',
  }
}

/** The role of a template, with what it prefills. */
function roleOf(signer: Json): Pick<Signer, 'roleName' | 'tabs'> {
  const roleName = textOf(signer, 'roleName')
  if (roleName === undefined) return {}
  const textTabs = listOf((signer.tabs as Json | undefined) ?? {}, 'textTabs').map((tab) => ({
    tabLabel: textOf(tab, 'tabLabel') ?? '',
    value: textOf(tab, 'value') ?? '',
  }))
  return { roleName, tabs: { textTabs } }
}

function readCustomFields(definition: Json): TextCustomField[] {
  const fields = definition.customFields
  if (fields === undefined) return []
  return listOf(fields as Json, 'textCustomFields').map((field, index) => ({
    fieldId: textOf(field, 'fieldId') ?? String(10_000 + index),
    name: textOf(field, 'name') ?? '',
    value: textOf(field, 'value') ?? '',
    required: textOf(field, 'required') ?? 'false',
    show: textOf(field, 'show') ?? 'false',
  }))
}

/** The SDK knows both spellings, and an envelope may carry either. */
function readNotifications(definition: Json): EventNotification[] {
  const one = definition.eventNotification
  const all = [...listOf(definition, 'eventNotifications'), ...(one ? [one as Json] : [])]
  return all.map((found) => {
    const url = textOf(found, 'url') ?? ''
    if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
      throw invalidRequest(`eventNotification.url is "${url}", expected an http address.`)
    }
    const data = found.eventData
    const listed = found.events
    return {
      url,
      events: Array.isArray(listed) ? listed.map(String) : oldEvents(found),
      includeData: data ? namesIn(data as Json, 'includeData') : [],
      includeHMAC: textOf(found, 'includeHMAC') === 'true',
    }
  })
}

/** The older way lists statuses of envelopes and recipients: Completed means envelope-completed. */
function oldEvents(found: Json): string[] | null {
  const envelope = listOf(found, 'envelopeEvents').map(
    (one) => `envelope-${textOf(one, 'envelopeEventStatusCode')?.toLowerCase()}`,
  )
  const recipient = listOf(found, 'recipientEvents').map(
    (one) => `recipient-${textOf(one, 'recipientEventStatusCode')?.toLowerCase()}`,
  )
  const events = [...envelope, ...recipient]
  return events.length > 0 ? events : null
}

function listOf(object: Json, key: string): Json[] {
  const value = object[key]
  if (value === undefined || value === null) return []
  if (Array.isArray(value) && value.every((one) => typeof one === 'object' && one !== null)) {
    return value as Json[]
  }
  throw invalidRequest(`${key} must be a list of objects.`)
}

function namesIn(object: Json, key: string): string[] {
  const value = object[key]
  return Array.isArray(value) ? value.map(String) : []
}

/** Numbers and booleans are taken too, as the real service does. */
export function textOf(object: Json, key: string): string | undefined {
  const value = object[key]
  return value === undefined || value === null ? undefined : String(value)
}
