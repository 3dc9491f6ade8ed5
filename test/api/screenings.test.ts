/** Findings of the screening: who reads them, and who may say that it is somebody else. */
import { countOpenScreenings } from '../../db/screenings.ts'
import { outwardId, uuidOf } from '../../domain/ids.ts'
import { workflowIds } from '../../domain/process-names.ts'
import { eventually } from '../../scripts/story/client.ts'
import { makeApplication, makePartner } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { makeScreening } from '../support/screenings.ts'
import {
  expectHidden,
  itIsClosedTo,
  itRefusesBadQueries,
  itTakesLiveKeysOnly,
  unknownId,
} from './guards.ts'
import { type Answer, type Call, clientOf, faults, type Json, rows } from './kit.ts'
import { keyOf } from './two-persons.ts'
import { makeWorld, type World } from './world.ts'

let product: Product
let call: Call
let world: World
let first: string
let again: string
let second: string
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  first = await keyOf(product.db, { email: 'first@platform.example' })
  again = await keyOf(product.db, { email: 'first@platform.example' })
  second = await keyOf(product.db, { email: 'second@platform.example' })
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.owner.key })
const refusal = ({ status, body }: Answer) => [status, body.code]
const outward = (id: string) => outwardId('screening', id)

async function finding(parentId: string | null = null) {
  const applicationId = await makeApplication(product.db, { parentId })
  const id = outward(await makeScreening(product.db, { applicationId }))
  return { applicationId, id }
}

const read = async (id: string, key = world.owner.key) =>
  (await call(`/v1/screenings/${id}`, { key })).body
const post = (
  id: string,
  what: string,
  more: { key?: string; body?: Json; once?: string } = {},
) => {
  const { key = first, body = { reason: 'another company' }, once } = more
  const headers = once ? { headers: { 'Idempotency-Key': once } } : {}
  return call(`/v1/screenings/${id}/${what}`, { method: 'POST', key, body, ...headers })
}
const approve = ({ id, payload_hash }: Json, key: string) =>
  call(`/v1/approvals/${String(id)}/approve`, { method: 'POST', key, body: { payload_hash } })

describe('a screening', () => {
  it('tells exactly what was found, on which lists', async () => {
    const { applicationId, id } = await finding()
    expect(await read(id)).toEqual({
      id,
      application: outwardId('application', applicationId),
      partner: null,
      kind: 'company',
      role: 'company',
      status: 'review',
      current: true,
      provider: 'file',
      list: 'test',
      list_version: expect.any(String),
      threshold: 85,
      screened_at: expect.stringMatching(/Z$/),
      hits: [{ list: 'test', entry: '1', name: 'Entry', programs: [], score: 90 }],
      decision: null,
    })
  })

  it('is found by its application, its partner and its status', async () => {
    const { applicationId, id } = await finding()
    const partnerId = await makePartner(product.db)
    const ofPartner = outward(await makeScreening(product.db, { partnerId }, { hits: [] }))
    const idsOf = async (query: string) =>
      rows(await call(`/v1/screenings?${query}`, { key: first })).map((row) => row.id)
    expect(await idsOf(`application=${outwardId('application', applicationId)}`)).toEqual([id])
    expect(await idsOf(`partner=${outwardId('partner', partnerId)}`)).toEqual([ofPartner])
    expect(await idsOf('status=review')).toContain(id)
    expect(await idsOf('status=clear')).not.toContain(id)
  })

  it('is read by the master reseller that decides, and by no other and no applicant', async () => {
    const { id, applicationId } = await finding(world.north.id)
    expect(await read(id, world.north.key)).toMatchObject({ id, status: 'review' })
    const strangers = [world.south.key]
    await expectHidden(call, { route: 'GET /v1/screenings/:id', id, strangers })
    const own = rows(await call('/v1/screenings', { key: world.south.key }))
    expect(own.map((row) => row.id)).not.toContain(id)
    const ofPartner = outward(await makeScreening(product.db, { partnerId: world.shop.id }))
    await expectHidden(call, {
      ...{ route: 'GET /v1/screenings/:id', id: ofPartner },
      strangers: [world.north.key, world.south.key],
    })
    const link = await call(`/v1/applications/${outwardId('application', applicationId)}`, {
      key: world.north.key,
    })
    expect(link.status).toBe(200)
  })
})

describe('an override', () => {
  it('takes a second person, who signs the hits and the version of the lists', async () => {
    const { id, applicationId } = await finding()
    const { status, body, headers } = await post(id, 'override')
    expect(status).toBe(202)
    expect(headers.get('location')).toBe(`/v1/approvals/${String(body.id)}`)
    expect(body).toMatchObject({
      kind: 'screening_override',
      status: 'proposed',
      partner: null,
      screening: id,
      reason: 'another company',
    })
    expect(await countOpenScreenings(product.db, applicationId)).toBe(1)
    for (const key of [first, again]) {
      expect(refusal(await approve(body, key))).toEqual([403, 'second_person_required'])
    }
    const other = { ...body, payload_hash: 'a'.repeat(64) }
    expect(refusal(await approve(other, second))).toEqual([409, 'payload_changed'])
    expect((await approve(body, second)).body).toMatchObject({ status: 'approved', effect: id })
    expect(await read(id)).toMatchObject({
      status: 'overridden',
      decision: { reason: 'another company', approval: body.id },
    })
    expect(await countOpenScreenings(product.db, applicationId)).toBe(0)
    expect(refusal(await post(id, 'override'))).toEqual([409, 'already_decided'])
    expect(refusal(await post(id, 'confirm'))).toEqual([409, 'already_decided'])
  })

  it('is none any more where the finding was confirmed meanwhile', async () => {
    const { id } = await finding()
    const { body } = await post(id, 'override')
    expect((await post(id, 'confirm', { key: second })).status).toBe(200)
    expect(refusal(await approve(body, second))).toEqual([409, 'already_decided'])
    expect(await read(id)).toMatchObject({ status: 'confirmed' })
  })

  it('of what is clear makes no sense', async () => {
    const applicationId = await makeApplication(product.db)
    const id = outward(await makeScreening(product.db, { applicationId }, { hits: [] }))
    expect(refusal(await post(id, 'override'))).toEqual([409, 'already_decided'])
  })
})

describe('a confirmation', () => {
  it('stands once, also when its request is repeated', async () => {
    const { id } = await finding()
    const answers = [
      await post(id, 'confirm', { once: 'the-same-request' }),
      await post(id, 'confirm', { once: 'the-same-request' }),
    ]
    expect(answers.map(({ status, body }) => [status, body.status])).toEqual([
      [200, 'confirmed'],
      [200, 'confirmed'],
    ])
    expect(refusal(await post(id, 'override'))).toEqual([409, 'already_decided'])
  })

  it('ends the application as rejected, whatever it waits for', async () => {
    const worker = await product.startWorker()
    const apply = {
      company: {
        name: 'Obsidian Lantern Shipping Limited',
        country: 'US',
        website: 'https://lantern.example',
      },
      contact: { name: 'Ana', email: 'ana@lantern.example' },
      ...{ type: 'franchise', level: 'reseller' },
    }
    const { body } = await call('/v1/applications', { method: 'POST', body: apply })
    const path = `/v1/applications/${String(body.id)}`
    const application = async () => (await call(path, { key: first })).body
    await eventually('the agreement', async () =>
      (await application()).stage === 'agreement' ? true : undefined,
    )
    const found = rows(
      await call(`/v1/screenings?application=${String(body.id)}&status=review`, { key: first }),
    )
    expect(found).toHaveLength(1)
    await post(String(found[0]?.id), 'confirm', { body: { reason: 'it is that company' } })
    const ended = await eventually('the end', async () => {
      const { status } = await application()
      return status === 'rejected' ? status : undefined
    })
    expect(ended).toBe('rejected')
    const uuid = uuidOf('application', String(body.id)) ?? ''
    const handle = product.temporal.workflow.getHandle(workflowIds.onboarding(uuid))
    expect(await handle.result()).toBe('rejected')
    await worker.stop()
  })
})

describe('the doors', () => {
  itIsClosedTo(
    ['master_reseller', 'reseller'],
    ['POST /v1/screenings/:id/override', 'POST /v1/screenings/:id/confirm'],
    () => ({
      ...stage(),
      keys: {
        super_admin: world.owner.key,
        master_reseller: world.north.key,
        reseller: world.shop.key,
      },
    }),
  )
  itIsClosedTo(['reseller'], ['GET /v1/screenings', 'GET /v1/screenings/:id'], () => ({
    ...stage(),
    keys: {
      super_admin: world.owner.key,
      master_reseller: world.north.key,
      reseller: world.shop.key,
    },
  }))
  itRefusesBadQueries('/v1/screenings', stage, [['status=done', 'invalid /status']])
  // A 401 for whoever has no live key.
  itTakesLiveKeysOnly(stage, [
    'GET /v1/screenings',
    'GET /v1/screenings/:id',
    'POST /v1/screenings/:id/override',
    'POST /v1/screenings/:id/confirm',
  ])

  it.each(['override', 'confirm'])(
    '%s of what never was is 404, without a reason 422',
    async (what) => {
      expect(refusal(await post(unknownId('scr'), what))).toEqual([404, 'not_found'])
      const { id } = await finding()
      expect(faults(await post(id, what, { body: {} }))).toEqual(['missing /reason'])
    },
  )
})
