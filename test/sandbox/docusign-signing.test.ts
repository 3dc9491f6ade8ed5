import { createHash } from 'node:crypto'
import type docusign from 'docusign-esign'
import { type DocusignKit, refusalOf, startDocusign, type Wishes } from './docusign-kit.ts'
import { accountId, type Kit } from './kit.ts'

let on: DocusignKit
let kit: Kit
let envelopes: docusign.EnvelopesApi
const send = (wishes?: Wishes) => on.send(wishes)
beforeAll(async () => {
  on = await startDocusign()
  kit = on.kit
  envelopes = on.envelopes
})
afterEach(() => fetch(`${kit.sandbox.url}/_sandbox/faults`, { method: 'DELETE' }))
afterAll(() => on.stop())

describe('the documents of an envelope', () => {
  const read = async (id: string, document: string): Promise<Buffer> => {
    const found: unknown = await envelopes.getDocument(accountId, id, document, {})
    return found as Buffer
  }

  test('are the sent bytes until it is completed, then a PDF that attests them', async () => {
    const id = await send()
    expect((await read(id, 'combined')).equals(on.pdf)).toBe(true)
    await kit.post(`/envelopes/${id}/sign`)
    const sealed = await read(id, 'combined')
    const text = sealed.toString('latin1')
    expect(text.startsWith('%PDF')).toBe(true)
    expect(text.trimEnd().endsWith('%%EOF')).toBe(true)
    expect(text).toContain('/EmbeddedFile')
    const again = await read(id, 'combined')
    const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
    expect(hash(again)).toBe(hash(sealed))
    expect((await read(id, 'certificate')).toString('latin1')).toMatch(/^%PDF/)
    const list = await envelopes.listDocuments(accountId, id, {})
    expect(list.envelopeDocuments?.map(({ name }) => name)).toEqual(['Agreement.pdf', 'Summary'])
    const audit = await envelopes.listAuditEvents(accountId, id)
    const actions = audit.auditEvents?.map(
      ({ eventFields }) => eventFields?.find(({ name }) => name === 'Action')?.value,
    )
    expect(actions).toEqual(['Registered', 'Sent', 'Viewed', 'Signed'])
  })
})

describe('embedded signing', () => {
  const view = (id: string, userName = 'Ada') =>
    envelopes.createRecipientView(accountId, id, {
      recipientViewRequest: {
        returnUrl: 'http://127.0.0.1:1/back?step=2',
        authenticationMethod: 'none',
        userName,
        email: 'ada@example.test',
        clientUserId: 'user-1',
      },
    })
  const sessionIn = async (url: string): Promise<string> =>
    /name="session" value="(\w+)"/.exec(await (await fetch(url)).text())?.[1] ?? ''
  const act = (url: string, fields: Record<string, string>) =>
    fetch(url, { method: 'POST', body: new URLSearchParams(fields), redirect: 'manual' })

  test('opens once, signs, and leads back with the event; nobody gets a mail', async () => {
    const mails = (await kit.list('mails')).length
    const id = await send({ clientUserId: 'user-1' })
    expect((await kit.list('mails')).length).toBe(mails)
    const { url = '' } = await view(id)
    const session = await sessionIn(url)
    expect((await envelopes.getEnvelope(accountId, id, {})).status).toBe('delivered')
    const second = await fetch(url, { redirect: 'manual' })
    expect(second.headers.get('location')).toContain('event=ttl_expired')
    expect((await act(`${url}/sign`, {})).status).toBe(403)
    const document = await fetch(`${url}/document/1?session=${session}`)
    expect(Buffer.from(await document.arrayBuffer()).equals(on.pdf)).toBe(true)
    const done = await act(`${url}/sign`, { session })
    expect(done.headers.get('location')).toBe(
      'http://127.0.0.1:1/back?step=2&event=signing_complete',
    )
    expect((await envelopes.getEnvelope(accountId, id, {})).status).toBe('completed')
  })

  test('lets the signer decline', async () => {
    const id = await send({ clientUserId: 'user-1' })
    const { url = '' } = await view(id)
    const session = await sessionIn(url)
    const done = await act(`${url}/decline`, { session, reason: 'No <b>thanks</b>' })
    expect(done.headers.get('location')).toContain('event=decline')
    expect((await envelopes.getEnvelope(accountId, id, {})).status).toBe('declined')
  })

  test('is not for strangers', async () => {
    const id = await send({ clientUserId: 'user-1' })
    const refusal = await refusalOf(view(id, 'Eve'))
    expect(refusal.data.errorCode).toBe('UNKNOWN_ENVELOPE_RECIPIENT')
  })
})

describe('faults of DocuSign', () => {
  const arm = (kind: string) => kit.post('/faults', { vendor: 'docusign', kind })

  test('an answer lost after the commit leaves an envelope that its transactionId finds', async () => {
    await arm('timeout_after_commit')
    await expect(send({ transactionId: 'tx-lost' })).rejects.toThrow()
    const found = await envelopes.listStatusChanges(accountId, { transactionIds: 'tx-lost' })
    expect(found.envelopes).toHaveLength(1)
  })

  test('webhooks are dropped and doubled on request', async () => {
    await kit.post('/faults', { vendor: 'docusign', kind: 'drop_webhook', path: 'envelope-sent' })
    const double = { vendor: 'docusign', kind: 'duplicate_webhook', path: 'envelope-voided' }
    await kit.post('/faults', double)
    const id = await send()
    await kit.post(`/envelopes/${id}/expire`)
    const ofThis = ({ body }: { body: string }) => JSON.parse(body).data.envelopeId === id
    const got = await on.receiver.wait(ofThis, 2)
    expect(got.map(({ body }) => JSON.parse(body).event)).toEqual([
      'envelope-voided',
      'envelope-voided',
    ])
  })

  test('a 429 and a 500 have the vendor’s codes, and every reply the rate headers', async () => {
    await arm('error_429')
    const limited = await refusalOf(send())
    expect(limited).toMatchObject({
      status: 429,
      data: { errorCode: 'HOURLY_APIINVOCATION_LIMIT_EXCEEDED' },
    })
    await arm('error_500')
    expect((await refusalOf(send())).status).toBe(500)
    const reply = await fetch(`${kit.sandbox.url}/restapi/v2.1/accounts/${accountId}/envelopes`)
    expect(reply.headers.get('x-ratelimit-limit')).toBe('3000')
    expect(Number(reply.headers.get('x-burstlimit-remaining'))).toBeLessThan(500)
  })
})
