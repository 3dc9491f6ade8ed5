import { sql } from 'kysely'
import { inTransaction } from '../../db/database.ts'
import { recordReversal } from '../../db/ledger.ts'
import { periodOf } from '../../domain/period.ts'
import { openBooks } from '../support/books.ts'
import { makePartner, makePayoutAccount } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { itIsClosedTo, itTakesLiveKeysOnly } from './guards.ts'
import { type Call, clientOf, faults, type Json } from './kit.ts'
import { keyOf } from './two-persons.ts'
import { makeWorld, type World } from './world.ts'

const period = '2026-07'
let product: Product
let call: Call
let world: World
let partnerId: string
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  await sql`update programmes set hold_days = 0`.execute(product.db)
  const books = openBooks(product.db)
  partnerId = await makePartner(product.db, { level: 'master_reseller' })
  await makePayoutAccount(product.db, partnerId, 'acct_1')
  // One line is settled, one is earned in the next month.
  await books.sell(partnerId, { net: 100_000n, paidAt: `${period}-10T00:00:00Z` })
  await books.settle(period)
  await books.sell(partnerId, { paidAt: '2026-08-10T00:00:00Z' })
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.owner.key })
const balanceOf = async (month: string) =>
  (await call(`/v1/ledger/trial-balance?period=${month}`, { key: world.owner.key })).body
const exported = (query: string, key = world.owner.key) =>
  fetch(`${product.api}/v1/ledger/export?${query}`, {
    headers: { Authorization: `Bearer ${key}` },
  })
const linesOf = (text: string): Json[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

interface Currency {
  currency: string
  accounts: { account: string; opening: number; debits: number; credits: number; closing: number }[]
  total: Json
  liability: Json
}

describe('the trial balance of a month', () => {
  it('has every account, sums to zero, and says what partners are owed', async () => {
    const closed = await balanceOf(period)
    expect(closed).toMatchObject({ period, status: 'closed' })
    const [usd] = closed.currencies as Currency[]
    expect(usd?.total).toMatchObject({ opening: 0, closing: 0 })
    expect(usd?.total.debits).toBe(usd?.total.credits)
    expect(usd?.liability).toEqual({
      accrued_not_due: 0,
      settled_not_paid: 20_000,
      owed_by_partners: 0,
      in_transit: 0,
      withheld_tax: 0,
      vat_not_paid: 0,
    })
    // What was released today was reserved today, whatever month it is for.
    const [today] = (await balanceOf(periodOf(new Date()))).currencies as Currency[]
    expect(today?.liability).toMatchObject({ settled_not_paid: 0, in_transit: 20_000 })
    const open = await balanceOf('2026-08')
    const [after] = open.currencies as Currency[]
    expect(open.status).toBe('open')
    expect(after?.liability.accrued_not_due).toBeGreaterThan(0)
    for (const { account, opening } of after?.accounts ?? []) {
      const before = usd?.accounts.find((one) => one.account === account)
      expect([account, opening]).toEqual([account, before?.closing ?? 0])
    }
  })

  it('is none for a month without books', async () => {
    for (const path of ['trial-balance', 'export']) {
      const { status, body } = await call(`/v1/ledger/${path}?period=2040-01`, {
        key: world.owner.key,
      })
      expect([status, body.code]).toEqual([404, 'not_found'])
    }
  })
})

describe('the export of a month', () => {
  it('says the same by account as the trial balance, as lines and as a table', async () => {
    const [usd] = (await balanceOf(period)).currencies as Currency[]
    const response = await exported(`period=${period}&format=jsonl`)
    expect(response.headers.get('content-type')).toContain('application/x-ndjson')
    const rows = linesOf(await response.text())
    for (const { account, ...figures } of usd?.accounts ?? []) {
      const ours = rows.filter((row) => row.record === 'account' && row.account === account)
      const total = (figure: string) => ours.reduce((all, row) => all + Number(row[figure]), 0)
      for (const [figure, amount] of Object.entries(figures)) {
        expect([account, figure, total(figure)]).toEqual([account, figure, amount])
      }
    }
    expect(rows.find(({ record }) => record === 'total')).toMatchObject(usd?.total ?? {})
    const liability = rows.filter(({ record }) => record === 'liability')
    expect(Object.fromEntries(liability.map((row) => [row.account, row.closing]))).toEqual(
      usd?.liability,
    )
    const table = await exported(`period=${period}`)
    expect(table.headers.get('content-disposition')).toContain(`ledger-accounts-${period}.csv`)
    const [head, ...body] = (await table.text()).trimEnd().split('\r\n')
    expect(head).toMatch(/^\uFEFF?record,period,account,partner,currency,opening,debits,/)
    expect(body).toHaveLength(rows.length)
    expect(body.at(0)).toMatch(/^account,2026-07,\w+,\w*,USD,-?\d+\.\d\d,/)
  })

  it('is posting by posting on demand, with words that are no formulas', async () => {
    const { rows: journals } = await sql<{ id: bigint }>`
      select id from ledger_journals where period = '2026-08' and kind = 'accrual' limit 1`.execute(
      product.db,
    )
    await inTransaction(product.db, (trx) =>
      recordReversal(trx, {
        ...{ journalId: journals[0]?.id ?? 0n, period: '2026-08', reason: '=SUM(A1:A9)' },
        effectiveAt: new Date('2026-08-11T00:00:00Z'),
      }),
    )
    const query = 'period=2026-08&detail=journals'
    const lines = linesOf(await (await exported(`${query}&format=jsonl`)).text())
    expect(lines.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['payment', 'accrual', 'reversal']),
    )
    expect(lines.find(({ kind }) => kind === 'reversal')?.reason).toBe('=SUM(A1:A9)')
    const table = await exported(query)
    expect(table.headers.get('content-disposition')).toContain('ledger-journals-2026-08-open.csv')
    const text = await table.text()
    expect(text).toContain(`,'=SUM(A1:A9)`)
    expect(text.trimEnd().split('\r\n')).toHaveLength(lines.length + 1)
  })

  it('is for the people of finance, and for nobody who only reads', async () => {
    const viewer = await keyOf(product.db, { email: 'v@platform.example', role: 'viewer' })
    expect((await exported(`period=${period}`, viewer)).status).toBe(403)
    const finance = await keyOf(product.db, { email: 'f@platform.example', role: 'finance' })
    expect((await exported(`period=${period}`, finance)).status).toBe(200)
  })
})

it.each([
  ['', 'missing /period'],
  ['period=2026-13', 'invalid /period'],
  [`period=${period}&format=xls`, 'invalid /format'],
  [`period=${period}&detail=all`, 'invalid /detail'],
])('refuses an export of "%s" and says where', async (query, fault) => {
  const answer = await call(`/v1/ledger/export?${query}`, { key: world.owner.key })
  expect(faults(answer)).toEqual([fault])
})

const routes = [
  `GET /v1/ledger/trial-balance?period=${period}`,
  `GET /v1/ledger/export?period=${period}`,
]
itIsClosedTo(['master_reseller', 'reseller'], routes, () => ({
  ...stage(),
  keys: {
    super_admin: world.owner.key,
    master_reseller: world.north.key,
    reseller: world.shop.key,
  },
}))
itTakesLiveKeysOnly(stage, routes)
