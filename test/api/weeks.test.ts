/** Weeks: looked at where a programme settles by months, settled where it does by weeks. */
import { lastEnded, nameAt, nextName, previousName, stretchOf } from '../../domain/cadence.ts'
import { closeDelayHours, newestClosable, previousPeriod } from '../../domain/period.ts'
import { eventually } from '../../scripts/story/client.ts'
import { openBooks } from '../support/books.ts'
import { makePartner } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { type Call, clientOf, faults, type Json, rows } from './kit.ts'

const runs = '/v1/settlement-runs'
/** The last one whose cut-off is over. */
const week = lastEnded('weekly', new Date(Date.now() - closeDelayHours * 3_600_000))
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

describe('a programme that settles by months', () => {
  it('may look at a week, but settles none, and says by what it does', async () => {
    expect(await previewed(week)).toMatchObject({
      ...{ period: week, cadence: 'weekly', mode: 'preview' },
      totals: [{ statements: 1, opening: 2_000, earned: 6_000, closing: 8_000 }],
    })
    const answer = await start({ period: week, mode: 'live' })
    expect(faults(answer)).toEqual(['invalid /period'])
    expect(answer.body.detail).toContain('settles by months')
  })

  it('shows the preview of a week beside that of the week before it, part by part', async () => {
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

  it('settles by the week from the day on which it says so', async () => {
    const { body } = await call('/v1/programme', {
      method: 'PATCH',
      key: product.owner,
      body: { onboarding: { settlement_cadence: 'weekly' } },
      headers: { 'If-Match': '*' },
    })
    expect(body).toMatchObject({ onboarding: { settlement_cadence: 'weekly' } })
    const month = previousPeriod(newestClosable(new Date()))
    const answer = await start({ period: month, mode: 'live' })
    expect(faults(answer)).toEqual(['invalid /period'])
    expect(answer.body.detail).toContain('weeks, like 2026-W47')
  })
})

describe('a week', () => {
  let last: Json
  const reaches = (id: unknown, stage: string) =>
    eventually(`run ${String(id)} reaches ${stage}`, async () => {
      const { body } = await read(`${runs}/${String(id)}`)
      return body.stage === stage ? body : undefined
    })

  /** From the request to the closed run, by two persons. */
  async function settled(period: string): Promise<Json> {
    const { status, body } = await start({ period, cadence: 'weekly', mode: 'live' })
    expect([period, status]).toEqual([period, 202])
    const { totals_hash: hash } = await reaches(body.id, 'review')
    for (const [what, key] of [
      ['review', product.owner],
      ['release', product.second],
    ] as const) {
      const path = `${runs}/${String(body.id)}/${what}`
      const signed = await call(path, { method: 'POST', key, body: { totals_hash: hash } })
      expect([what, signed.status]).toEqual([what, 200])
    }
    return reaches(body.id, 'closed')
  }

  it('is settled and paid end to end by two persons', async () => {
    expect(await settled(before)).toMatchObject({
      ...{ period: before, cadence: 'weekly', mode: 'live', stage: 'closed' },
      totals: [{ statements: 1, earned: 2_000, payable: 2_000 }],
    })
    last = await settled(week)
    expect(last).toMatchObject({ totals: [{ opening: 0, earned: 6_000, payable: 6_000 }] })
    const statements = rows(await read('/v1/statements'))
    expect(statements).toMatchObject([
      { period: week, number: `${week}-000001`, payable: 6_000 },
      { period: before, number: `${before}-000001`, payable: 2_000 },
    ])
    const { body: statement } = await read(`/v1/statements/${String(statements[0]?.id)}`)
    expect(statement).toMatchObject({ prior_period: 0, lines: [{ amount: 6_000 }] })
    const payouts = rows(await read(`/v1/payouts?period=${week}`))
    expect(payouts).toMatchObject([{ period: week, amount: 6_000 }])
    const csv = await fetch(`${product.api}/v1/statements/${String(statements[0]?.id)}/csv`, {
      headers: { Authorization: `Bearer ${product.owner}` },
    })
    expect(await csv.text()).toContain(week)
  })

  it('is compared with the week that was settled before it', async () => {
    expect(rows(await read(`${runs}/${String(last.id)}/diff`))).toMatchObject([
      {
        compared_with: { period: before },
        currencies: [{ net: { before: 2_000, after: 6_000, difference: 4_000 } }],
      },
    ])
  })

  it('is settled once, and none after a later one', async () => {
    const again = await start({ period: week, mode: 'live' })
    expect([again.status, again.body.code]).toEqual([409, 'period_already_settled'])
    const earlier = await start({ period: previousName(before), mode: 'live' })
    expect([earlier.status, earlier.body.code]).toEqual([409, 'period_already_settled'])
  })

  it('is one that there is, and has begun, and for good has ended', async () => {
    for (const period of ['2025-W53', '2026-W54', '2026-W00', '2026-W1']) {
      expect(faults(await start({ period, mode: 'preview' }))).toEqual(['invalid /period'])
    }
    const running = nameAt('weekly', new Date())
    expect((await start({ period: running, mode: 'preview' })).status).toBe(202)
    for (const [period, mode] of [
      [nextName(running), 'preview'],
      [running, 'live'],
    ] as const) {
      const coming = await start({ period, mode })
      expect([coming.status, coming.body.code]).toEqual([409, 'period_not_over'])
    }
  })
})
