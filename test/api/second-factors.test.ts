import { sql } from 'kysely'
import { makePartner } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { type Call, clientOf, type Json } from './kit.ts'
import {
  accessMailsTo,
  codeOf,
  enrolTotp,
  forgetCodes,
  makeOlder,
  makePerson,
  openBrowser,
} from './people-kit.ts'

let product: Product
let call: Call
let master: string
let shop: string
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  master = await makePartner(product.db, { level: 'master_reseller' })
  shop = await makePartner(product.db, { parentId: master })
})
afterAll(() => product.stop())

const browser = () => openBrowser(call, product.config.api.publicUrl)
const outcome = ({ status, body }: { status: number; body: Json }) => [status, body.code]

async function signedIn(partnerId: string) {
  const { email } = await makePerson(product.db, { partnerId })
  const own = browser()
  await own.signIn(email)
  return { email, browser: own }
}

const confirm = '/v1/second-factors/totp/confirm'

describe('an authenticator app', () => {
  it('is set up with a secret of 160 bits that is shown once, and makes the session whole', async () => {
    const { email, browser: own } = await signedIn(master)
    const begun = await own.send('POST', '/v1/second-factors/totp')
    const secret = String(begun.body.secret)
    expect(secret).toMatch(/^[A-Z2-7]{32}$/)
    const uri = new URL(String(begun.body.uri))
    expect([uri.protocol, uri.searchParams.get('secret')]).toEqual(['otpauth:', secret])
    expect(decodeURIComponent(uri.pathname)).toBe(`/Tributary:${email}`)
    expect((await own.send('GET', '/v1/me')).status).toBe(403)
    const done = await own.send('POST', confirm, { code: codeOf(secret) })
    expect(done.status).toBe(200)
    expect(done.body).toEqual({
      session: expect.objectContaining({
        enrol: false,
        needs: null,
        methods: ['password', 'totp'],
      }),
      recovery_codes: expect.any(Array),
    })
    expect((await own.send('GET', '/v1/second-factors')).body).toEqual({
      required: true,
      totp: true,
      passkeys: 0,
      recovery_codes_left: 10,
    })
    expect((await own.send('GET', '/v1/me')).status).toBe(200)
  })

  it('is kept encrypted, and its recovery codes as hashes', async () => {
    const { browser: own } = await signedIn(shop)
    const { secret, recoveryCodes } = await enrolTotp(own)
    expect(recoveryCodes).toHaveLength(10)
    for (const code of recoveryCodes) expect(code).toMatch(/^[a-z2-7]{4}(-[a-z2-7]{4}){3}$/)
    const dump = await sql<{ text: string }>`
      select p::text as text from people p union all select r::text from recovery_codes r`.execute(
      product.db,
    )
    const text = dump.rows.map((row) => row.text).join('\n')
    for (const hidden of [secret, ...recoveryCodes]) {
      expect(text).not.toContain(hidden)
      expect(text).not.toContain(Buffer.from(hidden).toString('hex'))
    }
  })

  it('is no factor until its first code was right', async () => {
    const { email, browser: own } = await signedIn(shop)
    expect(outcome(await own.send('POST', confirm, { code: '123456' }))).toEqual([409, 'not_ready'])
    await own.send('POST', '/v1/second-factors/totp')
    expect(outcome(await own.send('POST', confirm, { code: '000000' }))).toEqual([403, 'forbidden'])
    expect((await browser().signIn(email)).body.needs).toBeNull()
  })

  it('is not set up over another one', async () => {
    const { browser: own } = await signedIn(shop)
    await enrolTotp(own)
    const again = await own.send('POST', '/v1/second-factors/totp')
    expect(outcome(again)).toEqual([409, 'conflict'])
  })

  it('is asked of everybody who has one, whatever the level', async () => {
    const { email, browser: own } = await signedIn(shop)
    const other = browser()
    await other.signIn(email)
    await enrolTotp(own)
    expect((await other.send('GET', '/v1/me')).status).toBe(401)
    expect((await browser().signIn(email)).body.needs).toBe('totp')
  })

  it('is removed by a fresh proof, and not where a level needs it', async () => {
    const { email, browser: own } = await signedIn(shop)
    const { secret } = await enrolTotp(own)
    await makeOlder(product.db, email, '6 minutes')
    const remove = () => own.send('DELETE', '/v1/second-factors/totp')
    expect(outcome(await remove())).toEqual([403, 'step_up_required'])
    await forgetCodes(product.db, email)
    await own.send('POST', '/v1/sessions/current/step-up', { code: codeOf(secret) })
    const removed = await remove()
    expect([removed.status, removed.body]).toEqual([
      200,
      { required: false, totp: false, passkeys: 0, recovery_codes_left: 0 },
    ])
    expect((await browser().signIn(email)).body.needs).toBeNull()
    const { browser: boss } = await signedIn(master)
    await enrolTotp(boss)
    expect(outcome(await boss.send('DELETE', '/v1/second-factors/totp'))).toEqual([409, 'conflict'])
  })

  it('is told of by mail, at every change', async () => {
    const { email, browser: own } = await signedIn(shop)
    await enrolTotp(own)
    await own.send('POST', '/v1/second-factors/recovery-codes')
    await own.send('DELETE', '/v1/second-factors/totp')
    const mails = await accessMailsTo(product.db, email)
    const told = mails.filter(({ kind }) => kind === 'access_changed')
    expect(told.map(({ what }) => what)).toEqual([
      'An authenticator app was set up.',
      'New recovery codes were made; the old ones are void.',
      'A second factor was removed.',
    ])
  })
})

describe('recovery codes', () => {
  it('are made anew in place of the old ones', async () => {
    const { email, browser: own } = await signedIn(shop)
    const { recoveryCodes } = await enrolTotp(own)
    const renewed = await own.send('POST', '/v1/second-factors/recovery-codes')
    expect(renewed.status).toBe(201)
    const show = async (code: unknown) => {
      const other = browser()
      await other.signIn(email)
      return (await other.send('POST', '/v1/sessions/current/totp', { code })).status
    }
    expect(await show(recoveryCodes[0])).toBe(403)
    expect(await show((renewed.body.recovery_codes as string[])[0])).toBe(200)
  })

  it('stand in for a factor, and are none themselves', async () => {
    const { browser: own } = await signedIn(shop)
    const answer = await own.send('POST', '/v1/second-factors/recovery-codes')
    expect(outcome(answer)).toEqual([409, 'conflict'])
  })
})

test('whoever is not signed in is answered 401', async () => {
  for (const [method, path, body] of [
    ['GET', '/v1/second-factors', undefined],
    ['POST', '/v1/second-factors/totp', undefined],
    ['POST', confirm, { code: '123456' }],
    ['DELETE', '/v1/second-factors/totp', undefined],
    ['POST', '/v1/second-factors/recovery-codes', undefined],
  ] as const) {
    expect(outcome(await browser().send(method, path, body))).toEqual([401, 'not_authenticated'])
  }
})
