import { createHmac } from 'node:crypto'
import { workflowIds } from '../../domain/process-names.ts'
import { docusignSignatures, stripeSignature } from '../../sandbox/signatures.ts'
import { unique } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { type Answer, type Call, clientOf, type OtherApi, serveWith } from './kit.ts'
import { awayTemporal } from './temporal-away.ts'

let product: Product
let call: Call
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
})
afterAll(() => product.stop())

const names = ['stripe', 'stripe-thin', 'docusign'] as const
type Name = (typeof names)[number]

function bodyOf(name: Name): string {
  switch (name) {
    case 'stripe':
      return JSON.stringify({
        id: unique('evt'),
        object: 'event',
        type: 'invoice.paid',
        created: 1_790_000_000,
        data: { object: { id: 'in_1', object: 'invoice' } },
      })
    case 'stripe-thin':
      return JSON.stringify({
        id: unique('evt'),
        object: 'v2.core.event',
        type: 'v2.core.account.updated',
        created: '2026-10-05T10:00:00.000Z',
        related_object: { id: 'acct_1', type: 'v2.core.account', url: '/v2/core/accounts/acct_1' },
      })
    case 'docusign':
      return JSON.stringify({
        event: 'envelope-completed',
        generatedDateTime: '2026-10-05T10:00:00.000Z',
        data: { envelopeId: unique('envelope') },
      })
  }
}

const objects = { stripe: 'in_1', 'stripe-thin': 'acct_1' }

function secretsOf(name: Name): string[] {
  const { stripe, docusign } = product.config
  const all = {
    stripe: stripe.webhookSecrets,
    'stripe-thin': stripe.thinWebhookSecrets,
    docusign: docusign.webhookSecrets,
  }
  return all[name]
}

function signed(name: Name, body: string, secrets = secretsOf(name)): Record<string, string> {
  if (name === 'docusign') return docusignSignatures(secrets, body)
  return { 'Stripe-Signature': stripeSignature(secrets[0] ?? '', body) }
}

const deliver = (name: Name, raw: string, headers = signed(name, raw), via = call) =>
  via(`/v1/webhooks/${name}`, { method: 'POST', raw, headers })

const stored = () => product.db.selectFrom('webhookEvents').selectAll().orderBy('id').execute()

async function expectRefused(answer: Answer, before: number): Promise<void> {
  expect([answer.status, answer.body.code]).toEqual([400, 'invalid_signature'])
  expect(await stored()).toHaveLength(before)
}

describe.each(names)('a webhook at %s', (name) => {
  it('is kept once, however often it is delivered', async () => {
    const before = (await stored()).length
    const body = bodyOf(name)
    const answers = await Promise.all(Array.from({ length: 8 }, () => deliver(name, body)))
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200))
    const told = answers.map((answer) => answer.body.duplicate).sort()
    expect(told).toEqual([false, ...Array(7).fill(true)])
    expect((await deliver(name, body)).body).toEqual({ received: true, duplicate: true })
    expect(await stored()).toHaveLength(before + 1)
  })

  it('is kept as a hint of what changed, and wakes the process that looks', async () => {
    const body = bodyOf(name)
    const parsed = JSON.parse(body)
    expect((await deliver(name, body)).body).toEqual({ received: true, duplicate: false })
    const kept = (await stored()).at(-1)
    const vendor = name === 'docusign' ? 'docusign' : 'stripe'
    expect(kept).toMatchObject({ vendor, status: 'pending', attempts: 0 })
    expect(kept?.type).toBe(name === 'docusign' ? parsed.event : parsed.type)
    expect(kept?.objectId).toBe(name === 'docusign' ? parsed.data.envelopeId : objects[name])
    const inbox = product.temporal.workflow.getHandle(workflowIds.inbox(vendor))
    expect((await inbox.describe()).status.name).toBe('RUNNING')
  })

  it('is refused without its signature, and nothing is kept', async () => {
    const before = (await stored()).length
    const body = bodyOf(name)
    await expectRefused(await deliver(name, body, {}), before)
    const nonsense = { 'Stripe-Signature': 't=1,v1=00', 'X-DocuSign-Signature-1': 'AAAA' }
    await expectRefused(await deliver(name, body, nonsense), before)
    const other = signed(name, body, ['whsec_of_somebody_else'])
    await expectRefused(await deliver(name, body, other), before)
  })

  it('is refused when a byte of it changed', async () => {
    const before = (await stored()).length
    const body = bodyOf(name)
    await expectRefused(await deliver(name, `${body} `, signed(name, body)), before)
  })

  it('is refused with the secret of another endpoint', async () => {
    const before = (await stored()).length
    const body = bodyOf(name)
    for (const other of names.filter((candidate) => candidate !== name)) {
      const headers = {
        ...signed('docusign', body, name === 'docusign' ? secretsOf(other) : undefined),
        'Stripe-Signature': stripeSignature(secretsOf(other)[0] ?? '', body),
      }
      await expectRefused(await deliver(name, body, headers), before)
    }
  })

  it('takes the old and the new secret while one is exchanged for the other', async () => {
    const both = [...secretsOf(name), 'whsec_the_next_one']
    const other = await serveWith(product, {
      settings: {
        stripeWebhookSecrets: both,
        stripeThinWebhookSecrets: both,
        docusignWebhookSecrets: both,
      },
    })
    for (const secret of both) {
      const body = bodyOf(name)
      const answer = await deliver(name, body, signed(name, body, [secret]), other.call)
      expect(answer.body).toEqual({ received: true, duplicate: false })
    }
    await other.stop()
  })

  it('needs no API key, is not stopped by a wrong one, and has no use for a request key', async () => {
    for (const more of [{ Authorization: 'Bearer wrong' }, { 'Idempotency-Key': 'a b' }]) {
      const body = bodyOf(name)
      const answer = await deliver(name, body, { ...signed(name, body), ...more })
      expect(answer.status).toBe(200)
    }
  })

  it('has at most 1 MiB', async () => {
    const raw = 'x'.repeat(1024 * 1024 + 1)
    const answer = await deliver(name, raw)
    expect([answer.status, answer.body.code]).toEqual([413, 'payload_too_large'])
  })
})

describe('a webhook of Stripe', () => {
  it.each(['stripe', 'stripe-thin'] as const)(
    'is refused at %s after five minutes',
    async (name) => {
      const before = (await stored()).length
      const body = bodyOf(name)
      const at = Math.floor(Date.now() / 1000) - 301
      const mac = createHmac('sha256', secretsOf(name)[0] ?? '')
        .update(`${at}.${body}`)
        .digest('hex')
      const headers = { 'Stripe-Signature': `t=${at},v1=${mac}` }
      await expectRefused(await deliver(name, body, headers), before)
    },
  )
})

describe('a webhook of DocuSign', () => {
  it('may carry the right signature behind others', async () => {
    const body = bodyOf('docusign')
    const keys = ['first', 'second', ...secretsOf('docusign')]
    expect((await deliver('docusign', body, docusignSignatures(keys, body))).status).toBe(200)
  })

  it('tells one recipient from another, and one moment from another', async () => {
    const event = JSON.parse(bodyOf('docusign'))
    const bodies = [
      event,
      { ...event, data: { ...event.data, recipientId: '1' } },
      { ...event, data: { ...event.data, recipientId: '2' } },
      { ...event, generatedDateTime: '2026-10-05T10:00:01.000Z' },
    ]
    for (const body of bodies) {
      expect((await deliver('docusign', JSON.stringify(body))).body.duplicate).toBe(false)
    }
  })

  it.each([
    ['no JSON', 'envelope completed'],
    ['another format', '{"status":"completed"}'],
    ['a time that is none', '{"event":"x","generatedDateTime":"now","data":{"envelopeId":"1"}}'],
  ])('is refused as unreadable when it is %s', async (_what, raw) => {
    const before = (await stored()).length
    const answer = await deliver('docusign', raw)
    expect([answer.status, answer.body.code]).toEqual([400, 'malformed_request'])
    expect(await stored()).toHaveLength(before)
  })
})

describe('while the process engine is away', () => {
  let away: OtherApi
  beforeAll(async () => {
    away = await serveWith(product, { temporal: awayTemporal() })
  })
  afterAll(() => away.stop())

  it('webhooks are kept and answered all the same', async () => {
    const before = (await stored()).length
    const answers = await Promise.all(
      names.map((name) => {
        const body = bodyOf(name)
        return deliver(name, body, signed(name, body), away.call)
      }),
    )
    expect(answers.map(({ body }) => body.received)).toEqual([true, true, true])
    expect(await stored()).toHaveLength(before + 3)
  })
})
