/** Signing in with an identity provider, against one that is written for the test. */
import { sql } from 'kysely'
import { outwardId } from '../../domain/ids.ts'
import { createOidc } from '../../integrations/oidc.ts'
import { makePartner, unique } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { type Answer, clientOf, type Json, type OtherApi, serveWith } from './kit.ts'
import { type OidcProvider, startOidcProvider } from './oidc-provider.ts'
import { type Browser, makePerson, openBrowser } from './people-kit.ts'

let product: Product
let provider: OidcProvider
let api: OtherApi
let master: string
let shop: string
beforeAll(async () => {
  product = await startProduct()
  provider = await startOidcProvider()
  const { publicUrl } = product.config.api
  api = await serveWith(product, { oidc: createOidc({ ...provider, publicUrl }) })
  master = await makePartner(product.db, { level: 'master_reseller' })
  shop = await makePartner(product.db, { parentId: master })
})
afterAll(async () => {
  await api.stop()
  await provider.stop()
  await product.stop()
})

const browser = () => openBrowser(api.call, product.config.api.publicUrl)
const outcome = ({ status, body }: { status: number; body: Json }) => [status, body.code]
const subject = () => unique('subject')

/** From our door to the provider and back, with what may be changed on the way. */
async function walk(
  own: Browser,
  claims: Json,
  change: { query?: string; back?: (url: URL) => void } = {},
): Promise<Answer> {
  const left = await own.send('GET', `/v1/sign-in/oidc${change.query ?? ''}`)
  expect(left.status).toBe(303)
  const back = provider.agree(left.headers.get('location') ?? '')
  provider.says(claims)
  change.back?.(back)
  return own.send('GET', `${back.pathname}${back.search}`)
}

const current = async (own: Browser) => (await own.send('GET', '/v1/sessions/current')).body

describe('a sign-in with a provider', () => {
  it('makes a session for the member with the address', async () => {
    const { id, email } = await makePerson(product.db, { partnerId: shop })
    const own = browser()
    const answer = await walk(own, { email: email.toUpperCase(), sub: subject() })
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/'])
    expect(await current(own)).toMatchObject({
      member: outwardId('member', id),
      level: 'reseller',
      needs: null,
      methods: ['oidc'],
      stepped_up_at: null,
    })
    expect((await own.send('GET', '/v1/me')).status).toBe(200)
  })

  it('has two factors where the provider has seen two, and is fresh where it says when', async () => {
    const { email } = await makePerson(product.db, { partnerId: master })
    const seen = Math.floor(Date.now() / 1000) - 60
    const own = browser()
    await walk(own, { email, sub: 'strong', amr: ['pwd', 'mfa'], auth_time: seen })
    expect(await current(own)).toMatchObject({
      needs: null,
      enrol: false,
      methods: ['oidc', 'mfa'],
      stepped_up_at: new Date(seen * 1000).toISOString(),
    })
    const weak = browser()
    await walk(weak, { email, sub: 'strong', amr: ['pwd'] })
    expect(await current(weak)).toMatchObject({ needs: null, enrol: true })
    expect(outcome(await weak.send('GET', '/v1/me'))).toEqual([403, 'second_factor_required'])
  })

  it('is for the organisation that was asked for', async () => {
    const { email } = await makePerson(product.db, { partnerId: shop })
    await makePerson(product.db, { partnerId: master, email })
    const own = browser()
    const query = `?partner=${outwardId('partner', master)}`
    await walk(own, { email, sub: subject() }, { query })
    expect(await current(own)).toMatchObject({ partner: outwardId('partner', master) })
  })

  it.each<[string, Json]>([
    ['an address that is not verified', { email_verified: false }],
    ['an address that only looks verified', { email_verified: 'true' }],
    ['no address', { email: undefined }],
    ['another nonce', { nonce: 'another' }],
    ['no nonce', { nonce: undefined }],
    ['another issuer', { iss: 'https://evil.example' }],
    ['another audience', { aud: 'another' }],
    ['an end that is past', { exp: 1_700_000_000 }],
    ['a signature by another key', { forged: true }],
    ['an address that is no member', { email: 'nobody@people.example' }],
  ])('is refused with %s', async (_what, claims) => {
    const { email } = await makePerson(product.db, { partnerId: shop })
    const own = browser()
    const answer = await walk(own, { email, sub: subject(), ...claims })
    expect(outcome(answer)).toEqual([401, 'not_authenticated'])
    expect(own.cookie()).toBeUndefined()
  })

  it('is refused to another browser than the one that left, and without its state', async () => {
    const { email } = await makePerson(product.db, { partnerId: shop })
    const own = browser()
    const left = await own.send('GET', '/v1/sign-in/oidc')
    const back = provider.agree(left.headers.get('location') ?? '')
    provider.says({ email, sub: subject() })
    const path = `${back.pathname}${back.search}`
    expect(outcome(await browser().send('GET', path))).toEqual([401, 'not_authenticated'])
    const other = path.replace(/state=[^&]+/, 'state=another')
    expect(outcome(await own.send('GET', other))).toEqual([401, 'not_authenticated'])
    expect((await own.send('GET', path)).status).toBe(303)
    expect(outcome(await own.send('GET', path))).toEqual([401, 'not_authenticated'])
  })

  it('is refused when it took longer than ten minutes, and when the person refuses', async () => {
    const { email } = await makePerson(product.db, { partnerId: shop })
    const own = browser()
    const left = await own.send('GET', '/v1/sign-in/oidc')
    const back = provider.agree(left.headers.get('location') ?? '')
    await sql`update oidc_sign_ins set expires_at = now()`.execute(product.db)
    const late = await own.send('GET', `${back.pathname}${back.search}`)
    expect(outcome(late)).toEqual([401, 'not_authenticated'])
    const refused = await walk(
      own,
      { email },
      {
        back: (url) => {
          url.searchParams.delete('code')
          url.searchParams.set('error', 'access_denied')
        },
      },
    )
    expect(outcome(refused)).toEqual([401, 'not_authenticated'])
  })

  it('is tied to one account at the provider: an address that was given away opens nothing', async () => {
    const { email } = await makePerson(product.db, { partnerId: shop })
    const other = await makePerson(product.db, { partnerId: shop })
    const sub = subject()
    expect((await walk(browser(), { email, sub })).status).toBe(303)
    expect((await walk(browser(), { email, sub })).status).toBe(303)
    expect(outcome(await walk(browser(), { email, sub: subject() }))).toEqual([
      401,
      'not_authenticated',
    ])
    expect(outcome(await walk(browser(), { email: other.email, sub }))).toEqual([
      401,
      'not_authenticated',
    ])
  })
})

describe('without a provider', () => {
  it('there is nothing here', async () => {
    const call = clientOf(product.api)
    for (const path of ['', '/callback?state=x']) {
      expect(outcome(await call(`/v1/sign-in/oidc${path}`))).toEqual([404, 'not_found'])
    }
  })

  it('that answers, nobody is sent anywhere', async () => {
    const { publicUrl } = product.config.api
    const away = { ...provider, issuer: 'http://127.0.0.1:9', publicUrl }
    const other = await serveWith(product, { oidc: createOidc(away) })
    expect(outcome(await other.call('/v1/sign-in/oidc'))).toEqual([503, 'temporarily_unavailable'])
    await other.stop()
  })
})
