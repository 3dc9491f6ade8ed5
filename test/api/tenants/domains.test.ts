import { inTransaction } from '../../../db/database.ts'
import { markTenant } from '../../../db/provisioning.ts'
import { markDomain, markDomainProven } from '../../../db/tenant-domains.ts'
import { outwardId, uuidOf } from '../../../domain/ids.ts'
import { type Product, startProduct } from '../../support/product.ts'
import { expectHidden, itTakesLiveKeysOnly } from '../guards.ts'
import { type Answer, type Call, clientOf, faults, type Json } from '../kit.ts'
import { fillWorld, makeWorld, type PlaceName, type World } from '../world.ts'

let product: Product
let call: Call
let world: World
const ids = new Map<PlaceName, { id: string; row: string }>()
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  await fillWorld(product.db, world)
  for (const name of ['shop', 'market', 'pier'] as const) {
    const { id } = await product.db
      .selectFrom('tenants')
      .select('id')
      .where('partnerId', '=', world[name].id)
      .executeTakeFirstOrThrow()
    ids.set(name, { id: outwardId('tenant', id), row: id })
    await remove(name)
  }
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call })
const pathOf = (name: PlaceName, more = '') => `/v1/tenants/${ids.get(name)?.id}/domain${more}`
const claim = (name: PlaceName, domain: unknown) =>
  call(pathOf(name), { method: 'PUT', key: world[name].key, body: { domain } })
const remove = (name: PlaceName) => call(pathOf(name), { method: 'DELETE', key: world[name].key })
const outcome = ({ status, body }: Answer) => [status, body.code ?? body.state]
const rowOf = ({ body }: Answer) => uuidOf('tenantDomain', String(body.id)) ?? ''

describe('claiming a domain', () => {
  it('says which records prove it and where it has to lead; the same claim is one claim', async () => {
    const { status, body } = await claim('shop', 'Münch.Shop.Test.')
    expect(status).toBe(202)
    expect(body).toMatchObject({
      tenant: ids.get('shop')?.id,
      domain: 'xn--mnch-0ra.shop.test',
      state: 'pending',
      records: [
        {
          type: 'TXT',
          name: '_tributary-challenge.xn--mnch-0ra.shop.test',
          value: expect.stringMatching(/^[\w-]{43}$/),
        },
        {
          type: 'CNAME',
          name: 'xn--mnch-0ra.shop.test',
          value: 'custom.tributary.localhost',
        },
      ],
    })
    expect((await claim('shop', 'xn--mnch-0ra.shop.test')).body).toEqual(body)
    expect((await call(pathOf('shop'), { key: world.shop.key })).body).toEqual(body)
    expect(outcome(await claim('shop', 'other.shop.test'))).toEqual([409, 'conflict'])
  })

  it('is refused for what cannot be a domain of a tenant', async () => {
    const wrong = [
      'localhost',
      '10.0.0.1',
      'a b.test',
      'co.uk',
      'https://shop.test/x',
      'tributary.localhost',
      'mine.tributary.localhost',
      `${'a'.repeat(64)}.test`,
      '',
      7,
    ]
    for (const domain of wrong) {
      expect([domain, faults(await claim('pier', domain))]).toEqual([domain, ['invalid /domain']])
    }
  })

  it('is open to several until one of them has proven it', async () => {
    const first = await claim('market', 'wanted.test')
    const second = await claim('pier', 'wanted.test')
    expect([first.status, second.status]).toEqual([202, 202])
    expect(await inTransaction(product.db, (trx) => markDomainProven(trx, rowOf(second)))).toBe(
      'proven',
    )
    expect(await inTransaction(product.db, (trx) => markDomainProven(trx, rowOf(first)))).toBe(
      'taken',
    )
    const lost = await call(pathOf('market'), { key: world.market.key })
    expect([lost.body.state, lost.body.problem]).toEqual(['expired', 'taken'])
  })
})

describe('what the edge asks', () => {
  const ask = (domain: string) => call(`/v1/tls/ask?domain=${domain}`)

  it('is answered yes for proven domains of active tenants only', async () => {
    const row = ids.get('pier')?.row ?? ''
    expect((await ask('wanted.test')).status).toBe(404)
    await markTenant(product.db, row, { status: 'active' })
    expect((await ask('WANTED.test')).status).toBe(200)
    const page = await call('/v1/tenants/by-host?host=wanted.test')
    expect([page.status, page.body.name]).toEqual([200, 'pier'])
    expect((await ask('xn--mnch-0ra.shop.test')).status).toBe(404)
    await markTenant(product.db, row, { status: 'suspended' })
    expect((await ask('wanted.test')).status).toBe(404)
    await markTenant(product.db, row, { status: 'active' })
    expect(outcome(await remove('pier'))).toEqual([200, 'removed'])
    expect((await ask('wanted.test')).status).toBe(404)
    expect(faults(await call('/v1/tls/ask'))).toEqual(['missing /domain'])
  })
})

describe('looking now', () => {
  it('happens once a minute, and only while something is awaited', async () => {
    const check = () => call(pathOf('market', '/check'), { method: 'POST', key: world.market.key })
    const made = await claim('market', 'looked.test')
    await markDomain(product.db, rowOf(made), { state: 'removed' })
    await product.temporal.workflow
      .getHandle(`domain-verify:${String(made.body.id)}`)
      .terminate()
      .catch(() => {})
    expect(outcome(await check())).toEqual([409, 'not_ready'])
    const again = await check()
    expect(outcome(again)).toEqual([429, 'too_many_requests'])
    expect(Number(again.headers.get('retry-after'))).toBeGreaterThan(0)
  })
})

describe('the domain of a tenant', () => {
  const routes = ['GET /v1/tenants/:id/domain', 'DELETE /v1/tenants/:id/domain']

  it('is hidden from strangers, and those above have no hand in it', async () => {
    for (const route of [...routes, 'PUT /v1/tenants/:id/domain']) {
      const body: { body?: Json } = route.startsWith('PUT') ? { body: { domain: 'x.test' } } : {}
      await expectHidden(call, {
        route,
        id: ids.get('shop')?.id ?? '',
        strangers: [world.market.key, world.south.key],
        ...body,
      })
    }
    const above = await call(pathOf('shop'), { key: world.north.key })
    expect(outcome(above)).toEqual([403, 'forbidden'])
  })

  itTakesLiveKeysOnly(stage, [
    ...routes,
    'PUT /v1/tenants/:id/domain',
    'POST /v1/tenants/:id/domain/check',
  ])
})
