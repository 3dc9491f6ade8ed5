/** Runs that are watched over HTTP: what is told, to whom, and when it ends. */
import { randomUUIDv7 } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'kysely'
import { openStreams } from '../../api/event-streams.ts'
import { inTransaction } from '../../db/database.ts'
import { getProgramme } from '../../db/programmes.ts'
import { markRunCancelled, markRunProblem, markRunStage } from '../../db/settlement/run-marks.ts'
import { recordRun } from '../../db/settlement/runs.ts'
import { outwardId } from '../../domain/ids.ts'
import { makeKey } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { until } from '../support/until.ts'
import { itIsClosedTo, itTakesLiveKeysOnly, unknownId } from './guards.ts'
import { type Json, type OtherApi, serveWith } from './kit.ts'
import { makePerson, openBrowser } from './people-kit.ts'
import { makeWorld, settledPeriod, type World } from './world.ts'

let product: Product
let api: OtherApi
let world: World
const log = { warn() {} }
const streams = openStreams(log, { pollMs: 30, beatMs: 50, lifeMs: 90_000, perMember: 3 })
beforeAll(async () => {
  product = await startProduct()
  api = await serveWith(product, { streams })
  world = await makeWorld(product.db)
})
afterAll(async () => {
  await api.stop()
  await product.stop()
})

const runs = '/v1/settlement-runs'

async function makeRun(mode: 'live' | 'preview' = 'live') {
  const { id: programmeId } = await getProgramme(product.db)
  const made = { id: randomUUIDv7(), programmeId, period: settledPeriod, mode, requestedBy: null }
  const { id } = await inTransaction(product.db, async (trx) => {
    const run = await recordRun(trx, made)
    await markRunStage(trx, run.id, 'freeze')
    return run
  })
  return { id, path: `${runs}/${outwardId('settlementRun', id)}` }
}

const enter = (id: string, stage: 'calculate' | 'review') =>
  inTransaction(product.db, (trx) => markRunStage(trx, id, stage))
const cancel = (id: string) => inTransaction(product.db, (trx) => markRunCancelled(trx, id))

interface Event {
  event: string
  id?: string
  data: Json
}

/** Opens a stream; events are what it has said so far, `whole` resolves at its end. */
async function watch(path: string, headers: Record<string, string>) {
  const response = await fetch(`${api.url}${path}/events`, { headers })
  let text = ''
  const reading = async () => {
    const decoder = new TextDecoder()
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk as Uint8Array)
  }
  const whole = reading().catch(() => {})
  const events = () =>
    text
      .split('\n\n')
      .slice(0, -1)
      .filter((block) => block.startsWith('event: '))
      .map((block): Event => {
        const fields = block.split('\n').map((line) => line.split(/: (.*)/s))
        const { data, ...rest } = Object.fromEntries(fields)
        return { ...rest, data: JSON.parse(data) }
      })
  const isTold = async (what: (events: Event[]) => boolean) => {
    for (let tries = 0; !what(events()); tries++) {
      if (tries > 4_500) throw new Error(`nothing was told: ${text}`)
      await pause(20)
    }
  }
  return { response, whole, events, isTold, text: () => text }
}

/** Exceptions are counted for who reads, not once a second. */
const told = ({ exceptions: _exceptions, ...run }: Json) => run

const withKey = (key: string) => ({ Authorization: `Bearer ${key}` })
const owner = () => withKey(product.owner)

describe('a run that is watched', () => {
  it('is told as it is read, again at each change, and to its end', async () => {
    const { id, path } = await makeRun()
    const stream = await watch(path, owner())
    expect(stream.response.status).toBe(200)
    expect(stream.response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    expect(stream.response.headers.get('cache-control')).toBe('no-store')
    await stream.isTold((events) => events.length === 1)
    const read = await api.call(path, { key: product.owner })
    expect(stream.events()).toEqual([
      { event: 'progress', id: expect.stringMatching(/^\w{32}$/), data: told(read.body) },
    ])
    await enter(id, 'calculate')
    await stream.isTold((events) => events.at(-1)?.data.stage === 'calculate')
    await markRunProblem(product.db, id, 'statements and ledger disagree')
    await stream.isTold((events) => events.at(-1)?.data.problem !== null)
    await cancel(id)
    await stream.whole
    const [last, end] = stream.events().slice(-2)
    expect(last?.data).toEqual(told((await api.call(path, { key: product.owner })).body))
    expect(last?.data).toMatchObject({ stage: 'cancelled', stages: expect.any(Array) })
    expect(end).toEqual({ event: 'end', data: { reason: 'over' } })
    const seen = { ...owner(), 'Last-Event-ID': String(last?.id) }
    const over = await watch(path, seen)
    expect([over.response.status, over.events()]).toEqual([410, []])
  })

  it('is told to who comes back only where it is new', async () => {
    const { id, path } = await makeRun()
    const before = await watch(path, owner())
    await before.isTold((events) => events.length === 1)
    const seen = { ...owner(), 'Last-Event-ID': String(before.events()[0]?.id) }
    const again = await watch(path, seen)
    await until(() => again.text().includes(': still here'))
    expect(again.events()).toEqual([])
    await enter(id, 'calculate')
    await again.isTold((events) => events.at(-1)?.data.stage === 'calculate')
    await cancel(id)
    await Promise.all([before.whole, again.whole])
  })

  it('is over with its totals where it is a preview', async () => {
    const { id, path } = await makeRun('preview')
    const stream = await watch(path, owner())
    await enter(id, 'review')
    await stream.whole
    expect(stream.events().at(-1)).toEqual({ event: 'end', data: { reason: 'over' } })
  })
})

describe('who watches a run, whose strangers are answered 401 and 403', () => {
  it('is told no more once its key is revoked', async () => {
    const { id, path } = await makeRun()
    const key = await makeKey(product.db, null)
    const stream = await watch(path, withKey(key))
    await stream.isTold((events) => events.length === 1)
    await sql`update api_keys set revoked_at = clock_timestamp()
      where last_four = ${key.slice(-4)}`.execute(product.db)
    await stream.whole
    expect(stream.events().at(-1)).toEqual({ event: 'end', data: { reason: 'forbidden' } })
    await cancel(id)
  })

  it('does not stay signed in by watching', async () => {
    const { id, path } = await makeRun()
    const { db, config } = product
    const person = await makePerson(db, { partnerId: null })
    const browser = openBrowser(api.call, config.api.publicUrl)
    await browser.signIn(person.email)
    // Who acts for the platform has a second factor, of which this is not about.
    await sql`update sessions set needs = null where person_id =
      (select person_id from members where id = ${person.id})`.execute(db)
    const stream = await watch(path, { Cookie: `__Host-sid=${browser.cookie()}` })
    await stream.isTold((events) => events.length === 1)
    const seenAt = (interval: string) =>
      sql`update sessions set last_seen_at = clock_timestamp() - ${interval}::interval
        where member_id = ${person.id}`.execute(db)
    await seenAt('2 minutes')
    await pause(200)
    const { rows } = await sql<{ stale: boolean }>`
      select last_seen_at < clock_timestamp() - interval '1 minute' as stale
      from sessions where member_id = ${person.id}`.execute(db)
    expect(rows).toEqual([{ stale: true }])
    await seenAt('30 days')
    await stream.whole
    expect(stream.events().at(-1)).toEqual({ event: 'end', data: { reason: 'forbidden' } })
    await cancel(id)
  })

  it('has few streams at a time, and another one when one is closed', async () => {
    const { id, path } = await makeRun()
    const key = await makeKey(product.db, null)
    const open = await Promise.all([1, 2, 3].map(() => watch(path, withKey(key))))
    expect(open.map(({ response }) => response.status)).toEqual([200, 200, 200])
    const refused = await api.call(`${path}/events`, { key })
    expect([refused.status, refused.body.code]).toEqual([429, 'too_many_requests'])
    expect(refused.headers.get('retry-after')).toBe('10')
    await cancel(id)
    await Promise.all(open.map(({ whole }) => whole))
    const other = await makeRun()
    const next = await watch(other.path, withKey(key))
    expect(next.response.status).toBe(200)
    await cancel(other.id)
    await next.whole
  })

  it('and names no run that there is, is told so', async () => {
    const { status, body } = await api.call(`${runs}/${unknownId('run')}/events`, {
      key: product.owner,
    })
    expect([status, body.code]).toEqual([404, 'not_found'])
  })

  const routes = [`GET ${runs}/:id/events`]
  const stage = () => ({ db: product.db, call: api.call, key: product.owner })
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
