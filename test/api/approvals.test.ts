/** What takes two persons: who proposes it is never who decides. */
import { sql } from 'kysely'
import { hashKey } from '../../api/keys.ts'
import { authorize } from '../../api/policies.ts'
import { findPrincipal, type Principal } from '../../db/access.ts'
import { outwardId, uuidOf } from '../../domain/ids.ts'
import { makePartner } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { itIsClosedTo, itRefusesBadQueries, itTakesLiveKeysOnly, unknownId } from './guards.ts'
import { type Answer, type Call, clientOf, faults, type Json, rows } from './kit.ts'
import { keyOf } from './two-persons.ts'
import { makeWorld, type World } from './world.ts'

let product: Product
let call: Call
let world: World
/** Two persons; the first has two keys. */
let first: string
let again: string
let second: string
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  first = await keyOf(product.db, { email: 'first@platform.example' })
  again = await keyOf(product.db, { email: 'first@platform.example' })
  second = await keyOf(product.db, { email: 'second@platform.example' })
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.owner.key })
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
const refusal = ({ status, body }: Answer) => [status, body.code]

const kinds = ['manual_entry', 'tier_override'] as const
type Kind = (typeof kinds)[number]

let proposals = 0
/** The partner of the last proposal: each is about another one. */
let partner: string
/** A proposal of this kind, as the approval that it became. */
async function propose(kind: Kind, key = first): Promise<Json> {
  proposals += 1
  partner = outwardId('partner', await makePartner(product.db))
  const reason = `Reason ${proposals}`
  const entry = { partner, amount: proposals, currency: 'USD', reason }
  const { status, body } =
    kind === 'manual_entry'
      ? await call('/v1/adjustments', { method: 'POST', key, body: entry })
      : await call(`/v1/partners/${partner}/tier-override`, {
          method: 'POST',
          key,
          body: { tier: 'gold', reason },
        })
  expect(status).toBe(202)
  const id = kind === 'manual_entry' ? body.approval : body.id
  return (await call(`/v1/approvals/${String(id)}`, { key: world.owner.key })).body
}

const decide = (id: unknown, what: string, { key, body }: { key: string; body?: Json }) =>
  call(`/v1/approvals/${String(id)}/${what}`, { method: 'POST', key, ...(body ? { body } : {}) })
const approve = ({ id, payload_hash }: Json, key: string) =>
  decide(id, 'approve', { key, body: { payload_hash } })
const read = async (id: unknown) =>
  (await call(`/v1/approvals/${String(id)}`, { key: world.owner.key })).body

async function booked(): Promise<number> {
  const { rows: found } = await sql<{ count: number }>`select
    ((select count(*) from adjustments) + (select count(*) from ledger_journals)
      + (select count(*) from partner_tiers where approval_id is not null))::integer as count
    `.execute(product.db)
  return found[0]?.count ?? 0
}

describe.each(kinds)('a %s', (kind) => {
  it('is proposed, has no effect, and tells what is proposed', async () => {
    const before = await booked()
    const proposal = await propose(kind)
    expect(proposal).toEqual({
      id: expect.stringMatching(/^apr_/),
      kind,
      status: 'proposed',
      partner,
      entry:
        kind === 'manual_entry'
          ? { amount: proposals, currency: 'USD', happened_at: instant }
          : null,
      override: kind === 'tier_override' ? { tier: 'gold', until: null } : null,
      termination: null,
      screening: null,
      payout: null,
      reason: `Reason ${proposals}`,
      payload_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      proposed_by: expect.stringMatching(/^mem_/),
      proposed_at: instant,
      lapses_at: instant,
      decided_by: null,
      decided_at: null,
      decision_reason: null,
      effect: null,
    })
    const week = Date.parse(String(proposal.lapses_at)) - Date.parse(String(proposal.proposed_at))
    expect(Math.round(week / 3_600_000)).toBe(7 * 24)
    expect(await booked()).toBe(before)
  })

  it('is not approved or rejected by who proposed it, with whatever key', async () => {
    const proposal = await propose(kind)
    const before = await booked()
    for (const key of [first, again]) {
      expect(refusal(await approve(proposal, key))).toEqual([403, 'second_person_required'])
      const rejected = await decide(proposal.id, 'reject', { key, body: { reason: 'No' } })
      expect(refusal(rejected)).toEqual([403, 'second_person_required'])
    }
    expect(await read(proposal.id)).toEqual(proposal)
    expect(await booked()).toBe(before)
  })

  it('is not approved by who proposed it under another membership', async () => {
    const proposal = await propose(kind)
    const alias = await keyOf(product.db, { email: 'First@Platform.example' })
    expect(refusal(await approve(proposal, alias))).toEqual([403, 'second_person_required'])
  })

  it('takes effect once, by the approval of a second person', async () => {
    const proposal = await propose(kind)
    const before = await booked()
    const answers = await Promise.all([1, 2, 3].map(() => approve(proposal, second)))
    for (const { status, body } of answers) {
      expect([status, body]).toEqual([
        200,
        {
          ...proposal,
          status: 'approved',
          decided_by: expect.stringMatching(/^mem_/),
          decided_at: instant,
          effect: expect.stringMatching(kind === 'manual_entry' ? /^adj_/ : /^tch_/),
        },
      ])
      expect(body.decided_by).not.toBe(proposal.proposed_by)
    }
    expect(await booked()).toBe(before + (kind === 'manual_entry' ? 2 : 1))
    expect(refusal(await approve(proposal, world.owner.key))).toEqual([409, 'already_decided'])
    const late = await decide(proposal.id, 'withdraw', { key: first })
    expect(refusal(late)).toEqual([409, 'already_decided'])
  })

  it('is approved as it was proposed, or not at all', async () => {
    const [one, other] = [await propose(kind), await propose(kind)]
    for (const payload_hash of [other.payload_hash, '0'.repeat(64)]) {
      const answer = await approve({ ...one, payload_hash }, second)
      expect(refusal(answer)).toEqual([409, 'payload_changed'])
    }
    expect((await read(one.id)).status).toBe('proposed')
  })

  it('is rejected with a reason, for good', async () => {
    const proposal = await propose(kind)
    const body = { reason: 'Not agreed' }
    const { status, body: rejected } = await decide(proposal.id, 'reject', { key: second, body })
    expect([status, rejected]).toEqual([
      200,
      expect.objectContaining({ status: 'rejected', decision_reason: 'Not agreed', effect: null }),
    ])
    const third = world.owner.key
    expect(refusal(await approve(proposal, third))).toEqual([409, 'already_decided'])
  })

  it('is withdrawn by who proposed it alone', async () => {
    const proposal = await propose(kind)
    const foreign = await decide(proposal.id, 'withdraw', { key: second })
    expect(refusal(foreign)).toEqual([403, 'forbidden'])
    const { body } = await decide(proposal.id, 'withdraw', { key: again })
    expect(body).toMatchObject({ status: 'withdrawn', decided_by: proposal.proposed_by })
    expect(refusal(await approve(proposal, second))).toEqual([409, 'already_decided'])
  })

  it('lapses after seven days, and has to be proposed again', async () => {
    const proposal = await propose(kind)
    await age(proposal.id)
    expect(await read(proposal.id)).toMatchObject({ status: 'expired' })
    expect(refusal(await approve(proposal, second))).toEqual([410, 'gone'])
    const rejected = await decide(proposal.id, 'reject', { key: second, body: { reason: 'No' } })
    expect(refusal(rejected)).toEqual([410, 'gone'])
  })

  it('is proposed once by a request that is repeated under its key', async () => {
    const path =
      kind === 'manual_entry'
        ? '/v1/adjustments'
        : `/v1/partners/${world.market.partner}/tier-override`
    const body =
      kind === 'manual_entry'
        ? { partner: world.market.partner, amount: 5, currency: 'USD', reason: 'Once' }
        : { tier: 'silver', reason: 'Once' }
    const headers = { 'Idempotency-Key': `once-${kind}` }
    const answers = [
      await call(path, { method: 'POST', key: first, body, headers }),
      await call(path, { method: 'POST', key: first, body, headers }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([202, 202])
    expect(answers[0]?.body).toEqual(answers[1]?.body)
  })
})

/** As if it had been proposed a week ago. */
async function age(id: unknown): Promise<void> {
  await product.db.transaction().execute(async (trx) => {
    await sql`alter table approvals disable trigger approvals_guarded`.execute(trx)
    await sql`update approvals set proposed_at = proposed_at - interval '168 hours',
        lapses_at = lapses_at - interval '168 hours'
      where id = ${uuidOf('approval', String(id))}`.execute(trx)
    await sql`alter table approvals enable trigger approvals_guarded`.execute(trx)
  })
}

describe('proposing and deciding', () => {
  it('is not for a key without the scope, nor for a role that only looks', async () => {
    const proposal = await propose('manual_entry')
    const unfit = [
      await keyOf(product.db, { email: 'w@platform.example', scopes: ['read', 'write'] }),
      await keyOf(product.db, { email: 'v@platform.example', role: 'viewer' }),
    ]
    for (const key of unfit) {
      const answers = [
        await approve(proposal, key),
        await decide(proposal.id, 'reject', { key, body: { reason: 'No' } }),
        await decide(proposal.id, 'withdraw', { key }),
        await call('/v1/adjustments', { method: 'POST', key, body: {} }),
        await call(`/v1/partners/${world.shop.partner}/tier-override`, {
          method: 'POST',
          key,
          body: {},
        }),
      ]
      for (const answer of answers) expect(refusal(answer)).toEqual([403, 'forbidden'])
    }
    expect((await read(proposal.id)).status).toBe('proposed')
  })

  it.each([
    'adjustments.propose',
    'tiers.override',
    'approvals.decide',
    'settlement.sign',
  ] as const)('by %s takes a session whose person proved itself just now', async (permission) => {
    const principal = (await product.tenancy
      .dbFor({
        ...{ level: 'sign_in', partnerId: null, customerId: null, actor: 'test' },
        ...{ onBehalfOf: null, requestId: null, action: 'test' },
      })
      .transaction()
      .execute((trx) => findPrincipal(trx, hashKey(first)))) as Principal
    const session = (fresh: boolean) => ({ ...principal, stepUp: { fresh } })
    expect(() => authorize(session(true), permission)).not.toThrow()
    expect(() => authorize(session(false), permission)).toThrow(
      expect.objectContaining({ code: 'step_up_required' }),
    )
  })

  itIsClosedTo(
    ['master_reseller', 'reseller'],
    [
      'POST /v1/adjustments',
      'POST /v1/partners/:id/tier-override',
      'GET /v1/approvals',
      'GET /v1/approvals/:id',
      'POST /v1/approvals/:id/approve',
      'POST /v1/approvals/:id/reject',
      'POST /v1/approvals/:id/withdraw',
    ],
    () => ({
      ...stage(),
      keys: {
        super_admin: world.owner.key,
        master_reseller: world.north.key,
        reseller: world.shop.key,
      },
    }),
  )
})

describe('an approval', () => {
  it('that does not exist is answered 404', async () => {
    const unknown = unknownId('apr')
    for (const id of [unknown, 'apr_1', 'adj_01h455vb4pex5vsknk084sn02q']) {
      const answers = [
        await call(`/v1/approvals/${id}`, { key: first }),
        await approve({ id, payload_hash: '0'.repeat(64) }, first),
        await decide(id, 'reject', { key: first, body: { reason: 'No' } }),
        await decide(id, 'withdraw', { key: first }),
      ]
      for (const answer of answers) expect(refusal(answer)).toEqual([404, 'not_found'])
    }
  })

  it.each<[string, string, Json, string[]]>([
    ['approve', 'nothing', {}, ['missing /payload_hash']],
    ['approve', 'a short hash', { payload_hash: 'ab' }, ['invalid /payload_hash']],
    ['reject', 'no reason', {}, ['missing /reason']],
    ['reject', 'a blank reason', { reason: ' ' }, ['invalid /reason']],
    ['reject', 'an amount', { reason: 'x', amount: 1 }, ['unknown_field /amount']],
  ])('does not %s with %s', async (what, _with, body, expected) => {
    const { id } = await propose('manual_entry')
    expect(faults(await decide(id, what, { key: second, body }))).toEqual(expected)
  })

  it('is listed with the others of its status and kind, newest first', async () => {
    const list = async (query: string) =>
      rows(await call(`/v1/approvals?limit=100&${query}`, { key: world.owner.key }))
    const everything = await list('')
    expect(everything.map(({ id }) => id)).toEqual(
      everything
        .map(({ id }) => String(id))
        .sort()
        .reverse(),
    )
    for (const status of ['proposed', 'approved', 'rejected', 'withdrawn', 'expired']) {
      const found = await list(`status=${status}`)
      expect(found).toEqual(everything.filter((one) => one.status === status))
      expect(found.length).toBeGreaterThan(0)
    }
    const overrides = await list('kind=tier_override')
    expect(overrides).toEqual(everything.filter(({ kind }) => kind === 'tier_override'))
  })

  itRefusesBadQueries('/v1/approvals', stage, [
    ['status=done', 'invalid /status'],
    ['kind=payout', 'invalid /kind'],
  ])
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, [
    'GET /v1/approvals',
    'GET /v1/approvals/:id',
    'POST /v1/approvals/:id/approve',
    'POST /v1/approvals/:id/reject',
    'POST /v1/approvals/:id/withdraw',
  ])
})
