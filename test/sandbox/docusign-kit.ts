import docusign from 'docusign-esign'
import PDFDocument from 'pdfkit'
import {
  accountId,
  docusignAt,
  integrationKey,
  type Kit,
  keyPair,
  type Receiver,
  startKit,
  startReceiver,
  userId,
} from './kit.ts'

export interface Wishes {
  clientUserId?: string
  transactionId?: string
}

export interface DocusignKit {
  kit: Kit
  receiver: Receiver
  client: docusign.ApiClient
  envelopes: docusign.EnvelopesApi
  pdf: Buffer
  askToken(user?: string, scopes?: string[]): ReturnType<docusign.ApiClient['requestJWTUserToken']>
  definition(wishes?: Wishes): docusign.EnvelopeDefinition
  /** Answers the id of the envelope that was sent. */
  send(wishes?: Wishes): Promise<string>
  stop(): Promise<void>
}

export async function startDocusign(): Promise<DocusignKit> {
  const receiver = await startReceiver()
  const kit = await startKit()
  const client = docusignAt(kit.sandbox)
  const askToken = (user = userId, scopes = ['signature', 'impersonation']) => {
    const key = Buffer.from(keyPair().privateKey)
    return client.requestJWTUserToken(integrationKey, user, scopes, key, 3600)
  }
  const token = await askToken()
  client.addDefaultHeader('Authorization', `Bearer ${token.body.access_token}`)
  const envelopes = new docusign.EnvelopesApi(client)
  const pdf = await makePdf()
  const definition = (wishes?: Wishes) => definitionOf(pdf, receiver.url, wishes)
  return {
    kit,
    receiver,
    client,
    envelopes,
    pdf,
    askToken,
    definition,
    async send(wishes) {
      const envelopeDefinition = definition(wishes)
      const made = await envelopes.createEnvelope(accountId, { envelopeDefinition })
      return String(made.envelopeId)
    },
    async stop() {
      await kit.stop()
      await receiver.close()
    },
  }
}

function makePdf(): Promise<Buffer> {
  const doc = new PDFDocument()
  const chunks: Buffer[] = []
  doc.on('data', (chunk: Buffer) => chunks.push(chunk))
  const done = new Promise<Buffer>((resolve) => doc.on('end', () => resolve(Buffer.concat(chunks))))
  doc.text('The agreement')
  doc.end()
  return done
}

/** The community's types lag behind the SDK, hence the assertion. */
function definitionOf(pdf: Buffer, url: string, { clientUserId, transactionId }: Wishes = {}) {
  return {
    status: 'sent',
    emailSubject: 'Your partner agreement',
    emailBlurb: 'Please sign.',
    transactionId,
    documents: [
      {
        documentId: '1',
        name: 'Agreement.pdf',
        fileExtension: 'pdf',
        documentBase64: pdf.toString('base64'),
      },
    ],
    recipients: {
      signers: [{ recipientId: '1', name: 'Ada', email: 'ada@example.test', clientUserId }],
    },
    customFields: { textCustomFields: [{ name: 'application', value: 'app_1', show: 'false' }] },
    eventNotifications: [
      {
        url: `${url}/connect`,
        events: ['envelope-sent', 'envelope-completed', 'envelope-declined', 'envelope-voided'],
        deliveryMode: 'SIM',
        eventData: {
          version: 'restv2.1',
          format: 'json',
          includeData: ['recipients', 'custom_fields'],
        },
        includeHMAC: 'true',
        requireAcknowledgment: 'true',
      },
    ],
  } as unknown as docusign.EnvelopeDefinition
}

interface Refusal {
  response: { status: number; data: { errorCode: string; message: string; error?: string } }
}

export async function refusalOf(call: Promise<unknown>): Promise<Refusal['response']> {
  try {
    await call
  } catch (error) {
    return (error as Refusal).response
  }
  throw new Error('expected the call to be refused')
}
