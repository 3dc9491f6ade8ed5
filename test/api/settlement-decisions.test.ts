import { checkInvariants } from '../../db/invariants.ts'
import { previousPeriod } from '../../domain/period.ts'
import { eventually } from '../../scripts/story/client.ts'
import { type Product, startProduct } from '../support/product.ts'
import { itIsClosedTo, itTakesLiveKeysOnly, unknownId } from './guards.ts'
import { type Answer, type Call, clientOf, faults, type Json, rows } from './kit.ts'
import { makeWorld, sellAndRefund, settledPeriod, type World } from './world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  await sellAndRefund(product.db, world.shop.id)
  await product.startWorker()
})
afterAll(() => product.stop())

const runs = '/v1/settlement-runs'
const reason = 'the contract is being looked at'
const refusal = ({ status, body }: Answer) => [status, body.code]

const post = (path: string, body?: Json, key = product.owner) =>
  call(`${runs}${path}`, { method: 'POST', key, ...(body ? { body } : {}) })

const read = async (id: unknown): Promise<Json> =>
  (await call(`${runs}/${String(id)}`, { key: product.owner })).body

const reaches = (id: unknown, stage: string): Promise<Json> =>
  eventually(`the run reaches ${stage}`, async () => {
    const body = await read(id)
    return body.stage === stage ? body : undefined
  })

const start = async (mode: string) => {
  const { body } = await post('', { period: settledPeriod, mode })
  return reaches(body.id, 'review')
}

describe('a live run in review', () => {
  let run: Json

  it('takes a hold, which voids the review, and pays again when that is released', async () => {
    run = await start('live')
    const { totals_hash: hash } = run
    expect((await post(`/${run.id}/review`, { totals_hash: hash })).status).toBe(200)
    const held = await post(`/${run.id}/holds`, { partner: world.shop.partner, reason })
    expect(held.status).toBe(201)
    expect(held.body).toMatchObject({ partner: world.shop.partner, reason, released_at: null })
    const after = await read(run.id)
    expect(after).toMatchObject({ reviewed_by: null, totals: [{ payable: 0 }] })
    expect(after.totals_hash).not.toBe(hash)
    const list = rows(await call(`${runs}/${run.id}/holds`, { key: product.owner }))
    expect(list).toEqual([held.body])
    const twice = await post(`/${run.id}/holds`, { partner: world.shop.partner, reason })
    expect(refusal(twice)).toEqual([409, 'conflict'])
    const path = `/${run.id}/holds/${held.body.id}/release`
    const released = await post(path, { reason: 'it is in order' })
    expect(released.body).toMatchObject({ release_reason: 'it is in order' })
    expect((await read(run.id)).totals_hash).toBe(hash)
    expect(refusal(await post(path, { reason }))).toEqual([409, 'conflict'])
  })

  it('makes the drafts of one partner anew with the same totals', async () => {
    const answer = await post(`/${run.id}/partners/${world.shop.partner}/rerun`)
    expect([answer.status, answer.body.totals_hash]).toEqual([200, run.totals_hash])
  })

  it('is not signed while it is paused, and is when it goes on', async () => {
    expect((await post(`/${run.id}/pause`, { reason })).body.paused_at).not.toBeNull()
    const signature = { totals_hash: run.totals_hash }
    expect(refusal(await post(`/${run.id}/review`, signature))).toEqual([409, 'not_ready'])
    expect((await post(`/${run.id}/resume`)).body.paused_at).toBeNull()
    expect((await post(`/${run.id}/review`, signature)).status).toBe(200)
  })

  it('is rejected with a reason, and comes to the same totals when it is run again', async () => {
    const rejected = await post(`/${run.id}/reject`, { reason })
    expect(rejected.body).toMatchObject({ stage: 'calculate', totals: null, reviewed_by: null })
    expect(rejected.body.rejected_at).not.toBeNull()
    expect((await post(`/${run.id}/rerun`)).status).toBe(200)
    const again = await reaches(run.id, 'review')
    expect([again.totals_hash, again.rejected_at]).toEqual([run.totals_hash, null])
  })

  it('tells of its stages: what each has done, and since when', async () => {
    const { stages } = await read(run.id)
    expect(stages).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ stage: 'calculate', done: 6, total: 6, seconds_left: null }),
        expect.objectContaining({ stage: 'review', done: null, ended_at: null }),
      ]),
    )
  })

  it('is cancelled, opens its period, and makes room for another live run', async () => {
    const cancelled = await post(`/${run.id}/cancel`, { reason })
    expect(cancelled.body).toMatchObject({ stage: 'cancelled', released_by: null })
    expect(refusal(await post(`/${run.id}/cancel`, { reason }))).toEqual([409, 'run_finished'])
    const another = await start('live')
    expect(another.id).not.toBe(run.id)
    run = another
  })

  it('leaves a partner out, who gets no statement', async () => {
    const exclusion = { partner: world.shop.partner, reason }
    const answer = await post(`/${run.id}/exclusions`, exclusion)
    expect(answer.body.totals).toMatchObject([{ statements: 1, payable: 0 }])
    const signature = { totals_hash: answer.body.totals_hash }
    await post(`/${run.id}/review`, signature)
    await post(`/${run.id}/release`, signature, product.second)
    await reaches(run.id, 'closed')
    const statements = rows(await call('/v1/statements', { key: product.owner }))
    expect(statements.map(({ partner }) => partner)).toEqual([world.north.partner])
    expect(refusal(await post(`/${run.id}/reject`, { reason }))).toEqual([409, 'run_finished'])
    expect((await checkInvariants(product.db)).violations).toEqual([])
  })
})

describe('the list of what is overdue', () => {
  it('has live runs that have not ended in time, and no others', async () => {
    const { body: programme, headers } = await call('/v1/programme', { key: product.owner })
    expect((programme.deadlines as Json).settlement_alarm).toBe(7 * 86_400)
    const late = await post('', { period: previousPeriod(settledPeriod), mode: 'live' })
    await post('', { period: settledPeriod, mode: 'preview' })
    const listed = async (query: string) =>
      rows(await call(`${runs}?limit=100&${query}`, { key: product.owner })).map(({ id }) => id)
    expect(await listed('overdue=true')).toEqual([late.body.id])
    const others = await listed('overdue=false')
    expect(others).not.toContain(late.body.id)
    expect(new Set([...others, late.body.id])).toEqual(new Set(await listed('')))
    const change = { deadlines: { settlement_alarm: 20 * 365 * 86_400 } }
    const changed = await call('/v1/programme', {
      method: 'PATCH',
      key: product.owner,
      headers: { 'If-Match': String(headers.get('etag')) },
      body: change,
    })
    expect(changed.status).toBe(200)
    expect(await listed('overdue=true')).toEqual([])
    const bad = await call(`${runs}?overdue=maybe`, { key: product.owner })
    expect(faults(bad)).toEqual(['invalid /overdue'])
  })
})

describe('a preview', () => {
  it('is run again and never decided about', async () => {
    const preview = await start('preview')
    expect((await post(`/${preview.id}/rerun`)).status).toBe(200)
    const held = await post(`/${preview.id}/holds`, { partner: world.shop.partner, reason })
    expect(refusal(held)).toEqual([409, 'not_ready'])
  })
})

describe('a decision', () => {
  it.each<[string, string, Json, string[]]>([
    ['a hold of nothing', 'holds', { reason }, ['invalid /partner']],
    ['a hold without a reason', 'holds', { partner: unknownId('prt') }, ['missing /reason']],
    ['an exclusion of nobody', 'exclusions', { reason }, ['missing /partner']],
    ['a rejection with an empty reason', 'reject', { reason: ' ' }, ['invalid /reason']],
    ['a pause without a word', 'pause', {}, ['missing /reason']],
  ])('is not taken as %s', async (_what, path, body, expected) => {
    expect(faults(await post(`/${unknownId('run')}/${path}`, body))).toEqual(expected)
  })

  it('about a run, a partner or a hold that never was is told as such', async () => {
    const none = unknownId('run')
    for (const path of ['reject', 'pause', 'cancel']) {
      expect(refusal(await post(`/${none}/${path}`, { reason }))).toEqual([404, 'not_found'])
    }
    const partner = unknownId('prt')
    const { body } = await post('', { period: previousPeriod(settledPeriod), mode: 'preview' })
    const gone = await post(`/${body.id}/partners/${partner}/rerun`)
    expect(refusal(gone)).toEqual([404, 'not_found'])
    const held = await post(`/${body.id}/holds`, { partner, reason })
    expect(refusal(held)).toEqual([422, 'invalid_request'])
    const hold = await post(`/${body.id}/holds/${unknownId('shd')}/release`, { reason })
    expect(refusal(hold)).toEqual([404, 'not_found'])
  })
})

describe('decisions about runs, whose strangers are answered 401 and 403', () => {
  const routes = [
    `POST ${runs}/:id/holds`,
    `GET ${runs}/:id/holds`,
    `POST ${runs}/:id/exclusions`,
    `POST ${runs}/:id/reject`,
    `POST ${runs}/:id/pause`,
    `POST ${runs}/:id/resume`,
    `POST ${runs}/:id/cancel`,
    `POST ${runs}/:id/rerun`,
  ]
  const stage = () => ({ db: product.db, call, key: product.owner })
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
