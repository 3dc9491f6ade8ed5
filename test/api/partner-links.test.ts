/** Links of partners, the customers that come through them, and what is told of them. */
import { sql } from 'kysely'
import { bookInvoice } from '../../activities/commission/payments.ts'
import { insertRules } from '../../db/commission/rules.ts'
import { inTransaction } from '../../db/database.ts'
import { markPartner } from '../../db/partners.ts'
import { getProgramme } from '../../db/programmes.ts'
import { outwardId, uuidOf } from '../../domain/ids.ts'
import { basisPoints } from '../../domain/money.ts'
import {
  makeKey,
  makeLink,
  makeOrder,
  makePartner,
  paidInvoice,
  unique,
} from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import {
  expectHidden,
  itIsClosedTo,
  itRefusesBadQueries,
  itTakesLiveKeysOnly,
  unknownId,
} from './guards.ts'
import { type Call, clientOf, faults, type Json, rows, withoutRequestId } from './kit.ts'
import {
  makeWorld,
  type PlaceName,
  placeNames,
  sees,
  strangersOf,
  viewerNames,
  type World,
} from './world.ts'

let product: Product
let call: Call
let world: World
let links: Record<PlaceName, string>
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  const made: [PlaceName, string][] = []
  for (const name of placeNames) {
    made.push([name, outwardId('link', await makeLink(product.db, world[name].id))])
  }
  links = Object.fromEntries(made) as Record<PlaceName, string>
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.north.key })
const create = (body: unknown, key = world.shop.key, headers: Record<string, string> = {}) =>
  call('/v1/links', { method: 'POST', key, body, headers })

describe('a link', () => {
  it.each(['shop', 'north'] as const)('is created by %s for itself', async (name) => {
    const form = { name: 'Spring fair', code: unique('Fair-2026') }
    const { status, body, headers } = await create(form, world[name].key)
    expect(status).toBe(201)
    expect(headers.get('location')).toBe(`/v1/links/${String(body.id)}`)
    expect(body).toEqual({
      ...form,
      id: expect.stringMatching(/^lnk_/),
      partner: world[name].partner,
      created_at: expect.stringMatching(/Z$/),
    })
    const { key } = world[name]
    expect((await call(`/v1/links/${String(body.id)}`, { key })).body).toEqual(body)
  })

  it('gets a code of eight characters where none was chosen, another one each time', async () => {
    const made = [await create({ name: 'Fair' }), await create({ name: 'Fair' })]
    const codes = made.map(({ body }) => String(body.code))
    for (const code of codes) expect(code).toMatch(/^[A-Za-z0-9_-]{8}$/)
    expect(new Set(codes).size).toBe(2)
  })

  it('has a code that no other link has, whoever is asked for it', async () => {
    const code = unique('taken')
    expect((await create({ name: 'First', code })).status).toBe(201)
    for (const name of ['shop', 'pier'] as const) {
      const { status, body } = await create({ name: 'Second', code }, world[name].key)
      expect([status, body.code]).toEqual([409, 'conflict'])
      expect(body.detail).toBe(`the code ${code} is taken: choose another one`)
    }
  })

  it('is made once by a request that is repeated under its key', async () => {
    const header = { 'Idempotency-Key': unique('link') }
    const first = await create({ name: 'Once' }, world.shop.key, header)
    const again = await create({ name: 'Once' }, world.shop.key, header)
    expect([first.status, again.status]).toEqual([201, 201])
    expect(again.body).toEqual(first.body)
  })

  it('keeps its generated code where the first answer was lost', async () => {
    const key = unique('lost')
    const first = await create({ name: 'Lost' }, world.shop.key, { 'Idempotency-Key': key })
    await sql`update idempotency_keys set answer_status = null, answer_headers = null,
      answer_sealed = null, claimed_at = clock_timestamp() - interval '1 hour'
      where key = ${key}`.execute(product.db)
    const again = await create({ name: 'Lost' }, world.shop.key, { 'Idempotency-Key': key })
    expect(again.body).toEqual(first.body)
  })

  it.each<[string, unknown, string[]]>([
    ['no name', {}, ['missing /name']],
    ['a blank name', { name: ' ' }, ['invalid /name']],
    ['a name with NUL', { name: 'a\u0000b' }, ['invalid /name']],
    ['a code of two letters', { name: 'x', code: 'ab' }, ['invalid /code']],
    ['a code of 65 letters', { name: 'x', code: 'a'.repeat(65) }, ['invalid /code']],
    ['a code that an address cannot hold', { name: 'x', code: 'a b/c' }, ['invalid /code']],
    ['a code with an accent', { name: 'x', code: 'café' }, ['invalid /code']],
    ['a code that ends its line', { name: 'x', code: 'fair\n' }, ['invalid /code']],
    ['an empty code', { name: 'x', code: '' }, ['invalid /code']],
    ['a number as code', { name: 'x', code: 12_345 }, ['invalid /code']],
    ['another partner', { name: 'x', partner: 'prt_1' }, ['unknown_field /partner']],
    ['an id of its own', { name: 'x', id: 'lnk_1' }, ['unknown_field /id']],
    ['a list', [{ name: 'x' }], ['invalid ']],
  ])('is not created with %s', async (_what, body, expected) => {
    expect(faults(await create(body))).toEqual(expected)
  })

  it.each(viewerNames)('is seen by %s for itself and everyone below', async (viewer) => {
    const list = rows(await call('/v1/links?limit=100', { key: world[viewer].key }))
    const made = list.map(({ id }) => String(id))
    expect(made).toEqual(expect.arrayContaining(sees[viewer].map((name) => links[name])))
    const partners = new Set(sees[viewer].map((name) => world[name].partner))
    for (const { partner } of list) expect(partners.has(String(partner))).toBe(true)
  })

  it.each(placeNames)('of %s is answered 404 to strangers', async (name) => {
    await expectHidden(call, {
      route: 'GET /v1/links/:id',
      id: links[name],
      strangers: strangersOf(name).map((stranger) => world[stranger].key),
    })
  })

  it('is not created by a partner that is suspended', async () => {
    const id = await makePartner(product.db)
    const key = await makeKey(product.db, id)
    await inTransaction(product.db, (trx) =>
      markPartner(trx, id, { from: ['active'], to: 'suspended' }),
    )
    const { status, body } = await create({ name: 'Late' }, key)
    expect([status, body.code]).toEqual([423, 'suspended'])
  })

  itRefusesBadQueries('/v1/links', stage)
})

describe('a customer', () => {
  const customer = (link: unknown, key = world.shop.key) => {
    const body = { name: 'Café Grün', email: 'pay@cafe.example', link }
    return call('/v1/customers', { method: 'POST', key, body })
  }

  it('comes through a link of its partner, and is answered with it ever after', async () => {
    const { status, body } = await customer(links.shop)
    expect([status, body.link]).toEqual([201, links.shop])
    const read = await call(`/v1/customers/${String(body.id)}`, { key: world.north.key })
    expect(read.body).toEqual(body)
    expect(rows(await call('/v1/customers', { key: world.shop.key }))[0]).toEqual(body)
  })

  it('comes through no link of a stranger, a parent or a child, as through none that never was', async () => {
    const unknown = await customer(unknownId('lnk'))
    expect(faults(unknown)).toEqual(['invalid /link'])
    for (const name of ['north', 'market', 'corner', 'pier'] as const) {
      expect(withoutRequestId(await customer(links[name]))).toEqual(withoutRequestId(unknown))
    }
  })

  it('comes through no link that was archived', async () => {
    const link = await makeLink(product.db, world.shop.id)
    await sql`update partner_links set archived_at = now() where id = ${link}`.execute(product.db)
    expect(faults(await customer(outwardId('link', link)))).toEqual(['invalid /link'])
  })

  it.each([
    ['its code', 'spring-fair'],
    ['an id of another kind', unknownId('cus')],
    ['null', null],
    ['a list', [unknownId('lnk')]],
  ])('names no link by %s', async (_what, link) => {
    expect(faults(await customer(link))).toEqual(['invalid /link'])
  })

  it('never gets another link: no route changes one, and the database refuses', async () => {
    const { body } = await customer(links.shop)
    const path = `/v1/customers/${String(body.id)}`
    for (const method of ['PUT', 'PATCH', 'POST', 'DELETE']) {
      const answer = await call(path, { method, key: world.shop.key, body: { link: null } })
      expect([method, answer.status]).toEqual([method, 405])
    }
    const other = await makeLink(product.db, world.shop.id)
    const changed = sql`update customers set link_id = ${other}
      where id = ${uuidOf('customer', String(body.id))}`.execute(product.db)
    await expect(changed).rejects.toThrow(/keeps the link that it came through/)
  })
})

describe('why an accrual is what it is', () => {
  it('says through which link its customer came, where the rule is of that link', async () => {
    const { db } = product
    const code = unique('fair')
    const linkId = await makeLink(db, world.shop.id, code)
    const { id: programmeId } = await getProgramme(db)
    await inTransaction(db, (trx) =>
      insertRules(trx, [
        {
          programmeId,
          code,
          version: 1,
          migratesAt: null,
          depth: 0,
          terms: { kind: 'percentage', rate: basisPoints(3_000) },
          scope: { link: linkId, partner: null, tier: null, product: null },
          validFrom: null,
          validTo: null,
          cap: null,
          floor: null,
          windowMonths: null,
          setupFee: false,
        },
      ]),
    )
    for (const link of [linkId, null]) {
      await bookInvoice({ db }, paidInvoice(await makeOrder(db, world.shop.id, link)))
    }
    const accruals = rows(await call('/v1/accruals', { key: world.shop.key }))
    const why = async (amount: number) => {
      const id = String(accruals.find((accrual) => accrual.amount === amount)?.id)
      const { body } = await call(`/v1/accruals/${id}/why`, { key: world.shop.key })
      return { sentence: String(body.sentence), data: body.data as Json }
    }
    const ofLink = await why(3_000)
    expect(ofLink.sentence).toContain(`30 % through the link ${code} of 99.99 USD`)
    expect(ofLink.data).toMatchObject({ link: outwardId('link', linkId), rule: { code } })
    const ofNone = await why(2_000)
    expect(ofNone.sentence).not.toContain('link')
    expect(ofNone.data.link).toBeNull()
  })
})

describe('creating links', () => {
  itIsClosedTo(['super_admin'], ['POST /v1/links'], () => ({
    ...stage(),
    keys: {
      super_admin: world.owner.key,
      master_reseller: world.north.key,
      reseller: world.shop.key,
    },
  }))
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, ['GET /v1/links', 'POST /v1/links', 'GET /v1/links/:id'])
})
