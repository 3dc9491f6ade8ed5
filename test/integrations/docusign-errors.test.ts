import { inspect } from 'node:util'
import type { Docusign } from '../../integrations/docusign.ts'
import type { AgreementToSend } from '../../integrations/docusign-envelopes.ts'
import { type Kit, startKit } from '../sandbox/kit.ts'
import {
  type Asked,
  docusignFor,
  type ScriptedVendor,
  startScriptedVendor,
  vendorErrorOf,
} from './kit.ts'

let kit: Kit
/** DocuSign behind the sandbox's token service, saying what the sandbox would not. */
let vendor: ScriptedVendor
beforeAll(async () => {
  kit = await startKit()
  vendor = await startScriptedVendor()
})
afterEach(() => fetch(`${kit.sandbox.url}/_sandbox/faults`, { method: 'DELETE' }))
afterAll(async () => {
  await kit.stop()
  await vendor.close()
})

const scripted = () => docusignFor(kit.sandbox, `${vendor.url}/restapi`)
const envelope = { body: { envelopeId: 'envelope-1', status: 'sent' } }
const pdf = Buffer.from('%PDF-1.7\n%%EOF\n')

const agreement: AgreementToSend = {
  transactionId: 'agr_1',
  documentName: 'Partner agreement.pdf',
  paper: { pdf },
  signer: { name: 'Ada', email: 'ada@private.example' },
  embeddedAs: null,
  subject: 'Your partner agreement',
  reference: { name: 'application', id: 'app_1' },
  webhookUrl: 'https://api.example/v1/webhooks/docusign',
}

const fault = (kind: string, path = '/restapi') =>
  kit.post('/faults', { vendor: 'docusign', kind, path })

describe('an error of DocuSign', () => {
  test('for too many calls was not executed, and says when to ask again', async () => {
    const docusign = docusignFor(kit.sandbox)
    await fault('error_429')
    const error = await vendorErrorOf(docusign.sendAgreement(agreement))
    expect(error).toMatchObject({
      vendor: 'docusign',
      failure: 'throttled',
      code: 'HOURLY_APIINVOCATION_LIMIT_EXCEEDED',
    })
    expect(error.retryAfterSeconds).toBeGreaterThan(0)
    expect(error.retryAfterSeconds).toBeLessThanOrEqual(3_600)
  })

  test('for a mistake in the request is a refusal with the vendor’s code', async () => {
    const docusign = docusignFor(kit.sandbox)
    const wrong = { ...agreement, signer: { name: 'Ada', email: 'nowhere' } }
    expect(await vendorErrorOf(docusign.sendAgreement(wrong))).toMatchObject({
      failure: 'rejected',
      code: 'INVALID_EMAIL_ADDRESS_FOR_RECIPIENT',
      retryAfterSeconds: undefined,
    })
    expect(await vendorErrorOf(docusign.readEnvelope('nobody'))).toMatchObject({
      failure: 'rejected',
      code: 'ENVELOPE_DOES_NOT_EXIST',
    })
  })

  test.each([500, 502, 503])('of status %i may have been executed', async (status) => {
    const docusign = scripted()
    vendor.answer(() => ({ status, body: { errorCode: 'UNSPECIFIED_ERROR' } }))
    const error = await vendorErrorOf(docusign.sendAgreement(agreement))
    expect(error).toMatchObject({ failure: 'unknown', code: 'UNSPECIFIED_ERROR' })
  })

  test('that is a lost connection may have been executed', async () => {
    const docusign = scripted()
    vendor.answer(() => 'cut')
    const error = await vendorErrorOf(docusign.sendAgreement(agreement))
    expect(error).toMatchObject({ failure: 'unknown', code: 'http_none' })
  })

  test('that is an answer without an id may have been executed', async () => {
    const docusign = scripted()
    vendor.answer(() => ({ status: 201, body: {} }))
    const error = await vendorErrorOf(docusign.sendAgreement(agreement))
    expect(error).toMatchObject({ failure: 'unknown', code: 'bad_answer' })
  })

  test('for a missing consent of the user is a refusal', async () => {
    await kit.post('/docusign/consent', { granted: false })
    const error = await vendorErrorOf(docusignFor(kit.sandbox).readEnvelope('envelope-1'))
    await kit.post('/docusign/consent', { granted: true })
    expect(error).toMatchObject({ failure: 'rejected', code: 'consent_required' })
  })

  test.each([
    ['error_500', 'unknown', 'server_error'],
    ['error_429', 'throttled', 'rate_limit_exceeded'],
  ])('of the token service (%s) is %s', async (kind, failure, code) => {
    await fault(kind, '/oauth')
    const error = await vendorErrorOf(docusignFor(kit.sandbox).readEnvelope('envelope-1'))
    expect(error).toMatchObject({ failure, code })
  })
})

describe('the token', () => {
  const tokensOf = (asked: Asked[]) => new Set(asked.map(({ headers }) => headers.authorization))

  test('is asked for once and used for every call', async () => {
    const docusign = scripted()
    vendor.answer(() => envelope)
    const before = vendor.asked.length
    for (let call = 0; call < 3; call++) await docusign.readEnvelope('envelope-1')
    expect(tokensOf(vendor.asked.slice(before)).size).toBe(1)
  })

  test('that is refused is not used again, and the call is worth repeating', async () => {
    const docusign = scripted()
    vendor.answer(() => envelope)
    await docusign.readEnvelope('envelope-1')
    const revoked = vendor.asked.at(-1)?.headers.authorization
    vendor.answer(({ headers }) =>
      headers.authorization === revoked
        ? { status: 401, body: { errorCode: 'AUTHORIZATION_INVALID_TOKEN' } }
        : envelope,
    )
    const error = await vendorErrorOf(docusign.readEnvelope('envelope-1'))
    expect(error).toMatchObject({ failure: 'throttled', code: 'AUTHORIZATION_INVALID_TOKEN' })
    expect((await docusign.readEnvelope('envelope-1')).state).toBe('sent')
  })

  test('that is good for another account is a refusal', async () => {
    vendor.answer(() => ({
      status: 401,
      body: { errorCode: 'USER_DOES_NOT_BELONG_TO_SPECIFIED_ACCOUNT' },
    }))
    const error = await vendorErrorOf(scripted().readEnvelope('envelope-1'))
    expect(error.failure).toBe('rejected')
  })

  test('is nowhere in an error, and neither are key, names and addresses', async () => {
    const bodies = [
      { status: 400, body: { errorCode: 'X', message: 'ada@private.example is wrong' } },
      { status: 500, body: 'oops' },
      'cut' as const,
    ]
    for (const answer of bodies) {
      vendor.answer(() => answer)
      const error = await vendorErrorOf(scripted().sendAgreement(agreement))
      const token = vendor.asked.at(-1)?.headers.authorization?.replace('Bearer ', '') ?? ''
      expect(token).toMatch(/^ds_test_/)
      const shown = inspect(error, { depth: null, showHidden: true, getters: true })
      for (const secret of [token, 'Bearer', 'ada@private.example', 'PRIVATE KEY', 'JVBERi']) {
        expect(shown).not.toContain(secret)
      }
    }
  })
})

describe('a signed document', () => {
  const fetchWith = async (body: Buffer) => {
    vendor.answer(() => ({ headers: { 'Content-Type': 'application/pdf' }, body }))
    return scripted().fetchSignedAgreement('envelope-1')
  }

  test('is taken byte for byte', async () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    const whole = Buffer.concat([Buffer.from('%PDF-1.7\n'), all, Buffer.from('\n%%EOF\n')])
    expect((await fetchWith(whole)).equals(whole)).toBe(true)
  })

  test.each([
    ['is cut off at its end', pdf.subarray(0, -6)],
    ['lacks its beginning', pdf.subarray(3)],
    ['is empty', Buffer.from('')],
    ['is a page of an error', Buffer.from('<html>%%EOF</html>')],
  ])('that %s is fetched again instead of kept', async (_, body) => {
    expect(await vendorErrorOf(fetchWith(body))).toMatchObject({
      failure: 'unknown',
      code: 'bad_answer',
    })
  })
})

describe('a call that gets no answer', () => {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask', 'Date'] })
  })
  afterEach(() => jest.useRealTimers())

  /** Lets the call arrive, which takes real time, and then the given time pass. */
  async function failureAfter(ms: number, call: (docusign: Docusign) => Promise<unknown>) {
    const docusign = scripted()
    vendor.answer(() => envelope)
    await docusign.readEnvelope('envelope-1')
    const before = vendor.asked.length
    vendor.answer(({ path }) =>
      path.includes('/documents/')
        ? { headers: { 'Content-Type': 'application/pdf', 'Content-Length': '99' }, body: pdf }
        : 'hang',
    )
    let outcome: unknown = 'still waiting'
    const done = vendorErrorOf(call(docusign)).then((error) => {
      outcome = { failure: error.failure, code: error.code }
    })
    while (vendor.asked.length === before) await new Promise((resolve) => setImmediate(resolve))
    jest.advanceTimersByTime(ms)
    await new Promise((resolve) => setImmediate(resolve))
    const seen = outcome
    jest.advanceTimersByTime(60_000)
    await done
    return seen
  }

  test('is waited for, but not for ever', async () => {
    const read = (docusign: Docusign) => docusign.readEnvelope('envelope-1')
    expect(await failureAfter(24_000, read)).toBe('still waiting')
    expect(await failureAfter(25_000, read)).toEqual({ failure: 'unknown', code: 'timeout' })
  })

  test('is given up also where a document stops in the middle', async () => {
    const read = (docusign: Docusign) => docusign.fetchSignedAgreement('envelope-1')
    expect(await failureAfter(25_000, read)).toEqual({ failure: 'unknown', code: 'timeout' })
  })
})
