import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { isDomainError } from '../../domain/errors.ts'
import { readConnectEvent } from '../../integrations/docusign-webhooks.ts'
import { startDocusign } from '../sandbox/docusign-kit.ts'
import { hmacKeys } from '../sandbox/kit.ts'

const completed = {
  event: 'envelope-completed',
  uri: '/restapi/v2.1/accounts/1/envelopes/2',
  retryCount: 0,
  generatedDateTime: '2026-10-05T10:00:00.1230000Z',
  data: { accountId: '1', userId: '2', envelopeId: 'envelope-1' },
}

const sign = (body: Buffer, secret: string) =>
  createHmac('sha256', secret).update(body).digest('base64')

/** A request whose numbered signatures are these, the first one first. */
function request(event: object | Buffer, signatures: (body: Buffer) => string[]) {
  const rawBody = Buffer.isBuffer(event) ? event : Buffer.from(JSON.stringify(event))
  const values = signatures(rawBody)
  const header = (name: string) => {
    const number = Number(/^x-docusign-signature-(\d+)$/i.exec(name)?.[1])
    return values[number - 1] ?? ''
  }
  return { rawBody, header }
}

const signed = (event: object | Buffer) => request(event, (body) => [sign(body, 'secret-1')])

const read = (event: object) => readConnectEvent(signed(event), ['secret-1'])

function refusalOf(given: ReturnType<typeof request>, secrets = ['secret-1']): string | null {
  try {
    readConnectEvent(given, secrets)
    return null
  } catch (error) {
    if (isDomainError(error)) return error.code
    throw error
  }
}

describe('what a Connect event says', () => {
  test('is type, envelope and time', () => {
    expect(read(completed)).toEqual({
      eventId: expect.stringMatching(/^[0-9a-f]{64}$/),
      type: 'envelope-completed',
      objectId: 'envelope-1',
      occurredAt: new Date('2026-10-05T10:00:00.123Z'),
    })
  })

  test('is the same event when it is sent again, whatever the attempt', () => {
    const again = { ...completed, retryCount: 3, uri: '/elsewhere' }
    expect(read(again).eventId).toBe(read(completed).eventId)
  })

  test.each([
    ['another time', { generatedDateTime: '2026-10-05T10:00:00.1240000Z' }],
    ['another type', { event: 'envelope-voided' }],
    ['another envelope', { data: { ...completed.data, envelopeId: 'envelope-2' } }],
    ['a recipient', { data: { ...completed.data, recipientId: '1' } }],
  ])('is another event with %s', (_, change) => {
    expect(read({ ...completed, ...change }).eventId).not.toBe(read(completed).eventId)
  })
})

describe('a Connect event', () => {
  test('is taken when any numbered signature was made with any of the secrets', () => {
    const secrets = ['secret-1', 'secret-2']
    for (const secret of secrets) {
      for (let place = 0; place < 5; place++) {
        const given = request(completed, (body) => [
          ...Array(place).fill(sign(body, 'a retired key')),
          sign(body, secret),
        ])
        expect(refusalOf(given, secrets)).toBeNull()
      }
    }
  })

  test('is taken with a hundred signatures, which is the most there can be', () => {
    const given = request(completed, (body) => [
      ...Array(99).fill(sign(body, 'a retired key')),
      sign(body, 'secret-1'),
    ])
    expect(refusalOf(given)).toBeNull()
  })

  test.each([
    ['missing', () => []],
    ['of another secret', (body: Buffer) => [sign(body, 'secret-2')]],
    ['nonsense', () => ['nonsense']],
    ['cut short', (body: Buffer) => [sign(body, 'secret-1').slice(0, -4)]],
    [
      'in hexadecimal',
      (body: Buffer) => [createHmac('sha256', 'secret-1').update(body).digest('hex')],
    ],
  ])('is refused when its signature is %s', (_, signatures) => {
    expect(refusalOf(request(completed, signatures))).toBe('invalid_signature')
  })

  test('is refused where no secret is known', () => {
    expect(refusalOf(signed(completed), [])).toBe('invalid_signature')
  })

  test('is refused when any one byte of it was changed', () => {
    const { rawBody, header } = signed(completed)
    const change = fc.record({
      at: fc.integer({ min: 0, max: rawBody.length - 1 }),
      by: fc.integer({ min: 1, max: 255 }),
    })
    fc.assert(
      fc.property(change, ({ at, by }) => {
        const changed = Buffer.from(rawBody)
        changed[at] = ((changed[at] ?? 0) + by) % 256
        expect(refusalOf({ rawBody: changed, header })).toBe('invalid_signature')
      }),
      { numRuns: 200 },
    )
  })

  test.each([
    ['no JSON', Buffer.from('<xml/>')],
    ['empty', Buffer.from('')],
    ['a list', Buffer.from('[]')],
    ['without an envelope', { ...completed, data: {} }],
    ['without a type', { ...completed, event: undefined }],
    ['without a time', { ...completed, generatedDateTime: undefined }],
    ['of no real time', { ...completed, generatedDateTime: 'yesterday' }],
  ])('with a good signature that is %s cannot be read', (_, event) => {
    expect(refusalOf(signed(event))).toBe('malformed_request')
  })
})

describe('what the vendor really sends', () => {
  test('is taken with either of its keys, and a repetition is known as one', async () => {
    const on = await startDocusign()
    try {
      const double = { vendor: 'docusign', kind: 'duplicate_webhook', path: 'envelope-completed' }
      await on.kit.post('/faults', double)
      const id = await on.send()
      await on.kit.post(`/envelopes/${id}/sign`)
      const messages = await on.receiver.wait(
        ({ body }) => JSON.parse(body).event === 'envelope-completed',
        2,
      )
      const events = messages.flatMap(({ body, headers }) =>
        hmacKeys.map((key) => {
          const header = (name: string) => String(headers[name.toLowerCase()] ?? '')
          return readConnectEvent({ rawBody: Buffer.from(body), header }, [key])
        }),
      )
      expect(events).toHaveLength(4)
      expect(new Set(events.map(({ eventId }) => eventId)).size).toBe(1)
      expect(events[0]).toMatchObject({ type: 'envelope-completed', objectId: id })
    } finally {
      await on.stop()
    }
  })
})
