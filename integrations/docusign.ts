/** Agreements at DocuSign, in our words: send, find, read, fetch, withdraw. */
import type docusign from 'docusign-esign'
import { type AgreementToSend, envelopeOf } from './docusign-envelopes.ts'
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

/** How an envelope stands, and what its signer wrote who declined. */
export interface EnvelopeOutcome {
  state: EnvelopeState
  declinedReason: string | null
}

export type EnvelopeState = 'sent' | 'completed' | 'declined' | 'voided'

export type Docusign = ReturnType<typeof createDocusign>

const callLimitMs = 25_000
const changesPerPage = 1_000
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

  async function fetchPdf(envelopeId: string, which: 'combined' | 'certificate') {
    const data: unknown = await call((envelopes) =>
      envelopes.getDocument(accountId, envelopeId, which, {}),
    )
    const pdf = typeof data === 'string' ? Buffer.from(data, 'latin1') : Buffer.from(data as Buffer)
    const whole =
      pdf.subarray(0, 5).toString('latin1') === '%PDF-' &&
      pdf.subarray(-1024).toString('latin1').includes('%%EOF')
    if (!whole) throw broken('a document arrived incomplete')
    return pdf
  }

  /**
   * How an envelope stands. Ask for one at most every 15 minutes, but for when an event came:
   * the vendor takes more for polling, and refuses the application for it.
   */
  async function readEnvelope(envelopeId: string): Promise<EnvelopeOutcome> {
    const envelope = await call((envelopes) =>
      envelopes.getEnvelope(accountId, envelopeId, { include: 'recipients' }),
    )
    const signers = envelope.recipients?.signers ?? []
    return {
      state: envelopeState(envelope.status),
      declinedReason: signers.find(({ declinedReason }) => declinedReason)?.declinedReason ?? null,
    }
  }

  return {
    /** Sends the agreement for signature. Not idempotent: look for the transaction first. */
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

    readEnvelope,

    /** Every envelope that ended since an instant, in one question for a thousand of them. */
    async listEndedSince(since: Date): Promise<{ envelopeId: string; state: EnvelopeState }[]> {
      const ended: { envelopeId: string; state: EnvelopeState }[] = []
      for (let start = 0; ; start += changesPerPage) {
        const page = await call((envelopes) =>
          envelopes.listStatusChanges(accountId, {
            fromDate: since.toISOString(),
            status: 'completed,declined,voided',
            count: String(changesPerPage),
            startPosition: String(start),
          }),
        )
        for (const { envelopeId, status } of page.envelopes ?? []) {
          if (envelopeId) ended.push({ envelopeId, state: envelopeState(status) })
        }
        if ((page.envelopes?.length ?? 0) < changesPerPage) return ended
      }
    },

    /** A page on which an embedded signer signs; it opens once, within five minutes. */
    async openSigningPage(view: {
      envelopeId: string
      signer: { name: string; email: string }
      embeddedAs: string
      returnUrl: string
    }): Promise<string> {
      const { url } = await call((envelopes) =>
        envelopes.createRecipientView(accountId, view.envelopeId, {
          recipientViewRequest: {
            // Whoever comes has followed a signed link in a mail to this address.
            authenticationMethod: 'Email',
            userName: view.signer.name,
            email: view.signer.email,
            clientUserId: view.embeddedAs,
            returnUrl: view.returnUrl,
          },
        }),
      )
      if (!url) throw broken('no page to sign came back')
      return url
    },

    /** The signed document, checked to be a whole PDF. */
    fetchSignedAgreement: (envelopeId: string) => fetchPdf(envelopeId, 'combined'),

    /** What the vendor certifies of the signature, as a whole PDF. */
    fetchCertificate: (envelopeId: string) => fetchPdf(envelopeId, 'certificate'),

    /** What happened to the envelope: who opened, signed or sent it, and when. */
    async fetchAuditEvents(envelopeId: string): Promise<object> {
      const answer = await call((envelopes) => envelopes.listAuditEvents(accountId, envelopeId))
      if (!Array.isArray(answer.auditEvents)) throw broken('no audit events came back')
      return { auditEvents: answer.auditEvents }
    },

    /**
     * Withdraws an agreement that is not signed yet. One that has ended stays as it is: then the
     * answer is how it ended.
     */
    async voidAgreement(envelopeId: string, reason: string): Promise<EnvelopeOutcome> {
      try {
        await call((envelopes) =>
          envelopes.update(accountId, envelopeId, {
            envelope: { status: 'voided', voidedReason: reason },
          }),
        )
        return { state: 'voided', declinedReason: null }
      } catch (error) {
        if (!(error instanceof VendorError && error.failure === 'rejected')) throw error
        const outcome = await readEnvelope(envelopeId)
        if (outcome.state === 'sent') throw error
        return outcome
      }
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
  return new VendorError({
    vendor: 'docusign',
    failure: notExecuted ? 'throttled' : refused ? 'rejected' : 'unknown',
    code,
    message: status === undefined ? 'no answer' : `answered ${status}`,
    retryAfterSeconds: tooMany ? pauseOf(response?.headers ?? {}) : undefined,
  })
}

const burstSeconds = 30

/**
 * How long to leave the vendor alone: as it says, or until its burst is over, which is short, or
 * until its hour is.
 */
function pauseOf(headers: Record<string, string>): number | undefined {
  const said = Number(headers['retry-after'])
  if (said > 0) return said
  const burstIsUsedUp = headers['x-burstlimit-remaining'] === '0'
  if (burstIsUsedUp && headers['x-ratelimit-remaining'] !== '0') return burstSeconds
  const reset = Number(headers['x-ratelimit-reset'])
  return reset ? Math.max(1, reset - Date.now() / 1000) : undefined
}
