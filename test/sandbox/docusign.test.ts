import { createHmac } from 'node:crypto'
import type docusign from 'docusign-esign'
import { type DocusignKit, refusalOf, startDocusign, type Wishes } from './docusign-kit.ts'
import { accountId, hmacKeys, type Kit, userId } from './kit.ts'

let on: DocusignKit
let kit: Kit
let envelopes: docusign.EnvelopesApi
const send = (wishes?: Wishes) => on.send(wishes)
beforeAll(async () => {
  on = await startDocusign()
  kit = on.kit
  envelopes = on.envelopes
})
afterAll(() => on.stop())

describe('OAuth over TLS', () => {
  test('grants a token for a signed assertion, and tells the account behind it', async () => {
    const { body } = await on.askToken()
    expect(body).toMatchObject({ token_type: 'Bearer', expires_in: 3600 })
    const info = await on.client.getUserInfo(body.access_token)
    expect(info.sub).toBe(userId)
    expect(info.accounts[0]).toMatchObject({ accountId, baseUri: kit.sandbox.url })
  })

  test('refuses another user, another key, and a missing consent', async () => {
    const stranger = await refusalOf(on.askToken('44444444-4444-4444-8444-444444444444'))
    expect(stranger).toMatchObject({ status: 400, data: { error: 'invalid_grant' } })
    const narrow = await refusalOf(on.askToken(userId, ['signature']))
    expect(narrow).toMatchObject({ status: 400, data: { error: 'consent_required' } })
    await kit.post('/docusign/consent', { granted: false })
    expect((await refusalOf(on.askToken())).data.error).toBe('consent_required')
    await kit.post('/docusign/consent', { granted: true })
    const [head, body] = 'e30.e30'.split('.')
    const forged = await refusalOf(on.client.getUserInfo(`${head}.${body}`))
    expect(forged.status).toBe(401)
  })

  test('REST calls without a good token, or for another account, are refused', async () => {
    const account = `${kit.sandbox.url}/restapi/v2.1/accounts/${accountId}`
    const url = `${account}/envelopes?from_date=2020-01-01`
    expect((await fetch(url)).status).toBe(401)
    const bad = await fetch(url, { headers: { Authorization: 'Bearer nonsense' } })
    expect(((await bad.json()) as { errorCode: string }).errorCode).toBe(
      'AUTHORIZATION_INVALID_TOKEN',
    )
    const other = await refusalOf(envelopes.getEnvelope('another-account', 'x', {}))
    expect(other.data.errorCode).toBe('USER_DOES_NOT_BELONG_TO_SPECIFIED_ACCOUNT')
  })
})

describe('an envelope', () => {
  test('is sent, read with its parts, and mailed to its signer', async () => {
    const id = await send({ transactionId: 'tx-1' })
    const envelope = await envelopes.getEnvelope(accountId, id, {
      include: 'recipients,custom_fields',
    })
    expect(envelope).toMatchObject({
      envelopeId: id,
      status: 'sent',
      transactionId: 'tx-1',
      emailSubject: 'Your partner agreement',
    })
    expect(envelope.recipients?.signers?.[0]).toMatchObject({ name: 'Ada', status: 'sent' })
    expect(envelope.customFields?.textCustomFields?.[0]).toMatchObject({ value: 'app_1' })
    const bare = await envelopes.getEnvelope(accountId, id, {})
    expect(bare.recipients).toBeUndefined()
    const view = (await kit.list('envelopes')).find((one) => one.id === id)
    expect(view).toMatchObject({
      metadata: { application: 'app_1' },
      reads_last_15_min: 2,
      polled_too_often: true,
    })
    const mail = (await kit.list('mails')).at(-1)
    expect(mail).toMatchObject({ kind: 'docusign_envelope', to: 'ada@example.test' })
    expect(mail?.text).toMatch(/\/signing\/\w+/)
  })

  test('is signed by the control, and Connect tells it with a good signature', async () => {
    const id = await send()
    expect((await kit.post(`/envelopes/${id}/sign`)).body).toMatchObject({ status: 'completed' })
    const [one] = await on.receiver.wait(({ body }) => {
      const { event, data } = JSON.parse(body)
      return event === 'envelope-completed' && data.envelopeId === id
    })
    const message = JSON.parse(String(one?.body))
    expect(message).toMatchObject({
      event: 'envelope-completed',
      apiVersion: 'v2.1',
      retryCount: 0,
      uri: `/restapi/v2.1/accounts/${accountId}/envelopes/${id}`,
      data: {
        accountId,
        userId,
        envelopeSummary: {
          status: 'completed',
          envelopeId: id,
          recipients: { signers: [{ status: 'completed', name: 'Ada' }] },
          customFields: { textCustomFields: [{ name: 'application', value: 'app_1' }] },
        },
      },
    })
    for (const [index, key] of hmacKeys.entries()) {
      const expected = createHmac('sha256', key).update(String(one?.body)).digest('base64')
      expect(one?.headers[`x-docusign-signature-${index + 1}`]).toBe(expected)
    }
    expect((await kit.post(`/envelopes/${id}/sign`)).status).toBe(409)
  })

  test('is told again until the receiver takes it, with the attempt counted', async () => {
    on.receiver.answer(500)
    const id = await send()
    const ofThis = ({ body }: { body: string }) => JSON.parse(body).data?.envelopeId === id
    await on.receiver.wait(ofThis)
    on.receiver.answer(200)
    const both = await on.receiver.wait(ofThis, 2)
    expect(both.map(({ body }) => JSON.parse(body).retryCount)).toEqual([0, 1])
  })

  test('is declined with a reason', async () => {
    const id = await send()
    await kit.post(`/envelopes/${id}/decline`, { reason: 'Too expensive' })
    const envelope = await envelopes.getEnvelope(accountId, id, { include: 'recipients' })
    expect(envelope.status).toBe('declined')
    expect(envelope.recipients?.signers?.[0]?.declinedReason).toBe('Too expensive')
  })

  test('is voided while it is open, and never after it is completed', async () => {
    const id = await send()
    const envelope = { status: 'voided', voidedReason: 'Changed our mind' }
    await envelopes.update(accountId, id, { envelope })
    const after = await envelopes.getEnvelope(accountId, id, {})
    expect(after).toMatchObject({ status: 'voided', voidedReason: 'Changed our mind' })
    const signed = await send()
    await kit.post(`/envelopes/${signed}/sign`)
    const late = await refusalOf(envelopes.update(accountId, signed, { envelope }))
    expect(late).toMatchObject({
      status: 400,
      data: { errorCode: 'ENVELOPE_CANNOT_VOID_INVALID_STATE' },
    })
  })

  test('that expires appears as voided', async () => {
    const id = await send()
    expect((await kit.post(`/envelopes/${id}/expire`)).body).toMatchObject({
      status: 'voided',
      voidedReason: 'Envelope has expired.',
    })
  })

  test('is mailed again when it is resent, to the corrected address', async () => {
    const id = await send()
    const results = await envelopes.updateRecipients(accountId, id, {
      recipients: { signers: [{ recipientId: '1', email: 'new@example.test', name: 'Ada' }] },
    })
    expect(results.recipientUpdateResults?.[0]?.errorDetails?.errorCode).toBe('SUCCESS')
    await envelopes.update(accountId, id, { resendEnvelope: 'true', envelope: {} })
    expect((await kit.list('mails')).at(-1)).toMatchObject({ to: 'new@example.test' })
    const recipients = await envelopes.listRecipients(accountId, id, {})
    expect(recipients.signers?.[0]?.email).toBe('new@example.test')
  })

  test('sent twice with one transactionId is two envelopes, and both are found', async () => {
    const ids = [await send({ transactionId: 'tx-2' }), await send({ transactionId: 'tx-2' })]
    const byBody = await envelopes.listStatus(accountId, {
      envelopeIdsRequest: { transactionIds: ['tx-2'] },
      transactionIds: 'request_body',
    })
    expect(byBody.envelopes?.map(({ envelopeId }) => envelopeId)).toEqual(ids)
    expect(byBody.resultSetSize).toBe('2')
    const byQuery = await envelopes.listStatusChanges(accountId, { transactionIds: 'tx-2' })
    expect(byQuery.envelopes).toHaveLength(2)
    const byField = await envelopes.listStatusChanges(accountId, {
      fromDate: '2020-01-01T00:00:00Z',
      customField: 'application=app_1',
      include: 'recipients',
      count: '1',
    })
    expect(byField.envelopes).toHaveLength(1)
    expect(byField).toHaveProperty('nextUri', expect.stringContaining('start_position=1'))
    expect((await refusalOf(envelopes.listStatusChanges(accountId, {}))).status).toBe(400)
  })

  test('with two signers goes to the second after the first has signed', async () => {
    const envelopeDefinition = on.definition()
    const signers = [
      { recipientId: '1', routingOrder: '1', name: 'First', email: 'first@example.test' },
      { recipientId: '2', routingOrder: '2', name: 'Second', email: 'second@example.test' },
    ]
    const both = { ...envelopeDefinition, recipients: { signers } }
    const { envelopeId } = await envelopes.createEnvelope(accountId, { envelopeDefinition: both })
    const statuses = async () =>
      (await envelopes.listRecipients(accountId, String(envelopeId), {})).signers?.map(
        ({ status }) => status,
      )
    expect(await statuses()).toEqual(['sent', 'created'])
    await kit.post(`/envelopes/${envelopeId}/sign`)
    expect(await statuses()).toEqual(['completed', 'completed'])
    const mails = (await kit.list('mails')).slice(-2)
    expect(mails.map(({ to }) => to)).toEqual(['first@example.test', 'second@example.test'])
  })

  test('that is incomplete or unknown is refused with the vendor’s error codes', async () => {
    const base = on.definition()
    const refused = async (change: object): Promise<string> => {
      const envelopeDefinition = { ...base, ...change } as docusign.EnvelopeDefinition
      const call = envelopes.createEnvelope(accountId, { envelopeDefinition })
      return (await refusalOf(call)).data.errorCode
    }
    expect(await refused({ documents: [] })).toBe('ENVELOPE_IS_INCOMPLETE')
    const text = { documentId: '1', name: 'a.txt', documentBase64: 'aGVsbG8=' }
    expect(await refused({ documents: [text] })).toBe('UNABLE_TO_CONVERT_DOCUMENT')
    const signers = [{ recipientId: '1', name: 'Ada', email: 'nowhere' }]
    expect(await refused({ recipients: { signers } })).toBe('INVALID_EMAIL_ADDRESS_FOR_RECIPIENT')
    const unknown = await refusalOf(envelopes.getEnvelope(accountId, 'nobody', {}))
    expect(unknown.data.errorCode).toBe('ENVELOPE_DOES_NOT_EXIST')
  })
})
