/** Versions of the terms over the API. */
import { unique } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { itRefusesBadQueries, itTakesLiveKeysOnly } from './guards.ts'
import { type Call, clientOf, rows } from './kit.ts'
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

const stage = () => ({ db: product.db, call, key: world.owner.key })
const body = 'For {company} in {country}.\n\n# Money\n\n{commission}'
const form = (changes: object = {}) => ({
  version: unique('v').slice(0, 40),
  title: 'Terms',
  body,
  ...changes,
})
const write = (given: object, key = world.owner.key) =>
  call('/v1/agreement-terms', { method: 'POST', key, body: given })
const publish = (id: unknown, given: object, key = world.owner.key) =>
  call(`/v1/agreement-terms/${String(id)}/publish`, { method: 'POST', key, body: given })

describe('a version of the terms', () => {
  it('is written as a draft, seen as a PDF, and published for good', async () => {
    const given = form()
    const made = await write(given)
    expect([made.status, made.body]).toEqual([
      201,
      expect.objectContaining({ ...given, status: 'draft', in_force: false, notice_days: null }),
    ])
    const { id } = made.body
    const preview = await call(`/v1/agreement-terms/${String(id)}/preview`, {
      key: world.owner.key,
    })
    expect(preview.status).toBe(200)
    expect(preview.headers.get('content-type')).toBe('application/pdf')
    const when = { effective_from: new Date().toISOString(), reacceptance: { notice_days: 10 } }
    const published = await publish(id, when)
    expect([published.status, published.body]).toEqual([
      200,
      expect.objectContaining({ status: 'published', in_force: true, notice_days: 10 }),
    ])
    expect((await publish(id, when)).status).toBe(200)
    const other = await publish(id, { effective_from: '2100-01-01T00:00:00Z' })
    expect([other.status, other.body.code]).toEqual([409, 'conflict'])
    const change = product.db.updateTable('agreementTerms').set({ title: 'Other' })
    await expect(change.where('title', '=', 'Terms').execute()).rejects.toThrow(/do not change/)
    const list = rows(await call('/v1/agreement-terms', { key: world.owner.key }))
    expect(list.filter((row) => row.in_force === true).map((row) => row.id)).toEqual([id])
    expect(list.map((row) => row.status)).toContain('retired')
  })

  it('that would come before another one, or has its name, is refused', async () => {
    const given = form()
    expect((await write(given)).status).toBe(201)
    expect((await write(given)).body.code).toBe('conflict')
    const early = await write(form())
    const answer = await publish(early.body.id, { effective_from: '1999-01-01T00:00:00Z' })
    expect([answer.status, answer.body.code]).toEqual([409, 'conflict'])
  })

  it.each([
    ['a placeholder that there is not', { body: 'For {nobody}.\n\n{commission}' }, '/body'],
    ['no place for the commission', { body: 'For {company}.' }, '/body'],
    ['commission within a sentence', { body: 'It earns {commission}.' }, '/body'],
    ['a brace alone', { body: 'For {company.\n\n{commission}' }, '/body'],
    ['a version with spaces', { version: 'first draft' }, '/version'],
    ['a field that is not known', { colour: 'red' }, '/colour'],
  ])('with %s is refused', async (_what, changes, pointer) => {
    const { status, body: answer } = await write(form(changes))
    expect(status).toBe(422)
    expect(answer.errors).toContainEqual(expect.objectContaining({ pointer }))
  })

  itTakesLiveKeysOnly(stage, [
    'GET /v1/agreement-terms',
    'POST /v1/agreement-terms',
    'POST /v1/agreement-terms/:id/publish',
  ])
  itRefusesBadQueries('/v1/agreement-terms', stage)

  it('is the platform’s alone', async () => {
    for (const key of [world.north.key, world.shop.key]) {
      expect((await write(form(), key)).body.code).toBe('level_not_allowed')
      expect((await call('/v1/agreement-terms', { key })).status).toBe(403)
    }
    expect((await call('/v1/agreement-terms')).status).toBe(401)
  })
})
