/** Agreements at DocuSign, in our words: send, find, read, fetch, withdraw. */
import type docusign from 'docusign-esign'
import { VendorError, withDeadline } from './vendor-error.ts'

export interface DocusignSettings {
  /** Like `https://demo.docusign.net/restapi`. */
  basePath: string
  /** Host of the token service, like `account-d.docusign.com`. */
  oauthHost: string
  integrationKey: string
  userId: string
  accountId: string
  /** PEM of the RSA key whose public half is registered with the integration. */
  privateKey: string
}

export interface AgreementToSend {
  transactionId: string
  documentName: string
  pdf: Buffer
  signer: { name: string; email: string }
  subject: string
  /** The application's outward id; comes back on events and in searches. */
  applicationId: string
  webhookUrl: string
}

export type EnvelopeState = 'sent' | 'completed' | 'declined' | 'voided'

export type Docusign = ReturnType<typeof createDocusign>

const callLimitMs = 25_000
const tokenMarginMs = 5 * 60_000

export function createDocusign(settings: DocusignSettings) {
  const session = openSession(settings)
  const { accountId } = settings

  /** Works with a token that is valid; one that DocuSign refuses is not used again. */
  async function call<T>(work: (envelopes: docusign.EnvelopesApi) => Promise<T>): Promise<T> {
    const envelopes = await session.connect()
    try {
      return await callDocusign(work(envelopes))
    } catch (error) {
      if (error instanceof VendorError && tokenRefusals.has(error.code)) session.forget()
      throw error
    }
  }

  return {
    /** Sends the document for signature by mail. Not idempotent: look for the transaction first. */
    async sendAgreement(agreement: AgreementToSend): Promise<string> {
      const summary = await call((envelopes) =>
        envelopes.createEnvelope(accountId, { envelopeDefinition: envelopeOf(agreement) }),
      )
      if (!summary.envelopeId) throw broken('no envelope id came back')
      return summary.envelopeId
    },

    /** The envelope of an earlier call whose answer was lost; DocuSign knows it for seven days. */
    async findEnvelope(transactionId: string): Promise<string | null> {
      const found = await call((envelopes) =>
        envelopes.listStatus(accountId, {
          envelopeIdsRequest: { transactionIds: [transactionId] },
          transactionIds: 'request_body',
        }),
      )
      return found.envelopes?.[0]?.envelopeId ?? null
    },

    async readEnvelope(envelopeId: string): Promise<EnvelopeState> {
      const envelope = await call((envelopes) => envelopes.getEnvelope(accountId, envelopeId))
      return envelopeState(envelope.status)
    },

    /** The signed document, checked to be a whole PDF. */
    async fetchSignedAgreement(envelopeId: string): Promise<Buffer> {
      const data: unknown = await call((envelopes) =>
        envelopes.getDocument(accountId, envelopeId, 'combined', {}),
      )
      const pdf =
        typeof data === 'string' ? Buffer.from(data, 'latin1') : Buffer.from(data as Buffer)
      const whole =
        pdf.subarray(0, 5).toString('latin1') === '%PDF-' &&
        pdf.subarray(-1024).toString('latin1').includes('%%EOF')
      if (!whole) throw broken('the signed document arrived incomplete')
      return pdf
    },

    /** Withdraws an agreement that is not signed yet; one that has ended is left as it is. */
    async voidAgreement(envelopeId: string, reason: string): Promise<void> {
      const envelope = await call((envelopes) => envelopes.getEnvelope(accountId, envelopeId))
      if (envelopeState(envelope.status) !== 'sent') return
      await call((envelopes) =>
        envelopes.update(accountId, envelopeId, {
          envelope: { status: 'voided', voidedReason: reason },
        }),
      )
    },
  }
}

/**
 * Loads the SDK when it is first needed, because it is large, and keeps one access token until
 * shortly before it expires. The order of the two base paths matters: setting the first one
 * would send the second to production.
 */
function openSession(settings: DocusignSettings) {
  let session: { envelopes: docusign.EnvelopesApi; validUntil: number } | undefined
  const connect = async (): Promise<docusign.EnvelopesApi> => {
    if (session && session.validUntil > Date.now()) return session.envelopes
    const { default: sdk } = await import('docusign-esign')
    const client = new sdk.ApiClient({
      basePath: settings.basePath,
      oAuthBasePath: settings.oauthHost,
    })
    client.setBasePath(settings.basePath)
    client.setOAuthBasePath(settings.oauthHost)
    const token = await callDocusign<{ body: { access_token: string; expires_in: number } }>(
      client.requestJWTUserToken(
        settings.integrationKey,
        settings.userId,
        ['signature', 'impersonation'],
        Buffer.from(settings.privateKey),
        3600,
      ),
    )
    client.addDefaultHeader('Authorization', `Bearer ${token.body.access_token}`)
    const lifeMs = Number(token.body.expires_in) * 1000
    session = {
      envelopes: new sdk.EnvelopesApi(client),
      validUntil: Date.now() + lifeMs - tokenMarginMs,
    }
    return session.envelopes
  }
  const forget = () => {
    session = undefined
  }
  return { connect, forget }
}

function envelopeOf(agreement: AgreementToSend): docusign.EnvelopeDefinition {
  const events = ['completed', 'declined', 'voided', 'sent', 'delivered']
  const definition = {
    status: 'sent',
    emailSubject: agreement.subject,
    transactionId: agreement.transactionId,
    documents: [
      {
        documentId: '1',
        name: agreement.documentName,
        fileExtension: 'pdf',
        documentBase64: agreement.pdf.toString('base64'),
      },
    ],
    recipients: {
      signers: [
        {
          recipientId: '1',
          routingOrder: '1',
          name: agreement.signer.name,
          email: agreement.signer.email,
          tabs: {
            signHereTabs: [
              { documentId: '1', anchorString: 'Signed for the partner', anchorYOffset: '-30' },
            ],
          },
        },
      ],
    },
    customFields: {
      textCustomFields: [{ name: 'application', value: agreement.applicationId, show: 'false' }],
    },
    eventNotifications: [
      {
        url: agreement.webhookUrl,
        events: events.map((event) => `envelope-${event}`),
        deliveryMode: 'SIM',
        eventData: { version: 'restv2.1', format: 'json', includeData: ['custom_fields'] },
        includeHMAC: 'true',
        requireAcknowledgment: 'true',
        integratorManaged: 'true',
      },
    ],
  }
  // The community types lag behind the SDK: they know one notification with other fields.
  return definition as docusign.EnvelopeDefinition
}

/** `expired` shows as voided; what is created or delivered is still on its way. */
export function envelopeState(status: string | undefined): EnvelopeState {
  const ended = ['completed', 'declined', 'voided'] as const
  return ended.find((end) => end === status) ?? 'sent'
}

function broken(message: string): VendorError {
  return new VendorError({ vendor: 'docusign', failure: 'unknown', code: 'bad_answer', message })
}

/**
 * Calls DocuSign within a time limit. Its errors hold the bearer token, so that nothing of them
 * but status and code goes on.
 */
async function callDocusign<T>(call: Promise<T>): Promise<T> {
  try {
    return await withDeadline(call, { vendor: 'docusign', ms: callLimitMs })
  } catch (error) {
    if (error instanceof VendorError) throw error
    throw asVendorError(error)
  }
}

/** A revoked token; where a document was asked for, the answer's body is not read. */
const tokenRefusals = new Set(['AUTHORIZATION_INVALID_TOKEN', 'http_401'])

interface AnswerParts {
  response?: {
    status?: number
    headers?: Record<string, string>
    data?: { errorCode?: string; error?: string }
  }
}

function asVendorError(error: unknown): VendorError {
  const { response } = error as AnswerParts
  const status = response?.status
  const code = response?.data?.errorCode ?? response?.data?.error ?? `http_${status ?? 'none'}`
  const tooMany = status === 429 || code === 'HOURLY_APIINVOCATION_LIMIT_EXCEEDED'
  const notExecuted = tooMany || tokenRefusals.has(code)
  const refused = status !== undefined && status >= 400 && status < 500
  const reset = Number(response?.headers?.['x-ratelimit-reset'])
  return new VendorError({
    vendor: 'docusign',
    failure: notExecuted ? 'throttled' : refused ? 'rejected' : 'unknown',
    code,
    message: status === undefined ? 'no answer' : `answered ${status}`,
    retryAfterSeconds: tooMany && reset ? Math.max(1, reset - Date.now() / 1000) : undefined,
  })
}
