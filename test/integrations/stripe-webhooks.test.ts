import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { isDomainError } from '../../domain/errors.ts'
import { createStripe } from '../../integrations/stripe-client.ts'
import { readSnapshotEvent, readThinEvent } from '../../integrations/stripe-webhooks.ts'
import {
  endpointsAt,
  recipient,
  secretKey,
  startKit,
  startReceiver,
  subscribe,
  thinSecret,
  webhookSecret,
} from '../sandbox/kit.ts'

const stripe = createStripe({ secretKey, apiBase: 'http://127.0.0.1:1' })
const now = () => Math.floor(Date.now() / 1_000)

function signature(body: Buffer, secret: string, seconds = now()): string {
  const signed = Buffer.concat([Buffer.from(`${seconds}.`), body])
  return `t=${seconds},v1=${createHmac('sha256', secret).update(signed).digest('hex')}`
}

const snapshot = {
  id: 'evt_1',
  object: 'event',
  type: 'invoice.paid',
  created: 1_790_000_000,
  data: { object: { id: 'in_1', object: 'invoice' } },
}

const thin = {
  id: 'evt_test_1',
  object: 'v2.core.event',
  type: 'v2.core.account[requirements].updated',
  created: '2026-10-05T10:00:00.000Z',
  livemode: false,
  context: null,
  related_object: { id: 'acct_1', type: 'v2.core.account', url: '/v2/core/accounts/acct_1' },
}

const bytes = (event: object) => Buffer.from(JSON.stringify(event))

type Reader = typeof readSnapshotEvent

const readers: [string, Reader, object][] = [
  ['snapshot', readSnapshotEvent, snapshot],
  ['thin', readThinEvent, thin],
]

/** The code with which the request is refused, or null where it is taken. */
function refusalOf(read: Reader, request: Parameters<Reader>[1], secrets: string[]): string | null {
  try {
    read(stripe, request, secrets)
    return null
  } catch (error) {
    if (isDomainError(error)) return error.code
    throw error
  }
}

describe('what an event says', () => {
  test('is type, object and time of a snapshot, never its contents', () => {
    const rawBody = bytes(snapshot)
    const request = { rawBody, signature: signature(rawBody, 'secret-1') }
    expect(readSnapshotEvent(stripe, request, ['secret-1'])).toEqual({
      eventId: 'evt_1',
      type: 'invoice.paid',
      objectId: 'in_1',
      occurredAt: new Date(1_790_000_000 * 1_000),
    })
  })

  test('is type, object and time of a thin event', () => {
    const rawBody = bytes(thin)
    const request = { rawBody, signature: signature(rawBody, 'secret-1') }
    expect(readThinEvent(stripe, request, ['secret-1'])).toEqual({
      eventId: 'evt_test_1',
      type: 'v2.core.account[requirements].updated',
      objectId: 'acct_1',
      occurredAt: new Date('2026-10-05T10:00:00.000Z'),
    })
  })

  test('is about the event itself where no object is named', () => {
    const balance = bytes({ ...snapshot, data: { object: { object: 'balance' } } })
    const request = { rawBody: balance, signature: signature(balance, 'secret-1') }
    expect(readSnapshotEvent(stripe, request, ['secret-1']).objectId).toBe('evt_1')
    const lonely = bytes({ ...thin, related_object: null })
    const other = { rawBody: lonely, signature: signature(lonely, 'secret-1') }
    expect(readThinEvent(stripe, other, ['secret-1']).objectId).toBe('evt_test_1')
  })
})

describe.each(readers)('a %s event', (_, read, event) => {
  const rawBody = bytes(event)
  const take = (given: string | undefined, secrets = ['secret-1']) =>
    refusalOf(read, { rawBody, signature: given }, secrets)

  test('is taken with the signature of any of several secrets', () => {
    const secrets = ['secret-1', 'secret-2', 'secret-3']
    for (const secret of secrets) expect(take(signature(rawBody, secret), secrets)).toBeNull()
  })

  test('is taken with one good signature among several, as while a secret is rotated', () => {
    const [time, good = ''] = signature(rawBody, 'secret-1').split(',')
    const bad = `v1=${'0'.repeat(64)}`
    expect(take(`${time},${bad},${good}`)).toBeNull()
    expect(take(`${time},${bad}`)).toBe('invalid_signature')
  })

  test('is refused with the signature of another secret, or where there is no secret', () => {
    expect(take(signature(rawBody, 'secret-4'))).toBe('invalid_signature')
    expect(take(signature(rawBody, 'secret-1'), [])).toBe('invalid_signature')
  })

  test.each([
    ['missing', undefined],
    ['empty', ''],
    ['nonsense', 'nonsense'],
    ['without a time', `v1=${'0'.repeat(64)}`],
    ['without a signature', 't=1790000000'],
    ['of another scheme', signature(rawBody, 'secret-1').replace('v1=', 'v0=')],
  ])('is refused when its signature is %s', (_case, given) => {
    expect(take(given)).toBe('invalid_signature')
  })

  test('is refused when it is older than 300 seconds, and taken before', () => {
    expect(take(signature(rawBody, 'secret-1', now() - 290))).toBeNull()
    expect(take(signature(rawBody, 'secret-1', now() - 310))).toBe('invalid_signature')
  })

  test('is refused when its time was changed after it was signed', () => {
    const old = signature(rawBody, 'secret-1', now() - 1_000)
    expect(take(old.replace(/t=\d+/, `t=${now()}`))).toBe('invalid_signature')
  })

  test('is refused when any one byte of it was changed', () => {
    const good = signature(rawBody, 'secret-1')
    const change = fc.record({
      at: fc.integer({ min: 0, max: rawBody.length - 1 }),
      by: fc.integer({ min: 1, max: 255 }),
    })
    fc.assert(
      fc.property(change, ({ at, by }) => {
        const changed = Buffer.from(rawBody)
        changed[at] = ((changed[at] ?? 0) + by) % 256
        const request = { rawBody: changed, signature: good }
        expect(refusalOf(read, request, ['secret-1'])).toBe('invalid_signature')
      }),
      { numRuns: 200 },
    )
    const longer = { rawBody: Buffer.concat([rawBody, Buffer.from(' ')]), signature: good }
    expect(refusalOf(read, longer, ['secret-1'])).toBe('invalid_signature')
  })
})

describe('an event of the other kind', () => {
  test('is refused, although its signature is good', () => {
    for (const [read, event] of [
      [readSnapshotEvent, thin],
      [readThinEvent, snapshot],
    ] as const) {
      const rawBody = bytes(event)
      const request = { rawBody, signature: signature(rawBody, 'secret-1') }
      expect(refusalOf(read, request, ['secret-1'])).toBe('invalid_signature')
    }
  })

  test('is refused when it is no event at all', () => {
    for (const [, read] of readers) {
      const rawBody = Buffer.from('not JSON')
      const request = { rawBody, signature: signature(rawBody, 'secret-1') }
      expect(refusalOf(read, request, ['secret-1'])).toBe('invalid_signature')
    }
  })
})

describe('what the vendor really sends', () => {
  test('is taken at the endpoint of its kind', async () => {
    const receiver = await startReceiver()
    const kit = await startKit({ endpoints: endpointsAt(receiver.url) })
    try {
      const { invoice } = await subscribe(kit.stripe)
      await kit.post(`/invoices/${invoice.id}/pay`)
      const account = await recipient(kit)
      const ofType = (path: string, type: string) =>
        receiver.wait((one) => one.path === path && JSON.parse(one.body).type === type)
      const [paid] = await ofType('/snapshot', 'invoice.paid')
      const [updated] = await ofType('/thin', 'v2.core.account[requirements].updated')
      const request = (one: typeof paid) => ({
        rawBody: Buffer.from(one?.body ?? ''),
        signature: String(one?.headers['stripe-signature']),
      })
      const event = readSnapshotEvent(stripe, request(paid), ['whsec_old', webhookSecret])
      expect(event).toMatchObject({ type: 'invoice.paid', objectId: invoice.id })
      const change = readThinEvent(stripe, request(updated), [thinSecret])
      expect(change.objectId).toBe(account)
    } finally {
      await kit.stop()
      await receiver.close()
    }
  })
})
