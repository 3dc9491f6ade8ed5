import sdk from 'docusign-esign'
import { type Docusign, envelopeState } from '../../integrations/docusign.ts'
import type { AgreementToSend } from '../../integrations/docusign-envelopes.ts'
import { readConnectEvent } from '../../integrations/docusign-webhooks.ts'
import { makePdf } from '../../sandbox/pdf.ts'
import {
  accountId,
  docusignAt,
  hmacKeys,
  integrationKey,
  type Kit,
  keyPair,
  type Receiver,
  startKit,
  startReceiver,
  userId,
} from '../sandbox/kit.ts'
import { docusignFor, vendorErrorOf } from './kit.ts'

let kit: Kit
let receiver: Receiver
let docusign: Docusign
let pdf: Buffer
beforeAll(async () => {
  kit = await startKit()
  receiver = await startReceiver()
  docusign = docusignFor(kit.sandbox)
  pdf = await makePdf({ title: 'Agreement', date: new Date(0), parts: [{ text: 'Words' }] })
})
afterEach(() => fetch(`${kit.sandbox.url}/_sandbox/faults`, { method: 'DELETE' }))
afterAll(async () => {
  await kit.stop()
  await receiver.close()
})

let made = 0

function agreement(changes: Partial<AgreementToSend> = {}): AgreementToSend {
  made += 1
  return {
    transactionId: `agr_${made}`,
    documentName: 'Partner agreement.pdf',
    paper: { pdf },
    signer: { name: 'Ada', email: 'ada@acme.example' },
    embeddedAs: null,
    subject: 'Your partner agreement',
    reference: { name: 'application', id: 'app_1' },
    webhookUrl: `${receiver.url}/connect`,
    ...changes,
  }
}

const fault = (kind: string, more: object = {}) =>
  kit.post('/faults', { vendor: 'docusign', kind, path: '/restapi', ...more })

describe('an agreement', () => {
  test('is mailed for signature with its application beside it', async () => {
    const id = await docusign.sendAgreement(agreement())
    const envelope = (await kit.list('envelopes')).find((one) => one.id === id)
    expect(envelope).toMatchObject({ status: 'sent', metadata: { application: 'app_1' } })
    expect((await kit.list('mails')).at(-1)).toMatchObject({
      kind: 'docusign_envelope',
      to: 'ada@acme.example',
      subject: expect.stringContaining('Your partner agreement'),
    })
  })

  test('is found by its transaction, so that a lost answer sends no second one', async () => {
    const lost = agreement()
    expect(await docusign.findEnvelope(lost.transactionId)).toBeNull()
    await fault('timeout_after_commit')
    expect((await vendorErrorOf(docusign.sendAgreement(lost))).failure).toBe('unknown')
    const found = await docusign.findEnvelope(lost.transactionId)
    expect(found).toEqual(expect.any(String))
    expect((await docusign.readEnvelope(found ?? '')).state).toBe('sent')
  })

  test('tells its changes to our address, signed', async () => {
    const id = await docusign.sendAgreement(agreement())
    await kit.post(`/envelopes/${id}/sign`)
    const [message] = await receiver.wait(({ body }) => {
      const { event, data } = JSON.parse(body)
      return event === 'envelope-completed' && data.envelopeId === id
    })
    expect(message?.path).toBe('/connect')
    const header = (name: string) => String(message?.headers[name.toLowerCase()] ?? '')
    const request = { rawBody: Buffer.from(message?.body ?? ''), header }
    expect(readConnectEvent(request, hmacKeys).objectId).toBe(id)
  })

  test.each([
    ['sign', 'completed'],
    ['decline', 'declined'],
    ['expire', 'voided'],
  ] as const)('after "%s" is read as %s', async (act, state) => {
    const id = await docusign.sendAgreement(agreement())
    expect((await docusign.readEnvelope(id)).state).toBe('sent')
    await kit.post(`/envelopes/${id}/${act}`)
    expect((await docusign.readEnvelope(id)).state).toBe(state)
  })

  test.each([
    ['created', 'sent'],
    ['sent', 'sent'],
    ['delivered', 'sent'],
    ['completed', 'completed'],
    ['declined', 'declined'],
    ['voided', 'voided'],
    [undefined, 'sent'],
  ])('that the vendor calls %s is %s', (status, state) => {
    expect(envelopeState(status)).toBe(state)
  })

  test('that is signed is fetched as one whole PDF', async () => {
    const id = await docusign.sendAgreement(agreement())
    await kit.post(`/envelopes/${id}/sign`)
    const signed = await docusign.fetchSignedAgreement(id)
    const text = signed.toString('latin1')
    expect(text.startsWith('%PDF-')).toBe(true)
    expect(text.trimEnd().endsWith('%%EOF')).toBe(true)
    expect(text).toContain('/EmbeddedFile')
    expect(await docusign.fetchSignedAgreement(id)).toEqual(signed)
  })

  test('keeps every byte of what was sent, until it is signed', async () => {
    const id = await docusign.sendAgreement(agreement())
    expect((await docusign.fetchSignedAgreement(id)).equals(pdf)).toBe(true)
  })
})

describe('the withdrawal of an agreement', () => {
  test('ends one that is open, and can be repeated', async () => {
    const id = await docusign.sendAgreement(agreement())
    await docusign.voidAgreement(id, 'The application was withdrawn')
    expect((await docusign.readEnvelope(id)).state).toBe('voided')
    expect((await docusign.voidAgreement(id, 'Again')).state).toBe('voided')
    const view = (await kit.list('envelopes')).find((one) => one.id === id)
    expect(view).toMatchObject({ status: 'voided', voidedReason: 'The application was withdrawn' })
  })

  test.each([
    ['sign', 'completed'],
    ['decline', 'declined'],
  ] as const)('leaves one alone that ended by "%s"', async (act, state) => {
    const id = await docusign.sendAgreement(agreement())
    await kit.post(`/envelopes/${id}/${act}`)
    expect((await docusign.voidAgreement(id, 'Too late')).state).toBe(state)
    expect((await docusign.readEnvelope(id)).state).toBe(state)
  })
})

describe('an agreement by template', () => {
  test('is the template’s document, signed in its role, with our words in its fields', async () => {
    const client = docusignAt(kit.sandbox)
    const key = Buffer.from(keyPair().privateKey)
    const scopes = ['signature', 'impersonation']
    const token = await client.requestJWTUserToken(integrationKey, userId, scopes, key, 3600)
    client.addDefaultHeader('Authorization', `Bearer ${token.body.access_token}`)
    const envelopeTemplate = {
      name: 'Terms',
      documents: [{ documentId: '1', name: 'Terms', documentBase64: pdf.toString('base64') }],
      recipients: { signers: [{ roleName: 'partner', recipientId: '1' }] },
    }
    const made = await new sdk.TemplatesApi(client).createTemplate(accountId, { envelopeTemplate })
    const templateId = made.templateId ?? ''
    const paper = { templateId, fields: { company: 'Acme', commission: '20 %' } }
    const id = await docusign.sendAgreement(agreement({ paper }))
    expect((await docusign.fetchSignedAgreement(id)).equals(pdf)).toBe(true)
    const envelope = (await kit.list('envelopes')).find((one) => one.id === id)
    expect(envelope).toMatchObject({
      signers: [
        {
          roleName: 'partner',
          email: 'ada@acme.example',
          tabs: { textTabs: [{ tabLabel: 'company', value: 'Acme' }, expect.anything()] },
        },
      ],
    })
  })

  test('that is not there is refused', async () => {
    const paper = { templateId: 'nowhere', fields: {} }
    expect(await vendorErrorOf(docusign.sendAgreement(agreement({ paper })))).toMatchObject({
      failure: 'rejected',
      code: 'TEMPLATE_ID_INVALID',
    })
  })
})

describe('a signature on a page of ours', () => {
  test('is asked for by a page that differs each time and leads back', async () => {
    const signer = { name: 'Eve', email: 'embedded@acme.example' }
    const sent = agreement({ embeddedAs: 'agr_embedded', signer })
    const envelopeId = await docusign.sendAgreement(sent)
    const view = { envelopeId, signer: sent.signer, embeddedAs: 'agr_embedded' }
    const open = () => docusign.openSigningPage({ ...view, returnUrl: 'https://api.example/back' })
    const [first, second] = [await open(), await open()]
    expect(first).not.toBe(second)
    expect((await fetch(first)).status).toBe(200)
    expect((await kit.list('mails')).filter(({ to }) => to === 'embedded@acme.example')).toEqual([])
  })
})

describe('what proves a signature', () => {
  test('is a certificate and the events, beside the document', async () => {
    const id = await docusign.sendAgreement(agreement())
    await kit.post(`/envelopes/${id}/sign`)
    expect((await docusign.fetchCertificate(id)).subarray(0, 5).toString()).toBe('%PDF-')
    expect(JSON.stringify(await docusign.fetchAuditEvents(id))).toContain('Signed')
  })

  test('and what has ended lately is listed with one question', async () => {
    const before = new Date(Date.now() - 1_000)
    const [signed, open] = [
      await docusign.sendAgreement(agreement()),
      await docusign.sendAgreement(agreement()),
    ]
    await kit.post(`/envelopes/${signed}/sign`)
    const ended = await docusign.listEndedSince(before)
    expect(ended).toContainEqual({ envelopeId: signed, state: 'completed' })
    expect(ended.map(({ envelopeId }) => envelopeId)).not.toContain(open)
  })
})
