/** Signatures by others: OpenSSL signs what we accept, and agrees with what our stand-ins sign. */
import { execFileSync } from 'node:child_process'
import Stripe from 'stripe'
import { readConnectEvent } from '../../integrations/docusign-webhooks.ts'
import { readSnapshotEvent } from '../../integrations/stripe-webhooks.ts'
import {
  endpointsAt,
  hmacKeys,
  type Kit,
  type Receiver,
  startKit,
  startReceiver,
  subscribe,
  webhookSecret,
} from '../sandbox/kit.ts'

/** HMAC-SHA256 by the OpenSSL of the machine, in bytes. */
function opensslHmac(secret: string, message: string): Buffer {
  const key = Buffer.from(secret).toString('hex')
  const options = ['dgst', '-sha256', '-mac', 'HMAC', '-macopt', `hexkey:${key}`, '-binary']
  return execFileSync('openssl', options, { input: message })
}

let kit: Kit
let receiver: Receiver
beforeAll(async () => {
  receiver = await startReceiver()
  kit = await startKit({ endpoints: endpointsAt(receiver.url) })
})
afterAll(async () => {
  await kit.stop()
  await receiver.close()
})

describe('Stripe’s signature', () => {
  const event = JSON.stringify({
    id: 'evt_1',
    object: 'event',
    type: 'invoice.paid',
    created: 1_790_000_000,
    livemode: false,
    api_version: Stripe.API_VERSION,
    data: { object: { id: 'in_1', object: 'invoice' } },
  })
  const signed = (at: number, secret = webhookSecret) =>
    `t=${at},v1=${opensslHmac(secret, `${at}.${event}`).toString('hex')}`

  it('made by OpenSSL is accepted, by another secret or of another time it is not', () => {
    const now = Math.floor(Date.now() / 1000)
    const stripe = kit.stripe
    const read = (header: string) =>
      readSnapshotEvent(stripe, { rawBody: Buffer.from(event), signature: header }, [webhookSecret])
    expect(read(signed(now))).toMatchObject({ eventId: 'evt_1', objectId: 'in_1' })
    expect(() => read(signed(now, 'whsec_other'))).toThrow(/signature/)
    expect(() => read(signed(now - 3_600))).toThrow(/signature/)
  })

  it('of our stand-in is the one that OpenSSL makes', async () => {
    const { invoice } = await subscribe(kit.stripe, { subscription: 'sub_ours' })
    await kit.post(`/invoices/${invoice.id}/pay`)
    const [one] = await receiver.wait(({ body }) => body.includes('"invoice.paid"'))
    const header = String(one?.headers['stripe-signature'])
    const [, at = ''] = /t=(\d+)/.exec(header) ?? []
    const expected = opensslHmac(webhookSecret, `${at}.${one?.body}`).toString('hex')
    expect(header).toContain(`v1=${expected}`)
  })
})

describe('DocuSign’s signature', () => {
  const event = JSON.stringify({
    event: 'envelope-completed',
    generatedDateTime: '2026-11-03T10:00:00.0000000Z',
    data: { accountId: 'a', envelopeId: 'e' },
  })
  const read = (signature: string, secrets: string[]) =>
    readConnectEvent(
      {
        rawBody: Buffer.from(event),
        header: (name) => (name === 'X-DocuSign-Signature-1' ? signature : ''),
      },
      secrets,
    )

  it.each(hmacKeys)('made by OpenSSL with %s is accepted, with another key it is not', (key) => {
    const signature = opensslHmac(key, event).toString('base64')
    expect(read(signature, hmacKeys)).toMatchObject({ objectId: 'e', type: 'envelope-completed' })
    expect(() => read(signature, ['another-key'])).toThrow(/signature/)
  })
})
