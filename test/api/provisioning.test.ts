import { sql } from 'kysely'
import { hashToken } from '../../api/tokens.ts'
import { recordInvitation } from '../../db/access.ts'
import { inTransaction } from '../../db/database.ts'
import { markTenant } from '../../db/provisioning.ts'
import { outwardId, uuidOf } from '../../domain/ids.ts'
import { unique } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { expectHidden, itIsClosedTo, itRefusesBadQueries, itTakesLiveKeysOnly } from './guards.ts'
import { type Call, clientOf, type Json, rows, serveWith } from './kit.ts'
import { goneTemporal } from './temporal-away.ts'
import {
  fillWorld,
  makeWorld,
  type PlaceName,
  placeNames,
  sees,
  strangersOf,
  viewerNames,
  type World,
} from './world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  await fillWorld(product.db, world)
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.north.key })

async function tenantOf(name: PlaceName): Promise<Json & { id: string }> {
  const tenants = rows(await call('/v1/tenants', { key: world.owner.key }))
  const tenant = tenants.find(({ partner }) => partner === world[name].partner)
  return { ...tenant, id: String(tenant?.id) }
}

describe('the list of tenants', () => {
  it('tells of each tenant exactly what is described', async () => {
    expect(rows(await call('/v1/tenants', { key: world.corner.key }))).toEqual([
      {
        id: expect.stringMatching(/^ten_/),
        partner: world.corner.partner,
        name: 'corner',
        subdomain: 'corner',
        url: 'https://corner.tributary.localhost',
        status: 'provisioning',
        problem: null,
        waits_until: null,
        steps: ['environment', 'customer', 'subscription', 'invitation', 'check'].map((step) => ({
          step,
          state: 'pending',
          at: null,
        })),
        created_at: expect.stringMatching(/Z$/),
        activated_at: null,
      },
    ])
  })

  it.each(viewerNames)('shows %s its own and those of everyone below', async (viewer) => {
    const tenants = rows(await call('/v1/tenants', { key: world[viewer].key }))
    const partners = sees[viewer].map((name) => world[name].partner)
    expect(tenants.map(({ partner }) => partner).sort()).toEqual(partners.sort())
  })

  itRefusesBadQueries('/v1/tenants', stage)
})

describe('a tenant', () => {
  it('reads the same alone as in the list', async () => {
    const listed = await tenantOf('shop')
    const { status, body } = await call(`/v1/tenants/${listed.id}`, { key: world.north.key })
    expect([status, body]).toEqual([200, listed])
  })

  it.each(placeNames)('of %s is answered 404 to strangers', async (name) => {
    await expectHidden(call, {
      route: 'GET /v1/tenants/:id',
      id: (await tenantOf(name)).id,
      strangers: strangersOf(name).map((stranger) => world[stranger].key),
    })
  })
})

async function failedTenant(name: PlaceName) {
  const { id } = await product.db
    .selectFrom('tenants')
    .select('id')
    .where('partnerId', '=', world[name].id)
    .executeTakeFirstOrThrow()
  await markTenant(product.db, id, { status: 'failed', problem: 'the domain was refused' })
  return { id: outwardId('tenant', id) }
}

async function waitingTenant(name: PlaceName) {
  const { id } = await product.db
    .selectFrom('tenants')
    .select('id')
    .where('partnerId', '=', world[name].id)
    .executeTakeFirstOrThrow()
  await markTenant(product.db, id, {
    problem: 'customer: vendor_refused',
    waitsUntil: new Date('2026-12-01T00:00:00Z'),
    steps: { customer: 'failed' },
  })
  return { id: outwardId('tenant', id), row: id }
}

describe('trying a provisioning again', () => {
  const retry = (id: string, via = call) =>
    via(`/v1/tenants/${id}/retry`, { method: 'POST', key: world.owner.key })

  it('is refused where nothing failed', async () => {
    const answer = await retry((await tenantOf('shop')).id)
    expect([answer.status, answer.body.code]).toEqual([409, 'not_ready'])
    expect(answer.body.detail).toContain('provisioning')
  })

  it('is refused where no process waits for it', async () => {
    const { id } = await failedTenant('pier')
    const answer = await retry(id)
    expect([answer.status, answer.body.code]).toEqual([409, 'not_ready'])
  })

  it('asks for patience while the process engine is away', async () => {
    const { id } = await failedTenant('south')
    const temporal = goneTemporal()
    const other = await serveWith(product, { temporal })
    const answer = await retry(id, other.call)
    expect([answer.status, answer.body.code]).toEqual([503, 'temporarily_unavailable'])
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    await other.stop()
    await temporal.connection.close()
  })

  it('of a tenant that is not there is told as such', async () => {
    const answer = await retry(outwardId('tenant', world.shop.id))
    expect([answer.status, answer.body.code]).toEqual([404, 'not_found'])
  })

  it('is given up only while a step waits for a person', async () => {
    const abandon = (id: string) =>
      call(`/v1/tenants/${id}/abandon`, { method: 'POST', key: world.owner.key })
    const fine = await abandon((await tenantOf('shop')).id)
    expect([fine.status, fine.body.code]).toEqual([409, 'not_ready'])
    const { id, row } = await waitingTenant('market')
    const shown = await call(`/v1/tenants/${id}`, { key: world.owner.key })
    expect(shown.body).toMatchObject({
      status: 'provisioning',
      problem: 'customer: vendor_refused',
      waits_until: '2026-12-01T00:00:00.000Z',
    })
    const steps = shown.body.steps as Json[]
    expect(steps[1]).toEqual({ step: 'customer', state: 'failed', at: expect.stringMatching(/Z$/) })
    // No process waits: the row alone is nobody's word.
    for (const what of ['abandon', 'retry']) {
      const answer = await call(`/v1/tenants/${id}/${what}`, {
        method: 'POST',
        key: world.owner.key,
      })
      expect([answer.status, answer.body.code]).toEqual([409, 'not_ready'])
    }
    await markTenant(product.db, row, { waitsUntil: null, problem: null })
  })

  it('has the invitation of its first administrator mailed again, while nobody took it up', async () => {
    const { id, partner } = await tenantOf('pier')
    const partnerId = uuidOf('partner', String(partner)) ?? ''
    const resend = () =>
      call(`/v1/tenants/${id}/invitation/resend`, { method: 'POST', key: world.owner.key })
    const refusal = async () => {
      const { status, body } = await resend()
      return [status, body.code]
    }
    expect(await refusal()).toEqual([409, 'not_ready'])
    const token = unique('token')
    const email = `${token}@pier.example`
    await inTransaction(product.db, (trx) =>
      recordInvitation(trx, {
        ...{ id: partnerId, partnerId, name: 'Ada', email, expiresAt: new Date() },
        tokenHash: hashToken(token),
      }),
    )
    const lapsed = await call('/v1/invitations/accept', { method: 'POST', body: { token } })
    expect(lapsed.status).toBe(410)
    const again = await resend()
    expect(again.status).toBe(200)
    const { rows: waiting } = await sql`select from access_mails where kind = 'invitation'
      and subject_id = ${partnerId} and sent_at is null`.execute(product.db)
    expect(waiting).toHaveLength(1)
    expect(await refusal()).toEqual([429, 'too_many_requests'])
    const taken = await call('/v1/invitations/accept', { method: 'POST', body: { token } })
    expect(taken.status).toBe(201)
    expect(await refusal()).toEqual([409, 'conflict'])
  })

  const waiting = [
    ...['POST /v1/tenants/:id/retry', 'POST /v1/tenants/:id/abandon'],
    'POST /v1/tenants/:id/invitation/resend',
  ]
  itIsClosedTo(['master_reseller', 'reseller'], waiting, () => ({
    ...stage(),
    keys: {
      super_admin: world.owner.key,
      master_reseller: world.north.key,
      reseller: world.shop.key,
    },
  }))
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, [
    'GET /v1/tenants',
    'GET /v1/tenants/:id',
    'POST /v1/tenants/:id/retry',
    'POST /v1/tenants/:id/abandon',
    'POST /v1/tenants/:id/invitation/resend',
  ])
})
