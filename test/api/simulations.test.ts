import { type Product, startProduct } from '../support/product.ts'
import { itTakesLiveKeysOnly } from './guards.ts'
import { type Call, clientOf } from './kit.ts'
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

const scenario = {
  currency: 'USD',
  partners: [
    { id: 'm', level: 'master_reseller' },
    { id: 'r', level: 'reseller', parent: 'm' },
  ],
  rules: [
    { id: 'base', depth: 0, kind: 'percentage', rate_bps: 2_000 },
    { id: 'over', depth: 1, kind: 'percentage', rate_bps: 500 },
  ],
  events: [
    {
      type: 'payment',
      id: 'p1',
      at: '2026-10-05T10:00:00Z',
      partner: 'r',
      customer: 'c1',
      amount: 9_999,
    },
  ],
  close: ['2026-10'],
}

const simulate = (body: unknown, key = world.owner.key) =>
  call('/v1/simulations', { method: 'POST', key, body })

describe('a simulation', () => {
  it.each(['owner', 'north', 'corner'] as const)('gives %s the same figures', async (name) => {
    const { status, body } = await simulate(scenario, world[name].key)
    expect(status).toBe(200)
    expect(body).toMatchObject({
      accruals: [
        { payment: 'p1', partner: 'r', depth: 0, amount: 2_000, rule: 'base' },
        { payment: 'p1', partner: 'm', depth: 1, amount: 500, rule: 'over' },
      ],
      platform: [{ payment: 'p1', amount: 7_499 }],
      statements: [
        { partner: 'm', period: '2026-10', closing: 500, payable: 500 },
        { partner: 'r', period: '2026-10', closing: 2_000, payable: 2_000 },
      ],
      invariants: { violations: [] },
    })
  })

  it('leaves nothing in the books', async () => {
    const count = async () =>
      (await product.db.selectFrom('partners').select('id').execute()).length
    const before = await count()
    await simulate(scenario)
    expect(await count()).toBe(before)
  })

  it('that is malformed is refused with 422 and a pointer to each problem', async () => {
    const [event] = scenario.events
    const pointersOf = async (changes: object) => {
      const { status, body } = await simulate({ ...scenario, ...changes })
      expect([status, body.code]).toEqual([422, 'invalid_request'])
      return (body.errors as { pointer: string }[]).map(({ pointer }) => pointer).sort()
    }
    const wrong = [event, { ...event, id: 'p2', partner: 'x', amount: 1.5 }]
    expect(await pointersOf({ events: wrong })).toEqual(['/events/1/amount', '/events/1/partner'])
    expect(await pointersOf({ extra: 1 })).toEqual(['/extra'])
    expect(await pointersOf({ currency: 'XYZ' })).toEqual(['/currency'])
  })

  it('that closes a month before an earlier one is refused the same way', async () => {
    const { status, body } = await simulate({ ...scenario, close: ['2026-11'] })
    expect([status, body.errors]).toEqual([422, [expect.objectContaining({ pointer: '/close/0' })]])
  })

  it('of more events than a request may hold is refused before it starts', async () => {
    const [event] = scenario.events
    const events = Array.from({ length: 501 }, (_, i) => ({ ...event, id: `p${i}` }))
    const { status, body } = await simulate({ ...scenario, events })
    expect([status, body.errors]).toEqual([422, [expect.objectContaining({ pointer: '/events' })]])
  })

  it('waits for its turn: of many at once some are told when to come again', async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, () => simulate(scenario)))
    const statuses = new Set(answers.map(({ status }) => status))
    expect([...statuses].sort()).toEqual([200, 429])
    expect((await simulate(scenario)).status).toBe(200)
  })

  itTakesLiveKeysOnly(
    () => ({ db: product.db, call, key: world.north.key }),
    // Answers 401 to a key that is none, 403 to one without the scope.
    ['POST /v1/simulations'],
  )
})
