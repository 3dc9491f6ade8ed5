/** What a reviewer is told of partners that are not simply paid. */
import { sql } from 'kysely'
import { bookInvoice } from '../../activities/commission/payments.ts'
import { bookRefund } from '../../activities/commission/reversals.ts'
import { inTransaction } from '../../db/database.ts'
import { placeHold } from '../../db/partner-holds.ts'
import { outwardId } from '../../domain/ids.ts'
import { previousPeriod } from '../../domain/period.ts'
import { exceptionAdvice, exceptionCodes } from '../../domain/run-exceptions.ts'
import type { StripeBilling } from '../../integrations/stripe-billing.ts'
import { type Books, openBooks } from '../support/books.ts'
import {
  makeOrder,
  makePartner,
  makePayoutAccount,
  paidInvoice,
  unique,
} from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { itIsClosedTo, itTakesLiveKeysOnly, unknownId, walk } from './guards.ts'
import { type Call, clientOf, faults, type Json, rows } from './kit.ts'
import { makeWorld, settledPeriod, type World } from './world.ts'

let product: Product
let call: Call
let books: Books
let world: World
let run: string

const before = previousPeriod(settledPeriod)
const names = [
  'paid',
  'unopened',
  'unverified',
  'foreign',
  'formless',
  'suspended',
  'stopped',
  'contested',
  'risky',
  'debtor',
  'small',
  'excluded',
]
const ids: Record<string, string> = {}
const idOf = (name: string) => ids[name] ?? ''
const partner = (name: string) => outwardId('partner', idOf(name))

async function debt(partnerId: string): Promise<void> {
  const { db } = product
  const invoice = paidInvoice(await makeOrder(db, partnerId), {
    net: 10_000n,
    paidAt: `${before}-10T00:00:00Z`,
  })
  await bookInvoice({ db }, invoice)
  await books.settle(before)
  const refund = {
    refundId: unique('re'),
    chargeId: invoice.payments[0]?.chargeId ?? null,
    currency: 'USD',
    amount: 5_000n,
    createdAt: new Date(`${settledPeriod}-06T10:00:00Z`),
    failed: false,
  }
  const billing = { readRefund: async () => refund } as unknown as StripeBilling
  await bookRefund({ db, billing }, refund.refundId)
}

beforeAll(async () => {
  product = await startProduct()
  const { db } = product
  call = clientOf(product.api)
  books = openBooks(db)
  world = await makeWorld(db)
  for (const name of names) {
    const id = await makePartner(db)
    ids[name] = id
    if (name !== 'unopened') await makePayoutAccount(db, id)
  }
  await sql`update payout_accounts set status = 'restricted'
    where partner_id = ${idOf('unverified')}`.execute(db)
  await debt(idOf('debtor'))
  for (const name of names) {
    if (name === 'debtor') continue
    const net = name === 'small' ? 1_000n : 10_000n
    await books.sell(idOf(name), { paidAt: `${settledPeriod}-10T00:00:00Z`, net })
  }
  run = await books.newRun(settledPeriod)
  await sql`insert into settlement_holds (id, run_id, partner_id, reason)
    values (uuidv7(), ${run}, ${idOf('stopped')}, 'the contract is looked at')`.execute(db)
  await sql`insert into settlement_exclusions (run_id, partner_id, reason)
    values (${run}, ${idOf('excluded')}, 'it asked for it')`.execute(db)
  await sql`insert into disputes (payment_id, vendor_dispute_id, amount_minor, status,
      opened_at)
    select payment.id, 'dp_1', payment.amount_minor, 'open', clock_timestamp()
    from payments payment join customers customer on customer.id = payment.customer_id
    where customer.partner_id = ${idOf('contested')}`.execute(db)
  await sql`update programmes set onboarding = onboarding || '{"riskReserve": true}'`.execute(db)
  await sql`insert into disputes (payment_id, vendor_dispute_id, amount_minor, status, opened_at)
    select id, 'dp_2', 200, 'lost', ${`${settledPeriod}-20`}::timestamptz from payments
    where partner_id = ${idOf('risky')}`.execute(db)
  await books.steps.freezePeriod({ runId: run })
  await books.calculate(run)
  await inTransaction(db, async (trx) => {
    const source = 'test'
    const hold = (name: string, cause: 'suspension' | 'tax_form', reason: string) =>
      placeHold(trx, { partnerId: idOf(name), cause, source, reason })
    await hold('suspended', 'suspension', 'suspended')
    await hold('formless', 'tax_form', 'no_form')
  })
  await sql`update partners set payout_currency = 'EUR' where id = ${idOf('foreign')}`.execute(db)
})
afterAll(() => product.stop())

const runs = '/v1/settlement-runs'
const path = () => `${runs}/${outwardId('settlementRun', run)}`
const list = (query = '') => call(`${path()}/exceptions?${query}`, { key: product.owner })

const exception = (code: keyof typeof exceptionAdvice, amount: number | null, reason?: string) => ({
  code,
  currency: amount === null && code === 'excluded' ? null : 'USD',
  amount,
  reason: reason ?? null,
  advice: exceptionAdvice[code],
})

describe('exceptions of a run', () => {
  it('are told with what they are about, why, and what to do', async () => {
    const found = new Map(rows(await list('limit=100')).map((row) => [row.partner, row.exceptions]))
    const told = Object.fromEntries(names.map((name) => [name, found.get(partner(name))]))
    expect(told).toEqual({
      paid: undefined,
      unopened: [exception('no_payout_account', 2_000)],
      unverified: [exception('account_not_verified', 2_000)],
      foreign: [exception('missing_rate', null, 'USD to EUR')],
      formless: [exception('tax_form', 2_000, 'tax_form: no_form')],
      suspended: [exception('partner_held', 2_000, 'suspension: suspended')],
      stopped: [exception('held', 2_000, 'the contract is looked at')],
      contested: [exception('disputed', 2_000)],
      risky: [exception('reserve', 500, '2.00 % disputed')],
      debtor: [exception('negative_balance', -1_000)],
      small: [exception('below_minimum', 200)],
      excluded: [exception('excluded', null, 'it asked for it')],
    })
    expect(found.size).toBe(names.length - 1)
  })

  it('are counted on the run', async () => {
    const { body } = await call(path(), { key: product.owner })
    const counted = exceptionCodes.filter((code) => code !== 'bank_change')
    expect(body.exceptions).toEqual(counted.map((code) => ({ code, count: 1 })))
  })

  it('are listed by their code, and page by page', async () => {
    for (const [code, name] of [
      ['held', 'stopped'],
      ['missing_rate', 'foreign'],
    ] as const) {
      expect(rows(await list(`code=${code}`)).map((row) => row.partner)).toEqual([partner(name)])
    }
    expect(rows(await list('code=bank_change'))).toEqual([])
    const whole = rows(await list('limit=100'))
    const paged = await walk(call, { path: `${path()}/exceptions`, key: product.owner, limit: 3 })
    expect(paged).toEqual(whole)
  })

  it('are gone when their cause is', async () => {
    await sql`update payout_accounts set status = 'verified'
      where partner_id = ${idOf('unverified')}`.execute(product.db)
    expect(rows(await list('code=account_not_verified'))).toEqual([])
    const { body } = await call(path(), { key: product.owner })
    const codes = (body.exceptions as Json[]).map(({ code }) => code)
    expect(codes).not.toContain('account_not_verified')
  })

  it('are not asked for of a run that never was, nor by a code that there is not', async () => {
    const { status } = await call(`${runs}/${unknownId('run')}/exceptions`, { key: product.owner })
    expect(status).toBe(404)
    expect(faults(await list('code=poor'))).toEqual(['invalid /code'])
  })
})

describe('exceptions, whose strangers are answered 401 and 403', () => {
  const routes = [`GET ${runs}/:id/exceptions`]
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
