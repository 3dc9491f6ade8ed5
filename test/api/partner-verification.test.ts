import { sql } from 'kysely'
import { inTransaction } from '../../db/database.ts'
import {
  markPayoutAccountOpened,
  markPayoutAccountOwner,
  recordPayoutAccount,
  recordVerification,
} from '../../db/onboarding/payout-accounts.ts'
import { recordPartnerVerification } from '../../db/partner-verifications.ts'
import { outwardId } from '../../domain/ids.ts'
import { workflowIds } from '../../domain/process-names.ts'
import { makeApplication, makeKey, makeOrder, makePartner } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { until } from '../support/until.ts'
import { expectHidden, itIsClosedTo, itTakesLiveKeysOnly } from './guards.ts'
import { type Call, clientOf, faults } from './kit.ts'
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

const stage = () => ({ db: product.db, call, key: world.owner.key })
const routes = [
  'GET /v1/partners/:id/verification',
  'POST /v1/partners/:id/verification/extension',
  'POST /v1/partners/:id/verification/link',
]
const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString()
const pathOf = (id: string, more = '') =>
  `/v1/partners/${outwardId('partner', id)}/verification${more}`

/** A partner that was verified, at the vendor and in the books. */
async function knownPartner(): Promise<{ id: string; key: string; account: string }> {
  const { db, story } = product
  const id = await makePartner(db)
  await makeApplication(db, { id })
  const stripe = await fetch(`${product.sandbox.url}/v2/core/accounts`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${product.config.stripe.secretKey}`,
      'Content-Type': 'application/json',
    },
    body: JSON.stringify({
      identity: { country: 'us', entity_type: 'company' },
      configuration: {
        recipient: { capabilities: { stripe_balance: { stripe_transfers: { requested: true } } } },
      },
    }),
  })
  const { id: account } = (await stripe.json()) as { id: string }
  await story.sandbox(`/accounts/${account}/kyc`, { result: 'pass' })
  const row = await recordPayoutAccount(db, id)
  await markPayoutAccountOpened(db, row.id, account)
  await inTransaction(db, async (trx) => {
    await recordVerification(trx, row.id, { status: 'verified', detail: null })
    await markPayoutAccountOwner(trx, id, id)
  })
  return { id, key: await makeKey(db, id), account }
}

describe('the verification of a partner', () => {
  it('is read by itself and those above, in codes, with its history', async () => {
    const { id, key } = await knownPartner()
    const { status, body } = await call(pathOf(id), { key })
    expect(status).toBe(200)
    const state = {
      status: 'verified',
      identity: null,
      detail: null,
      requirements: [],
      deadline: null,
      deadline_at: null,
      payouts_held: false,
      sales_stopped: false,
      extended_until: null,
    }
    expect(body).toEqual({
      partner: outwardId('partner', id),
      next_actor: 'system',
      ...state,
      history: [{ at: expect.any(String), ...state }],
    })
    const ofOwner = await call(pathOf(id), { key: world.owner.key })
    expect(ofOwner.body).toEqual({ ...body, extensions: [] })
  })

  it('does not exist for strangers', async () => {
    const { id } = await knownPartner()
    const hidden = { id: outwardId('partner', id), strangers: [world.north.key, world.shop.key] }
    await expectHidden(call, { ...hidden, route: 'GET /v1/partners/:id/verification' })
    await expectHidden(call, { ...hidden, route: 'POST /v1/partners/:id/verification/link' })
  })

  it('is no business of those above where it comes to links', async () => {
    const above = await call(pathOf(world.shop.id, '/link'), {
      method: 'POST',
      key: world.north.key,
    })
    expect([above.status, above.body.code]).toEqual([404, 'not_found'])
  })

  // Each of these is a 401.
  itTakesLiveKeysOnly(stage, routes)
  itIsClosedTo(
    ['master_reseller', 'reseller'],
    ['POST /v1/partners/:id/verification/extension'],
    () => ({
      ...stage(),
      keys: {
        super_admin: world.owner.key,
        master_reseller: world.north.key,
        reseller: world.shop.key,
      },
    }),
  )
  itIsClosedTo(['super_admin'], ['POST /v1/partners/:id/verification/link'], () => ({
    ...stage(),
    keys: {
      super_admin: world.owner.key,
      master_reseller: world.north.key,
      reseller: world.shop.key,
    },
  }))
})

describe('a partner of whom nothing is asked', () => {
  it('needs no link and no more time', async () => {
    const { id, key } = await knownPartner()
    const link = await call(pathOf(id, '/link'), { method: 'POST', key })
    const extension = await call(pathOf(id, '/extension'), {
      method: 'POST',
      key: world.owner.key,
      body: { until: inDays(3), reason: 'holiday' },
    })
    for (const answer of [link, extension]) {
      expect([answer.status, answer.body.code]).toEqual([409, 'not_ready'])
    }
  })
})

describe('an extension', () => {
  it.each([
    [{ reason: 'because' }, ['missing /until']],
    [{ until: inDays(-1), reason: 'because' }, ['invalid /until']],
    [{ until: inDays(181), reason: 'because' }, ['invalid /until']],
    [{ until: 'tomorrow', reason: 'because' }, ['invalid /until']],
    [{ until: inDays(3) }, ['missing /reason']],
    [{ until: inDays(3), reason: 'because', colour: 'red' }, ['unknown_field /colour']],
  ])('is refused with %j, and says where', async (body, expected) => {
    const answer = await call(pathOf(world.shop.id, '/extension'), {
      method: 'POST',
      key: world.owner.key,
      body,
    })
    expect([answer.status, faults(answer)]).toEqual([422, expected])
  })
})

describe('a partner that may sell nothing new', () => {
  it('is told so by its own code, and sells again when that is over', async () => {
    const { id, key } = await knownPartner()
    const { customerId, subscriptionId } = await makeOrder(product.db, id)
    const { rows } = await sql<{ packageId: string }>`select feature_package_id as package_id
      from subscriptions where id = ${subscriptionId}`.execute(product.db)
    const sell = () =>
      call('/v1/subscriptions', {
        method: 'POST',
        key,
        body: {
          customer: outwardId('customer', customerId),
          package: outwardId('featurePackage', rows[0]?.packageId ?? ''),
        },
      })
    const stopped = (salesStopped: boolean) =>
      inTransaction(product.db, (trx) => recordPartnerVerification(trx, id, { salesStopped }))
    await stopped(true)
    const refused = await sell()
    expect([refused.status, refused.body.code]).toEqual([409, 'verification_required'])
    await stopped(false)
    expect((await sell()).status).toBe(202)
  })
})

describe('a partner that Stripe restricts', () => {
  it('is held, gets a link, gets time from a person, and is paid again when it is known', async () => {
    const { id, key, account } = await knownPartner()
    const worker = await product.startWorker()
    const seen = async (who = key) => (await call(pathOf(id), { key: who })).body
    await product.story.sandbox(`/accounts/${account}/requirements`, { status: 'past_due' })
    await until(async () => (await seen()).payouts_held === true)
    expect(await seen()).toMatchObject({ status: 'restricted', deadline: 'past_due' })

    const link = await call(pathOf(id, '/link'), { method: 'POST', key })
    expect([link.status, link.body.url]).toEqual([
      200,
      expect.stringContaining('/connect/onboarding/'),
    ])
    const extension = await call(pathOf(id, '/extension'), {
      method: 'POST',
      key: world.owner.key,
      body: { until: inDays(3), reason: 'Their bank is slow', lift_holds: true },
    })
    expect(extension.body).toMatchObject({
      payouts_held: false,
      extensions: [{ lifts_holds: true, reason: 'Their bank is slow' }],
    })
    expect(JSON.stringify(await seen())).not.toContain('slow')

    await product.story.sandbox(`/accounts/${account}/kyc`, { result: 'pass' })
    const process = product.temporal.workflow.getHandle(workflowIds.reverification(id))
    expect(await process.result()).toBe('clear')
    expect(await seen()).toMatchObject({ status: 'verified', payouts_held: false })
    const history = JSON.stringify(await process.fetchHistory())
    expect(history).not.toContain('slow')
    await worker.stop()
  })
})
