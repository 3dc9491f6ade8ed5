import { enqueue } from '../deliveries.ts'
import type { Work } from '../deps.ts'
import { newId } from '../ids.ts'
import { presentEnvelope } from './present.ts'
import type { Envelope } from './wire.ts'

export type ConnectEvent =
  | 'envelope-sent'
  | 'envelope-resent'
  | 'envelope-delivered'
  | 'envelope-completed'
  | 'envelope-declined'
  | 'envelope-voided'
  | 'recipient-sent'
  | 'recipient-delivered'
  | 'recipient-completed'
  | 'recipient-declined'

/** DocuSign writes seven digits of a second. */
export function dateTime(iso: string): string {
  return iso.replace('Z', '0000Z')
}

/** Tells every listener of the envelope that asked for this event. */
export function notify(
  work: Work,
  event: ConnectEvent,
  { envelope, recipientId }: { envelope: Envelope; recipientId?: string },
): void {
  const { account_id = '', user_id = '' } = work.deps.docusign ?? {}
  for (const listener of envelope.notifications) {
    if (listener.events !== null && !listener.events.includes(event)) continue
    const included = listener.includeData
    const message = work.tx.put('connect_messages', {
      id: newId('msg', 20),
      event,
      apiVersion: 'v2.1',
      uri: `/restapi/v2.1/accounts/${account_id}/envelopes/${envelope.id}`,
      configurationId: 0,
      generatedDateTime: dateTime(work.iso),
      data: {
        accountId: account_id,
        userId: user_id,
        envelopeId: envelope.id,
        ...(recipientId === undefined ? {} : { recipientId }),
        envelopeSummary: presentEnvelope(work.deps, envelope, included),
      },
      sign: listener.includeHMAC,
    })
    enqueue(work.tx, work.deps.faults, {
      vendor: 'docusign',
      target: listener.url,
      message: message.id,
      type: event,
    })
  }
}
