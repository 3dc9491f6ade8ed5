/** Passkeys, with an authenticator in software. */
import { sql } from 'kysely'
import { makePartner } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { createAuthenticator, type Faults } from './authenticator.ts'
import { type Call, clientOf, faults, type Json, rows, withoutRequestId } from './kit.ts'
import { type Browser, enrolTotp, makeOlder, makePerson, openBrowser } from './people-kit.ts'

let product: Product
let call: Call
let master: string
let shop: string
let origin: string
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  origin = product.config.api.publicUrl
  master = await makePartner(product.db, { level: 'master_reseller' })
  shop = await makePartner(product.db, { parentId: master })
})
afterAll(() => product.stop())

const browser = () => openBrowser(call, origin)
const outcome = ({ status, body }: { status: number; body: Json }) => [status, body.code]
type Options = { challenge: string; rp: { id: string }; rpId: string }

async function options(own: Browser, path: string): Promise<Options> {
  const { status, body } = await own.send('POST', path)
  expect([status, body.code]).toEqual([200, undefined])
  return body as unknown as Options
}

async function register(own: Browser, authenticator = createAuthenticator(origin), bad?: Faults) {
  const credential = authenticator.register(await options(own, '/v1/passkeys/options'), bad)
  return own.send('POST', '/v1/passkeys', { name: 'Laptop', credential })
}

const showing = '/v1/sessions/current/passkey'

async function show(
  own: Browser,
  authenticator: ReturnType<typeof createAuthenticator>,
  bad?: Faults,
) {
  const credential = authenticator.show(await options(own, `${showing}/options`), bad)
  return own.send('POST', showing, { credential })
}

/** Somebody of the master reseller, signed in and with a passkey. */
async function boss() {
  const { email } = await makePerson(product.db, { partnerId: master })
  const own = browser()
  await own.signIn(email)
  const authenticator = createAuthenticator(origin)
  const registered = await register(own, authenticator)
  expect(registered.status).toBe(201)
  return { email, browser: own, authenticator, registered }
}

describe('a passkey', () => {
  it('is registered right after signing in, as the second factor that a level needs', async () => {
    const { browser: own, registered } = await boss()
    expect(registered.body).toEqual({
      passkey: {
        id: expect.stringMatching(/^psk_/),
        name: 'Laptop',
        backed_up: false,
        created_at: expect.any(String),
        last_used_at: null,
      },
      session: expect.objectContaining({
        needs: null,
        enrol: false,
        methods: ['password', 'passkey'],
      }),
      recovery_codes: expect.any(Array),
    })
    expect(new Set(registered.body.recovery_codes as string[]).size).toBe(10)
    expect((await own.send('GET', '/v1/me')).status).toBe(200)
    expect(rows(await own.send('GET', '/v1/passkeys'))).toEqual([registered.body.passkey])
  })

  it('is shown at the next sign-in, and makes the session whole under another token', async () => {
    const { email, authenticator } = await boss()
    const own = browser()
    expect((await own.signIn(email)).body).toMatchObject({ needs: 'passkey', enrol: false })
    const half = own.cookie()
    const shown = await show(own, authenticator)
    expect([shown.status, shown.body.methods]).toEqual([200, ['password', 'passkey']])
    expect((await own.send('GET', '/v1/me')).status).toBe(200)
    own.take(half)
    expect((await own.send('GET', '/v1/sessions/current')).status).toBe(401)
  })

  it('is a fresh proof too', async () => {
    const { email, browser: own, authenticator } = await boss()
    await makeOlder(product.db, email, '6 minutes')
    const renew = () => own.send('POST', '/v1/second-factors/recovery-codes')
    expect(outcome(await renew())).toEqual([403, 'step_up_required'])
    expect((await show(own, authenticator)).status).toBe(200)
    expect((await renew()).status).toBe(201)
  })

  it('is asked of the host of our public address, with verification of the person', async () => {
    const { email } = await makePerson(product.db, { partnerId: shop })
    const own = browser()
    await own.signIn(email)
    const asked = (await options(own, '/v1/passkeys/options')) as unknown as Json
    expect(asked).toMatchObject({
      rp: { id: new URL(origin).hostname, name: 'Tributary' },
      user: { name: email, displayName: 'Grace Hopper' },
      authenticatorSelection: { userVerification: 'required' },
      excludeCredentials: [],
    })
    expect(Buffer.from(String(asked.challenge), 'base64url').length).toBeGreaterThanOrEqual(32)
  })

  const wrongs: [string, Faults][] = [
    ['another origin', { origin: 'https://evil.example' }],
    ['another host', { rpId: 'evil.example' }],
    ['another challenge', { challenge: Buffer.alloc(32).toString('base64url') }],
    ['another ceremony', { type: 'payment.get' }],
    ['nobody verified', { unverified: true }],
  ]

  it.each(wrongs)('is not registered with %s', async (_what, bad) => {
    const { email } = await makePerson(product.db, { partnerId: shop })
    const own = browser()
    await own.signIn(email)
    expect(outcome(await register(own, createAuthenticator(origin), bad))).toEqual([
      403,
      'forbidden',
    ])
    expect(rows(await own.send('GET', '/v1/passkeys'))).toEqual([])
  })

  it.each([...wrongs, ['a counter that stands still', { counter: 1 }] as [string, Faults]])(
    'is not taken with %s',
    async (_what, bad) => {
      const { email, authenticator } = await boss()
      const own = browser()
      await own.signIn(email)
      expect(outcome(await show(own, authenticator, bad))).toEqual([403, 'forbidden'])
      expect((await own.send('GET', '/v1/sessions/current')).body.needs).toBe('passkey')
      expect((await show(own, authenticator)).status).toBe(200)
    },
  )

  it('is taken again and again from an authenticator that counts nothing', async () => {
    const { email, authenticator } = await boss()
    await sql`update passkeys set counter = 0`.execute(product.db)
    for (let i = 0; i < 2; i++) {
      const own = browser()
      await own.signIn(email)
      expect((await show(own, authenticator, { counter: 0 })).status).toBe(200)
    }
  })

  it('answers a challenge once, and only in the session that asked', async () => {
    const { email, authenticator } = await boss()
    const [own, other] = [browser(), browser()]
    for (const one of [own, other]) await one.signIn(email)
    const asked = await options(own, `${showing}/options`)
    const credential = authenticator.show(asked)
    const elsewhere = await other.send('POST', showing, { credential })
    expect(outcome(elsewhere)).toEqual([409, 'not_ready'])
    const both = await Promise.all([1, 2].map(() => own.send('POST', showing, { credential })))
    expect(both.map(({ status }) => status).sort()).toEqual([200, expect.any(Number)])
    expect(both.filter(({ status }) => status === 200)).toHaveLength(1)
  })

  it('answers no challenge that is older than five minutes', async () => {
    const { email, authenticator } = await boss()
    const own = browser()
    await own.signIn(email)
    const asked = await options(own, `${showing}/options`)
    await sql`update passkey_challenges set expires_at = now()`.execute(product.db)
    const answer = await own.send('POST', showing, { credential: authenticator.show(asked) })
    expect(outcome(answer)).toEqual([409, 'not_ready'])
  })

  it('of somebody else is none of yours', async () => {
    const { email } = await boss()
    const stranger = await boss()
    const own = browser()
    await own.signIn(email)
    expect(outcome(await show(own, stranger.authenticator))).toEqual([403, 'forbidden'])
  })

  it('belongs to one person', async () => {
    const { authenticator } = await boss()
    const { email } = await makePerson(product.db, { partnerId: shop })
    const own = browser()
    await own.signIn(email)
    expect(outcome(await register(own, authenticator))).toEqual([409, 'conflict'])
  })

  it('ends every other session when it is registered', async () => {
    const { email } = await makePerson(product.db, { partnerId: shop })
    const [own, other] = [browser(), browser()]
    for (const one of [own, other]) await one.signIn(email)
    expect((await register(own)).status).toBe(201)
    expect((await own.send('GET', '/v1/me')).status).toBe(200)
    expect((await other.send('GET', '/v1/me')).status).toBe(401)
  })

  it('beside another factor takes a fresh proof, and brings no new recovery codes', async () => {
    const { email, browser: own } = await boss()
    await makeOlder(product.db, email, '6 minutes')
    const asked = await own.send('POST', '/v1/passkeys/options')
    expect(outcome(asked)).toEqual([403, 'step_up_required'])
    const fresh = await boss()
    const second = await register(fresh.browser)
    expect([second.status, second.body.recovery_codes]).toEqual([201, null])
  })

  it.each<[string, Json, string[]]>([
    [
      'no name',
      { credential: {} },
      ['missing /credential/id', 'missing /credential/response', 'missing /name'],
    ],
    [
      'an id that is none',
      { name: 'x', credential: { id: '%', response: {} } },
      [
        'invalid /credential/id',
        'missing /credential/response/attestationObject',
        'missing /credential/response/clientDataJSON',
      ],
    ],
    [
      'another person',
      { name: 'x', person: 'y' },
      ['missing /credential', 'unknown_field /person'],
    ],
  ])('is not registered with %s', async (_what, form, expected) => {
    const { email } = await makePerson(product.db, { partnerId: shop })
    const own = browser()
    await own.signIn(email)
    expect(faults(await own.send('POST', '/v1/passkeys', form))).toEqual(expected)
  })
})

describe('removing a passkey', () => {
  it('leaves a level that needs one with another factor', async () => {
    const { browser: own, registered } = await boss()
    const path = `/v1/passkeys/${String((registered.body.passkey as Json).id)}`
    expect(outcome(await own.send('DELETE', path))).toEqual([409, 'conflict'])
    await enrolTotp(own)
    expect((await own.send('DELETE', path)).status).toBe(200)
    expect(rows(await own.send('GET', '/v1/passkeys'))).toEqual([])
  })

  it('takes a fresh proof, and is for its own person', async () => {
    const { email, browser: own, registered } = await boss()
    const id = String((registered.body.passkey as Json).id)
    const { browser: stranger } = await boss()
    const answers = []
    for (const tried of [id, 'psk_01h455vb4pex5vsknk084sn02q']) {
      answers.push(withoutRequestId(await stranger.send('DELETE', `/v1/passkeys/${tried}`)))
    }
    expect(answers[0]?.status).toBe(404)
    expect(answers[0]).toEqual(answers[1])
    await makeOlder(product.db, email, '6 minutes')
    const late = await own.send('DELETE', `/v1/passkeys/${id}`)
    expect(outcome(late)).toEqual([403, 'step_up_required'])
  })
})

test('whoever is not signed in is answered 401', async () => {
  for (const [method, path, body] of [
    ['GET', '/v1/passkeys', undefined],
    ['POST', '/v1/passkeys/options', undefined],
    ['POST', `${showing}/options`, undefined],
    ['DELETE', '/v1/passkeys/psk_01h455vb4pex5vsknk084sn02q', undefined],
  ] as const) {
    expect(outcome(await browser().send(method, path, body))).toEqual([401, 'not_authenticated'])
  }
  const { browser: own, authenticator } = await boss()
  const credential = authenticator.show(await options(own, `${showing}/options`))
  const answer = await browser().send('POST', showing, { credential })
  expect(outcome(answer)).toEqual([401, 'not_authenticated'])
})
