import type { Deps } from '../deps.ts'
import type { Envelope, Signer } from './wire.ts'

/** An envelope as the REST API and Connect show it; `include` names the parts on top. */
export function presentEnvelope(deps: Deps, envelope: Envelope, include: string[]): object {
  const uri = `/envelopes/${envelope.id}`
  return {
    status: envelope.status,
    documentsUri: `${uri}/documents`,
    recipientsUri: `${uri}/recipients`,
    attachmentsUri: `${uri}/attachments`,
    envelopeUri: uri,
    emailSubject: envelope.emailSubject,
    emailBlurb: envelope.emailBlurb,
    envelopeId: envelope.id,
    signingLocation: 'online',
    customFieldsUri: `${uri}/custom_fields`,
    notificationUri: `${uri}/notification`,
    enableWetSign: 'false',
    allowMarkup: 'false',
    allowReassign: 'false',
    createdDateTime: envelope.createdDateTime,
    lastModifiedDateTime: envelope.lastModifiedDateTime,
    statusChangedDateTime: envelope.statusChangedDateTime,
    expireDateTime: envelope.expireDateTime,
    ...given('initialSentDateTime', envelope.sentDateTime),
    ...given('sentDateTime', envelope.sentDateTime),
    ...given('deliveredDateTime', envelope.deliveredDateTime),
    ...given('completedDateTime', envelope.completedDateTime),
    ...given('declinedDateTime', envelope.declinedDateTime),
    ...given('voidedDateTime', envelope.voidedDateTime),
    ...given('voidedReason', envelope.voidedReason),
    ...given('transactionId', envelope.transactionId),
    documentsCombinedUri: `${uri}/documents/combined`,
    certificateUri: `${uri}/documents/certificate`,
    templatesUri: `${uri}/templates`,
    purgeState: 'unpurged',
    envelopeIdStamping: 'true',
    authoritativeCopy: 'false',
    expireEnabled: 'true',
    expireAfter: '120',
    sender: {
      userName: 'Sandbox sender',
      userId: deps.docusign?.user_id ?? '',
      accountId: deps.docusign?.account_id ?? '',
      email: 'agreements@platform.test',
    },
    ...(include.includes('custom_fields') ? { customFields: customFields(envelope) } : {}),
    ...(include.includes('recipients') ? { recipients: recipientsOf(envelope) } : {}),
    envelopeLocation: 'current_site',
    isDynamicEnvelope: 'false',
  }
}

function given(key: string, value: string | null): object {
  return value === null ? {} : { [key]: value }
}

function customFields(envelope: Envelope): object {
  return { textCustomFields: envelope.customFields, listCustomFields: [] }
}

export function recipientsOf({ signers }: Envelope): object {
  return {
    signers: signers.map((signer) => ({ ...signer, creationReason: 'sender' })),
    agents: [],
    editors: [],
    intermediaries: [],
    carbonCopies: [],
    certifiedDeliveries: [],
    inPersonSigners: [],
    seals: [],
    witnesses: [],
    notaries: [],
    recipientCount: String(signers.length),
    currentRoutingOrder: currentOrder(signers),
  }
}

/** The smallest routing order that still has something to do. */
export function currentOrder(signers: Signer[]): string {
  const waiting = signers.filter(({ status }) => status !== 'completed')
  const orders = (waiting.length > 0 ? waiting : signers).map((one) => Number(one.routingOrder))
  return String(Math.min(...orders, Number.MAX_SAFE_INTEGER))
}
