/** Self-billing over the API: who agrees to it, what is set for it, and who reads the documents. */
import { sql } from 'kysely'
import { checkInvariants } from '../../db/invariants.ts'
import { outwardId } from '../../domain/ids.ts'
import { openBooks } from '../support/books.ts'
import { type Product, startProduct } from '../support/product.ts'
import { selfBillingTerms } from '../support/self-billing.ts'
import { expectHidden, itTakesLiveKeysOnly } from './guards.ts'
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

const of = (name: PlaceName) => `/v1/partners/${world[name].partner}/self-billing`
const profile = {
  legal_name: 'Łódź Handel GmbH',
  address: '1 Main Street\n20457 Hamburg',
  country: 'DE',
  registered: true,
  vat_id: 'de 123 456 789',
}
const declared = (name: PlaceName, body: unknown = profile, key = world[name].key) =>
  call(`${of(name)}/profile`, { method: 'PUT', key, body })
const accepted = (name: PlaceName, key = world[name].key, version = '2026-01') =>
  call(`${of(name)}/agreement`, { method: 'POST', key, body: { version, accepted: true } })
const verified = (name: PlaceName, key = product.owner, vatId = 'DE123456789') =>
  call(`${of(name)}/profile/verification`, { method: 'POST', key, body: { vat_id: vatId } })
const withdrawn = (name: PlaceName, key = world[name].key) =>
  call(`${of(name)}/agreement`, { method: 'DELETE', key })
const setRate = (body: unknown, key = product.owner) =>
  call('/v1/tax/vat-rates', { method: 'PUT', key, body })
const standard = {
  ...{ country: 'DE', valid_from: '2026-01-01', treatment: 'standard', bps: 1_900 },
  source: 'UStG 12(1)',
}

/** As the owner of the programme sets it. */
async function turnedOn(terms: Json | null): Promise<void> {
  const answer = await call('/v1/programme', {
    method: 'PATCH',
    key: product.owner,
    body: { onboarding: { self_billing: terms } },
  })
  expect(answer.status).toBe(200)
}

const terms = {
  legal_name: selfBillingTerms.legalName,
  address: selfBillingTerms.address,
  country: selfBillingTerms.country,
  vat_id: selfBillingTerms.vatId,
  number_format: selfBillingTerms.numberFormat,
  agreement_version: selfBillingTerms.agreementVersion,
  agreement_text: selfBillingTerms.agreementText,
  agreement_days: selfBillingTerms.agreementDays,
}

test('while it is off nobody can agree, and a partner sees that there are no terms', async () => {
  await declared('pier')
  const refused = await accepted('pier')
  expect([refused.status, refused.body.code]).toEqual([409, 'not_ready'])
  const { body } = await call(of('pier'), { key: world.pier.key })
  expect(body).toMatchObject({ terms: null, skip: 'no_consent', agreements: [] })
})

test('a partner says who it is, agrees, and its earnings are invoiced', async () => {
  await turnedOn(terms)
  expect((await setRate(standard)).status).toBe(200)
  const early = await accepted('shop')
  expect([early.status, early.body.code]).toEqual([409, 'not_ready'])
  const said = await declared('shop')
  expect(said.body).toMatchObject({
    profile: { legal_name: 'Łódź Handel GmbH', vat_id: 'DE123456789', registered: true },
    skip: 'no_consent',
  })
  const old = await accepted('shop', world.shop.key, '2025-01')
  expect([old.status, old.body.code]).toEqual([409, 'conflict'])
  const { status, body: agreed } = await accepted('shop')
  expect([status, agreed.skip]).toEqual([200, 'not_verified'])
  const { body } = await verified('shop')
  expect(body).toMatchObject({ skip: null, treatment: 'standard', bps: 1_900 })
  const books = openBooks(product.db)
  await books.sell(world.shop.id, { paidAt: '2026-08-10T00:00:00Z' })
  await books.settle('2026-08')
  expect((await checkInvariants(product.db)).violations).toEqual([])
  const [listed] = rows(
    await call('/v1/self-billing-documents?period=2026-08', { key: world.shop.key }),
  )
  expect(listed).toMatchObject({
    ...{ kind: 'invoice', corrects: null, partner: world.shop.partner, period: '2026-08' },
    ...{ base: 2_000, bps: 1_900, vat: 380, total: 2_380, currency: 'USD' },
  })
  const about = async (period: string) =>
    rows(await call(`/v1/self-billing-documents?period=${period}`, { key: world.shop.key }))
  expect(await about('2026-Q3')).toEqual([listed])
  expect(await about('2026-09')).toEqual([])
  const one = await call(`/v1/self-billing-documents/${listed?.id}`, { key: world.shop.key })
  expect(one.body).toMatchObject({
    ...listed,
    supplier: { legal_name: 'Łódź Handel GmbH', vat_id: 'DE123456789', country: 'DE' },
    recipient: { legal_name: 'Platform GmbH', vat_id: 'DE111111111' },
    note: null,
  })
})

test('on paper and in the table of the month are the same amounts', async () => {
  const [listed] = rows(await call('/v1/self-billing-documents', { key: world.shop.key }))
  const pdf = await call(`/v1/self-billing-documents/${listed?.id}/pdf`, { key: world.shop.key })
  expect(pdf.headers.get('content-type')).toBe('application/pdf')
  expect(pdf.headers.get('content-disposition')).toContain(`${listed?.number}.pdf`)
  const path = '/v1/tax/self-billing/csv?period=2026-08'
  const csv = await call(path, { key: product.owner })
  expect(csv.headers.get('content-disposition')).toContain('self-billing-2026-08.csv')
  const text = String(csv.text ?? csv.body)
  expect(text).toContain(`${listed?.number},,`)
  expect(text).toContain('Łódź Handel GmbH,DE,DE123456789,standard,19,USD,20.00,3.80,23.80')
  expect((await call(path, { key: world.shop.key })).status).toBe(403)
  expect(faults(await call('/v1/tax/self-billing/csv', { key: product.owner }))).toEqual([
    'missing /period',
  ])
})

test('who reviews a run sees what it would write, and who would get nothing and why', async () => {
  const books = openBooks(product.db)
  await books.sell(world.shop.id, { paidAt: '2026-09-10T00:00:00Z' })
  const runId = await books.newRun('2026-09', 'preview')
  await books.calculate(runId)
  const path = `/v1/settlement-runs/${outwardId('settlementRun', runId)}/self-billing`
  const planned = rows(await call(path, { key: product.owner }))
  const plan = (name: PlaceName) => planned.find(({ partner }) => partner === world[name].partner)
  expect(plan('shop')).toMatchObject({
    documents: [{ kind: 'invoice', corrects: null, base: 2_000, bps: 1_900, vat: 380 }],
    skip: null,
  })
  expect(plan('north')).toMatchObject({
    documents: [],
    skip: { reason: 'no_profile', base: 500 },
  })
  expect((await call(path, { key: world.shop.key })).status).toBe(403)
})

test('the statement names the document, and what is paid is the payable with the tax', async () => {
  const [listed] = rows(await call('/v1/statements', { key: world.shop.key }))
  const { body } = await call(`/v1/statements/${listed?.id}`, { key: world.shop.key })
  expect(body).toMatchObject({
    ...{ closing: 2_000, payable: 2_000 },
    payment: { gross: 2_000, withheld: 0, vat: 380, net: 2_380 },
    self_billing: { documents: [{ kind: 'invoice', base: 2_000, vat: 380 }], skip: null },
  })
  const [payout] = rows(await call('/v1/payouts', { key: world.shop.key }))
  expect(payout?.amount).toBe(2_380)
  // Who stands above sees the money, and not the invoice; without a profile there is none.
  const above = await call(`/v1/statements/${listed?.id}`, { key: world.north.key })
  expect(above.body).toMatchObject({ payment: { net: 2_380 }, self_billing: null })
  const [own] = rows(await call('/v1/statements', { key: world.north.key })).filter(
    ({ partner }) => partner === world.north.partner,
  )
  const { body: northern } = await call(`/v1/statements/${own?.id}`, { key: world.north.key })
  expect(northern.self_billing).toEqual({
    documents: [],
    skip: { reason: 'no_profile', base: 500 },
  })
})

test('an agreement ends with the number that it was for, and by withdrawal', async () => {
  const moved = await declared('shop', { ...profile, address: '2 Main Street' })
  expect(moved.body).toMatchObject({
    ...{ skip: 'not_verified', profile: { address: '2 Main Street', verified_at: null } },
  })
  expect((await verified('shop')).body).toMatchObject({ skip: null })
  const changed = await declared('shop', { ...profile, vat_id: 'DE987654321' })
  expect(changed.body).toMatchObject({ skip: 'vat_id_changed', treatment: null })
  expect((await verified('shop')).body.code).toBe('conflict')
  await verified('shop', product.owner, 'DE987654321')
  expect((await accepted('shop')).body).toMatchObject({ skip: null })
  expect((await accepted('shop')).body.agreements).toMatchObject([
    { end_cause: null, ended_at: null },
    { end_cause: 'renewed' },
    { end_cause: 'vat_id_changed' },
  ])
  expect((await withdrawn('shop')).body).toMatchObject({ skip: 'consent_ended' })
  expect((await withdrawn('shop')).status).toBe(200)
})

test('a document shows who the partner was on its day, whatever it says today', async () => {
  const [listed] = rows(await call('/v1/self-billing-documents', { key: product.owner }))
  const { body } = await call(`/v1/self-billing-documents/${listed?.id}`, { key: product.owner })
  expect(body.supplier).toMatchObject({
    address: '1 Main Street\n20457 Hamburg',
    vat_id: 'DE123456789',
  })
})

test('only the partner and the platform know of it, and the platform agrees for nobody', async () => {
  for (const name of ['north', 'market', 'corner', 'south'] as const) {
    const { key } = world[name]
    const refused = name === 'north' ? 403 : 404
    expect((await call(of('shop'), { key })).status).toBe(refused)
    expect((await declared('shop', profile, key)).status).toBe(refused)
    expect((await accepted('shop', key)).status).toBe(refused)
    expect((await withdrawn('shop', key)).status).toBe(refused)
    expect(rows(await call('/v1/self-billing-documents', { key }))).toEqual([])
  }
  expect((await accepted('shop', product.owner)).status).toBe(403)
  expect((await verified('shop', world.shop.key)).status).toBe(403)
  expect((await verified('south')).status).toBe(404)
  const { rows: stored } = await sql<{ line: string }>`
    select encode(legal_name_sealed, 'escape') || encode(vat_id_sealed, 'escape') as line
    from self_billing_profiles`.execute(product.db)
  expect(stored.map(({ line }) => line).join()).not.toMatch(/Handel|123456789/)
})

test('a profile without what the law wants of it is refused', async () => {
  const wrong = async (body: unknown) => faults(await declared('market', body))
  expect(await wrong({ ...profile, vat_id: 'DE12345' })).toEqual(['invalid /vat_id'])
  expect(await wrong({ ...profile, country: 'AT' })).toEqual(['invalid /vat_id'])
  expect(await wrong({ ...profile, registered: false })).toEqual(['invalid /vat_id'])
  expect(await wrong({ ...profile, country: 'Germany' })).toEqual(['invalid /country'])
  const { address: _address, ...homeless } = profile
  expect(await wrong(homeless)).toEqual(['missing /address'])
  const { vat_id: _vatId, ...waiting } = profile
  expect((await declared('market', waiting)).body).toMatchObject({ profile: { vat_id: null } })
  expect((await accepted('market')).body).toMatchObject({ skip: 'no_vat_id' })
  // What the platform enters is right at once; the yes is for another number now.
  const entered = await declared('market', profile, product.owner)
  expect(entered.body).toMatchObject({
    ...{ skip: 'vat_id_changed', profile: { verified_at: expect.any(String) } },
  })
  expect((await accepted('market')).body).toMatchObject({ skip: null })
})

test('rates are the platform’s to set, and only a standard one has a percentage', async () => {
  expect((await setRate(standard, world.shop.key)).status).toBe(403)
  const free = { ...standard, country: 'FR', treatment: 'reverse_charge' }
  expect(faults(await setRate(free))).toEqual(['invalid /bps'])
  expect(faults(await setRate({ ...standard, valid_from: 'soon' }))).toEqual([
    'invalid /valid_from',
  ])
  expect((await setRate({ ...free, bps: 0 })).status).toBe(200)
  expect((await setRate({ ...standard, valid_from: '2027-01-01', bps: 1_800 })).status).toBe(200)
  expect((await setRate({ ...standard, valid_from: '2027-01-01', bps: 2_000 })).status).toBe(200)
  const listed = rows(await call('/v1/tax/vat-rates', { key: world.shop.key }))
  expect(listed.map(({ country, valid_from, bps }) => [country, valid_from, bps])).toEqual([
    ['DE', '2027-01-01', 2_000],
    ['DE', '2026-01-01', 1_900],
    ['FR', '2026-01-01', 0],
  ])
})

test('a number format without both of its places is refused', async () => {
  const answer = await call('/v1/programme', {
    method: 'PATCH',
    key: product.owner,
    body: { onboarding: { self_billing: { ...terms, number_format: 'SB-{number}' } } },
  })
  expect(answer.status).toBe(422)
})

test('a stranger’s standing and documents are not there', async () => {
  const strangers = [world.pier.key, world.south.key]
  await expectHidden(call, {
    route: 'GET /v1/partners/:id/self-billing',
    id: world.shop.partner,
    strangers,
  })
  const [listed] = rows(await call('/v1/self-billing-documents', { key: product.owner }))
  const route = 'GET /v1/self-billing-documents/:id'
  await expectHidden(call, { route, id: String(listed?.id), strangers })
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(
    () => ({ db: product.db, call, key: world.shop.key }),
    [
      'GET /v1/partners/:id/self-billing',
      'PUT /v1/partners/:id/self-billing/profile',
      'POST /v1/partners/:id/self-billing/agreement',
      'POST /v1/partners/:id/self-billing/profile/verification',
      'DELETE /v1/partners/:id/self-billing/agreement',
      'GET /v1/self-billing-documents',
      'GET /v1/self-billing-documents/:id',
      'GET /v1/self-billing-documents/:id/pdf',
      'GET /v1/tax/self-billing/csv',
      'GET /v1/settlement-runs/:id/self-billing',
      'GET /v1/tax/vat-rates',
      'PUT /v1/tax/vat-rates',
    ],
  )
})
