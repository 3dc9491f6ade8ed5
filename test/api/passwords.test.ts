/** Choosing another password, with the old one and by mail. */
import { createHash, randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { recordInvitation } from '../../db/access.ts'
import { inTransaction } from '../../db/database.ts'
import { createLinks } from '../../integrations/links.ts'
import { makeMember, makePartner, unique } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { type Call, clientOf, faults, type Json, withoutRequestId } from './kit.ts'
import {
  accessMailsTo,
  enrolTotp,
  makeOlder,
  makePerson,
  openBrowser,
  password,
} from './people-kit.ts'

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
const better = 'a louder walk by the sea'

async function signedIn() {
  const { email } = await makePerson(product.db, { partnerId: shop })
  const own = browser()
  await own.signIn(email)
  return { email, browser: own }
}

describe('changing the password', () => {
  it('takes the old one, ends all other sessions and gives this one another token', async () => {
    const { email, browser: own } = await signedIn()
    const other = browser()
    await other.signIn(email)
    const before = own.cookie()
    const form = { old_password: password, password: better }
    const changed = await own.send('POST', '/v1/passwords', form)
    expect([changed.status, changed.body.email]).toEqual([200, email])
    expect(own.cookie()).not.toBe(before)
    expect((await own.send('GET', '/v1/me')).status).toBe(200)
    expect((await other.send('GET', '/v1/me')).status).toBe(401)
    expect((await browser().signIn(email)).status).toBe(401)
    expect((await browser().signIn(email, { password: better })).status).toBe(201)
  })

  it('is refused with a wrong old one, five times, and then for a while', async () => {
    const { browser: own } = await signedIn()
    const form = { old_password: 'wrong in any case', password: better }
    for (let i = 0; i < 5; i++) {
      expect(outcome(await own.send('POST', '/v1/passwords', form))).toEqual([403, 'forbidden'])
    }
    const right = { ...form, old_password: password }
    expect(outcome(await own.send('POST', '/v1/passwords', right))).toEqual([
      429,
      'too_many_requests',
    ])
  })

  it.each([
    ['short', 'kA9-vv2', 'too_short'],
    ['common', 'password1234', 'too_common'],
    ['personal', 'GraceHopper99', 'too_personal'],
  ])('is refused for one that is %s', async (_what, weak, code) => {
    const { browser: own } = await signedIn()
    const form = { old_password: password, password: weak }
    expect(faults(await own.send('POST', '/v1/passwords', form))).toEqual([`${code} /password`])
  })

  it('is no fresh proof for who has a second factor', async () => {
    const { email, browser: own } = await signedIn()
    await enrolTotp(own)
    await makeOlder(product.db, email, '6 minutes')
    const form = { old_password: password, password: better }
    expect((await own.send('POST', '/v1/passwords', form)).status).toBe(200)
    const renewed = await own.send('POST', '/v1/second-factors/recovery-codes')
    expect(outcome(renewed)).toEqual([403, 'step_up_required'])
  })

  it('takes a session: 401 without one', async () => {
    const form = { old_password: password, password: better }
    expect(outcome(await browser().send('POST', '/v1/passwords', form))).toEqual([
      401,
      'not_authenticated',
    ])
  })
})

const ask = (email: string) => browser().send('POST', '/v1/password-resets', { email })
const confirm = (token: string, chosen = better) =>
  browser().send('POST', '/v1/password-resets/confirm', { token, password: chosen })

/** The token of the newest reset of this address, made as the mail makes it. */
async function tokenFor(email: string): Promise<string> {
  const mails = await accessMailsTo(product.db, email)
  const newest = mails.findLast(({ kind }) => kind === 'password_reset')
  return createLinks(product.config.api).passwordResetToken(newest?.subjectId ?? '')
}

describe('a new password by mail', () => {
  it('is answered alike whether the address exists or not, and mailed where it does', async () => {
    const { email } = await makePerson(product.db, { partnerId: shop })
    const known = await ask(email)
    expect(known.status).toBe(202)
    const stranger = `${unique('nobody')}@people.example`
    expect(withoutRequestId(await ask(stranger))).toEqual(withoutRequestId(known))
    const { rows } = await sql`select from access_mails
      where kind = 'password_reset'`.execute(product.db)
    expect([rows.length, await accessMailsTo(product.db, email)]).toMatchObject([
      1,
      [{ kind: 'password_reset' }],
    ])
  })

  it('is chosen once, ends every session, and leaves the second factor', async () => {
    const { email, browser: own } = await signedIn()
    await enrolTotp(own)
    await ask(email)
    const token = await tokenFor(email)
    expect(faults(await confirm(token, 'password1234'))).toEqual(['too_common /password'])
    expect((await confirm(token)).status).toBe(200)
    expect((await own.send('GET', '/v1/me')).status).toBe(401)
    expect(outcome(await confirm(token))).toEqual([410, 'gone'])
    expect((await browser().signIn(email, { password: better })).body.needs).toBe('totp')
  })

  it('gives a first password to who had none', async () => {
    const email = `${unique('bare')}@people.example`
    await makeMember(product.db, { partnerId: shop, role: 'viewer', email })
    await ask(email)
    expect((await confirm(await tokenFor(email))).status).toBe(200)
    expect((await browser().signIn(email, { password: better })).status).toBe(201)
  })

  it('is chosen with the invitation of a partner too, which still gives its key', async () => {
    const token = unique('token')
    const partner = await makePartner(product.db)
    const email = `${unique('first')}@people.example`
    const tokenHash = createHash('sha256').update(token).digest()
    const expiresAt = new Date(Date.now() + 86_400_000)
    const invitation = { id: randomUUIDv7(), partnerId: partner, name: 'Ada', email }
    await inTransaction(product.db, (trx) =>
      recordInvitation(trx, { ...invitation, tokenHash, expiresAt }),
    )
    const accept = (body: Json) => call('/v1/invitations/accept', { method: 'POST', body })
    const weak = await accept({ token, password: 'password1234' })
    expect(faults(weak)).toEqual(['too_common /password'])
    const taken = await accept({ token, password: better })
    expect([taken.status, taken.body.api_key]).toEqual([201, expect.stringMatching(/^trib_/)])
    const signed = await browser().signIn(email, { password: better })
    expect([signed.status, signed.body.role]).toEqual([201, 'owner'])
  })

  it('holds for an hour, for the newest request, and is kept as a hash', async () => {
    const { email } = await makePerson(product.db, { partnerId: shop })
    await ask(email)
    const first = await tokenFor(email)
    await ask(email)
    const second = await tokenFor(email)
    expect(outcome(await confirm(first))).toEqual([410, 'gone'])
    const hash = createHash('sha256').update(second).digest()
    const old = await sql`update password_resets set expires_at = now()
      where token_hash = ${hash} returning id`.execute(product.db)
    expect(old.rows).toHaveLength(1)
    expect(outcome(await confirm(second))).toEqual([410, 'gone'])
    expect(outcome(await confirm('never-given'))).toEqual([410, 'gone'])
  })

  it('is asked for five times in a quarter of an hour, by whomever', async () => {
    for (const email of [`${unique('nobody')}@people.example`]) {
      for (let i = 0; i < 5; i++) expect((await ask(email)).status).toBe(202)
      expect(outcome(await ask(email))).toEqual([429, 'too_many_requests'])
    }
  })
})
