import { createHash, randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { markInvitationRevoked, recordInvitation } from '../../db/access.ts'
import { inTransaction } from '../../db/database.ts'
import { makePartner, unique } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { type Call, clientOf, faults, type Json } from './kit.ts'

let product: Product
let call: Call
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
})
afterAll(() => product.stop())

async function invite(state: 'open' | 'expired' | 'revoked' = 'open') {
  const partnerId = await makePartner(product.db)
  const token = unique('token')
  const tokenHash = createHash('sha256').update(token).digest()
  const expiresAt = new Date(Date.now() + (state === 'expired' ? -1_000 : 7 * 86_400_000))
  const ada = { id: randomUUIDv7(), partnerId, name: 'Ada', email: 'ada@partner.example' }
  await inTransaction(product.db, async (trx) => {
    await recordInvitation(trx, { ...ada, tokenHash, expiresAt })
    if (state === 'revoked') await markInvitationRevoked(trx, partnerId)
  })
  return { partnerId, token }
}

const accept = (token: string, headers = {}) =>
  call('/v1/invitations/accept', { method: 'POST', body: { token }, headers })

describe('an invitation', () => {
  it('gives its first member a key, and works once', async () => {
    const { token } = await invite()
    const { status, body } = await accept(token)
    expect(status).toBe(201)
    expect(body).toEqual({
      member: expect.stringMatching(/^mem_/),
      partner: expect.stringMatching(/^prt_/),
      api_key: expect.stringMatching(/^trib_test_sk_/),
    })
    const me = await call('/v1/me', { key: String(body.api_key) })
    expect(me.body).toMatchObject({ member: body.member, partner: body.partner, name: 'Ada' })
    const second = await accept(token)
    expect([second.status, second.body.code]).toEqual([410, 'gone'])
  })

  it.each(['expired', 'revoked'] as const)('is gone when it is %s', async (state) => {
    const { token, partnerId } = await invite(state)
    const answer = await accept(token)
    expect([answer.status, answer.body.code]).toEqual([410, 'gone'])
    const members = await sql`select id from members where partner_id = ${partnerId}`.execute(
      product.db,
    )
    expect(members.rows).toEqual([])
  })

  it('is not found under a token that was never given out', async () => {
    const answer = await accept('never-given-out')
    expect([answer.status, answer.body.code]).toEqual([404, 'not_found'])
  })

  it('makes one member and one key however many take it up at once', async () => {
    const { token, partnerId } = await invite()
    const answers = await Promise.all(Array.from({ length: 12 }, () => accept(token)))
    const statuses = answers.map(({ status }) => status).sort()
    expect(statuses).toEqual([201, ...Array(11).fill(410)])
    const { rows: made } = await sql<{ keys: number }>`
      select count(*)::int as keys from api_keys join members on members.id = member_id
      where members.partner_id = ${partnerId}`.execute(product.db)
    expect(made[0]?.keys).toBe(1)
  })

  it('gives the same key again to a request that is repeated under its own key', async () => {
    const { token } = await invite()
    const headers = { 'Idempotency-Key': unique('accept') }
    const first = await accept(token, headers)
    const again = await accept(token, headers)
    expect(first.status).toBe(201)
    expect([again.status, again.text]).toEqual([201, first.text])
    expect((await accept(token)).status).toBe(410)
  })

  it.each<[string, Json, string[]]>([
    ['no token', {}, ['missing /token']],
    ['a number', { token: 1 }, ['invalid /token']],
    ['a blank token', { token: '' }, ['invalid /token']],
    ['a name of its own', { token: 'x', name: 'Eve' }, ['unknown_field /name']],
  ])('is not taken up with %s', async (_what, body, expected) => {
    const answer = await call('/v1/invitations/accept', { method: 'POST', body })
    expect(faults(answer)).toEqual(expected)
  })
})

describe('an invitation that is taken up', () => {
  it('takes no key, and looks at none that comes along', async () => {
    const { token } = await invite()
    const answer = await accept(token, { Authorization: 'Bearer never-a-key' })
    expect(answer.status).toBe(201)
    const { body } = await call('/v1/me')
    expect([body.status, body.code]).toEqual([401, 'not_authenticated'])
  })
})
