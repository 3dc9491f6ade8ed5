import { sql } from 'kysely'
import { findLastGrace } from '../../db/tier-graces.ts'
import { outwardId } from '../../domain/ids.ts'
import type { TierName } from '../../domain/tiers.ts'
import { openBooks } from '../support/books.ts'
import { makePartner } from '../support/factories.ts'
import { type Steps, startSteps } from '../support/steps.ts'
import { expectHidden, itIsClosedTo, itTakesLiveKeysOnly } from './guards.ts'
import { type Call, clientOf, faults, type Json } from './kit.ts'
import { makeWorld, type World } from './world.ts'

const routes = [
  'POST /v1/partners/:id/tier-grace/waive',
  'POST /v1/partners/:id/tier-grace/apply',
  'POST /v1/partners/:id/tier-lock',
  'POST /v1/partners/:id/tier-lock/release',
  'POST /v1/partners/:id/tier-promotion',
]
const reason = 'As agreed'
let product: Steps
let call: Call
let world: World
let worker: { stop(): Promise<void> }
beforeAll(async () => {
  product = await startSteps()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  worker = await product.startWorker()
})
afterAll(async () => {
  await worker.stop()
  await product.stop()
})

const stage = () => ({ db: product.db, call, key: world.owner.key })

/** A partner that has held its tier for years. */
async function held(tier: TierName, revenue = 0n): Promise<string> {
  const id = await makePartner(product.db, { tier })
  await sql`update partners set activated_at = '2020-02-01' where id = ${id}`.execute(product.db)
  const sale = { net: revenue, paidAt: '2026-09-05T00:00:00Z' }
  if (revenue > 0n) await openBooks(product.db).sell(id, sale)
  return id
}

let quarter = 2020
/** The review of a quarter that no other test has reviewed, with the process it starts. */
async function review(): Promise<void> {
  quarter += 1
  await product.steps.reviewTierPage({ period: `${quarter + 10}-09`, after: null })
}

const post = (id: string, what: string, body?: Json, key = product.owner) =>
  call(`/v1/partners/${outwardId('partner', id)}/${what}`, {
    method: 'POST',
    key,
    ...(body ? { body } : {}),
  })

describe('a fall that a partner is warned of', () => {
  it('is waived by the platform: the partner keeps its tier', async () => {
    const id = await held('gold')
    await review()
    const { status, body } = await post(id, 'tier-grace/waive', { reason })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      tier: 'gold',
      grace: { status: 'waived', ending: 'by_person', from: 'gold', to: 'silver' },
      review: { outcome: 'warned', cause: 'below_threshold', to: 'silver' },
    })
    const again = await post(id, 'tier-grace/apply', { reason })
    expect([again.status, again.body.code]).toEqual([409, 'not_ready'])
  })

  it('is applied at once, by one step, and stands in the list of changes', async () => {
    const id = await held('platinum')
    await review()
    const { body } = await post(id, 'tier-grace/apply', { reason })
    expect(body).toMatchObject({ tier: 'gold', grace: { status: 'demoted' } })
    const { data } = (await call('/v1/tiers/changes?limit=1', { key: product.owner })).body
    expect((data as Json[])[0]).toMatchObject({
      partner: outwardId('partner', id),
      from: 'platinum',
      to: 'gold',
      reason: expect.stringContaining('is below the 22,500.00 USD with which platinum is kept'),
    })
    const { data: reviews } = (
      await call('/v1/tiers/reviews?outcome=demoted&limit=1', { key: product.owner })
    ).body
    expect((reviews as Json[])[0]).toMatchObject({ partner: outwardId('partner', id) })
  })

  it('is decided once, whoever asks at the same time', async () => {
    const id = await held('gold')
    await review()
    const answers = await Promise.all([
      post(id, 'tier-grace/waive', { reason }),
      post(id, 'tier-grace/apply', { reason }, product.second),
    ])
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409])
    expect((await findLastGrace(product.db, id))?.ending).toBe('by_person')
  })

  it('is not there for a partner that was not warned', async () => {
    const id = await held('bronze')
    const answer = await post(id, 'tier-grace/waive', { reason })
    expect([answer.status, answer.body.code]).toEqual([409, 'not_ready'])
  })
})

describe('a lock', () => {
  it('keeps a tier from falling until it is released, and is shown to the platform', async () => {
    const id = await held('gold')
    const until = new Date(Date.now() + 86_400_000).toISOString()
    await post(id, 'tier-lock', { reason: 'First', until })
    const { body } = await post(id, 'tier-lock', { reason })
    expect(body.lock).toMatchObject({ until: null, reason })
    await review()
    expect(await findLastGrace(product.db, id)).toBeUndefined()
    const released = await post(id, 'tier-lock/release')
    expect([released.status, released.body.lock]).toEqual([200, null])
    const again = await post(id, 'tier-lock/release')
    expect([again.status, again.body.code]).toEqual([409, 'not_ready'])
  })

  it('that is over already is refused', async () => {
    const body = { reason, until: '2026-01-01T00:00:00Z' }
    const answer = await post(await held('gold'), 'tier-lock', body)
    expect(faults(answer)).toEqual(['invalid /until'])
  })
})

describe('a promotion that waits for a person', () => {
  it('takes effect with its yes', async () => {
    const { db } = product
    const wish = (tiers: string[]) =>
      sql`update programmes set onboarding = onboarding
        || jsonb_build_object('tierApprovalFor', ${tiers}::text[])`.execute(db)
    await wish(['gold'])
    const id = await held('silver', 600_000n)
    await product.steps.reviewTierPage({ period: '2026-10', after: null })
    await wish([])
    const body = { decision: 'approve', reason }
    const approved = await post(id, 'tier-promotion', body)
    expect(approved.body).toMatchObject({ tier: 'gold', review: { outcome: 'promoted' } })
    const other = await post(id, 'tier-promotion', { decision: 'decline', reason })
    expect([other.status, other.body.code]).toEqual([409, 'already_decided'])
  })
})

describe('what people decide about tiers', () => {
  it.each([
    ['tier-grace/waive', {}, ['missing /reason']],
    ['tier-grace/apply', { reason: '' }, ['invalid /reason']],
    ['tier-lock', { reason, until: 'soon' }, ['invalid /until']],
    ['tier-promotion', { decision: 'maybe', reason }, ['invalid /decision']],
    ['tier-promotion', { decision: 'approve', reason, tier: 'gold' }, ['unknown_field /tier']],
  ])('takes no %s with %j', async (what, body, expected) => {
    expect(faults(await post(world.shop.id, what, body))).toEqual(expected)
  })

  it('is about partners that exist: 404 else', async () => {
    const strangers = [product.owner]
    for (const route of routes) {
      const promotion = route.endsWith('promotion') ? { decision: 'decline' } : {}
      const body = route.endsWith('release') ? {} : { body: { reason, ...promotion } }
      await expectHidden(call, { route, id: 'prt_1', strangers, ...body })
    }
  })

  // Each of these is a 401, and a 403 for everybody but the platform.
  itTakesLiveKeysOnly(stage, routes)
  itIsClosedTo(['master_reseller', 'reseller'], routes, () => ({
    ...stage(),
    keys: {
      super_admin: world.owner.key,
      master_reseller: world.north.key,
      reseller: world.shop.key,
    },
  }))
})
