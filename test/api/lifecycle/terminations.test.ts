/** The end of a partnership over HTTP: two persons, a successor, and the way back. */
import { sql } from 'kysely'
import { outwardId } from '../../../domain/ids.ts'
import { makeKey, makeOrder, makePartner } from '../../support/factories.ts'
import { type Product, startProduct } from '../../support/product.ts'
import { itTakesLiveKeysOnly, unknownId } from '../guards.ts'
import { type Answer, type Call, clientOf, faults, type Json } from '../kit.ts'
import { keyOf } from '../two-persons.ts'
import { makeWorld, type World } from '../world.ts'

let product: Product
let call: Call
let world: World
let first: string
let second: string
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  first = await keyOf(product.db, { email: 'first@platform.example' })
  second = await keyOf(product.db, { email: 'second@platform.example' })
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: first })
const refusal = ({ status, body }: Answer) => [status, body.code]
const post = (path: string, body: Json, key = first) => call(path, { method: 'POST', key, body })
const end = (partner: string, body: Json = {}, key = first) =>
  post(
    `/v1/partners/${partner}/termination`,
    { reason_code: 'mutual', reason: 'As agreed', ...body },
    key,
  )
const comeBack = (partner: string, key = first) =>
  post(`/v1/partners/${partner}/reinstatement`, { reason: 'In error' }, key)
const approve = ({ body }: Answer, key = second) =>
  post(`/v1/approvals/${body.id}/approve`, { payload_hash: body.payload_hash }, key)

async function newcomer(parentId: string | null = null) {
  const level = parentId ? 'reseller' : 'master_reseller'
  const id = await makePartner(product.db, { parentId, level })
  return { id, partner: outwardId('partner', id), key: await makeKey(product.db, id) }
}

const statusOf = async (partner: string) =>
  (await call(`/v1/partners/${partner}`, { key: first })).body.status

describe('a termination', () => {
  it('takes effect with the approval of another person, and closes the ways in at once', async () => {
    const own = await newcomer()
    const proposal = await end(own.partner)
    expect([proposal.status, proposal.body.kind, proposal.body.termination]).toEqual([
      202,
      'termination',
      { reason_code: 'mutual', successor: null, effective_at: null },
    ])
    expect(await statusOf(own.partner)).toBe('active')
    expect(refusal(await approve(proposal, first))).toEqual([403, 'second_person_required'])
    expect((await approve(proposal)).status).toBe(200)
    expect(await statusOf(own.partner)).toBe('terminated')
    expect((await call('/v1/partners', { key: own.key })).status).toBe(401)
  })

  it('gives customers to the parent where no successor is named, who sees them from then on', async () => {
    const own = await newcomer(world.north.id)
    const { customerId } = await makeOrder(product.db, own.id)
    const path = `/v1/customers/${outwardId('customer', customerId)}`
    await approve(await end(own.partner))
    const seen = await call(path, { key: world.north.key })
    expect([seen.status, seen.body.partner]).toEqual([200, world.north.partner])
    expect((await call(path, { key: world.south.key })).status).toBe(404)
  })

  it('without anybody for its customers is refused, and so is one who cannot take over', async () => {
    const own = await newcomer()
    await makeOrder(product.db, own.id)
    expect(refusal(await end(own.partner))).toEqual([409, 'conflict'])
    const below = await newcomer(own.id)
    expect(refusal(await end(own.partner, { successor: below.partner }))).toEqual([409, 'conflict'])
    const gone = await newcomer()
    await approve(await end(gone.partner))
    expect(refusal(await end(own.partner, { successor: gone.partner }))).toEqual([
      409,
      'parent_not_active',
    ])
  })

  it('is proposed once: another one is refused while it stands', async () => {
    const own = await newcomer()
    await approve(await end(own.partner))
    expect(refusal(await end(own.partner))).toEqual([409, 'conflict'])
    expect(refusal(await post(`/v1/partners/${own.partner}/activate`, { reason: 'x' }))).toEqual([
      409,
      'conflict',
    ])
  })

  it('with another successor than was signed is refused', async () => {
    const own = await newcomer()
    const [one, other] = [await end(own.partner), await end(own.partner, { reason: 'Other' })]
    const mixed = { ...one, body: { ...one.body, payload_hash: other.body.payload_hash } }
    expect(refusal(await approve(mixed))).toEqual([409, 'payload_changed'])
  })

  it('at a time to come leaves the partner as it is until then, and can be called off', async () => {
    const own = await newcomer()
    const proposal = await end(own.partner, { effective_on: '2099-01-01T00:00:00Z' })
    expect((await approve(proposal)).status).toBe(200)
    expect(await statusOf(own.partner)).toBe('active')
    expect((await approve(await comeBack(own.partner))).status).toBe(200)
    const { rows } = await sql<{ calledOff: boolean }>`
      select reinstated_at is not null as called_off from terminations
      where partner_id = ${own.id}`.execute(product.db)
    expect(rows).toEqual([{ calledOff: true }])
  })

  it.each<[string, Json, string[]]>([
    ['no reason', { reason: ' ' }, ['invalid /reason']],
    ['an unknown code', { reason_code: 'boredom' }, ['invalid /reason_code']],
    ['a time that is over', { effective_on: '2020-01-01T00:00:00Z' }, ['invalid /effective_on']],
    ['a successor that is not there', { successor: unknownId('prt') }, ['invalid /successor']],
    ['more than it takes', { notice: 3 }, ['unknown_field /notice']],
  ])('is not proposed with %s', async (_what, body, expected) => {
    expect(faults(await end(world.market.partner, body))).toEqual(expected)
  })

  it('is for the platform alone, and of partners that are there', async () => {
    const stranger = await end(world.market.partner, {}, world.north.key)
    expect(refusal(stranger)).toEqual([403, 'level_not_allowed'])
    expect(refusal(await end(unknownId('prt')))).toEqual([404, 'not_found'])
    expect(refusal(await comeBack(unknownId('prt')))).toEqual([404, 'not_found'])
  })
})

describe('a reinstatement', () => {
  it('takes another person too, and lets the partner back in', async () => {
    const own = await newcomer()
    expect(refusal(await comeBack(own.partner))).toEqual([409, 'conflict'])
    await approve(await end(own.partner))
    const proposal = await comeBack(own.partner)
    expect(refusal(await approve(proposal, first))).toEqual([403, 'second_person_required'])
    expect((await approve(proposal)).status).toBe(200)
    expect(await statusOf(own.partner)).toBe('active')
    // Its keys stay revoked.
    expect((await call('/v1/partners', { key: own.key })).status).toBe(401)
  })
})

describe('a suspension', () => {
  it('holds payouts for as long as it lasts, of the partner alone', async () => {
    const own = await newcomer()
    const below = await newcomer(own.id)
    const turn = (what: string) =>
      post(`/v1/partners/${own.partner}/${what}`, { reason: 'Arrears' })
    const held = async () => {
      const { rows } = await sql<{ partnerId: string; cause: string }>`
        select partner_id, cause from partner_holds where released_at is null
          and partner_id in (${own.id}, ${below.id})`.execute(product.db)
      return rows
    }
    await turn('suspend')
    expect(await held()).toEqual([{ partnerId: own.id, cause: 'suspension' }])
    await turn('activate')
    expect(await held()).toEqual([])
  })
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, [
    'POST /v1/partners/:id/termination',
    'POST /v1/partners/:id/reinstatement',
  ])
})
