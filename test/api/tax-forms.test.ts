/** Tax forms over the API: who declares, who looks at it, and who never sees it. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { uuidOf } from '../../domain/ids.ts'
import { type Product, startProduct } from '../support/product.ts'
import { expectHidden, itTakesLiveKeysOnly, unknownId } from './guards.ts'
import { type Call, clientOf, faults, type Json, rows } from './kit.ts'
import { makeWorld, type PlaceName, type World } from './world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
})
afterAll(() => product.stop())
afterEach(async () => {
  await product.db.transaction().execute(async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx)
    await sql`delete from tax_forms`.execute(trx)
    await sql`delete from partner_holds`.execute(trx)
  })
})

const w9 = {
  kind: 'w9',
  legal_name: 'Łucja Shop LLC',
  classification: 'llc',
  tin: { kind: 'ein', last_four: '4321' },
  signed_on: '2026-01-15',
  certified: true,
}
const w8 = {
  kind: 'w8bene',
  legal_name: 'Shop GmbH',
  country: 'DE',
  signed_on: '2026-01-15',
  certified: true,
}

const post = (path: string, key: string, body?: unknown) =>
  call(path, { method: 'POST', key, ...(body === undefined ? {} : { body }) })
const formsOf = (name: PlaceName) => `/v1/partners/${world[name].partner}/tax-forms`
const declared = (key: string, body: unknown = w9) =>
  post(`/v1/partners/${world.shop.partner}/tax-form`, key, body)
const decided = (id: unknown, body: Json, key = product.owner) =>
  post(`/v1/tax-forms/${String(id)}/decision`, key, body)

async function openHolds(): Promise<number> {
  const { rows: held } = await sql`select from partner_holds where cause = 'tax_form'
    and released_at is null and partner_id = ${world.shop.id}`.execute(product.db)
  return held.length
}

async function setProgramme(onboarding: Json): Promise<void> {
  const change = JSON.stringify(onboarding)
  await sql`update programmes set onboarding = onboarding || ${change}::jsonb`.execute(product.db)
}

test('what a partner declares is valid when the platform accepts it', async () => {
  const { status, body } = await declared(world.shop.key)
  expect(status).toBe(201)
  expect(body).toMatchObject({
    state: 'received',
    kind: 'w9',
    legal_name: 'Łucja Shop LLC',
    tin: { kind: 'ein', last_four: '4321' },
    country: 'US',
    expires_on: null,
    next_actor: 'platform',
  })
  const again = await declared(world.shop.key)
  expect([again.status, again.body.code]).toEqual([409, 'conflict'])
  const done = await decided(body.id, { decision: 'accept' })
  expect(done.body).toMatchObject({ id: body.id, state: 'valid', next_actor: null })
  const twice = await decided(body.id, { decision: 'reject', reason: 'x' })
  expect([twice.status, twice.body.code]).toEqual([409, 'already_decided'])
  expect(rows(await call(formsOf('shop'), { key: world.shop.key }))).toEqual([done.body])
})

test('one that is not accepted tells why, and another one may be declared', async () => {
  const { body } = await declared(world.shop.key)
  const answer = await decided(body.id, { decision: 'reject', reason: 'The name is another one' })
  expect(answer.body).toMatchObject({ state: 'rejected', reason: 'The name is another one' })
  expect((await declared(world.shop.key)).status).toBe(201)
})

test('what the platform enters is valid at once, in the place of the one before', async () => {
  const first = await declared(product.owner, w8)
  expect(first.body).toMatchObject({ state: 'valid', country: 'DE', expires_on: '2029-12-31' })
  const second = await declared(product.owner)
  expect(second.body.state).toBe('valid')
  const listed = rows(await call(formsOf('shop'), { key: product.owner }))
  expect(listed.map(({ state }) => state)).toEqual(['valid', 'replaced'])
})

test('a form that is asked for is the one that is declared, and is asked for once', async () => {
  const path = `/v1/partners/${world.shop.partner}/tax-form/request`
  const asked = await post(path, product.owner)
  expect(asked.body).toMatchObject({ state: 'requested', kind: null, next_actor: 'partner' })
  expect((await post(path, product.owner)).body).toEqual(asked.body)
  const { body } = await declared(world.shop.key)
  expect(body).toMatchObject({ id: asked.body.id, state: 'received' })
})

test('of two forms that are declared at once one is taken', async () => {
  const answers = await Promise.all([1, 2, 3].map(() => declared(world.shop.key)))
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409])
})

test('a form without what the law wants of it is refused', async () => {
  const wrong = async (body: unknown) => faults(await declared(world.shop.key, body))
  expect(await wrong({ ...w9, certified: false })).toEqual(['invalid /certified'])
  expect(await wrong({ ...w9, signed_on: '2199-01-01' })).toEqual(['invalid /signed_on'])
  expect(await wrong({ ...w8, country: 'US' })).toEqual(['invalid /country'])
  expect(await wrong({ ...w8, signed_on: '2019-01-01' })).toEqual(['invalid /signed_on'])
  const whole = { kind: 'ssn', last_four: '123456789' }
  expect(await wrong({ ...w9, tin: whole })).toEqual(['invalid /tin/last_four'])
  const { tin: _tin, ...numberless } = w9
  expect(await wrong(numberless)).toEqual(['missing /tin'])
  expect(await wrong({ ...w9, country: 'US' })).toEqual(['unknown_field /country'])
})

test('only the partner and the platform know of it, and the name lies sealed', async () => {
  const { body } = await declared(world.shop.key)
  for (const name of ['north', 'market', 'corner', 'south'] as const) {
    // Who stands above sees the partner, and not this of it.
    const refused = name === 'north' ? 403 : 404
    expect((await call(formsOf('shop'), { key: world[name].key })).status).toBe(refused)
    expect((await declared(world[name].key)).status).toBe(refused)
  }
  const accept = { decision: 'accept' }
  expect((await decided(body.id, accept, world.shop.key)).status).toBe(403)
  expect((await decided(unknownId('txf'), accept)).status).toBe(404)
  const id = uuidOf('taxForm', String(body.id))
  const { rows: stored } = await sql<{ line: string }>`
    select encode(legal_name_sealed, 'escape') || encode(tin_last_four_sealed, 'escape') as line
    from tax_forms where id = ${id}`.execute(product.db)
  expect(stored[0]?.line).not.toMatch(/ucja|4321/)
})

test('where the programme wants forms, payouts are held without one and go with it', async () => {
  await setProgramme({ taxFormRequired: 'us' })
  const { body } = await declared(world.shop.key)
  await decided(body.id, { decision: 'reject', reason: 'no' })
  expect(await openHolds()).toBe(1)
  expect((await call(formsOf('shop'), { key: world.shop.key })).body.required).toBe(true)
  await declared(product.owner)
  expect(await openHolds()).toBe(0)
  await setProgramme({ taxFormRequired: 'off' })
})

test('the database takes no decision of a partner, and no change of what was signed', async () => {
  const { body } = await declared(product.owner)
  const id = uuidOf('taxForm', String(body.id))
  const change = (set: string) =>
    sql`update tax_forms set ${sql.raw(set)} where id = ${id}`.execute(product.db)
  await expect(change(`signed_on = '2026-02-02'`)).rejects.toThrow('never changes')
  await expect(change(`legal_name_sealed = '\\x01'`)).rejects.toThrow('never changes')
  await expect(change(`state = 'rejected', reason = 'x'`)).rejects.toThrow('does not become')
  await expect(sql`delete from tax_forms`.execute(product.db)).rejects.toThrow()
  const other = randomUUIDv7()
  await expect(
    sql`insert into tax_forms (id, partner_id, state) values (${other}, ${world.pier.id},
      'rejected')`.execute(product.db),
  ).rejects.toThrow('does not begin')
})

test('a stranger’s forms are not there', () =>
  expectHidden(call, {
    route: 'GET /v1/partners/:id/tax-forms',
    id: world.shop.partner,
    strangers: [world.pier.key, world.south.key],
  }))

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(
    () => ({ db: product.db, call, key: world.shop.key }),
    [
      'GET /v1/partners/:id/tax-forms',
      'POST /v1/partners/:id/tax-form',
      'POST /v1/partners/:id/tax-form/request',
      'POST /v1/tax-forms/:id/decision',
    ],
  )
})
