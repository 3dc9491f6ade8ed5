/** What partners have signed, over the API. */
import { outwardId } from '../../domain/ids.ts'
import { makeSignedTerms } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { itRefusesBadQueries, itTakesLiveKeysOnly } from './guards.ts'
import { type Call, clientOf, rows } from './kit.ts'
import { makeWorld, type World } from './world.ts'

let product: Product
let call: Call
let world: World
let agreement: string
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  agreement = outwardId('agreement', await makeSignedTerms(product.db, world.shop.id))
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.owner.key })

describe('a signed agreement', () => {
  itTakesLiveKeysOnly(stage, ['GET /v1/agreements', 'GET /v1/agreements/:id/document'])
  itRefusesBadQueries('/v1/agreements', stage)

  it('is read by its partner, by its master and by the platform, with its hash', async () => {
    for (const name of ['shop', 'north', 'owner'] as const) {
      const { key } = world[name]
      const { status, body: answer } = await call(`/v1/agreements/${agreement}`, { key })
      expect([name, status]).toEqual([name, 200])
      expect(answer).toEqual({
        id: agreement,
        partner: world.shop.partner,
        terms_version: '2026-11',
        signed_at: expect.stringMatching(/Z$/),
        document_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      })
      const document = await call(`/v1/agreements/${agreement}/document`, { key })
      expect([document.status, document.headers.get('content-type')]).toEqual([
        200,
        'application/pdf',
      ])
    }
  })

  it('does not exist for anybody else', async () => {
    for (const name of ['market', 'south', 'corner'] as const) {
      const { key } = world[name]
      const answer = await call(`/v1/agreements/${agreement}`, { key })
      expect([name, answer.status]).toEqual([name, 404])
      const document = await call(`/v1/agreements/${agreement}/document`, { key })
      expect([name, document.status]).toEqual([name, 404])
    }
    expect(rows(await call('/v1/agreements', { key: world.market.key }))).toEqual([])
    expect((await call('/v1/agreements')).status).toBe(401)
  })
})
