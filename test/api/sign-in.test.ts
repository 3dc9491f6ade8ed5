/** Limits against guessing passwords. */
import { sql } from 'kysely'
import { makePartner, unique } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { type Call, clientOf, type Json } from './kit.ts'
import { makePerson, openBrowser } from './people-kit.ts'

let product: Product
let call: Call
let shop: string
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  shop = await makePartner(product.db)
})
afterAll(() => product.stop())

const browser = () => openBrowser(call, product.config.api.publicUrl)
const outcome = ({ status, body }: { status: number; body: Json }) => [status, body.code]

describe('guessing', () => {
  it('ends after five tries, however many are made at once, for who exists and who does not', async () => {
    const { email } = await makePerson(product.db, { partnerId: shop })
    for (const who of [email, `${unique('nobody')}@people.example`]) {
      const tries = Array.from({ length: 12 }, (_, i) =>
        browser().signIn(who, { password: `wrong in any case ${i}` }),
      )
      const statuses = (await Promise.all(tries)).map(({ status }) => status).sort()
      expect(statuses).toEqual([...Array(5).fill(401), ...Array(7).fill(429)])
      const last = await browser().signIn(who)
      expect(outcome(last)).toEqual([429, 'too_many_requests'])
      const wait = Number(last.headers.get('retry-after'))
      expect(wait).toBeGreaterThan(800)
      expect(wait).toBeLessThanOrEqual(900)
    }
  })

  it('starts anew with the right password, and when the quarter of an hour is over', async () => {
    const { email } = await makePerson(product.db, { partnerId: shop })
    const fail = () => browser().signIn(email, { password: 'wrong in any case' })
    for (let i = 0; i < 4; i++) expect((await fail()).status).toBe(401)
    expect((await browser().signIn(email)).status).toBe(201)
    for (let i = 0; i < 5; i++) expect((await fail()).status).toBe(401)
    expect((await fail()).status).toBe(429)
    await sql`update sign_in_limits set resets_at = now()`.execute(product.db)
    expect((await browser().signIn(email)).status).toBe(201)
  })
})
