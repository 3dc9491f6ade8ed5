import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { inTransaction } from '../../db/database.ts'
import { openException } from '../../db/payout-exceptions.ts'
import { uuidOf } from '../../domain/ids.ts'
import { makeKey, makePayoutAccount } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { type Call, clientOf, rows } from './kit.ts'
import { fillWorld, issueStatements, makeWorld, type World } from './world.ts'

let product: Product
let call: Call
let world: World
let owner: string
let second: string
let payout: string
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  await fillWorld(product.db, world)
  await makePayoutAccount(product.db, world.shop.id)
  await issueStatements(product.db)
  owner = await makeKey(product.db, null)
  second = await makeKey(product.db, null)
  const [first] = rows(await call('/v1/payouts', { key: world.pier.key }))
  payout = String(first?.id)
  const payoutId = uuidOf('payout', payout) ?? ''
  const { db } = product
  await sql`update payouts set hold_reason = 'transfer_rejected' where id = ${payoutId}`.execute(db)
  await inTransaction(db, (trx) =>
    openException(trx, { payoutId, partnerId: world.pier.id, cause: 'transfer_rejected' }),
  )
})
afterAll(() => product.stop())

const post = (path: string, key: string, body: object = { reason: 'it is time' }) =>
  call(path, { method: 'POST', key, body, headers: { 'Idempotency-Key': randomUUIDv7() } })

describe('payouts that wait for a person', () => {
  it('are listed for the platform with their cause, and for nobody else', async () => {
    const listed = await call('/v1/payout-exceptions?status=open', { key: owner })
    expect(rows(listed)).toMatchObject([
      { payout, cause: 'transfer_rejected', payout_status: 'held', resolution: null },
    ])
    expect((await call('/v1/payout-exceptions', { key: world.pier.key })).status).toBe(403)
    expect((await call('/v1/payout-exceptions', { key: 'nobody' })).status).toBe(401)
    expect((await call('/v1/payout-exceptions?status=odd', { key: owner })).status).toBe(422)
  })

  it('tell the partner what to do, and what happened', async () => {
    const { body } = await call(`/v1/payouts/${payout}`, { key: world.pier.key })
    expect(body).toMatchObject({
      ...{ hold_reason: 'transfer_rejected', attempts: [], bank_payouts: [] },
      hold_advice: expect.stringMatching(/refused the transfer/),
      timeline: [{ what: 'reserved' }, { what: 'exception_opened', detail: 'transfer_rejected' }],
    })
  })

  it.each(['retry', 'method', 'release', 'write-off'])('are the platform’s to %s', async (what) => {
    const path = `/v1/payouts/${payout}/${what}`
    expect((await post(path, 'nobody')).status).toBe(401)
    expect((await post(path, world.pier.key)).status).toBe(403)
    expect((await post(path, owner, {})).status).toBe(422)
    const absent = payout.replace(/.{4}$/, '0000')
    expect((await post(`/v1/payouts/${absent}/${what}`, owner)).status).toBe(404)
  })

  it('are written off by a second person, and a decision after that is refused', async () => {
    const proposed = await post(`/v1/payouts/${payout}/write-off`, owner)
    expect(proposed.status).toBe(202)
    const { id, payload_hash } = proposed.body as { id: string; payload_hash: string }
    expect(proposed.body).toMatchObject({ kind: 'payout_write_off', payout })
    const approve = (key: string) => post(`/v1/approvals/${id}/approve`, key, { payload_hash })
    expect((await approve(owner)).status).toBe(403)
    expect((await approve(second)).status).toBe(200)
    const { body } = await call(`/v1/payouts/${payout}`, { key: owner })
    expect(body).toMatchObject({ status: 'returned' })
    expect((await post(`/v1/payouts/${payout}/retry`, owner)).status).toBe(409)
    expect((await post(`/v1/payouts/${payout}/write-off`, owner)).status).toBe(409)
  })
})
