import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { inTransaction } from '../../db/database.ts'
import { recordJournals } from '../../db/ledger.ts'
import { nextPeriod, periodOf, previousPeriod } from '../../domain/period.ts'
import { eventually } from '../../scripts/story/client.ts'
import { type Product, startProduct, type TestWorker } from '../support/product.ts'
import { itIsClosedTo, itRefusesBadQueries, itTakesLiveKeysOnly, unknownId } from './guards.ts'
import { type Answer, type Call, clientOf, faults, type Json, rows, serveWith } from './kit.ts'
import { goneTemporal } from './temporal-away.ts'
import { makeWorld, sellAndRefund, settledPeriod, type World } from './world.ts'

let product: Product
let call: Call
let world: World
let worker: TestWorker
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  await sellAndRefund(product.db, world.shop.id)
  worker = await product.startWorker()
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: product.owner })
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
const runs = '/v1/settlement-runs'
const now = periodOf(new Date())
const refusal = ({ status, body }: Answer) => [status, body.code]

const start = (period: string, mode: string, key = product.owner) =>
  call(runs, { method: 'POST', key, body: { period, mode } })

const sign = (id: unknown, what: 'review' | 'release', by: { key: string; hash: unknown }) =>
  call(`${runs}/${String(id)}/${what}`, {
    method: 'POST',
    key: by.key,
    body: { totals_hash: by.hash },
  })

async function reaches(id: unknown, stageName: string): Promise<Json> {
  return eventually(`the run reaches ${stageName}`, async () => {
    const { body } = await call(`${runs}/${String(id)}`, { key: product.owner })
    return body.stage === stageName ? body : undefined
  })
}

const noHash = '0'.repeat(64)

/** 20.00 less 6.66 for the seller, 5.00 less 1.66 for the partner above it. */
const expectedTotals = {
  currency: 'USD',
  statements: 2,
  opening: 0,
  earned: 2_500,
  clawed_back: 832,
  adjustments: 0,
  closing: 1_668,
  held: 0,
  payable: 1_334,
  carried: 334,
}

describe('a preview', () => {
  it('ends with the totals that a live run would have, and moves nothing', async () => {
    const { status, body, headers } = await start(settledPeriod, 'preview')
    expect(status).toBe(202)
    expect(headers.get('location')).toBe(`${runs}/${String(body.id)}`)
    expect(body).toEqual({
      id: expect.stringMatching(/^run_/),
      period: settledPeriod,
      cadence: 'monthly',
      since_period: settledPeriod,
      mode: 'preview',
      stage: 'freeze',
      totals: null,
      totals_hash: null,
      cutoff_at: instant,
      reviewed_by: null,
      reviewed_at: null,
      released_by: null,
      released_at: null,
      problem: null,
      paused_at: null,
      rejected_at: null,
      created_at: instant,
      closed_at: null,
      cancelled_at: null,
    })
    const done = await reaches(body.id, 'review')
    expect(done).toEqual({
      ...body,
      stage: 'review',
      totals: [expectedTotals],
      totals_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      stages: expect.any(Array),
      exceptions: expect.any(Array),
    })
    expect(rows(await call('/v1/statements', { key: product.owner }))).toEqual([])
    const { rows: periods } = await sql<{ status: string }>`
      select status from accounting_periods where period = ${settledPeriod}`.execute(product.db)
    expect(periods).toEqual([{ status: 'open' }])
  })

  it('is never signed', async () => {
    const { body } = await start(settledPeriod, 'preview')
    const { totals_hash: hash } = await reaches(body.id, 'review')
    for (const what of ['review', 'release'] as const) {
      const answer = await sign(body.id, what, { key: product.owner, hash })
      expect(refusal(answer)).toEqual([409, 'not_ready'])
    }
  })

  it('of the running month is possible, of a coming one it is not', async () => {
    expect((await start(now, 'preview')).status).toBe(202)
    expect(refusal(await start(nextPeriod(now), 'preview'))).toEqual([409, 'period_not_over'])
  })

  it('can be asked for any number of times, each with a number of its own', async () => {
    const [one, two] = [await start(now, 'preview'), await start(now, 'preview')]
    expect(one.body.id).not.toBe(two.body.id)
  })
})

describe('a live run', () => {
  let run: Json

  it('needs a period that is over', async () => {
    expect(refusal(await start(now, 'live'))).toEqual([409, 'period_not_over'])
  })

  it('needs every earlier period to be settled first', async () => {
    const { db } = product
    await sql`insert into accounting_periods (period, starts_at, ends_at)
      values ('2020-02', '2020-02-01', '2020-03-01')`.execute(db)
    const posting = {
      debit: { purpose: 'stripe_clearing' as const },
      credit: { purpose: 'platform_revenue' as const },
      currency: 'USD',
      amount: 1n,
    }
    await inTransaction(db, (trx) =>
      recordJournals(trx, [
        {
          kind: 'payment',
          sourceType: 'test',
          sourceId: randomUUIDv7(),
          period: '2020-02',
          effectiveAt: new Date('2020-02-10T00:00:00Z'),
          postings: [posting],
        },
      ]),
    )
    const answer = await start(settledPeriod, 'live')
    expect(refusal(answer)).toEqual([409, 'earlier_period_open'])
    expect(answer.body.detail).toContain('2020-02')
    await sql`update accounting_periods set status = 'closed', closed_at = clock_timestamp()
      where period = '2020-02'`.execute(db)
  })

  it('exists once for a period, however often and by whomever it is asked for', async () => {
    const answers = await Promise.all([
      start(settledPeriod, 'live'),
      start(settledPeriod, 'live', product.second),
      start(settledPeriod, 'live'),
    ])
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202])
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1)
    run = await reaches(answers[0]?.body.id, 'review')
    expect(run).toMatchObject({ totals: [expectedTotals], mode: 'live' })
    expect((await start(settledPeriod, 'live')).body.id).toBe(run.id)
  })

  it('is released after a review only', async () => {
    const hash = run.totals_hash
    const early = await sign(run.id, 'release', { key: product.second, hash })
    expect(refusal(early)).toEqual([409, 'not_reviewed'])
  })

  it('is signed with the totals that it has, and with no others', async () => {
    const wrong = { key: product.owner, hash: noHash }
    expect(refusal(await sign(run.id, 'review', wrong))).toEqual([409, 'totals_changed'])
    const right = { key: product.owner, hash: run.totals_hash }
    const reviewed = await sign(run.id, 'review', right)
    expect(reviewed.status).toBe(200)
    const me = await call('/v1/me', { key: product.owner })
    const { stages: _stages, exceptions: _exceptions, ...seen } = run
    expect(reviewed.body).toEqual({
      ...seen,
      reviewed_by: me.body.member,
      reviewed_at: instant,
    })
    const released = await sign(run.id, 'release', { key: product.second, hash: noHash })
    expect(refusal(released)).toEqual([409, 'totals_changed'])
  })

  it('takes a second person, whatever key the first one uses', async () => {
    const hash = run.totals_hash
    const form = { label: 'another key' }
    const made = await call('/v1/api-keys', { method: 'POST', key: product.owner, body: form })
    for (const key of [product.owner, String(made.body.key)]) {
      const answer = await sign(run.id, 'release', { key, hash })
      expect(refusal(answer)).toEqual([403, 'second_person_required'])
    }
  })

  it('is released by the second person, and then closed for good', async () => {
    const signature = { key: product.second, hash: run.totals_hash }
    const released = await sign(run.id, 'release', signature)
    expect(released.status).toBe(200)
    const second = (await call('/v1/me', { key: product.second })).body.member
    expect(released.body).toMatchObject({ released_by: second, released_at: instant })
    const closed = await reaches(run.id, 'closed')
    expect(closed).toMatchObject({ closed_at: instant, problem: null })
    for (const what of ['review', 'release'] as const) {
      expect(refusal(await sign(run.id, what, signature))).toEqual([409, 'run_finished'])
    }
    expect(refusal(await start(settledPeriod, 'live'))).toEqual([409, 'period_already_settled'])
    const statements = rows(await call('/v1/statements', { key: product.owner }))
    expect(statements.map(({ partner, payable }) => [partner, payable])).toEqual(
      expect.arrayContaining([
        [world.shop.partner, 1_334],
        [world.north.partner, 0],
      ]),
    )
  })

  it('is found among the runs of its period', async () => {
    const query = `?period=${settledPeriod}&limit=100`
    const found = rows(await call(`${runs}${query}`, { key: product.owner }))
    expect(found.filter(({ mode }) => mode === 'live').map(({ id }) => id)).toEqual([run.id])
    expect(new Set(found.map(({ period }) => period))).toEqual(new Set([settledPeriod]))
    const none = await call(`${runs}?period=2001-01`, { key: product.owner })
    expect(rows(none)).toEqual([])
  })
})

describe('a live run whose process has not started', () => {
  it('waits for it, and cannot be signed before', async () => {
    await worker.stop()
    const gone = await serveWith(product, { temporal: goneTemporal() })
    const period = previousPeriod(previousPeriod(settledPeriod))
    const body = { period, mode: 'live' }
    const started = await gone.call(runs, { method: 'POST', key: product.owner, body })
    expect([started.status, started.body.stage]).toEqual([202, 'freeze'])
    const path = `${runs}/${String(started.body.id)}/review`
    const signature = { method: 'POST', key: product.owner, body: { totals_hash: noHash } }
    expect(refusal(await gone.call(path, signature))).toEqual([503, 'temporarily_unavailable'])
    expect(refusal(await call(path, signature))).toEqual([409, 'not_ready'])
    await gone.stop()
  })
})

describe('a settlement run', () => {
  it.each<[string, Json, string[]]>([
    ['no fields', {}, ['missing /mode', 'missing /period']],
    ['a thirteenth month', { period: '2026-13', mode: 'live' }, ['invalid /period']],
    ['a day', { period: '2026-10-01', mode: 'live' }, ['invalid /period']],
    ['a number', { period: 202_610, mode: 'live' }, ['invalid /period']],
    ['a quarter', { period: '2026-Q1', mode: 'live' }, ['invalid /period']],
    [
      'a month that is said to be a quarter',
      { period: '2026-10', cadence: 'quarterly', mode: 'live' },
      ['invalid /cadence'],
    ],
    ['an unknown mode', { period: '2026-10', mode: 'dry' }, ['invalid /mode']],
    ['an amount', { period: '2026-10', mode: 'live', amount: 1 }, ['unknown_field /amount']],
  ])('is not started with %s', async (_what, body, expected) => {
    const answer = await call(runs, { method: 'POST', key: product.owner, body })
    expect(faults(answer)).toEqual(expected)
  })

  it.each<[string, Json, string[]]>([
    ['no totals', {}, ['missing /totals_hash']],
    ['half a hash', { totals_hash: 'abc' }, ['invalid /totals_hash']],
    [
      'another reviewer',
      { totals_hash: noHash, reviewed_by: 'mem_1' },
      ['unknown_field /reviewed_by'],
    ],
  ])('is not signed with %s', async (_what, body, expected) => {
    for (const what of ['review', 'release']) {
      const path = `${runs}/${unknownId('run')}/${what}`
      expect(faults(await call(path, { method: 'POST', key: product.owner, body }))).toEqual(
        expected,
      )
    }
  })

  it('that does not exist is told as such', async () => {
    const key = product.owner
    expect(refusal(await call(`${runs}/${unknownId('run')}`, { key }))).toEqual([404, 'not_found'])
    for (const what of ['review', 'release'] as const) {
      const answer = await sign(unknownId('run'), what, { key, hash: noHash })
      expect(refusal(answer)).toEqual([404, 'not_found'])
    }
  })

  itRefusesBadQueries(runs, stage, [['period=2026-13', 'invalid /period']])
})

describe('settlement, whose strangers are answered 401 and 403', () => {
  const routes = [
    `GET ${runs}`,
    `POST ${runs}`,
    `GET ${runs}/:id`,
    `POST ${runs}/:id/review`,
    `POST ${runs}/:id/release`,
  ]
  itTakesLiveKeysOnly(stage, routes)
  itIsClosedTo(['master_reseller', 'reseller'], routes, () => ({
    ...stage(),
    keys: {
      super_admin: product.owner,
      master_reseller: world.north.key,
      reseller: world.shop.key,
    },
  }))
})
