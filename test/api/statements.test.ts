import { sql } from 'kysely'
import { inTransaction } from '../../db/database.ts'
import { eraseCompany, erasePersons, shredKeys } from '../../db/lifecycle/erasures.ts'
import { sealedFields } from '../../db/personal-fields.ts'
import { outwardId } from '../../domain/ids.ts'
import { type Product, startProduct } from '../support/product.ts'
import {
  badEarningsQueries,
  expectHidden,
  itRefusesBadQueries,
  itTakesLiveKeysOnly,
} from './guards.ts'
import { type Call, clientOf, type Json, rows } from './kit.ts'
import {
  fillWorld,
  issueStatements,
  makeWorld,
  type PlaceName,
  placeNames,
  sees,
  settledPeriod,
  strangersOf,
  viewerNames,
  type World,
} from './world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  await fillWorld(product.db, world)
  const formula = "=cmd|'/C calc'!A1"
  const organisation = world.market.id
  const { rows: sold } = await sql<{ id: string }>`
    select id from customers where partner_id = ${organisation}`.execute(product.db)
  for (const { id } of sold) {
    const { nameSealed } = sealedFields(
      'customers',
      { id, organisation },
      { name: formula, email: '' },
    )
    await sql`update customers set name_sealed = ${nameSealed} where id = ${id}`.execute(product.db)
  }
  await issueStatements(product.db)
})
afterAll(() => product.stop())

/** As the last steps of a tenant that has left do it. */
async function erase(name: PlaceName): Promise<void> {
  const { id } = world[name]
  await inTransaction(product.db, async (trx) => {
    await erasePersons(trx, id)
    await eraseCompany(trx, id, `erased partner ${outwardId('partner', id)}`)
    await shredKeys(trx, id)
  })
}

const stage = () => ({ db: product.db, call, key: world.north.key })

const list = async (query: string, viewer: PlaceName | 'owner') =>
  rows(await call(`/v1/statements${query}`, { key: world[viewer].key }))

async function statementOf(name: PlaceName): Promise<Json & { id: string }> {
  const statements = await list('', name)
  const own = statements.find(({ partner }) => partner === world[name].partner)
  return { ...own, id: String(own?.id) }
}

/** The CSV of a statement as rows of cells; no cell of these tests holds a comma. */
async function csvOf(name: PlaceName): Promise<string[][]> {
  const { id } = await statementOf(name)
  const { text } = await call(`/v1/statements/${id}/csv`, { key: world[name].key })
  return text
    .replace(/^\ufeff/, '')
    .trim()
    .split('\r\n')
    .map((line) => line.split(','))
}

const decimal = (amount: unknown) => (Number(amount) / 100).toFixed(2)

describe('the list of statements', () => {
  it('tells of each statement exactly what is described', async () => {
    // 20.00 of the own sale, less the third of it that went back.
    expect(await list('', 'pier')).toEqual([
      {
        id: expect.stringMatching(/^stm_/),
        number: expect.stringMatching(new RegExp(`^${settledPeriod}-\\d{6}$`)),
        partner: world.pier.partner,
        period: settledPeriod,
        currency: 'USD',
        opening: 0,
        earned: 2_000,
        clawed_back: 666,
        adjustments: 0,
        closing: 1_334,
        held: 0,
        payable: 1_334,
        carried: 0,
        carry_reason: null,
        payable_reason: null,
        pay_on: null,
        issued_at: expect.stringMatching(/Z$/),
      },
    ])
  })

  it('can be narrowed to a partner and to a period', async () => {
    const { partner } = world.market
    const narrowed = await list(`?partner=${partner}&period=${settledPeriod}`, 'north')
    expect(narrowed.map(({ id }) => id)).toEqual([(await statementOf('market')).id])
    expect(await list(`?partner=${world.pier.partner}`, 'north')).toEqual([])
    expect(await list('?period=2001-01', 'owner')).toEqual([])
  })

  it.each(viewerNames)('shows %s its own and those of everyone below', async (viewer) => {
    const expected = await product.db
      .selectFrom('statements')
      .select('id')
      .where(
        'partnerId',
        'in',
        sees[viewer].map((name) => world[name].id),
      )
      .orderBy('id', 'desc')
      .execute()
    const seen = await list('?limit=100', viewer)
    expect(seen.map(({ id }) => id)).toEqual(expected.map(({ id }) => outwardId('statement', id)))
  })

  itRefusesBadQueries('/v1/statements', stage, badEarningsQueries)
})

describe('a statement', () => {
  it('has the lines behind its figures', async () => {
    const { id, ...summary } = await statementOf('shop')
    const { status, body } = await call(`/v1/statements/${id}`, { key: world.shop.key })
    const lines = body.lines as Json[]
    expect(status).toBe(200)
    // Nothing was sealed when it was issued.
    expect(body).toEqual({
      id,
      ...summary,
      since_period: null,
      self_billing: null,
      payment: {
        currency: 'USD',
        gross: summary?.payable,
        net: summary?.payable,
        withheld: 0,
        withheld_bps: null,
        vat: 0,
      },
      seal: null,
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      // 20.00 of the own sale, 5.00 of one below.
      earned_of: { own: 2_000, overrides: 500, true_ups: 0, bonuses: 0 },
      prior_period: 0,
      held_for: [],
      reserves: [],
      carried_for: [],
      lines,
    })
    expect(lines[0]).toEqual({
      kind: 'accrual',
      id: expect.stringMatching(/^acc_/),
      at: `${settledPeriod}-05T10:00:00.000Z`,
      customer: 'Customer',
      invoice: expect.stringMatching(/^in_/),
      depth: expect.any(Number),
      base: 9_999,
      amount: expect.any(Number),
      note: null,
      prior_period: false,
    })
    const total = (kind: string) =>
      lines.filter((line) => line.kind === kind).reduce((sum, line) => sum + Number(line.amount), 0)
    expect(total('accrual')).toBe(summary.earned)
    expect(-total('clawback')).toBe(summary.clawed_back)
    expect(lines.filter(({ kind }) => kind === 'clawback')).toHaveLength(2)
  })

  it('shows the same figures as CSV', async () => {
    const summary = await statementOf('shop')
    const [head, ...table] = await csvOf('shop')
    expect(head?.join()).toBe('record,date,customer,invoice,depth,base,amount,currency,period,note')
    const figures = ['earned', 'clawed_back', 'adjustments', 'held', 'payable']
    for (const name of figures) {
      const row = table.find(([record]) => record === name)
      expect([name, row?.[6], row?.[7]]).toEqual([name, decimal(summary[name]), 'USD'])
    }
    const { body } = await call(`/v1/statements/${summary.id}`, { key: world.shop.key })
    const lines = (body.lines as Json[]).map((line) => [line.kind, decimal(line.amount)])
    const written = table
      .filter(([record]) => record === 'accrual' || record === 'clawback')
      .map((row) => [row[0], row[6]])
    expect(written).toEqual(lines)
  })

  it('never hands a customer name to a spreadsheet as a formula', async () => {
    const [, line] = await csvOf('market')
    expect(line?.[2]).toMatch(/^'=cmd/)
  })

  it('is a document to keep: CSV and PDF come as files of the same name, always the same', async () => {
    const { id, number } = await statementOf('shop')
    const { key } = world.shop
    for (const [form, type] of [
      ['pdf', 'application/pdf'],
      ['csv', 'text/csv; charset=utf-8'],
    ]) {
      const answer = await call(`/v1/statements/${id}/${form}`, { key })
      expect(answer.status).toBe(200)
      expect(answer.headers.get('content-type')).toBe(type)
      expect(answer.headers.get('content-disposition')).toBe(
        `attachment; filename="statement-${number}.${form}"`,
      )
      const again = await call(`/v1/statements/${id}/${form}`, { key })
      expect(again.bytes.equals(answer.bytes)).toBe(true)
    }
    const pdf = (await call(`/v1/statements/${id}/pdf`, { key })).bytes
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-')
    expect(pdf.subarray(-6).toString()).toContain('%%EOF')
  })

  it('does not exist before it is issued', async () => {
    const { rows: drafts } = await sql<{ id: string }>`
      insert into statements (run_id, partner_id, period, currency, opening_minor, earned_minor,
        clawed_back_minor, adjustments_minor, closing_minor, held_minor, payable_minor,
        carried_minor)
      select run_id, partner_id, period, 'EUR', 0, 0, 0, 0, 0, 0, 0, 0
      from statements where partner_id = ${world.shop.id} returning id`.execute(product.db)
    await expectHidden(call, {
      route: 'GET /v1/statements/:id',
      id: outwardId('statement', drafts[0]?.id ?? ''),
      strangers: [world.shop.key, world.owner.key],
    })
    expect(await list('', 'shop')).toHaveLength(2)
  })

  it.each(placeNames)('of %s is answered 404 to strangers, in every form', async (name) => {
    const { id } = await statementOf(name)
    for (const form of ['', '/pdf', '/csv']) {
      await expectHidden(call, {
        route: `GET /v1/statements/:id${form}`,
        id,
        strangers: strangersOf(name).map((stranger) => world[stranger].key),
      })
    }
  })
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, [
    'GET /v1/statements',
    'GET /v1/statements/:id',
    'GET /v1/statements/:id/pdf',
    'GET /v1/statements/:id/csv',
  ])
})

describe('the statement of a partner whose data are erased', () => {
  it('is the same in every form but for names, which are none', async () => {
    const { id } = await statementOf('pier')
    const read = (form = '') => call(`/v1/statements/${id}${form}`, { key: world.owner.key })
    const [before, csvBefore] = [await read(), await read('/csv')]
    const { rows: people } = await sql<{ name: string }>`
      select name from partners where id = ${world.pier.id}`.execute(product.db)
    await erase('pier')
    const after = await read()
    expect([after.status, { ...after.body, lines: [] }]).toEqual([
      200,
      { ...before.body, lines: [] },
    ])
    const amounts = ({ body }: typeof before) => (body.lines as Json[]).map(({ amount }) => amount)
    expect(amounts(after)).toEqual(amounts(before))
    const pdf = await read('/pdf')
    expect([pdf.status, pdf.bytes.subarray(0, 5).toString()]).toEqual([200, '%PDF-'])
    const csv = await read('/csv')
    expect(csv.status).toBe(200)
    expect(csv.text).not.toContain('customer@customer.example')
    expect(csv.text).not.toContain(people[0]?.name ?? 'nobody')
    const rowsIn = (text: string) => text.trim().split('\r\n').length
    expect(rowsIn(csv.text)).toBe(rowsIn(csvBefore.text))
  })
})
