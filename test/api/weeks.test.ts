/** A programme that looks at weeks: their previews, beside the months that it settles by. */
import { lastEnded, nameAt, nextName, previousName, stretchOf } from '../../domain/cadence.ts'
import { newestClosable, previousPeriod } from '../../domain/period.ts'
import { eventually } from '../../scripts/story/client.ts'
import { openBooks } from '../support/books.ts'
import { makePartner } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { type Call, clientOf, faults, type Json, rows } from './kit.ts'

const runs = '/v1/settlement-runs'
const week = lastEnded('weekly', new Date())
const before = previousName(week)

let product: Product
let call: Call
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  const partnerId = await makePartner(product.db)
  const books = openBooks(product.db)
  const sold = (name: string, net: bigint) =>
    books.sell(partnerId, { paidAt: stretchOf(name).from.toISOString(), net })
  await sold(before, 10_000n)
  await sold(week, 30_000n)
  await product.startWorker()
})
afterAll(() => product.stop())

const read = (path: string) => call(path, { key: product.owner })
const start = (body: Json) => call(runs, { method: 'POST', key: product.owner, body })

async function previewed(period: string): Promise<Json> {
  const { status, body } = await start({ period, mode: 'preview' })
  expect([period, status]).toEqual([period, 202])
  return eventually(`the preview of ${period} ends`, async () => {
    const { body: run } = await read(`${runs}/${String(body.id)}`)
    return run.stage === 'review' ? run : undefined
  })
}

describe('a programme that does not look at weeks', () => {
  it('previews none, and says by what it settles', async () => {
    const answer = await start({ period: week, mode: 'preview' })
    expect(faults(answer)).toEqual(['invalid /period'])
    expect(answer.body.detail).toContain('settles by months')
  })

  it('looks at them from the day on which it says so', async () => {
    const { body } = await call('/v1/programme', {
      method: 'PATCH',
      key: product.owner,
      body: { onboarding: { settlement_cadence: 'weekly' } },
      headers: { 'If-Match': '*' },
    })
    expect(body).toMatchObject({ onboarding: { settlement_cadence: 'weekly' } })
  })
})

describe('a week', () => {
  it('is previewed with its totals, and gives nobody a statement', async () => {
    expect(await previewed(week)).toMatchObject({
      period: week,
      cadence: 'weekly',
      mode: 'preview',
      totals: [{ statements: 1, opening: 2_000, earned: 6_000, closing: 8_000 }],
    })
    expect(rows(await read('/v1/statements'))).toEqual([])
    const found = rows(await read(`${runs}?period=${week}`))
    expect(found.map(({ period }) => period)).toEqual([week])
  })

  it('is compared with the week before it, part by part', async () => {
    const { id: first } = await previewed(before)
    expect(rows(await read(`${runs}/${String(first)}/diff`))).toMatchObject([
      { compared_with: null },
    ])
    const { id } = await previewed(week)
    expect(rows(await read(`${runs}/${String(id)}/diff`))).toMatchObject([
      {
        compared_with: { id: first, period: before },
        currencies: [
          {
            change: 'changed',
            net: { before: 2_000, after: 6_000, difference: 4_000 },
            causes: expect.arrayContaining([
              { cause: 'volume', amount: 4_000 },
              { cause: 'carried', amount: 2_000 },
            ]),
          },
        ],
      },
    ])
  })

  it('is never settled: statements and payouts are those of months', async () => {
    const answer = await start({ period: week, mode: 'live' })
    expect(faults(answer)).toEqual(['invalid /period'])
    expect(answer.body.detail).toContain('weeks are previewed only')
    expect(answer.body.detail).toContain('months, like 2026-10')
    const month = previousPeriod(newestClosable(new Date()))
    const live = await start({ period: month, mode: 'live' })
    expect(live.body).toMatchObject({ period: month, cadence: 'monthly', mode: 'live' })
    expect((await start({ period: month, mode: 'preview' })).status).toBe(202)
    expect(faults(await start({ period: '2026-Q1', mode: 'preview' }))).toEqual(['invalid /period'])
  })

  it('is one that there is, and has begun', async () => {
    for (const period of ['2025-W53', '2026-W54', '2026-W00', '2026-W1']) {
      expect(faults(await start({ period, mode: 'preview' }))).toEqual(['invalid /period'])
    }
    const running = nameAt('weekly', new Date())
    expect((await start({ period: running, mode: 'preview' })).status).toBe(202)
    const coming = await start({ period: nextName(running), mode: 'preview' })
    expect([coming.status, coming.body.code]).toEqual([409, 'period_not_over'])
  })
})
