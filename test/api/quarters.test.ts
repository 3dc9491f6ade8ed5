/** A programme that settles by the quarter: its run from the first request to what partners get. */
import { sql } from 'kysely'
import { lastEnded, monthsOf, nameAt, nextName, previousName } from '../../domain/cadence.ts'
import { nextPeriod } from '../../domain/period.ts'
import { eventually } from '../../scripts/story/client.ts'
import { openBooks } from '../support/books.ts'
import { makePartner } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { type Answer, type Call, clientOf, faults, type Json, rows } from './kit.ts'

const runs = '/v1/settlement-runs'
// Closed for long, whenever this is run.
const quarter = previousName(lastEnded('quarterly', new Date()))
const before = previousName(quarter)
const { since: first, period: last } = monthsOf(quarter)
const middle = nextPeriod(first)

let product: Product
let call: Call
let partnerId: string
beforeAll(async () => {
  product = await startProduct({ programme: { onboarding: { settlementCadence: 'quarterly' } } })
  call = clientOf(product.api)
  partnerId = await makePartner(product.db)
  const books = openBooks(product.db)
  const sold = (month: string, net: bigint) =>
    books.sell(partnerId, { paidAt: `${month}-10T00:00:00Z`, net })
  await sold(monthsOf(before).period, 5_000n)
  for (const month of [first, middle, last]) await sold(month, 10_000n)
  await product.startWorker()
})
afterAll(() => product.stop())

const read = async (path: string): Promise<Answer> => call(path, { key: product.owner })
const start = (body: Json) => call(runs, { method: 'POST', key: product.owner, body })

async function reaches(id: unknown, stage: string): Promise<Json> {
  return eventually(`the run reaches ${stage}`, async () => {
    const { body } = await read(`${runs}/${String(id)}`)
    return body.stage === stage ? body : undefined
  })
}

/** From the request to the closed run, by two persons. */
async function settled(period: string): Promise<Json> {
  const { body } = await start({ period, cadence: 'quarterly', mode: 'live' })
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

const changeCadence = (cadence: string) =>
  call('/v1/programme', {
    method: 'PATCH',
    key: product.owner,
    body: { onboarding: { settlement_cadence: cadence } },
    headers: { 'If-Match': '*' },
  })

describe('a programme that settles by the quarter', () => {
  it('starts no run of a month, and says by what it settles', async () => {
    for (const mode of ['live', 'preview']) {
      const answer = await start({ period: middle, mode })
      expect(faults(answer)).toEqual(['invalid /period'])
      expect(answer.body.detail).toContain('quarters, like 2026-Q4')
    }
    const other = await start({ period: quarter, cadence: 'monthly', mode: 'live' })
    expect(faults(other)).toEqual(['invalid /cadence'])
  })

  it('settles quarters in their order', async () => {
    const answer = await start({ period: quarter, mode: 'live' })
    expect([answer.status, answer.body.code]).toEqual([409, 'earlier_period_open'])
    expect(await settled(before)).toMatchObject({ period: before, cadence: 'quarterly' })
  })

  it('previews the quarter that runs, and none that is to come', async () => {
    const running = nameAt('quarterly', new Date())
    const preview = await start({ period: running, mode: 'preview' })
    expect(preview.body).toMatchObject({
      period: running,
      since_period: monthsOf(running).since,
      mode: 'preview',
    })
    for (const [period, mode] of [
      [running, 'live'],
      [nextName(running), 'preview'],
    ] as const) {
      const answer = await start({ period, mode })
      expect([answer.status, answer.body.code]).toEqual([409, 'period_not_over'])
    }
  })

  it('gives one statement over three months, paid once, beside that of the last quarter', async () => {
    const run = await settled(quarter)
    expect(run).toMatchObject({
      period: quarter,
      since_period: first,
      totals: [{ statements: 1, opening: 0, earned: 6_000, payable: 6_000 }],
    })
    const asked = [quarter, first, middle, last].map(async (name) => {
      const found = rows(await read(`/v1/statements?period=${name}`))
      return found.map(({ period, earned, number }) => [period, earned, number])
    })
    const one = [[quarter, 6_000, `${quarter}-000001`]]
    expect(await Promise.all(asked)).toEqual([one, one, one, one])
    const payouts = rows(await read(`/v1/payouts?period=${quarter}`))
    expect(payouts.map(({ period, amount }) => [period, amount])).toEqual([[quarter, 6_000]])
    const differences = rows(await read(`${runs}/${String(run.id)}/diff`))
    expect(differences).toMatchObject([
      {
        compared_with: { period: before },
        currencies: [{ net: { before: 1_000, after: 6_000 } }],
      },
    ])
    expect(rows(await read(`${runs}?period=${quarter}`)).map(({ id }) => id)).toEqual([run.id])
  })

  it('reviews tiers once, with the window that ends with the quarter', async () => {
    const reviewed = await eventually('the quarter is reviewed', async () => {
      const { rows: found } = await sql<{ period: string }>`
        select distinct period from tier_reviews order by 1`.execute(product.db)
      return found.length === 2 ? found.map(({ period }) => period) : undefined
    })
    expect(reviewed).toEqual([monthsOf(before).period, last])
  })

  it('names the quarter and its months on every form of the statement', async () => {
    const [row] = rows(await read(`/v1/statements?period=${quarter}`))
    const path = `/v1/statements/${String(row?.id)}`
    const { body } = await read(path)
    expect(body).toMatchObject({ period: quarter, since_period: first, prior_period: 0 })
    expect(body).not.toHaveProperty('left_out')
    expect((body.lines as Json[]).map(({ prior_period: prior }) => prior)).toEqual([
      false,
      false,
      false,
    ])
    const csv = (await read(`${path}/csv`)).text
    expect(csv).toContain(quarter)
    expect(csv).toContain(`since_period,${first}`)
    expect((await read(`${path}/pdf`)).bytes.subarray(0, 5).toString()).toBe('%PDF-')
  })

  it('settles months from the day on which it says so, and those of a closed quarter no more', async () => {
    expect(faults(await changeCadence('fortnightly'))).toEqual([
      'invalid /onboarding/settlement_cadence',
    ])
    const changed = await changeCadence('monthly')
    expect(changed.body).toMatchObject({ onboarding: { settlement_cadence: 'monthly' } })
    expect(faults(await start({ period: quarter, mode: 'live' }))).toEqual(['invalid /period'])
    const closed = await start({ period: middle, mode: 'live' })
    expect([closed.status, closed.body.code]).toEqual([409, 'period_already_settled'])
    const { body } = await start({ period: nextPeriod(last), mode: 'preview' })
    expect(body).toMatchObject({ period: nextPeriod(last), cadence: 'monthly' })
  })
})
