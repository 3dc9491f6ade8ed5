/** The cookie of a session, and what is refused where other sites send it. */
import { makePartner, unique } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { type Call, clientOf, type Json, rows } from './kit.ts'
import { type Browser, makeOlder, makePerson, openBrowser, password } from './people-kit.ts'

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
const current = (who: Browser) => who.send('GET', '/v1/sessions/current')

async function clerk() {
  const person = await makePerson(product.db, { partnerId: shop })
  const own = browser()
  expect((await own.signIn(person.email)).status).toBe(201)
  return { ...person, browser: own }
}

describe('the cookie', () => {
  it('is noted as used once a minute at most', async () => {
    const { email, browser: own } = await clerk()
    const seen = async () => rows(await own.send('GET', '/v1/sessions'))[0]?.last_seen_at
    const first = await seen()
    expect(await seen()).toBe(first)
    await makeOlder(product.db, email, '2 minutes')
    await seen()
    expect(Date.now() - Date.parse(String(await seen()))).toBeLessThan(110_000)
  })

  it('is not believed when there are two, or when it is none of ours', async () => {
    const { browser: own } = await clerk()
    const token = own.cookie()
    for (const cookie of [`${token}; __Host-sid=${token}`, 'x', '', `${token}x`]) {
      own.take(cookie)
      expect((await current(own)).status).toBe(401)
    }
  })

  it.each<[string, Json]>([
    ['another site', { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' }],
    ['a site beside ours', { 'Sec-Fetch-Site': 'same-site', Origin: 'https://shop.example' }],
    ['another origin', { 'Sec-Fetch-Site': '', Origin: 'https://evil.example' }],
    ['a page without origin', { 'Sec-Fetch-Site': '', Origin: 'null' }],
    ['what tells nothing', { 'Sec-Fetch-Site': '', Origin: '' }],
    ['two that disagree', { 'Sec-Fetch-Site': 'same-origin', Origin: 'https://evil.example' }],
  ])('changes nothing for %s', async (_what, headers) => {
    const { email, browser: own } = await clerk()
    for (const [method, path, body] of [
      ['DELETE', '/v1/sessions/current', undefined],
      ['DELETE', '/v1/sessions', undefined],
      ['POST', '/v1/sessions', { email, password }],
      ['POST', '/v1/api-keys', { label: 'stolen' }],
    ] as const) {
      const answer = await own.send(method, path, body, headers)
      expect([path, ...outcome(answer)]).toEqual([path, 403, 'forbidden'])
    }
    expect((await current(own)).status).toBe(200)
  })

  it('is never kept with an answer: a sign-in takes no key for repeated requests', async () => {
    const { email } = await makePerson(product.db, { partnerId: shop })
    const form = { email, password }
    const header = { 'Idempotency-Key': unique('again') }
    const answer = await browser().send('POST', '/v1/sessions', form, header)
    expect(outcome(answer)).toEqual([400, 'malformed_request'])
  })

  it('opens nothing for who has none', async () => {
    for (const [method, path] of [
      ['GET', '/v1/sessions'],
      ['GET', '/v1/sessions/current'],
      ['DELETE', '/v1/sessions'],
      ['DELETE', '/v1/sessions/ses_01h455vb4pex5vsknk084sn02q'],
    ] as const) {
      expect(outcome(await browser().send(method, path))).toEqual([401, 'not_authenticated'])
    }
    for (const path of ['totp', 'step-up']) {
      const answer = await browser().send('POST', `/v1/sessions/current/${path}`, {
        code: '123456',
      })
      expect(outcome(answer)).toEqual([401, 'not_authenticated'])
    }
  })
})
