import { sql } from 'kysely'
import { outwardId, uuidOf } from '../../domain/ids.ts'
import { readPdf } from '../integrations/pdf.ts'
import { type Product, startProduct } from '../support/product.ts'
import { expectHidden, itTakesLiveKeysOnly } from './guards.ts'
import { type Call, clientOf, rows } from './kit.ts'
import {
  fillWorld,
  issueStatements,
  makeWorld,
  settledPeriod,
  strangersOf,
  type World,
} from './world.ts'

let product: Product
let call: Call
let world: World
let paid: string
let held: string
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  await fillWorld(product.db, world)
  await issueStatements(product.db)
  const payoutOf = async (key: string, partner: string) => {
    const payouts = rows(await call('/v1/payouts?limit=100', { key }))
    return String(payouts.find((one) => one.partner === partner)?.id)
  }
  paid = await payoutOf(world.shop.key, world.shop.partner)
  held = await payoutOf(world.market.key, world.market.partner)
  await markPaid(uuidOf('payout', paid) ?? '')
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.shop.key })

async function markPaid(id: string): Promise<void> {
  await sql`insert into payout_attempts (payout_id, attempt_no, idempotency_key, request, status,
      vendor_transfer_id) values (${id}, 1, 'key', '{}', 'succeeded', 'tr_1')`.execute(product.db)
  await sql`update payouts set status = 'paid', hold_reason = null,
      paid_at = '2026-11-05T10:00:00Z' where id = ${id}`.execute(product.db)
}

describe('the remittance advice of a payout', () => {
  it('names its statement, its amounts and its transfer', async () => {
    const { status, body } = await call(`/v1/payouts/${paid}/remittance`, { key: world.shop.key })
    const payout = await call(`/v1/payouts/${paid}`, { key: world.shop.key })
    const statement = await call(`/v1/statements/${payout.body.statement}`, { key: world.shop.key })
    expect(status).toBe(200)
    expect(body).toEqual({
      payout: paid,
      partner: world.shop.partner,
      statement: {
        id: payout.body.statement,
        number: statement.body.number,
        period: settledPeriod,
        since_period: null,
        payable: statement.body.payable,
        currency: 'USD',
      },
      rate: null,
      rounding: 0,
      withheld: 0,
      vat: 0,
      amount: payout.body.amount,
      currency: 'USD',
      transfer: 'tr_1',
      paid_at: '2026-11-05T10:00:00.000Z',
    })
  })

  it('is printed with the same figures', async () => {
    const { status, bytes, headers } = await call(`/v1/payouts/${paid}/remittance/pdf`, {
      key: world.shop.key,
    })
    expect(status).toBe(200)
    expect(headers.get('content-disposition')).toContain(`remittance-${paid}.pdf`)
    const text = readPdf(bytes).pages.join(' ')
    expect(text).toContain(`Payout ${paid} · transfer tr_1`)
    expect(text).toContain('paid 2026-11-05')
  })

  it('is not there before the money has left', async () => {
    const { status, body } = await call(`/v1/payouts/${held}/remittance`, { key: world.market.key })
    expect([status, body.code]).toEqual([409, 'not_ready'])
  })

  it.each(['', '/pdf'])('is answered 404 to strangers, and for a bad id (%s)', async (form) => {
    const route = `GET /v1/payouts/:id/remittance${form}`
    const strangers = strangersOf('shop').map((stranger) => world[stranger].key)
    await expectHidden(call, { route, id: paid, strangers })
    const bad = await call(`/v1/payouts/nonsense/remittance${form}`, { key: world.shop.key })
    expect(bad.status).toBe(404)
    const other = outwardId('statement', uuidOf('payout', paid) ?? '')
    const wrong = await call(`/v1/payouts/${other}/remittance${form}`, { key: world.shop.key })
    expect(wrong.status).toBe(404)
  })
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, [
    'GET /v1/payouts/:id/remittance',
    'GET /v1/payouts/:id/remittance/pdf',
  ])
})
