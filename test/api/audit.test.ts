/** The audit trail over HTTP: what is told, to whom, and what leaves as a file. */
import { sql } from 'kysely'
import { outwardId } from '../../domain/ids.ts'
import { makeKey, makePartner } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { itRefusesBadQueries, itTakesLiveKeysOnly, walk } from './guards.ts'
import { type Call, clientOf, faults, type Json, rows } from './kit.ts'
import { makeWorld, placeNames, sees, viewerNames, type World } from './world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.north.key })

const customer = (key: string, name = 'Café Grün') =>
  call('/v1/customers', { method: 'POST', key, body: { name, email: 'pay@cafe.example' } })

const events = async (key: string, query = '') =>
  rows(await call(`/v1/audit-events?limit=100${query}`, { key }))

describe('an event', () => {
  it('says what was done, by whom and in which request', async () => {
    const made = await customer(world.shop.key)
    const [event] = await events(world.shop.key, `&subject=${String(made.body.id)}`)
    expect(event).toEqual({
      id: expect.stringMatching(/^aud_/),
      partner: world.shop.partner,
      seq: expect.any(Number),
      at: expect.stringMatching(/Z$/),
      actor: expect.stringMatching(/^key_/),
      on_behalf_of: expect.stringMatching(/^mem_/),
      request_id: made.headers.get('request-id'),
      action: 'POST /v1/customers',
      kind: 'customer',
      subject: made.body.id,
      verb: 'created',
      code: null,
      changed: null,
      before_hash: null,
      after_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
  })

  it('holds nothing of what was entered', async () => {
    const { body } = await customer(world.shop.key, 'Zwetschgendatschi')
    const list = await call(`/v1/audit-events?subject=${String(body.id)}`, { key: world.shop.key })
    expect(list.text).not.toMatch(/Zwetschgendatschi|cafe\.example/)
  })
})

describe('the list', () => {
  it.each(viewerNames)(
    'shows %s what is its own and below it, and nothing else',
    async (viewer) => {
      const partners = new Set<unknown>(sees[viewer].map((name) => world[name].partner))
      const { key } = world[viewer]
      const list = await walk(call, { path: '/v1/audit-events', key, limit: 100 })
      const found = new Set(list.map(({ partner }) => partner))
      for (const name of sees[viewer]) expect(found).toContain(world[name].partner)
      const others = list.filter(({ partner }) => !partners.has(partner))
      if (viewer === 'owner') expect(others.some(({ partner }) => partner === null)).toBe(true)
      else expect(others).toEqual([])
    },
  )

  it('leaves with the partner that moves what was recorded before it came', async () => {
    const [from, to] = [world.north, world.south]
    const id = await makePartner(product.db, { parentId: from.id })
    await sql`update partners set parent_id = ${to.id}, reseller_id = ${id}, master_id = ${to.id}
      where id = ${id}`.execute(product.db)
    const kindsFor = async (key: string) =>
      (await events(key)).filter(({ partner }) => partner === outwardId('partner', id))
    expect((await kindsFor(from.key)).map(({ verb }) => verb)).toContain('created')
    expect((await kindsFor(to.key)).map(({ verb }) => verb)).not.toContain('created')
  })

  it('is narrowed by actor, kind, subject, action and time', async () => {
    const { key } = world.pier
    await customer(key)
    const [event] = await events(key, '&kind=customer')
    const { actor, subject, at } = event as Record<'actor' | 'subject' | 'at', string>
    const next = new Date(Date.parse(at) + 1).toISOString()
    const ids = async (query: string) => (await events(key, query)).map(({ id }) => id)
    for (const query of [
      `&actor=${actor}`,
      `&subject=${subject}`,
      '&action=POST%20/v1/customers',
      `&from=${at}&to=${next}`,
    ]) {
      expect(await ids(query)).toContain(event?.id)
    }
    for (const query of [
      '&actor=system:worker',
      '&kind=link',
      `&subject=${world.shop.partner}`,
      '&action=GET%20/v1/customers',
      `&from=${next}`,
      `&to=${at}`,
    ]) {
      expect(await ids(query)).not.toContain(event?.id)
    }
  })

  itRefusesBadQueries('/v1/audit-events', stage, [
    ['kind=secret', 'invalid /kind'],
    ['from=yesterday', 'invalid /from'],
    ['to=2026-11-21', 'invalid /to'],
    ['actor=', 'invalid /actor'],
  ])
})

const month = 'from=2026-01-01T00:00:00Z&to=2026-01-31T00:00:00Z'
const today = () => {
  const [from, to] = [-1, 1].map((days) => new Date(Date.now() + days * 86_400_000).toISOString())
  return `from=${from}&to=${to}`
}

describe('the export', () => {
  const read = (query: string, key = world.shop.key) =>
    call(`/v1/audit-events/export?${query}`, { key })

  it('is one JSON object a line, oldest first, as the list has them', async () => {
    const { status, headers, text } = await read(today())
    expect([status, headers.get('content-type')]).toEqual([
      200,
      'application/x-ndjson; charset=utf-8',
    ])
    const lines = text.trimEnd().split('\n')
    const exported = lines.map((line) => JSON.parse(line) as Json)
    const path = '/v1/audit-events'
    const listed = await walk(call, { path, key: world.shop.key, limit: 100 })
    expect(exported).toEqual(listed.toReversed())
  })

  it('is a table on demand, in which no cell is a formula', async () => {
    await sql`update partner_links set name = name`.execute(product.db)
    const { headers, text } = await read(`${today()}&format=csv`)
    expect(headers.get('content-disposition')).toBe('attachment; filename="audit-events.csv"')
    const [first, ...lines] = text.replace('\ufeff', '').split('\r\n')
    expect(first).toMatch(/^id,partner,seq,at,actor,/)
    expect(lines.length).toBeGreaterThan(1)
    for (const line of lines) expect(line).not.toMatch(/(^|,)[=+@-]/)
  })

  it('of a time without events is empty', async () => {
    expect((await read(month)).bytes).toHaveLength(0)
  })

  it.each([
    ['from=2026-01-01T00:00:00Z', 'missing /to'],
    ['to=2026-01-01T00:00:00Z', 'missing /from'],
    ['from=2026-01-01T00:00:00Z&to=2026-02-02T00:00:00Z', 'invalid /to'],
    ['from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z', 'invalid /to'],
    [`${month}&format=xlsx`, 'invalid /format'],
    [`${month}&limit=5`, 'unknown_field /limit'],
  ])('refuses ?%s', async (query, fault) => {
    expect(faults(await read(query))).toEqual([fault])
  })

  it('is refused to a key without the scope to read', async () => {
    const key = await makeKey(product.db, world.shop.id)
    await sql`update api_keys set scopes = '{write}' where last_four = ${key.slice(-4)}`.execute(
      product.db,
    )
    expect((await read(month, key)).status).toBe(403)
    expect((await call('/v1/audit-events', { key })).status).toBe(403)
  })
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, ['GET /v1/audit-events', 'GET /v1/audit-events/export'])
})

it('every place of the world is in its trail', async () => {
  const list = await walk(call, { path: '/v1/audit-events', key: world.owner.key, limit: 100 })
  const found = new Set(list.map(({ partner }) => partner))
  for (const name of placeNames) expect(found).toContain(world[name].partner)
})
