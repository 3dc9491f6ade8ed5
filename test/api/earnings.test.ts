/** What a partner sees of its money first: this month, what waits, and its next payout. */
import { databaseNow } from '../../db/database.ts'
import { periodOf } from '../../domain/period.ts'
import { openBooks } from '../support/books.ts'
import { type Product, startProduct } from '../support/product.ts'
import { expectHidden, itTakesLiveKeysOnly } from './guards.ts'
import { type Call, clientOf } from './kit.ts'
import {
  fillWorld,
  issueStatements,
  makeWorld,
  type PlaceName,
  settledPeriod,
  type World,
} from './world.ts'

let product: Product
let call: Call
let world: World
let month: string
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  await fillWorld(product.db, world)
  month = periodOf(await databaseNow(product.db))
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.owner.key })
const read = (name: PlaceName, key = world[name].key) =>
  call(`/v1/partners/${world[name].partner}/earnings`, { key })
const route = 'GET /v1/partners/:id/earnings'

it('waits for a statement, and is what the next payout pays once there is one', async () => {
  // 20 % of 99.99, of which a third went back.
  const waiting = { currency: 'USD', earned: 0, taken_back: 0, pending: 1_334, carried: 0 }
  const before = await read('pier')
  expect([before.status, before.body]).toEqual([
    200,
    { partner: world.pier.partner, period: month, currencies: [waiting], next_payout: null },
  ])
  await issueStatements(product.db)
  const paidAt = `${month}-01T00:00:00Z`
  await openBooks(product.db).sell(world.pier.id, { paidAt })
  const { body } = await read('pier', world.owner.key)
  expect(body).toEqual({
    partner: world.pier.partner,
    period: month,
    currencies: [{ currency: 'USD', earned: 2_000, taken_back: 0, pending: 2_000, carried: 0 }],
    next_payout: {
      id: expect.stringMatching(/^pay_/),
      statement: expect.stringMatching(/^stm_/),
      amount: 1_334,
      currency: 'USD',
      status: 'held',
      pay_on: null,
    },
  })
  expect(settledPeriod < month).toBe(true)
})

it('is nothing to those above, and does not exist for strangers: 403 and 404', async () => {
  const above = await read('pier', world.south.key)
  expect([above.status, above.body.code]).toEqual([403, 'forbidden'])
  const hidden = { id: world.shop.partner, strangers: [world.south.key, world.corner.key] }
  await expectHidden(call, { ...hidden, route })
})

// Each of these is a 401.
itTakesLiveKeysOnly(stage, [route])
