import { sql } from 'kysely'
import { outwardId } from '../../domain/ids.ts'
import { makeKey, makeOrder, unique } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { unknownId } from './guards.ts'
import { type Answer, type Call, clientOf, faults, type Json, rows, serveWith } from './kit.ts'
import { makeWorld, type World } from './world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
})
afterAll(() => product.stop())

const person = { name: 'Café Grün', email: 'pay@cafe.example' }

interface Once {
  path?: string
  key?: string
  body?: Json
}

/** Creates a customer under a request key, unless it says otherwise. */
const once = (header: string, { path, key, body }: Once = {}) =>
  call(path ?? '/v1/customers', {
    method: 'POST',
    key: key ?? world.shop.key,
    body: body ?? person,
    headers: { 'Idempotency-Key': header },
  })

const isReplay = (answer: Answer) => answer.headers.get('idempotent-replayed') === 'true'
const refusal = ({ status, body }: Answer) => [status, body.code]

async function customers(): Promise<number> {
  const { rows: found } = await sql<{
    n: number
  }>`select count(*)::int as n from customers`.execute(product.db)
  return found[0]?.n ?? 0
}

/** As if the process had died at some point of the first request. */
const forgetAnswer = (header: string, ageSeconds: number) =>
  sql`update idempotency_keys set answer_status = null, answer_headers = null,
    answer_sealed = null, claimed_at = clock_timestamp() - make_interval(secs => ${ageSeconds})
    where key = ${header}`.execute(product.db)

describe('a request that is repeated under its key', () => {
  it('gets the first answer again, byte by byte, and has no second effect', async () => {
    const before = await customers()
    const header = unique('same')
    const first = await once(header)
    const again = await once(header)
    expect([first.status, isReplay(first)]).toEqual([201, false])
    expect([again.status, isReplay(again)]).toEqual([201, true])
    expect(again.bytes.equals(first.bytes)).toBe(true)
    expect(again.headers.get('location')).toBe(first.headers.get('location'))
    expect(await customers()).toBe(before + 1)
  })

  it('is the same with the key quoted and bare', async () => {
    const header = unique('quoted')
    const first = await once(header)
    const again = await once(`"${header}"`)
    expect([again.text, isReplay(again)]).toEqual([first.text, true])
  })

  it('is another request when its body differs by a byte', async () => {
    const header = unique('other')
    await once(header)
    const body = { ...person, name: 'Café Grau' }
    expect(refusal(await once(header, { body }))).toEqual([422, 'idempotency_key_reused'])
    expect(isReplay(await once(header))).toBe(true)
  })

  it('is another request for another object, and takes no effect there', async () => {
    const header = unique('object')
    const makeApiKey = () =>
      call('/v1/api-keys', { method: 'POST', key: world.shop.key, body: { label: 'x' } })
    const [one, two] = [await makeApiKey(), await makeApiKey()]
    const revoke = (id: unknown) =>
      call(`/v1/api-keys/${String(id)}`, {
        method: 'DELETE',
        key: world.shop.key,
        headers: { 'Idempotency-Key': header },
      })
    expect((await revoke(one.body.id)).status).toBe(200)
    expect(refusal(await revoke(two.body.id))).toEqual([422, 'idempotency_key_reused'])
    expect((await call('/v1/me', { key: String(two.body.key) })).status).toBe(200)
  })

  it('is independent of the same key on another route', async () => {
    const header = unique('route')
    await once(header)
    const made = await once(header, { path: '/v1/api-keys', body: { label: 'x' } })
    expect([made.status, isReplay(made)]).toEqual([201, false])
  })

  it('is independent of the same key of another member, even of the same partner', async () => {
    const header = unique('member')
    const first = await once(header)
    const colleague = await makeKey(product.db, world.shop.id)
    for (const key of [colleague, world.market.key]) {
      const answer = await once(header, { key })
      expect([answer.status, isReplay(answer)]).toEqual([201, false])
      expect(answer.body.id).not.toBe(first.body.id)
    }
  })

  it('is the same through another API key of the same member', async () => {
    const header = unique('rolled')
    const first = await once(header)
    const made = await call('/v1/api-keys', {
      method: 'POST',
      key: world.shop.key,
      body: { label: 'next' },
    })
    const again = await once(header, { key: String(made.body.key) })
    expect([again.text, isReplay(again)]).toEqual([first.text, true])
  })

  it('starts one application and one process', async () => {
    const header = unique('apply')
    const body = {
      company: { name: 'Once', country: 'PT', website: 'https://once.example' },
      contact: { name: 'Ana', email: 'ana@once.example' },
      type: 'franchise',
      level: 'reseller',
    }
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => once(header, { path: '/v1/applications', body })),
    )
    const taken = answers.filter(({ status }) => status === 202)
    expect(new Set(taken.map((answer) => answer.body.id)).size).toBe(1)
    const found = await sql`select id from applications where company_name = 'Once'`.execute(
      product.db,
    )
    expect(found.rows).toHaveLength(1)
  })
})

describe('twenty equal requests at once', () => {
  it.each(['a customer', 'an API key', 'a subscription'])('make %s once', async (what) => {
    const header = unique('parallel')
    const order = await makeOrder(product.db, world.shop.id)
    const listed = rows(await call('/v1/packages', { key: world.shop.key }))
    const request: Once =
      what === 'a customer'
        ? {}
        : what === 'an API key'
          ? { path: '/v1/api-keys', body: { label: header } }
          : {
              path: '/v1/subscriptions',
              body: {
                customer: outwardId('customer', order.customerId),
                package: listed[0]?.id,
              },
            }
    const before = await effects()
    const answers = await Promise.all(Array.from({ length: 20 }, () => once(header, request)))
    const done = answers.filter(({ status }) => status < 300)
    expect(done.length).toBeGreaterThan(0)
    expect(new Set(done.map(({ text }) => text)).size).toBe(1)
    for (const answer of answers.filter(({ status }) => status >= 300)) {
      expect(refusal(answer)).toEqual([409, 'idempotency_key_in_use'])
      expect(answer.headers.get('retry-after')).toBe('1')
    }
    expect(await effects()).toBe(before + 1)
    const later = await once(header, request)
    expect([later.text, isReplay(later)]).toEqual([done[0]?.text, true])
  })

  async function effects(): Promise<number> {
    const { rows: found } = await sql<{ n: number }>`select
      (select count(*) from customers)::int + (select count(*) from api_keys)::int +
      (select count(*) from subscriptions)::int as n`.execute(product.db)
    return found[0]?.n ?? 0
  }
})

describe('a refusal', () => {
  it('does not use up the key: what was mended goes through under it', async () => {
    const header = unique('refused')
    const { customerId } = await makeOrder(product.db, world.shop.id)
    const customer = outwardId('customer', customerId)
    const path = '/v1/subscriptions'
    const wrong = { customer, package: unknownId('pkg') }
    expect((await once(header, { path, body: wrong })).status).toBe(404)
    const [sold] = rows(await call('/v1/packages', { key: world.shop.key }))
    const answer = await once(header, { path, body: { customer, package: sold?.id } })
    expect([answer.status, isReplay(answer)]).toEqual([202, false])
  })

  it('of malformed fields does not use it up either', async () => {
    const header = unique('malformed')
    expect(faults(await once(header, { body: { name: 'x' } }))).toEqual(['missing /email'])
    expect((await once(header)).status).toBe(201)
  })
})

/** An order: it starts a process, so its key is claimed before. */
async function subscription(): Promise<Once> {
  const { customerId } = await makeOrder(product.db, world.shop.id)
  const [sold] = rows(await call('/v1/packages', { key: world.shop.key }))
  const body = { customer: outwardId('customer', customerId), package: sold?.id }
  return { path: '/v1/subscriptions', body }
}

describe('a request whose first try died', () => {
  it('is told to come back while the first one may still be running', async () => {
    const header = unique('running')
    const order = await subscription()
    await once(header, order)
    await forgetAnswer(header, 30)
    const answer = await once(header, order)
    expect(refusal(answer)).toEqual([409, 'idempotency_key_in_use'])
    expect(answer.headers.get('retry-after')).toBe('1')
    const other = await once(header, await subscription())
    expect(refusal(other)).toEqual([422, 'idempotency_key_reused'])
  })

  it('finds the effect of the first one after a minute', async () => {
    const header = unique('died')
    const first = await once(header)
    const before = await customers()
    await forgetAnswer(header, 61)
    const again = await once(header)
    expect([again.status, again.body, isReplay(again)]).toEqual([201, first.body, false])
    expect(await customers()).toBe(before)
    expect(isReplay(await once(header))).toBe(true)
  })

  it('goes on at once where the first one failed on our side', async () => {
    const header = unique('failed')
    await sql`alter table customers rename to customers_away`.execute(product.db)
    expect((await once(header)).status).toBe(500)
    await sql`alter table customers_away rename to customers`.execute(product.db)
    const answer = await once(header)
    expect([answer.status, isReplay(answer)]).toEqual([201, false])
  })
})

describe('a stored answer', () => {
  it('shows no secret to who reads the database', async () => {
    const made = await once(unique('secret'), { path: '/v1/api-keys', body: { label: 'x' } })
    const secret = String(made.body.key)
    const { rows: kept } = await sql<{ sealed: Buffer; all: string }>`
      select answer_sealed as sealed, idempotency_keys::text as all from idempotency_keys
      where answer_status = 201`.execute(product.db)
    expect(kept.length).toBeGreaterThan(0)
    for (const { sealed, all } of kept) {
      expect(sealed.includes(secret)).toBe(false)
      expect(all).not.toContain(secret)
      expect(all).not.toContain(Buffer.from(secret).toString('hex'))
    }
  })

  it('opens at its own place only', async () => {
    const [one, two] = [unique('mine'), unique('theirs')]
    await once(one)
    await once(two)
    await sql`update idempotency_keys set answer_sealed =
      (select answer_sealed from idempotency_keys where key = ${one}) where key = ${two}`.execute(
      product.db,
    )
    const moved = await once(two)
    expect(moved.status).toBeGreaterThanOrEqual(400)
    expect((await once(one)).status).toBe(201)
  })

  it('opens with the secret only under which it was sealed', async () => {
    const header = unique('sealed')
    await once(header)
    const other = await serveWith(product, { settings: { linkSecret: 'x'.repeat(32) } })
    const request = {
      method: 'POST',
      key: world.shop.key,
      body: person,
      headers: { 'Idempotency-Key': header },
    }
    const answer = await other.call('/v1/customers', request)
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.text).not.toContain(person.name)
    await other.stop()
  })
})

describe('a request key', () => {
  it.each([
    ['a blank in it', 'a b'],
    ['nothing in its quotes', '""'],
    ['256 characters', 'x'.repeat(256)],
    ['letters beyond ASCII', 'caf\u00e9'],
  ])('is refused with %s', async (_what, header) => {
    const before = await customers()
    expect(refusal(await once(header))).toEqual([400, 'malformed_request'])
    expect(await customers()).toBe(before)
  })

  it('may have 255 characters', async () => {
    const header = unique('long').padEnd(255, 'x')
    expect((await once(header)).status).toBe(201)
    expect(isReplay(await once(header))).toBe(true)
  })

  it('means nothing to a request that only reads', async () => {
    const headers = { 'Idempotency-Key': unique('read') }
    const [one, two] = [
      await call('/v1/me', { key: world.shop.key, headers }),
      await call('/v1/me', { key: world.shop.key, headers }),
    ]
    expect([isReplay(one), isReplay(two)]).toEqual([false, false])
  })
})
