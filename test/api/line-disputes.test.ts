/** Disputed lines over the API: whose turn it is, who may do what, and what is booked. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import type { ActivityDeps } from '../../activities/deps.ts'
import { sendDisputeMails } from '../../activities/settlement/line-disputes.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { uuidOf } from '../../domain/ids.ts'
import { periodOf } from '../../domain/period.ts'
import { VendorError } from '../../integrations/vendor-error.ts'
import { type Product, startProduct } from '../support/product.ts'
import { expectHidden, itTakesLiveKeysOnly, unknownId } from './guards.ts'
import { type Call, clientOf, faults, type Json, rows } from './kit.ts'
import { fillWorld, issueStatements, makeWorld, type PlaceName, type World } from './world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  await fillWorld(product.db, world)
  await issueStatements(product.db)
})
afterAll(() => product.stop())
afterEach(async () => {
  expect((await checkInvariants(product.db)).violations).toEqual([])
  await forgetDisputes()
})

/** A line is disputed once; each test has all of them. */
async function forgetDisputes(): Promise<void> {
  await product.db.transaction().execute(async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx)
    await sql`delete from line_dispute_events`.execute(trx)
    await sql`delete from line_disputes`.execute(trx)
  })
}

const post = (path: string, key: string, body?: unknown) =>
  call(path, { method: 'POST', key, ...(body === undefined ? {} : { body }) })

/** The statement of a place that has lines, and its first line. */
async function paper(name: PlaceName) {
  const { key, partner } = world[name]
  const list = rows(await call('/v1/statements', { key }))
  const id = String(list.find((one) => one.partner === partner)?.id)
  const { body } = await call(`/v1/statements/${id}`, { key })
  const lines = body.lines as Json[]
  return { id, lines, body }
}

async function opened(name: PlaceName = 'shop') {
  const { id, lines } = await paper(name)
  const line = lines[0] as Json
  const answer = await post(`/v1/statements/${id}/disputes`, world[name].key, {
    line: line.id,
    reason: 'The rate is wrong',
  })
  return { answer, line, path: `/v1/line-disputes/${String(answer.body.id)}` }
}

test('a partner disputes a line: it is the platform’s turn, until a day that is told', async () => {
  const before = await paper('shop')
  const { answer, line, path } = await opened()
  expect(answer.status).toBe(201)
  expect(answer.headers.get('location')).toBe(path)
  expect(answer.body).toMatchObject({
    status: 'opened',
    partner: world.shop.partner,
    line: { kind: line.kind, id: line.id, amount: line.amount, currency: 'USD' },
    next_actor: 'platform',
    decision: null,
    effect: null,
    timeline: [{ side: 'partner', what: 'opened', words: 'The rate is wrong' }],
  })
  const days = (Date.parse(String(answer.body.due_at)) - Date.now()) / 86_400_000
  expect(Math.round(days)).toBe(7)
  expect((await call(path, { key: product.owner })).body).toEqual(answer.body)
  expect((await paper('shop')).body).toEqual(before.body)
})

test('the turn goes to and fro with each answer, and nobody else’s words are in it', async () => {
  const { path } = await opened()
  const asked = await post(`${path}/answer`, product.owner, { words: 'Which rate?' })
  expect(asked.body).toMatchObject({ status: 'answered', next_actor: 'partner' })
  const told = await post(`${path}/answer`, world.shop.key, { words: '25 %' })
  expect(told.body).toMatchObject({ status: 'opened', next_actor: 'platform' })
  expect((told.body.timeline as Json[]).map(({ side, words }) => [side, words])).toEqual([
    ['partner', 'The rate is wrong'],
    ['platform', 'Which rate?'],
    ['partner', '25 %'],
  ])
  // Who stands above reads it, and takes no part.
  expect((await call(path, { key: world.north.key })).status).toBe(200)
  expect((await post(`${path}/answer`, world.north.key, { words: 'x' })).status).toBe(404)
})

test('upheld, it is an entry that a second person approves, in the open month', async () => {
  const { path } = await opened()
  const decision = { decision: 'uphold', amount: 500, reason: 'It was 25 %' }
  const { status, body } = await post(`${path}/decision`, product.owner, decision)
  expect(status).toBe(200)
  const effect = body.effect as Json
  expect(body).toMatchObject({ status: 'decided', decision: 'uphold', next_actor: null })
  expect(effect).toMatchObject({ amount: 500, status: 'waiting', adjustment: null })
  const seen = (await call(path, { key: world.shop.key })).body
  expect(seen.effect).toMatchObject({ status: 'waiting', approval: null })
  const approval = (await call(`/v1/approvals/${String(effect.approval)}`, { key: product.owner }))
    .body
  const sign = { payload_hash: approval.payload_hash }
  const approve = `/v1/approvals/${String(effect.approval)}/approve`
  expect((await post(approve, product.owner, sign)).body.code).toBe('second_person_required')
  expect((await post(approve, product.second, sign)).status).toBe(200)
  const done = (await call(path, { key: world.shop.key })).body
  expect(done.effect).toMatchObject({ status: 'booked', period: periodOf(new Date()) })
  const { adjustment } = done.effect as Json
  const entry = (await call(`/v1/adjustments/${String(adjustment)}`, { key: world.shop.key })).body
  expect(entry).toMatchObject({ amount: 500, status: 'booked' })
  expect(String(entry.reason)).toContain(String(body.id))
  const again = await post(`${path}/decision`, product.owner, decision)
  expect([again.status, again.body.code]).toEqual([409, 'already_decided'])
})

test('of two decisions at once one is taken, and one entry is proposed', async () => {
  const { path } = await opened()
  const decision = { decision: 'uphold', amount: 100, reason: 'It was 25 %' }
  const proposals = async () =>
    rows(await call('/v1/approvals?status=proposed', { key: product.owner })).length
  const before = await proposals()
  const answers = await Promise.all([
    post(`${path}/decision`, product.owner, decision),
    post(`${path}/decision`, product.second, decision),
    post(`${path}/withdraw`, world.shop.key),
  ])
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  const refused = answers.filter(({ status }) => status !== 200)
  expect(refused.map(({ body }) => body.code)).toEqual(['already_decided', 'already_decided'])
  const upheld = (await call(path, { key: product.owner })).body.status === 'decided'
  expect((await proposals()) - before).toBe(upheld ? 1 : 0)
})

test('upheld for more than the line was earned on is refused, either way', async () => {
  const { path, line } = await opened()
  const most = Math.max(Number(line.base), Math.abs(Number(line.amount)))
  for (const amount of [most + 1, -most - 1]) {
    const answer = await post(`${path}/decision`, product.owner, {
      ...{ decision: 'uphold', amount, reason: 'x' },
    })
    expect([answer.status, faults(answer)]).toEqual([422, ['invalid /amount']])
  }
  expect((await call(path, { key: product.owner })).body.status).toBe('opened')
  const whole = { decision: 'uphold', amount: most, reason: 'All of it' }
  expect((await post(`${path}/decision`, product.owner, whole)).status).toBe(200)
})

test('where the second person refuses, it can be decided again, and nothing was booked', async () => {
  const { path } = await opened()
  const decision = { decision: 'uphold', amount: 700, reason: 'Perhaps' }
  const { body } = await post(`${path}/decision`, product.owner, decision)
  const { approval } = body.effect as Json
  await post(`/v1/approvals/${String(approval)}/reject`, product.second, { reason: 'No' })
  const refused = (await call(path, { key: product.owner })).body
  expect(refused.effect).toMatchObject({ status: 'refused', adjustment: null })
  const second = await post(`${path}/decision`, product.owner, {
    decision: 'reject',
    reason: 'The rate is right',
  })
  expect(second.body).toMatchObject({ status: 'decided', decision: 'reject', effect: null })
  const third = await post(`${path}/decision`, product.owner, decision)
  expect(third.status).toBe(409)
})

test('a withdrawn one is over, and the line may be disputed again', async () => {
  const { path, line } = await opened()
  const { id } = await paper('shop')
  const twice = { line: line.id, reason: 'Again' }
  const disputes = `/v1/statements/${id}/disputes`
  expect((await post(disputes, world.shop.key, twice)).status).toBe(409)
  const gone = await post(`${path}/withdraw`, world.shop.key)
  expect(gone.body).toMatchObject({ status: 'withdrawn', next_actor: null, due_at: null })
  expect((await post(`${path}/answer`, product.owner, { words: 'x' })).status).toBe(409)
  expect((await post(disputes, world.shop.key, twice)).status).toBe(201)
})

test('every request with one key is one dispute', async () => {
  const { id, lines } = await paper('pier')
  const request = {
    method: 'POST',
    key: world.pier.key,
    body: { line: lines[0]?.id, reason: 'Once' },
    headers: { 'Idempotency-Key': randomUUIDv7() },
  }
  const [first, second] = [
    await call(`/v1/statements/${id}/disputes`, request),
    await call(`/v1/statements/${id}/disputes`, request),
  ]
  expect(second.body).toEqual(first.body)
})

test('a line of another statement, no line, and no reason are refused', async () => {
  const { id } = await paper('shop')
  const other = (await paper('pier')).lines[0]?.id
  const tried = (body: Json) => post(`/v1/statements/${id}/disputes`, world.shop.key, body)
  expect(faults(await tried({ line: other, reason: 'x' }))).toEqual(['invalid /line'])
  expect(faults(await tried({ line: 'acc_1', reason: 'x' }))).toEqual(['invalid /line'])
  expect(faults(await tried({ line: other }))).toEqual(['missing /reason'])
})

test('a decision without an amount, of nothing, or by a partner is refused', async () => {
  const { path } = await opened()
  const tried = (key: string, body: Json) => post(`${path}/decision`, key, body)
  const upheld = { decision: 'uphold', reason: 'x' }
  expect(faults(await tried(product.owner, upheld))).toEqual(['missing /amount'])
  expect(faults(await tried(product.owner, { ...upheld, amount: 0 }))).toEqual(['invalid /amount'])
  expect((await tried(world.shop.key, { ...upheld, amount: 1 })).status).toBe(403)
})

test('after the time that the programme sets, a statement is open to no dispute', async () => {
  await sql`update programmes set deadlines = deadlines || '{"lineDisputeWindow": 0}'`.execute(
    product.db,
  )
  const { answer } = await opened()
  expect([answer.status, answer.body.code]).toEqual([410, 'gone'])
  await sql`update programmes set deadlines = deadlines - 'lineDisputeWindow'`.execute(product.db)
})

test('a stranger’s dispute and statement are not there', async () => {
  const { path, answer } = await opened()
  const id = String(answer.body.id)
  await expectHidden(call, {
    route: 'GET /v1/line-disputes/:id',
    id,
    strangers: [world.pier.key, world.south.key],
  })
  const { id: statement } = await paper('shop')
  const form = { line: 'acc_1', reason: 'x' }
  for (const name of ['pier', 'north'] as const) {
    const { status } = await post(`/v1/statements/${statement}/disputes`, world[name].key, form)
    expect(status).toBe(404)
  }
  const unknown = `/v1/line-disputes/${unknownId('ldp')}/withdraw`
  expect((await post(unknown, world.shop.key)).status).toBe(404)
  const open = rows(await call('/v1/line-disputes?status=opened', { key: world.shop.key }))
  expect(open.map((one) => `/v1/line-disputes/${String(one.id)}`)).toEqual([path])
})

test('the other side is told of each step once, and reminded when its time has come', async () => {
  const { answer } = await opened()
  const id = uuidOf('lineDispute', String(answer.body.id)) ?? ''
  const mails: { kind: string; to: string }[] = []
  const mailer = { send: async (mail: { kind: string; to: string }) => void mails.push(mail) }
  const deps = { db: product.db, mailer } as unknown as ActivityDeps
  await sendDisputeMails(deps)
  const news = mails.filter(({ kind }) => kind === 'line_dispute')
  expect(news.length).toBeGreaterThan(2)
  mails.length = 0
  await sendDisputeMails(deps)
  expect(mails).toEqual([])
  await sql`update line_disputes set turn_at = turn_at - interval '5 days'
    where id = ${id}`.execute(product.db)
  await sendDisputeMails(deps)
  await sendDisputeMails(deps)
  const platform = await sql<{ n: number }>`select count(*)::int as n from members
    where partner_id is null and customer_id is null`.execute(product.db)
  expect(mails.map(({ kind }) => kind)).toEqual(
    Array.from({ length: platform.rows[0]?.n ?? 0 }, () => 'line_dispute_reminder'),
  )
})

test('a mailbox that refuses for good is asked once, and keeps nobody else from the news', async () => {
  await opened()
  const asked: string[] = []
  const send = async ({ to }: { to: string }) => {
    asked.push(to)
    throw new VendorError({ vendor: 'mail', failure: 'rejected', code: '550', message: 'no' })
  }
  const deps = { db: product.db, mailer: { send } } as unknown as ActivityDeps
  await sendDisputeMails(deps)
  expect(new Set(asked).size).toBeGreaterThan(2)
  const first = asked.length
  await sendDisputeMails(deps)
  expect(asked).toHaveLength(first)
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(
    () => ({ db: product.db, call, key: world.shop.key }),
    [
      'GET /v1/line-disputes',
      'GET /v1/line-disputes/:id',
      'POST /v1/statements/:id/disputes',
      'POST /v1/line-disputes/:id/answer',
      'POST /v1/line-disputes/:id/withdraw',
      'POST /v1/line-disputes/:id/decision',
    ],
  )
})
