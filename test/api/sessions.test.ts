/** Signing in: what it gives, what it gives away, and how it ends. */
import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import { mailboxIndex } from '../../db/personal-fields.ts'
import { outwardId } from '../../domain/ids.ts'
import { makeMember, makePartner, unique } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { type Call, clientOf, faults, type Json, rows, withoutRequestId } from './kit.ts'
import {
  type Browser,
  codeOf,
  enrolTotp,
  makeOlder,
  makePerson,
  openBrowser,
  password,
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
const current = (who: Browser) => who.send('GET', '/v1/sessions/current')

interface Argon2 {
  verify(stored: string, password: string): Promise<boolean>
}

/** Somebody of the shop, who needs one factor. */
async function clerk() {
  const person = await makePerson(product.db, { partnerId: shop })
  const own = browser()
  expect((await own.signIn(person.email)).status).toBe(201)
  return { ...person, browser: own }
}

/** Somebody of the master reseller, signed in with an app. */
async function boss() {
  const person = await makePerson(product.db, { partnerId: master })
  const own = browser()
  await own.signIn(person.email)
  const { secret, recoveryCodes } = await enrolTotp(own)
  return { ...person, browser: own, secret, recoveryCodes }
}

describe('signing in with a password', () => {
  it('gives a reseller a whole session', async () => {
    const { id, email } = await makePerson(product.db, { partnerId: shop, role: 'finance' })
    const own = browser()
    const { status, body } = await own.signIn(email.toUpperCase())
    expect(status).toBe(201)
    expect(body).toEqual({
      id: expect.stringMatching(/^ses_/),
      member: outwardId('member', id),
      name: 'Grace Hopper',
      email,
      partner: outwardId('partner', shop),
      customer: null,
      level: 'reseller',
      role: 'finance',
      needs: null,
      enrol: false,
      methods: ['password'],
      stepped_up_at: expect.any(String),
      created_at: expect.any(String),
      expires_at: expect.any(String),
    })
    const days = Date.parse(String(body.expires_at)) - Date.parse(String(body.created_at))
    expect(days / 86_400_000).toBeCloseTo(14, 3)
    expect((await current(own)).body).toEqual(body)
  })

  it('acts for the member behind the cookie, as its key does', async () => {
    const { id, browser: own } = await clerk()
    const { status, body } = await own.send('GET', '/v1/me')
    expect([status, body.member, body.partner]).toEqual([
      200,
      outwardId('member', id),
      outwardId('partner', shop),
    ])
  })

  it('keeps 256 random bits as a hash only', async () => {
    const { browser: own } = await clerk()
    const token = own.cookie() ?? ''
    expect(Buffer.from(token, 'base64url')).toHaveLength(32)
    const hash = createHash('sha256').update(token).digest()
    const { rows: kept } = await sql<{ row: string }>`select s::text as row from sessions s
      where token_hash = ${hash}`.execute(product.db)
    expect(kept).toHaveLength(1)
    expect(kept[0]?.row).not.toContain(token)
  })

  it('gives another token each time, and ends what the browser had', async () => {
    const { email, browser: own } = await clerk()
    const first = own.cookie()
    await own.signIn(email)
    expect(own.cookie()).not.toBe(first)
    const other = browser()
    other.take(first)
    expect(outcome(await current(other))).toEqual([401, 'not_authenticated'])
  })

  it('takes nobody for somebody whose password is another one', async () => {
    const { email } = await makePerson(product.db, { partnerId: shop })
    const answer = await browser().signIn(email, { password: `${password}!` })
    expect(outcome(answer)).toEqual([401, 'not_authenticated'])
  })

  it('answers alike for who is unknown, disabled, without a password, or elsewhere', async () => {
    const { db } = product
    const { email } = await makePerson(db, { partnerId: shop })
    const disabled = await makePerson(db, { partnerId: shop })
    await sql`update members set status = 'disabled', disabled_at = now()
      where id = ${disabled.id}`.execute(db)
    const bare = `${unique('bare')}@people.example`
    await makeMember(db, { partnerId: shop, email: bare })
    const wrong = await browser().signIn(email, { password: 'not this one at all' })
    for (const [who, more] of [
      [`${unique('nobody')}@people.example`, {}],
      [disabled.email, {}],
      [bare, {}],
      [email, { partner: outwardId('partner', master) }],
      [email, { partner: 'platform' }],
    ] as const) {
      expect(withoutRequestId(await browser().signIn(who, more))).toEqual(withoutRequestId(wrong))
    }
  })

  it('costs the same work for an address that is unknown', async () => {
    const { email } = await makePerson(product.db, { partnerId: shop })
    const stretched = jest.spyOn(jest.requireActual<object>('@node-rs/argon2') as Argon2, 'verify')
    for (const who of [email, 'nobody@people.example', email]) {
      expect((await browser().signIn(who, { password: 'wrong in any case' })).status).toBe(401)
    }
    const works = stretched.mock.calls.map(
      ([stored]) => /^\$argon2id\$.*?\$.*?\$/.exec(stored)?.[0],
    )
    stretched.mockRestore()
    expect(works).toEqual(Array(3).fill('$argon2id$v=19$m=19456,t=2,p=1$'))
  })

  it.each<[string, Json, string[]]>([
    ['no password', { email: 'a@b.example' }, ['missing /password']],
    ['no address', { password }, ['missing /email']],
    ['an empty password', { email: 'a@b.example', password: '' }, ['invalid /password']],
    ['a long password', { email: 'a@b.example', password: 'x'.repeat(257) }, ['invalid /password']],
    ['another field', { email: 'a@b.example', password, role: 'owner' }, ['unknown_field /role']],
    ['no such kind', { email: 'a@b.example', password, partner: 'acme' }, ['invalid /partner']],
  ])('is refused with %s', async (_what, form, expected) => {
    expect(faults(await browser().send('POST', '/v1/sessions', form))).toEqual(expected)
  })
})

describe('who is a member of several organisations', () => {
  it('names one, and learns which there are only with the right password', async () => {
    const { email } = await makePerson(product.db, { partnerId: shop })
    await makePerson(product.db, { partnerId: null, email: email.toUpperCase(), role: 'viewer' })
    const asked = await browser().signIn(email)
    expect(faults(asked)).toEqual(['ambiguous /partner'])
    expect(asked.text).toContain(`${outwardId('partner', shop)}, platform`)
    const blind = await browser().signIn(email, { password: 'wrong in any case' })
    expect(outcome(blind)).toEqual([401, 'not_authenticated'])
    const here = await browser().signIn(email, { partner: outwardId('partner', shop) })
    expect([here.status, here.body.level]).toEqual([201, 'reseller'])
    const there = await browser().signIn(email, { partner: 'platform' })
    expect(there.body).toMatchObject({ level: 'super_admin', role: 'viewer', enrol: true })
  })
})

describe('a session without its second factor', () => {
  it('has yet to get one at a level that needs it, and can do nothing else', async () => {
    const { email } = await makePerson(product.db, { partnerId: master })
    const own = browser()
    const { body } = await own.signIn(email)
    expect(body).toMatchObject({ level: 'master_reseller', needs: null, enrol: true })
    expect(body.stepped_up_at).toBeNull()
    const minutes = Date.parse(String(body.expires_at)) - Date.parse(String(body.created_at))
    expect(minutes / 60_000).toBeCloseTo(10, 1)
    for (const [method, path] of [
      ['GET', '/v1/me'],
      ['GET', '/v1/partners'],
      ['GET', '/v1/sessions'],
      ['DELETE', '/v1/sessions'],
      ['GET', '/v1/second-factors'],
      ['POST', '/v1/second-factors/recovery-codes'],
    ] as const) {
      expect([path, ...outcome(await own.send(method, path))]).toEqual([
        path,
        403,
        'second_factor_required',
      ])
    }
    const stepUp = await own.send('POST', '/v1/sessions/current/step-up', { password })
    expect(outcome(stepUp)).toEqual([403, 'second_factor_required'])
  })

  it('becomes whole with a code, under another token', async () => {
    const { email, secret } = await boss()
    const own = browser()
    const { body } = await own.signIn(email)
    expect(body).toMatchObject({ needs: 'totp', enrol: false })
    expect(outcome(await own.send('GET', '/v1/me'))).toEqual([403, 'second_factor_required'])
    const half = own.cookie()
    const shown = await own.send('POST', '/v1/sessions/current/totp', { code: codeOf(secret) })
    expect(shown.status).toBe(200)
    expect(shown.body).toMatchObject({ needs: null, methods: ['password', 'totp'] })
    const hours = Date.parse(String(shown.body.expires_at)) - Date.now()
    expect(hours / 3_600_000).toBeCloseTo(12, 1)
    expect((await own.send('GET', '/v1/me')).status).toBe(200)
    own.take(half)
    expect(outcome(await current(own))).toEqual([401, 'not_authenticated'])
  })

  it('takes no code twice, none of somebody else, and five at most', async () => {
    const { email, secret } = await boss()
    const other = await boss()
    const code = codeOf(secret)
    const show = async (shown: string) => {
      const own = browser()
      await own.signIn(email)
      return outcome(await own.send('POST', '/v1/sessions/current/totp', { code: shown }))
    }
    expect(await show(code)).toEqual([200, undefined])
    expect(await show(code)).toEqual([403, 'forbidden'])
    expect(await show(codeOf(other.secret))).toEqual([403, 'forbidden'])
    for (let i = 0; i < 3; i++) expect(await show('000000')).toEqual([403, 'forbidden'])
    expect(await show(codeOf(secret, 1))).toEqual([429, 'too_many_requests'])
  })

  it('becomes whole once where one code is shown by many at once', async () => {
    const { email, secret } = await boss()
    const browsers = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const own = browser()
        await own.signIn(email)
        return own
      }),
    )
    const code = codeOf(secret)
    const answers = await Promise.all(
      browsers.map((own) => own.send('POST', '/v1/sessions/current/totp', { code })),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 403, 403, 403])
  })

  it('becomes whole with a code from paper, once', async () => {
    const { email, recoveryCodes } = await boss()
    const code = String(recoveryCodes[3]).toUpperCase().replaceAll('-', ' ')
    const show = async () => {
      const own = browser()
      await own.signIn(email)
      return own.send('POST', '/v1/sessions/current/totp', { code })
    }
    expect((await show()).body.methods).toEqual(['password', 'recovery_code'])
    expect(outcome(await show())).toEqual([403, 'forbidden'])
  })
})

describe('a fresh proof', () => {
  it('is a code for who has an app; the password alone does not do', async () => {
    const { email, secret, browser: own } = await boss()
    await makeOlder(product.db, email, '6 minutes')
    const change = () => own.send('POST', '/v1/second-factors/recovery-codes')
    expect(outcome(await change())).toEqual([403, 'step_up_required'])
    const alone = await own.send('POST', '/v1/sessions/current/step-up', { password })
    expect(faults(alone)).toEqual(['missing /code'])
    const wrong = { password: 'wrong in any case', code: codeOf(secret) }
    expect(outcome(await own.send('POST', '/v1/sessions/current/step-up', wrong))).toEqual([
      403,
      'forbidden',
    ])
    const before = own.cookie()
    const both = { password, code: codeOf(secret) }
    const proved = await own.send('POST', '/v1/sessions/current/step-up', both)
    expect(proved.status).toBe(200)
    expect(Date.now() - Date.parse(String(proved.body.stepped_up_at))).toBeLessThan(300_000)
    expect(own.cookie()).not.toBe(before)
    expect((await change()).status).toBe(201)
  })

  it('is the password for who has no second factor', async () => {
    const { email, browser: own } = await clerk()
    await makeOlder(product.db, email, '6 minutes')
    const begin = () => own.send('POST', '/v1/second-factors/totp')
    expect(outcome(await begin())).toEqual([403, 'step_up_required'])
    const wrong = await own.send('POST', '/v1/sessions/current/step-up', { password: 'wrong one' })
    expect(outcome(wrong)).toEqual([403, 'forbidden'])
    expect((await own.send('POST', '/v1/sessions/current/step-up', { password })).status).toBe(200)
    expect((await begin()).status).toBe(201)
  })
})

describe('a session ends', () => {
  it('when it is signed out, at once', async () => {
    const { browser: own } = await clerk()
    const token = own.cookie()
    const left = await own.send('DELETE', '/v1/sessions/current')
    expect([left.status, left.body]).toEqual([200, { ended: 1 }])
    expect(own.cookie()).toBeUndefined()
    own.take(token)
    expect(outcome(await current(own))).toEqual([401, 'not_authenticated'])
    expect((await own.send('DELETE', '/v1/sessions/current')).body).toEqual({ ended: 0 })
  })

  it.each([
    ['unused for half an hour, at an admin level', '30 minutes 1 second', 401],
    ['not before', '29 minutes', 200],
  ])('%s', async (_what, interval, status) => {
    const { email, browser: own } = await boss()
    await makeOlder(product.db, email, interval)
    expect((await current(own)).status).toBe(status)
  })

  it('after its time, however much it is used', async () => {
    const { email, browser: own } = await clerk()
    await sql`update sessions set expires_at = clock_timestamp() where person_id =
      (select id from people where email_index = ${mailboxIndex(email)})`.execute(product.db)
    expect((await current(own)).status).toBe(401)
  })

  it('when its member is disabled, and does not come back with it', async () => {
    const { id, browser: own } = await clerk()
    const set = (status: string) =>
      sql`update members set status = ${status},
        disabled_at = case when ${status} = 'disabled' then now() end where id = ${id}`.execute(
        product.db,
      )
    await set('disabled')
    expect((await current(own)).status).toBe(401)
    await set('active')
    expect((await current(own)).status).toBe(401)
  })

  it('when its person ends it, or all of them', async () => {
    const { email, browser: own } = await clerk()
    const others = [browser(), browser()]
    for (const other of others) await other.signIn(email, {})
    const list = rows(await own.send('GET', '/v1/sessions'))
    expect(list.map(({ current }) => current)).toEqual([false, false, true])
    expect(list[0]).toMatchObject({ partner: outwardId('partner', shop), methods: ['password'] })
    const one = await own.send('DELETE', `/v1/sessions/${String(list[0]?.id)}`)
    expect([one.status, one.body]).toEqual([200, { ended: 1 }])
    const left = await Promise.all(others.map(current))
    expect(left.map(({ status }) => status)).toEqual([200, 401])
    const all = await own.send('DELETE', '/v1/sessions')
    expect([all.status, all.body]).toEqual([200, { ended: 2 }])
    for (const who of [own, ...others]) expect((await current(who)).status).toBe(401)
  })

  it('of somebody else for nobody, as if it were not there', async () => {
    const { browser: own } = await clerk()
    const { browser: other } = await clerk()
    const id = String((await current(other)).body.id)
    const answers = []
    for (const tried of [id, 'ses_01h455vb4pex5vsknk084sn02q', 'nothing']) {
      answers.push(withoutRequestId(await own.send('DELETE', `/v1/sessions/${tried}`)))
    }
    expect(answers[0]?.status).toBe(404)
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
    expect((await current(other)).status).toBe(200)
  })
})
